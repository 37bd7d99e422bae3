//! The real binary, as a person or a script uses it.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::path::Path;

use assert_cmd::Command;

fn belay(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    command.args(args).env_remove("BELAY_STATE_DIR").env("NO_COLOR", "1").env("COLUMNS", "100");
    command.timeout(std::time::Duration::from_secs(120));
    command
}

/// What it printed, once it ended with this code.
fn ended(args: &[&str], code: i32) -> (String, String) {
    let done = belay(args).assert().code(code);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&done.get_output().stdout), text(&done.get_output().stderr))
}

/// Plays the demo, checks what it says of the journal, and gives back what it printed.
fn demo(args: &[&str], dir: &Path) -> String {
    let dir = dir.to_str().unwrap();
    let all = [&["demo", "--speed", "100", "--state-dir", dir], args].concat();
    let (out, err) = ended(&all, 0);
    assert!(out.contains("audit verify: the journal is whole"), "{out}\n{err}");
    assert!(!out.contains("nothing happened for a minute"), "{out}");
    out
}

#[test]
fn the_demo_confirms_both_acts() {
    let dir = tempfile::tempdir().unwrap();
    let out = demo(&["--yes"], dir.path());
    for line in ["answered for you: Confirm", "checkout 5/5", "web 3/3"] {
        assert!(out.contains(line), "{line:?} is missing in:\n{out}");
    }
    // and its journal is what the other commands read
    let state = dir.path().to_str().unwrap();
    let (out, _) = ended(&["audit", "verify", "--state-dir", state], 0);
    assert!(out.starts_with("the journal is whole: "), "{out}");
    let (out, _) = ended(&["audit", "export", "--state-dir", state], 0);
    assert!(out.lines().count() > 20);
    assert!(out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn the_demo_reverts_what_can_be_reverted() {
    let dir = tempfile::tempdir().unwrap();
    let out = demo(&["--revert"], dir.path());
    for line in ["answered for you: Revert", "checkout 3/3"] {
        assert!(out.contains(line), "{line:?} is missing in:\n{out}");
    }
}

#[test]
fn the_demo_at_level_1_only_looks() {
    let dir = tempfile::tempdir().unwrap();
    let out = demo(&["--level", "1"], dir.path());
    assert!(out.contains("checkout 3/3"), "{out}");
    assert!(!out.contains("answered for you"), "{out}");
}

#[test]
fn the_demo_at_level_2_asks_first() {
    let dir = tempfile::tempdir().unwrap();
    let out = demo(&["--level", "2", "--yes"], dir.path());
    assert!(out.contains("answered for you: Approve"), "{out}");
    assert!(out.contains("checkout 5/5"), "{out}");
}

#[test]
fn every_command_has_help() {
    let (out, _) = ended(&["--help"], 0);
    let commands = ["demo", "serve", "incidents", "pause", "resume", "audit", "rbac", "mcp", "completions"];
    for command in commands {
        assert!(out.contains(&format!("\n  {command} ")), "{command} is missing in:\n{out}");
        let (out, _) = ended(&[command, "--help"], 0);
        assert!(out.contains("Usage: belay "), "{out}");
    }
    for path in [
        &["incidents", "list"][..],
        &["incidents", "show"],
        &["incidents", "approve"],
        &["incidents", "reject"],
        &["incidents", "confirm"],
        &["incidents", "revert"],
        &["incidents", "hand-over"],
        &["audit", "verify"],
        &["audit", "export"],
    ] {
        let (out, _) = ended(&[path, &["--help"]].concat(), 0);
        assert!(out.contains(&format!("Usage: belay {}", path.join(" "))), "{out}");
    }
    let (out, _) = ended(&["--version"], 0);
    assert_eq!(out.trim(), format!("belay {}", env!("CARGO_PKG_VERSION")));
    ended(&["demo", "--level", "6"], 2);
    ended(&["demo", "--yes", "--revert"], 2);
    ended(&["nonsense"], 2);
}

#[test]
fn without_a_daemon_it_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().to_str().unwrap();
    for args in [
        &["incidents", "list"][..],
        &["incidents", "show", "inc-1"],
        &["incidents", "confirm", "inc-1"],
        &["pause", "odd"],
        &["resume"],
    ] {
        let (out, err) = ended(&[args, &["--state-dir", state]].concat(), 1);
        assert_eq!(out, "");
        assert!(err.contains("no daemon answers in") && err.contains("`belay serve`"), "{args:?}: {err}");
        assert!(err.contains("because: "), "{err}");
    }
}

/// A journal with one step, written by the store itself.
fn journal(dir: &Path) {
    use belay::ports::store::{Append, Store as _};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (store, _) = belay::store::open(dir, &belay::store::Options::default()).unwrap();
        for bytes in 0..5 {
            let stream = belay::domain::ids::StreamId::new("intake");
            let at = "2026-11-21T02:00:00Z".parse().unwrap();
            let mut append = Append::to(stream, None, at);
            append.records.push(belay::domain::record::Record::Oversize { bytes });
            store.append(append).await.unwrap();
        }
    });
}

