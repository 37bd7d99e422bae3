//! Recorded answers in the place of a model.

use std::sync::Arc;

use belay::adapters::openai::OpenAi;
use belay::investigate::cassette::Cassette;
use belay::investigate::endpoints::egress::Reach;
use belay::investigate::tape::Tape;
use belay::investigate::{Endpoints, Investigated, Limits, Mind, Outcome, Prompts, investigate};
use belay::ports::clock::ManualClock;
use belay::ports::model::Model;
use belay::sim::model::{Script, ScriptedModel, Turn};
use tokio_util::sync::CancellationToken;

use super::adapter::settings;
use super::fixtures::{FakeTools, Given, at, unsure};

async fn run(model: Arc<dyn Model>, given: &Given, nonce: u128) -> Investigated {
    let mind = Mind {
        endpoints: Arc::new(Endpoints::only(model)),
        tools: Arc::new(FakeTools { text: "12:00 ERROR killed".into(), ..FakeTools::default() }),
        clock: ManualClock::new(at()),
        prompts: Arc::new(Prompts::load([]).unwrap()),
        limits: Limits::default(),
    };
    investigate(&mind, &given.case(), nonce, &CancellationToken::new()).await
}

/// An investigation with a scripted model, which reads and then chooses.
async fn recorded(given: &Given) -> (Investigated, Tape) {
    let turns = vec![
        Turn::call("k8s__get_pod_logs", r#"{"namespace":"shop","pod":"api-7f4b9"}"#),
        Turn::call("choose", r#"{"candidate":"c1","evidence":["e1"],"reason":"it was killed"}"#),
    ];
    let server = ScriptedModel::start(Script::Turns(turns)).await.unwrap();
    let done = run(Arc::new(OpenAi::new(settings(server.base_url())).unwrap()), given, 42).await;
    let tape = serde_json::from_slice(&done.tape).unwrap();
    (done, tape)
}

#[tokio::test]
async fn a_cassette_says_what_was_said_whatever_the_fence() {
    let given = Given::new(unsure());
    let (then, tape) = recorded(&given).await;
    assert!(matches!(then.outcome, Outcome::Concluded { .. }), "{:?}", then.outcome);
    assert_eq!(tape.exchanges.len(), 2);

    let now = run(Arc::new(Cassette::of("cassette", [&tape]).unwrap()), &given, 7).await;
    let conclusion = |done: &Investigated| done.choice(&given.diagnosis).conclusion;
    assert_eq!(conclusion(&now), conclusion(&then));
    assert_eq!(now.turns, then.turns);
    let again: Tape = serde_json::from_slice(&now.tape).unwrap();
    assert_ne!(again.nonce, tape.nonce);
    assert_ne!(again.exchanges[1].request, tape.exchanges[1].request, "the fence is another");
}

#[tokio::test]
async fn to_what_was_not_recorded_it_says_nothing() {
    let given = Given::new(unsure());
    let (_, tape) = recorded(&given).await;
    let mut other = Given::new(unsure());
    other.diagnosis.findings[0].summary = "something else".to_owned();
    let done = run(Arc::new(Cassette::of("cassette", [&tape]).unwrap()), &other, 7).await;
    let Outcome::Degraded { why } = &done.outcome else { panic!("{:?}", done.outcome) };
    assert!(why.to_string().contains("the cassette holds no answer"), "{why}");

    // nor a second time, where it was said once
    let cassette = Arc::new(Cassette::of("cassette", [&tape]).unwrap());
    run(Arc::clone(&cassette) as _, &given, 7).await;
    let done = run(cassette, &given, 7).await;
    assert!(matches!(done.outcome, Outcome::Degraded { .. }));
}

#[test]
fn a_tape_without_a_nonce_is_refused() {
    let limits = (Limits::default(), Reach::new("eu-1".into(), Vec::new()));
    let tape = Tape::new("k3".into(), "no".into(), Prompts::load([]).unwrap().hash(), limits, at());
    let why = Cassette::of("cassette", [&tape]).err().unwrap().to_string();
    assert!(why.contains("`k3`") && why.contains("`no`"), "{why}");
}
