//! `belay track …` through the real binary: wrong arguments, no daemon, and a daemon with something to tell.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::path::Path;

use assert_cmd::Command;
use belay::domain::record::Answer;
use belay::incident::Phase;
use serde_json::Value;

use crate::e2e::house::{House, Wish, body, crash_loop, until};

fn run(state: &Path, args: &[&str], code: i32) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    command.arg("track").args(args).arg("--state-dir").arg(state).env_remove("BELAY_STATE_DIR");
    command.env("NO_COLOR", "1").env("COLUMNS", "80").env("USER", "kim");
    let done = command.timeout(std::time::Duration::from_secs(60)).assert().code(code);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&done.get_output().stdout), text(&done.get_output().stderr))
}

#[test]
fn wrong_arguments_are_told_with_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    for (args, says) in [
        (&["promote", "g"][..], "--environment <ENVIRONMENT>"),
        (&["promote", "g", "--environment", "e"], "--reason <REASON>"),
        (&["reset", "--reason", "r"], "<GRANT|--breaker>"),
        (&["reset", "g", "--breaker", "--reason", "r"], "cannot be used with '--breaker'"),
        (&["judge", "i", "bad", "--reason", "r"], "[possible values: false-positive, harmful]"),
        (&["judge", "i", "harmful"], "--reason <REASON>"),
        (&["sign"], "<REPORT>"),
        (&["shwo"], "a similar subcommand exists: 'show'"),
    ] {
        let (out, err) = run(dir.path(), args, 2);
        assert!(err.contains(says) && out.is_empty(), "{args:?}: {err}");
    }
}

#[test]
fn without_a_daemon_it_says_where_it_looked() {
    let dir = tempfile::tempdir().unwrap();
    for args in
        [&["show"][..], &["show", "--json"], &["sign", "w47"], &["reset", "--breaker", "--reason", "r"]]
    {
        let (out, err) = run(dir.path(), args, 1);
        assert!(out.is_empty() && err.contains("no daemon answers in"), "{args:?}: {out}{err}");
        assert!(err.contains(dir.path().to_str().unwrap()) && err.contains("belay serve"), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tracks_are_shown_as_text_and_as_json_and_what_people_do_is_answered() {
    let house = House::open(Wish::by_hand()).await;
    let state = house.dir.path().to_owned();
    let (out, _) = run(&state, &["show"], 0);
    assert_eq!(out, "nothing was done yet\n");
    let json = |args: &[&str], code| -> Value { serde_json::from_str(&run(&state, args, code).0).unwrap() };
    assert_eq!(json(&["show", "--json"], 0)["with"]["grants"], serde_json::json!([]));

    let pod = house.leak("web").await;
    house.deliver(body(&[crash_loop(&pod.name, "2026-11-21T01:50:00Z", None)])).await;
    let asked = house.phase("web", |phase| matches!(phase, Phase::Confirming(_))).await;
    house.answer(&asked, Answer::Confirm).await;
    let proven = async || run(&state, &["show"], 0).0.contains("1 proven").then_some(());
    until("it is proven", proven).await;
    let (out, _) = run(&state, &["show"], 0);
    assert!(out.starts_with("oomkilled-restart-once in shop: level 2, 1 proven, 0 missed; 1 of"), "{out}");
    assert!(out.lines().all(|line| line.len() <= 80), "{out}");
    let shown = json(&["show", "--json"], 0);
    let (is, grant) = (&shown["is"], &shown["with"]["grants"][0]);
    assert_eq!((is.as_str(), grant["grant"].as_str()), (Some("tracks"), Some("oomkilled-restart-once")));
    assert_eq!(
        (grant["level"].as_u64(), grant["proven"].as_u64(), &grant["demoted"]),
        (Some(2), Some(1), &Value::Null)
    );

    let intent = asked.acts[0].intent.id.to_string();
    for (args, says) in [
        (&["judge", "nobody-1", "harmful", "--reason", "r"][..], "there is no act `nobody-1`"),
        (&["judge", &intent, "harmful", "--reason", " "], "say why"),
        (&["sign", "w47"], "there is no report `w47` that waits to be signed"),
        (&["reset", "--breaker", "--reason", "r"], "no act was missed since the breaker was last reset"),
        (&["reset", "oomkilled-restart-once", "--reason", "r"], "is not demoted"),
        (&["promote", "no-such", "--environment", "shop", "--reason", "r"], "there is no grant `no-such`"),
        (
            &["promote", "oomkilled-restart-once", "--environment", "shop", "--reason", "r"],
            "no levels are earned in an environment `shop`",
        ),
    ] {
        let (out, err) = run(&state, args, 1);
        assert!(out.is_empty() && err.contains(says), "{args:?}: {err}");
    }
    let (out, _) = run(&state, &["judge", &intent, "harmful", "--reason", "it hurt"], 0);
    assert_eq!(out, format!("`{intent}` is judged\n"));
    assert!(run(&state, &["show"], 0).0.contains("DEMOTED"));
    assert!(json(&["show", "--json"], 0)["with"]["grants"][0]["demoted"].is_string());
    let (out, _) = run(&state, &["reset", "oomkilled-restart-once", "--reason", "mended"], 0);
    assert_eq!(out, "`oomkilled-restart-once` begins anew at level 2\n");
    house.stop().await;
}
