//! A declared job from the alert to its end: offered by its labels, granted by its name, run once, verified by
//! its own end, and put back by the undo that its template declares.

use belay::domain::action::{Action, ActionKind};
use belay::domain::record::{Answer, Outcome, Verdict};
use belay::incident::{Phase, State};
use belay::sim::kube::{Behaviour, Kind};
use serde_json::Value;

use super::house::{CLUSTER, House, Wish, alert, body};
use crate::jobs::{OFF, REQUEUE};

const GRANT: &str = "    - id: recommendations-off
      alerts: ['alertname=\"RecommendationsSlow\"']
      when: \"finding.cause == 'DeclaredJob' && action.params.template == 'recommendations-off'\"
      actions: [run_job]
      environments: [shop]
      level: 3
      verify: { within: 20m, stabilise: 15s, expect: [workload_ready, alert_gone], onFailure: revert }
      confirm: { approval: one, within: 30m, onSilence: keep }
      playbook: true
";

/// What a golden input is for: a grant that no input could match is a mistake.
const EXAMPLE: &str = include_str!("../../../policies/examples/saturation.yaml");

/// The demo's policy with the grant.
async fn opened(wish: Wish) -> House {
    let mut wish = wish.with("  grants:\n", &format!("  grants:\n{GRANT}"));
    let action = regex::Regex::new("(?m)^action: .*$").unwrap();
    let finding = regex::Regex::new("(?m)^finding: .*$").unwrap();
    let example = action.replace(EXAMPLE, "action: { kind: run_job, template: recommendations-off }");
    let example = finding.replace(&example, "finding: { cause: DeclaredJob, certainty: possible }");
    wish.examples.push((
        "policies/demo/examples/slow.yaml".into(),
        example.replace("CPUSaturation", "RecommendationsSlow"),
    ));
    House::open(wish).await
}

/// An alert about `checkout` that no analyser knows a cause for.
async fn fire(house: &House) {
    let labels = [
        ("alertname", "RecommendationsSlow"),
        ("cluster", CLUSTER),
        ("namespace", "shop"),
        ("deployment", "checkout"),
        ("severity", "warning"),
    ];
    house.deliver(body(&[alert(&labels, "2026-11-21T01:50:00Z", None)])).await;
}

async fn slow(wish: Wish) -> House {
    let house = opened(wish).await;
    fire(&house).await;
    house
}

fn with(jobs: &[&str]) -> Wish {
    Wish { jobs: jobs.iter().map(|text| (*text).to_owned()).collect(), ..Wish::by_hand() }
}

fn args(house: &House) -> Vec<Value> {
    let jobs = house.world.objects(Kind::Job, "shop");
    jobs.iter().map(|job| job["spec"]["template"]["spec"]["containers"][0]["args"][0].clone()).collect()
}

fn put_back(state: &State) -> bool {
    state.acts.first().is_some_and(|act| act.put_back.is_some())
}

#[tokio::test]
async fn a_declared_job_is_run_verified_and_put_back() {
    let house = slow(with(&[OFF, REQUEUE])).await;
    let asked =
        house.phase("checkout", |phase| matches!(phase, Phase::Confirming(_) | Phase::Escalated)).await;
    assert!(matches!(asked.phase, Phase::Confirming(_)), "{}", house.story().await);
    let plan = asked.plan.as_ref().unwrap();
    assert_eq!(plan.action.kind(), ActionKind::RunJob);
    assert!(matches!(&plan.action, Action::RunJob { template, .. } if template == "recommendations-off"));
    let Some(Verdict::Helped { seen }) = &asked.acts[0].verdict else {
        panic!("{:?}", asked.acts[0].verdict)
    };
    assert!(seen.contains(&"its Job is complete".to_owned()), "{seen:?}");
    assert_eq!(args(&house), ["off"]);
    let view = house.people.views.lock().unwrap().last().unwrap().clone();
    let told = format!("{view:?}");
    assert!(
        view.headline.contains("I started job `recommendations-off` for Deployment `checkout`"),
        "{told}"
    );
    assert!(told.contains("+ /spec/template/spec/serviceAccountName: \\\"flags\\\""), "{told}");
    assert!(told.contains("What the job does besides, belay cannot know."), "{told}");
    assert!(told.contains("Revert runs the job that the template declares as the undo"), "{told}");

    house.answer(&asked, Answer::Revert).await;
    let over = house.find("it is over", "checkout", |s| put_back(s) && s.phase == Phase::Closed).await;
    assert_eq!(over.closed.as_ref().unwrap().0, Outcome::Reverted, "{}", house.story().await);
    let mut all = args(&house);
    all.sort_by_key(Value::to_string);
    assert_eq!(all, ["off", "on"]);
    let intents: Vec<String> = over.acts.iter().map(|act| act.intent.id.to_string()).collect();
    assert_eq!(house.world.effects(), intents.into_iter().map(|id| (id, 1)).collect());
    let last = house.people.views.lock().unwrap().last().unwrap().headline.clone();
    assert!(last.contains("I started the undo of job `recommendations-off`"), "{last}");
    house.stop().await;
}

#[tokio::test]
async fn a_job_that_fails_is_put_back_by_itself_where_the_grant_says_so() {
    let (first, undo) = OFF.split_once("  undo:\n").unwrap();
    let own = format!("{first}  undo:\n{}", undo.replace("flags:1.9", "flags:undo"));
    let mut wish = with(&[&own]);
    wish.remote = true;
    let house = opened(wish).await;
    let failing = Behaviour::CrashAtStart { exit_code: 1, log: "no such flag".into() };
    house.world.behave_image("registry.example/shop/flags:1.9", failing);
    fire(&house).await;
    let over =
        house.find("it is over", "checkout", |s| matches!(s.phase, Phase::Closed | Phase::Escalated)).await;
    let Some(Verdict::DidNotHelp { seen }) = &over.acts[0].verdict else { panic!("{}", house.story().await) };
    assert!(seen[0].contains("its Job failed: BackoffLimitExceeded"), "{seen:?}");
    assert_eq!(
        over.closed.as_ref().map(|closed| closed.0),
        Some(Outcome::Reverted),
        "{}",
        house.story().await
    );
    assert_eq!(args(&house).len(), 2);
    house.stop().await;
}

#[tokio::test]
async fn a_grant_is_for_the_template_that_it_names() {
    let another = OFF.replace("name: recommendations-off", "name: recommendations-gone");
    let house = slow(with(&[&another])).await;
    let over =
        house.find("it is over", "checkout", |s| matches!(s.phase, Phase::Closed | Phase::Escalated)).await;
    let candidates = &over.diagnosis.as_ref().unwrap().candidates;
    assert_eq!(candidates.len(), 1, "it is a candidate, and no grant is for it");
    assert_eq!((over.acts.len(), house.world.writes().len()), (0, 0));
    house.stop().await;
}

#[tokio::test]
async fn an_action_server_with_another_text_of_the_template_refuses() {
    let mut wish = with(&[OFF]);
    wish.remote = true;
    wish.other_jobs = Some(vec![OFF.replace("flags:1.9", "flags:2.0")]);
    let house = slow(wish).await;
    let over = house.phase("checkout", |phase| *phase == Phase::Escalated).await;
    assert!(
        over.escalations[0].contains("its text of job template `recommendations-off`"),
        "{:?}",
        over.escalations
    );
    assert!(house.world.writes().is_empty());
    house.stop().await;
}