#[test]
fn audit_verify_tells_a_whole_journal_from_a_damaged_one() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path());
    let state = dir.path().to_str().unwrap();
    let verify = ["audit", "verify", "--state-dir", state];
    let (out, _) = ended(&verify, 0);
    assert!(out.contains("5 entries"), "{out}");
    let head = out.trim().rsplit("head ").next().unwrap().to_owned();
    let noted = [&verify[..], &["--head", &head]].concat();
    ended(&noted, 0);

    let path = dir.path().join(belay::store::LOG_FILE);
    let whole = std::fs::read_to_string(&path).unwrap();
    // a changed figure
    std::fs::write(&path, whole.replacen("\"bytes\":2", "\"bytes\":7", 1)).unwrap();
    let (out, _) = ended(&verify, 1);
    assert!(out.starts_with("the journal is not whole: "), "{out}");
    // a missing line in the middle
    let mut lines: Vec<&str> = whole.lines().collect();
    lines.remove(2);
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    ended(&verify, 1);
    // cut off at the end: only the noted head knows
    let lines: Vec<&str> = whole.lines().collect();
    std::fs::write(&path, lines[..lines.len() - 1].join("\n") + "\n").unwrap();
    ended(&verify, 0);
    let (out, _) = ended(&noted, 1);
    assert!(out.contains("ends elsewhere than noted"), "{out}");
    // and none at all
    let none = tempfile::tempdir().unwrap();
    ended(&["audit", "verify", "--state-dir", none.path().to_str().unwrap()], 1);
    let (_, err) = ended(&["audit", "export", "--state-dir", none.path().to_str().unwrap()], 1);
    assert!(err.starts_with("belay: "), "{err}");
}

#[test]
fn completions_for_the_usual_shells() {
    for (shell, says) in [("bash", "complete -F"), ("zsh", "#compdef belay"), ("fish", "complete -c belay")] {
        let (out, _) = ended(&["completions", shell], 0);
        assert!(out.contains(says), "{shell}: {out}");
        assert!(out.contains("hand-over"), "{shell} knows the subcommands");
    }
    ended(&["completions", "tcsh"], 2);
}

#[test]
fn a_configuration_error_is_readable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("belay.yaml");
    let config = path.to_str().unwrap().to_owned();
    let (_, err) = ended(&["serve", "-c", &config], 1);
    assert!(err.contains(&format!("cannot read `{config}`")), "{err}");
    assert!(err.contains("No such file"), "{err}");

    let wrong = |text: &str| {
        std::fs::write(&path, text).unwrap();
        ended(&["serve", "-c", &config], 1).1
    };
    let err = wrong("cluster: { name: demo }\npolicies: policies\nlevvel: 3\n");
    assert!(err.contains("levvel"), "{err}");
    assert!(err.contains("line 3") && err.contains("column"), "where it stands: {err}");
    let err = wrong("cluster: { name: demo }\n");
    assert!(err.contains("policies"), "{err}");
    let err = wrong("listen: 0.0.0.0:9099\ncluster: { name: demo }\npolicies: policies\n");
    assert!(err.contains("bearerTokenFile"), "{err}");
    let err = wrong("cluster: { name: demo }\npolicies: nowhere\n");
    assert!(err.contains("nowhere"), "{err}");
    // what stands beside the mistake may be a secret
    let err = wrong("cluster: { name: demo }\npolicies: policies\npassword: hunter2\n");
    assert!(!err.contains("hunter2"), "{err}");

    // a policy with a mistake: file, line and column
    std::fs::create_dir(dir.path().join("policies")).unwrap();
    std::fs::write(dir.path().join("policies/p.yaml"), "apiVersion: belay.dev/v1\nkind: Policy\nspek: {}\n")
        .unwrap();
    let err = wrong("listen: 127.0.0.1:0\ncluster: { name: demo }\npolicies: policies\n");
    assert!(err.contains("p.yaml") && err.contains("spek"), "{err}");
}
