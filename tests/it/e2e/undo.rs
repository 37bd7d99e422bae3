//! Undoing from the command line what was done since a moment, and measures that end by themselves.

use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use belay::domain::record::{Answer, Outcome};
use belay::incident::Phase;
use belay::sim::kube::Kind;
use serde_json::json;

use super::house::{BEGINS, House, Wish};

/// `belay revert …` through the real binary; what it printed, both streams.
fn revert(state: &Path, args: &[&str], code: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    command.arg("revert").args(args).arg("--state-dir").arg(state).env_remove("BELAY_STATE_DIR");
    command.env("USER", "kim");
    let done = command.timeout(Duration::from_secs(60)).assert().code(code);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    text(&done.get_output().stdout) + &text(&done.get_output().stderr)
}

/// `checkout` was scaled from 3 to 5, and people keep it.
async fn scaled() -> House {
    let house = House::open(Wish::default()).await;
    house.surge();
    let asked = house.phase("checkout", |phase| matches!(phase, Phase::Confirming(_))).await;
    house.answer(&asked, Answer::Confirm).await;
    house.phase("checkout", |phase| *phase == Phase::Closed).await;
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_since_is_shown_and_put_back() {
    let house = scaled().await;
    let state = house.dir.path().to_owned();
    let since = ["--since", BEGINS];
    let shown = revert(&state, &since, 0);
    assert!(shown.contains("scaled Deployment `checkout` to 5"), "{shown}");
    assert!(shown.contains("/spec/replicas: 5 -> 3") && shown.contains("nothing was changed"), "{shown}");
    assert_eq!(house.replicas("checkout"), 5);
    for (scope, found) in [("shop", true), ("shop/checkout", true), ("shop/web", false), ("bank", false)] {
        let shown = revert(&state, &[since[0], since[1], "--scope", scope], 0);
        assert_eq!(shown.contains("scaled"), found, "{scope}: {shown}");
    }
    let shown = revert(&state, &["--since", "2026-11-22T00:00:00Z"], 0);
    assert!(shown.contains("nothing that belay did since"), "{shown}");

    let done = revert(&state, &[since[0], since[1], "--yes"], 0);
    assert!(done.contains("put back"), "{done}");
    assert_eq!(house.replicas("checkout"), 3);
    let undone =
        house.find("it is over", "checkout", |s| matches!(s.closed, Some((Outcome::Reverted, ..)))).await;
    assert!(
        undone.acts[1].intent.approved_by.starts_with("kim (uid"),
        "{}",
        undone.acts[1].intent.approved_by
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_changed_since_stays_and_is_told() {
    let house = scaled().await;
    let edit = json!({ "spec": { "replicas": 7 } });
    house.world.edit(|objects| objects.merge(Kind::Deployment, "shop", "checkout", &edit)).unwrap();
    let state = house.dir.path().to_owned();
    for yes in [&[][..], &["--yes"]] {
        let told = revert(&state, &[&["--since", BEGINS], yes].concat(), 1);
        assert!(
            told.contains("STAYS") && told.contains("`/spec/replicas` holds 7 now, and we wrote 5"),
            "{told}"
        );
    }
    assert_eq!(house.replicas("checkout"), 7);
    house.stop().await;
}

#[tokio::test]
async fn a_temporary_measure_is_put_back_by_itself() {
    let wish = Wish::default().with(
        "verify: { within: 20m, stabilise: 15s, expect: [workload_ready, alert_gone], onFailure: revert }",
        "verify: { within: 2m, stabilise: 15s, expect: [workload_ready], onFailure: escalate }\n      expires: 4m",
    );
    let house = House::open(wish).await;
    house.surge();
    let asked = house.phase("checkout", |phase| matches!(phase, Phase::Confirming(_))).await;
    house.answer(&asked, Answer::Confirm).await;
    let reverted = |state: &belay::incident::State| matches!(state.closed, Some((Outcome::Reverted, ..)));
    let over = house.find("the measure has ended", "checkout", reverted).await;
    let (act, undo) = (&over.acts[0], &over.acts[1]);
    assert_eq!(undo.intent.reverts.as_ref(), Some(&act.intent.id));
    assert!(undo.intended_at.duration_since(act.done_at.unwrap()).as_secs() >= 240);
    assert_eq!(act.put_back.as_ref().map(|(_, by)| by), Some(&None), "nobody had to ask for it");
    house.stop().await;
}

#[tokio::test]
async fn it_is_put_back_also_while_another_incident_of_the_owner_is_open() {
    let wish = Wish::default().with(
        "verify: { within: 20m, stabilise: 15s, expect: [workload_ready, alert_gone], onFailure: revert }",
        "verify: { within: 2m, stabilise: 15s, expect: [workload_ready], onFailure: escalate }\n      expires: 8m",
    );
    let house = House::open(wish).await;
    house.surge();
    let first = house.phase("checkout", |phase| matches!(phase, Phase::Confirming(_))).await;
    house.answer(&first, Answer::Confirm).await;
    house.find("it is over", "checkout", |s| s.id == first.id && s.phase == Phase::Closed).await;
    house.leak("checkout").await;
    let second = house
        .find("another one asks", "checkout", |s| s.id != first.id && matches!(s.phase, Phase::Confirming(_)))
        .await;
    let put_back = |s: &belay::incident::State| s.id == first.id && s.acts[0].put_back.is_some();
    house.find("the measure has ended", "checkout", put_back).await;
    let still = house.daemon.incident(&second.id).await.unwrap();
    assert!(still.closed.is_none(), "the other one goes on");
    house.stop().await;
}

/// Somebody changes what belay changed while it is being verified: nobody can tell any more whether it helped.
#[tokio::test]
async fn a_change_while_it_is_verified_is_seen() {
    let house = House::open(Wish::default().with(
        "stabilise: 15s, expect: [workload_ready, alert_gone]",
        "stabilise: 10m, expect: [workload_ready]",
    ))
    .await;
    house.surge();
    house.phase("checkout", |phase| matches!(phase, Phase::Verifying(_))).await;
    let patch = json!({ "metadata": { "annotations": { "belay.dev/intent": "somebody-else" } } });
    house.world.edit(|objects| objects.merge(Kind::Deployment, "shop", "checkout", &patch)).unwrap();
    let seen = |s: &belay::incident::State| {
        s.acts[0].seen.iter().any(|seen| seen.contains("does not carry the intent"))
    };
    house.find("it is seen", "checkout", |s| !s.acts.is_empty() && seen(s)).await;
    house.stop().await;
}
