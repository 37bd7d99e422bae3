//! Requests that are refused, delayed, lost or overtaken by people, and the log that counts them.

use std::sync::{Arc, Mutex};

use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{Kind, Verb, WriteSeen};
use serde_json::{Value, json};

use super::{Served, live, run_until, seconds};

const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";

fn scale(replicas: i64) -> (&'static str, Value) {
    let annotations = json!({ "belay.dev/intent": format!("i-{replicas}") });
    let body = json!({ "metadata": { "annotations": annotations }, "spec": { "replicas": replicas } });
    ("application/merge-patch+json", body)
}

async fn lost(served: &Served, replicas: i64) -> reqwest::Error {
    let (kind, body) = scale(replicas);
    let request = reqwest::Client::new().patch(format!("{}{WEB}", served.url));
    request.header("content-type", kind).body(body.to_string()).send().await.unwrap_err()
}

fn replicas(served: &Served) -> i64 {
    served.world.deployment("shop", "web").unwrap().replicas
}

#[tokio::test]
async fn refused_a_number_of_times() {
    let served = Served::shop().await;
    let rule = Rule::on(Verb::Patch, WEB, Effect::Fail(503, "overloaded".into())).after(1).times(2);
    served.world.faults(|faults| faults.add(rule));
    let mut codes = Vec::new();
    for count in [4, 5, 6, 7] {
        codes.push(served.send("PATCH", WEB, Some(scale(count))).await.0);
    }
    assert_eq!(codes, [200, 503, 503, 200]);
    assert_eq!(served.world.faults(|faults| faults.pending()), 0);
    let seen: Vec<(u16, bool)> =
        served.world.writes().iter().map(|write| (write.status, write.changed)).collect();
    assert_eq!(seen, [(200, true), (503, false), (503, false), (200, true)]);
    served.stop().await;
}

#[tokio::test]
async fn applied_and_the_answer_lost_or_lost_before() {
    let served = Served::shop().await;
    served.world.faults(|faults| faults.add(Rule::on(Verb::Patch, WEB, Effect::DropAnswer)));
    lost(&served, 5).await;
    assert_eq!(replicas(&served), 5);
    assert_eq!(served.world.effects()["i-5"], 1);
    served.world.faults(|faults| faults.add(Rule::on(Verb::Patch, WEB, Effect::Lose)));
    lost(&served, 6).await;
    assert_eq!(replicas(&served), 5);
    assert_eq!(served.world.writes().len(), 1);
    served.stop().await;
}

#[tokio::test]
async fn applied_late_although_the_client_has_gone() {
    let served = Served::shop().await;
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let seen = arrived.clone();
    served.world.on_write(move |arrival| seen.lock().unwrap().push(arrival.clone()));
    served.world.faults(|faults| faults.add(Rule::any(WEB, Effect::ApplyLate(seconds(5)))));
    let (kind, body) = scale(5);
    let request = reqwest::Client::new().patch(format!("{}{WEB}", served.url));
    let client = tokio::spawn(request.header("content-type", kind).body(body.to_string()).send());
    while served.world.faults(|faults| faults.pending()) > 0 {
        tokio::task::yield_now().await;
    }
    client.abort();
    assert_eq!(replicas(&served), 3);
    served.clock.advance(seconds(4));
    assert_eq!(replicas(&served), 3);
    served.clock.advance(seconds(1));
    assert_eq!(replicas(&served), 5);
    let arrived = arrived.lock().unwrap().clone();
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].intent.as_deref(), Some("i-5"));
    served.stop().await;
}

#[tokio::test]
async fn applied_late_is_answered_when_somebody_waits() {
    let served = Served::shop().await;
    served.world.faults(|faults| faults.add(Rule::on(Verb::Patch, WEB, Effect::ApplyLate(seconds(5)))));
    served.world.faults(|faults| faults.add(Rule::on(Verb::Patch, WEB, Effect::AnswerLate(seconds(5)))));
    for count in [5, 6] {
        let request = served.send("PATCH", WEB, Some(scale(count)));
        let moves = async {
            while served.world.faults(|faults| faults.pending()) > 2 - usize::try_from(count - 4).unwrap() {
                tokio::task::yield_now().await;
            }
            assert_eq!(replicas(&served), if count == 5 { 3 } else { 6 });
            // the answer's wait may begin after this moment: move on until it has come
            loop {
                served.clock.advance(seconds(5));
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            (code, _) = request => assert_eq!(code, 200),
            () = moves => {}
        }
    }
    served.stop().await;
}

#[tokio::test]
async fn a_person_is_quicker() {
    let served = Served::shop().await;
    let edit = Effect::Edit(Box::new(|objects| {
        objects.merge(Kind::Deployment, "shop", "web", &json!({ "spec": { "replicas": 9 } }));
    }));
    served.world.faults(|faults| faults.add(Rule::on(Verb::Patch, WEB, edit).dry_run(false)));
    let guarded = json!([
        { "op": "test", "path": "/metadata/generation", "value": 1 },
        { "op": "replace", "path": "/spec/replicas", "value": 5 },
    ]);
    let body = || Some(("application/json-patch+json", guarded.clone()));
    assert_eq!(served.send("PATCH", &format!("{WEB}?dryRun=All"), body()).await.0, 200);
    assert_eq!(served.send("PATCH", WEB, body()).await.0, 422);
    assert_eq!(replicas(&served), 9);
    served.stop().await;
}

#[tokio::test]
async fn the_write_log_is_in_the_file_before_the_answer() {
    let served = Served::shop().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("writes.jsonl");
    served.world.log_writes_to(std::fs::File::create(&path).unwrap());
    served.send("PATCH", WEB, Some(scale(4))).await;
    let pod = live(&served.world, "cart").remove(0);
    let pods = format!("/api/v1/namespaces/shop/pods/{}", pod.name);
    let mark = json!({ "metadata": { "annotations": { "belay.dev/intent": "i-evict" } } });
    served.send("PATCH", &pods, Some(("application/merge-patch+json", mark))).await;
    let eviction = json!({ "metadata": { "name": pod.name } });
    served.send("POST", &format!("{pods}/eviction"), Some(("application/json", eviction))).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<WriteSeen> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, served.world.writes());
    let intents: Vec<_> = lines.iter().map(|line| line.intent.clone().unwrap()).collect();
    assert_eq!(intents, ["i-4", "i-evict", "i-evict"]);
    run_until(&served.clock, 20, || served.world.deployment("shop", "cart").unwrap().ready == 2);
    served.stop().await;
}

#[tokio::test]
async fn a_test_of_an_intent_is_no_intent() {
    let served = Served::shop().await;
    served.send("PATCH", WEB, Some(scale(5))).await;
    let revert = json!([
        { "op": "test", "path": "/metadata/annotations/belay.dev~1intent", "value": "i-5" },
        { "op": "replace", "path": "/spec/replicas", "value": 3 },
        { "op": "replace", "path": "/metadata/annotations/belay.dev~1intent", "value": "i-6" },
    ]);
    assert_eq!(served.send("PATCH", WEB, Some(("application/json-patch+json", revert))).await.0, 200);
    assert_eq!(served.world.writes().last().unwrap().intent.as_deref(), Some("i-6"));
    served.stop().await;
}
