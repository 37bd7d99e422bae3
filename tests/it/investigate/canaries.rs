//! Promise 20 as far as the model goes: secrets in logs, events, annotations and in the model's own words
//! reach neither the chat, nor the transcript, nor the evidence, nor what people are shown.

use std::sync::Arc;

use belay::adapters::openai::OpenAi;
use belay::diagnose::diagnose;
use belay::domain::action::job::Templates;
use belay::domain::cluster::{Event, LogTail, Snapshot};
use belay::domain::record::Diagnosis;
use belay::domain::target::Kind;
use belay::investigate::{Endpoints, Limits, Mind, Prompts, investigate};
use belay::notify::{Story, view};
use belay::ports::clock::ManualClock;
use belay::sim::model::{Script, ScriptedModel, Turn};

use tokio_util::sync::CancellationToken;

use super::adapter::settings;
use super::fixtures::{FakeTools, Given, at};
use crate::diagnose::{ago, ended, labels, waiting, with_end};
use crate::given::opening;

/// Texts that must not leave, and how they stand in what workloads write.
const CANARIES: [(&str, &str); 6] = [
    ("AKIA0CANARY0CANARY00", "using key AKIA0CANARY0CANARY00 of account 7"),
    ("eyJjYW5hcnkiOiIx.eyJjYW5hcnkiOiIy", "token: eyJjYW5hcnkiOiIx.eyJjYW5hcnkiOiIy.c2lnbmF0dXJl"),
    ("canary-bearer-0123456789", "GET /v1 Authorization: Bearer canary-bearer-0123456789"),
    ("canary-password", "dial postgres://app:canary-password@db:5432/shop failed"),
    ("MIICanaryKey", "-----BEGIN RSA PRIVATE KEY-----\nMIICanaryKey\n-----END RSA PRIVATE KEY-----"),
    ("canary.person", "mail to canary.person@mail.example.org bounced"),
];

fn dirty() -> String {
    CANARIES.map(|(_, text)| text).join("\n")
}

fn assert_clean(what: &str, text: &str) {
    for (canary, _) in CANARIES {
        assert!(!text.contains(canary), "`{canary}` is in {what}: {text}");
    }
}

/// A cluster in which every text carries every secret, raw: worse than the adapter ever gives.
fn snapshot() -> Snapshot {
    let mut snapshot = with_end(ended("OOMKilled", 137, Some(ago(2))), &waiting("CrashLoopBackOff"), 4);
    for pod in snapshot.pods.iter_mut().flatten().chain(snapshot.pod.iter_mut().flatten()) {
        pod.annotations.insert("note".into(), dirty());
    }
    let message = dirty();
    let event = Event {
        kind: Kind::Pod,
        name: "web-new-0".into(),
        severity: "Warning".into(),
        reason: "BackOff".into(),
        message,
        count: 1,
        last: None,
    };
    snapshot.events = Ok(CANARIES.map(|(_, text)| Event { message: text.into(), ..event.clone() }).into());
    let log = |text: &str| LogTail {
        pod: "web-new-0".into(),
        container: "web".into(),
        previous: false,
        lines: text.lines().map(str::to_owned).collect(),
    };
    snapshot.logs = Ok(CANARIES[..4].iter().map(|(_, text)| log(text)).collect());
    snapshot.usage = Err(dirty());
    snapshot
}

fn given(diagnosis: Diagnosis) -> Given {
    let mut given = Given::new(diagnosis);
    for (n, (_, text)) in CANARIES.iter().enumerate() {
        given.alert.annotations.insert(format!("note{n}"), (*text).to_owned());
    }
    given.alert.annotations.insert("description".into(), dirty());
    given.alert.annotations.remove("summary");
    given
}

#[tokio::test]
async fn planted_secrets_do_not_reach_the_model_the_transcript_or_people() {
    let diagnosis = diagnose(&snapshot(), &labels("KubePodCrashLooping"), &Templates::default());
    assert_clean("the diagnosis", &serde_json::to_string(&diagnosis).unwrap());
    let given = given(diagnosis.clone());

    let arguments = serde_json::json!({ "namespace": "shop", "pod": dirty() }).to_string();
    let ask = Turn::Call { say: dirty(), calls: vec![("k8s__get_pod_logs".into(), arguments)] };
    let end = serde_json::json!({ "candidate": "c1", "evidence": ["e1", "t1"], "reason": dirty() });
    let script = Script::Turns(vec![ask, Turn::call("choose", &end.to_string())]);
    let server = ScriptedModel::start(script).await.unwrap();
    let mind = Mind {
        endpoints: Arc::new(Endpoints::only(Arc::new(OpenAi::new(settings(server.base_url())).unwrap()))),
        tools: Arc::new(FakeTools { text: dirty(), ..FakeTools::default() }),
        clock: ManualClock::new(at()),
        prompts: Arc::new(Prompts::load([]).unwrap()),
        limits: Limits::default(),
    };
    let done = investigate(&mind, &given.case(), 42, &CancellationToken::new()).await;
    assert_eq!(server.violations(), Vec::<String>::new());
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    for chat in &seen {
        assert_clean("the chat", &chat.to_string());
    }
    let chat = seen[1].to_string();
    assert!(chat.contains("postgres://app:[redacted]@db:5432/shop"), "what is no secret stays: {chat}");
    assert_clean("the transcript", &String::from_utf8(done.transcript.clone()).unwrap());
    assert_clean("the tape", &String::from_utf8(done.tape.clone()).unwrap());
    assert_clean("the outputs", &done.outputs.join("\n"));
    assert_clean("the evidence", &serde_json::to_string(&done.evidence).unwrap());
    let choice = done.choice(&diagnosis);
    assert!(!choice.said.is_empty());
    assert_clean("the choice", &serde_json::to_string(&choice).unwrap());

    let opening = opening();
    let story = Story {
        incident: opening.incident,
        version: 3,
        cluster: opening.cluster,
        alerts: vec![given.alert.clone()],
        target: opening.target,
        owner: opening.owner,
        diagnosis: Some(diagnosis),
        choice: Some(choice),
        suggestions: Vec::new(),
        decisions: vec![],
        plan: None,
        kept: None,
        not_planned: None,
        acts: vec![],
        open: None,
        answers: vec![],
        escalations: vec![],
        closed: None,
        holds: vec![],
        now: at(),
    };
    assert_clean("the message", &format!("{:?}", view(&story)));
}
