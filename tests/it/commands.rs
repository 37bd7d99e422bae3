//! The command line as the documents and the demo print it.
// said so that the lints know these helpers for tests
#![cfg(test)]

use assert_cmd::Command;

fn belay(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("belay").unwrap();
    command.args(args).env_remove("BELAY_STATE_DIR");
    command
}

#[test]
fn the_state_directory_may_stand_after_the_verb() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().to_str().unwrap();
    for args in [
        &["incidents", "list", "--all", "--state-dir", here][..],
        &["incidents", "--state-dir", here, "show", "ab"][..],
        &["incidents", "hand-over", "ab", "--state-dir", here][..],
        &["pause", "a reason", "--state-dir", here][..],
        &["resume", "--state-dir", here][..],
    ] {
        let output = belay(args).assert().failure().code(1).get_output().clone();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("belay: no daemon answers in `"), "{args:?}: {said}");
    }
}

#[test]
fn an_audit_without_a_journal_fails_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().to_str().unwrap();
    for verb in ["verify", "export"] {
        let output = belay(&["audit", verb, "--state-dir", here]).assert().code(1).get_output().clone();
        assert!(!output.stderr.is_empty() || !output.stdout.is_empty());
    }
}

#[test]
fn every_command_of_the_readme_is_one() {
    let readme = include_str!("../../README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `belay "));
    let commands: Vec<&str> = rows.filter_map(|row| row.split([' ', '`']).next()).collect();
    assert!(commands.len() >= 9, "{commands:?}");
    for command in commands {
        belay(&[command, "--help"]).assert().success();
    }
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = belay(&["completions", shell]).assert().success().get_output().clone();
        assert!(String::from_utf8(output.stdout).unwrap().contains("hand-over"), "{shell}");
    }
}
