//! The house's own rules: which room may know which, where vendors may be named, what every file opens
//! with, and that the documents name tests that exist.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and what each may know (`ARCHITECTURE.md`). `main.rs` and `lib.rs` are not rooms.
const MAY_KNOW: [(&str, &[&str]); 21] = [
    ("domain", &[]),
    ("ports", &["domain", "store"]), // `store` for the proof type alone, see `PROOFS`
    ("incident", &["domain"]),
    ("intake", &["domain", "ports"]),
    ("diagnose", &["domain", "ports"]),
    ("investigate", &["domain", "ports"]),
    ("policy", &["domain", "ports"]),
    ("execute", &["domain", "ports", "policy", "store"]),
    ("notify", &["domain", "ports"]),
    ("report", &["domain", "ports"]),
    ("store", &["domain", "ports"]),
    ("adapters", &["domain", "ports"]),
    ("servers", &["domain", "ports"]),
    ("sim", &["domain", "ports"]),
    ("config", &["telemetry"]),
    ("telemetry", &[]),
    ("http", &["app", "domain"]),
    ("console", &["app", "domain"]),
    (
        "app",
        &[
            "domain",
            "ports",
            "incident",
            "intake",
            "diagnose",
            "investigate",
            "policy",
            "execute",
            "notify",
            "store",
            "adapters",
            "servers",
            "sim",
            "config",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "http",
            "domain",
            "ports",
            "store",
            "adapters",
            "servers",
            "sim",
            "config",
            "telemetry",
            "policy",
            "execute",
            "investigate",
        ],
    ),
    ("main", &["cli"]),
];

/// The sideways edges that name a proof type and nothing else.
const PROOFS: [(&str, &str, &str); 3] =
    [("ports", "store", "Durable"), ("execute", "store", "Durable"), ("execute", "policy", "Permit")];

/// Vendor crates, and the folders or files (below `src/`) that may name them.
const VENDORS: [(&str, &[&str]); 29] = [
    ("kube", &["adapters/kube"]),
    ("k8s_openapi", &["adapters/kube"]),
    ("async_openai", &["adapters/openai"]),
    ("slack_morphism", &["adapters/slack"]),
    ("hyper_rustls", &["adapters/slack"]),
    ("rmcp", &["adapters/mcp", "servers"]),
    ("rustix", &["adapters/mcp/child.rs"]),
    ("reqwest", &["adapters", "sim"]),
    ("sled", &["store"]),
    ("tokio_cron_scheduler", &["app/reconcile.rs"]),
    ("axum", &["http", "console", "sim"]),
    ("hyper", &["http", "sim"]),
    ("hyper_util", &["http", "sim"]),
    ("http_body_util", &["sim"]),
    ("json_patch", &["adapters/kube", "sim"]),
    ("rustls", &["adapters/slack", "cli/mod.rs", "execute/warrant.rs"]),
    ("schemars", &["servers", "config/traces.rs"]),
    ("cel", &["policy/cel"]),
    ("serde_saphyr", &["policy", "config", "servers/actions", "sim"]),
    ("minijinja", &["investigate", "cli/doctor"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("prometheus_client", &["telemetry"]),
    ("tracing_subscriber", &["telemetry"]),
    (
        "ring",
        &[
            "adapters/oauth",
            "domain/canonical.rs",
            "execute",
            "servers/actions",
            "store",
            "http/served/session.rs",
            "http/slack.rs",
            "sim/slack",
        ],
    ),
    ("serde_json_canonicalizer", &["domain"]),
    ("anyhow", &["cli"]),
    ("aws_sigv4", &["adapters/cloudwatch"]),
    ("aws_credential_types", &["adapters/cloudwatch"]),
];

/// Words that must not stand in production code, and why.
const BANNED: [(&str, &str); 6] = [
    ("force: true", "never force field ownership"),
    (".restart(", "writes the current time: every retry is another rollout"),
    ("flush_async", "deadlocks in sled"),
    ("panic = \"abort\"", "supervision has to see a panic"),
    ("unsafe ", "forbidden"),
    ("std::process::exit", "end with an ExitCode, so that destructors run"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `dir` with this ending, as (path relative to the root, text).
fn files(dir: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs: Vec<PathBuf> = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The production part of a file: without its tests and comments.
fn production(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().map(|l| l.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn room(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    below.split(['/', '.']).next().unwrap_or_default()
}

/// The rooms that a file names: `crate::room`, also within `use crate::{a, b::c}`.
fn named(code: &str) -> Vec<(String, String)> {
    let mut rooms = Vec::new();
    for piece in code.split("crate::").skip(1) {
        if let Some(list) = piece.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    _ => {}
                }
                if c == ',' && depth == 0 {
                    rooms.push(split_room(&item));
                    item.clear();
                } else {
                    item.push(c);
                }
            }
            rooms.push(split_room(&item));
        } else {
            rooms.push(split_room(piece));
        }
    }
    rooms.retain(|(room, _)| !room.is_empty());
    rooms
}

fn split_room(path: &str) -> (String, String) {
    let ident =
        |s: &str| s.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let room = ident(path);
    let rest = path.trim().strip_prefix(&room).and_then(|r| r.strip_prefix("::")).unwrap_or_default();
    (room, ident(rest))
}

#[test]
fn dependencies_point_down_only() {
    let rules: BTreeMap<_, _> = MAY_KNOW.into_iter().collect();
    let mut wrong = Vec::new();
    for (path, text) in files("src", ".rs") {
        let here = room(&path);
        if here == "lib" {
            continue;
        }
        let allowed = rules.get(here).unwrap_or_else(|| panic!("`{path}` is in no known room"));
        for (room, item) in named(&production(&text)) {
            let proof = PROOFS.iter().find(|(a, b, _)| *a == here && *b == room);
            let fine = room == here
                || match proof {
                    Some((_, _, what)) => item == *what,
                    None => allowed.contains(&room.as_str()),
                };
            if !fine {
                wrong.push(format!("{path} names crate::{room}::{item}"));
            }
        }
    }
    assert!(wrong.is_empty(), "rooms that know too much:\n{}", wrong.join("\n"));
}

#[test]
fn vendors_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (path, text) in files("src", ".rs") {
        let below = path.strip_prefix("src/").unwrap();
        let code = production(&text);
        for (vendor, rooms) in VENDORS {
            // a module of ours with the vendor's name: `use crate::adapters::kube::{self, …}`
            if code.contains(&format!("::{vendor}::{{self")) {
                continue;
            }
            let path_use = code.match_indices(&format!("{vendor}::")).any(|(i, _)| {
                let before = code[..i].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            });
            if path_use && !rooms.iter().any(|r| below.starts_with(r)) {
                wrong.push(format!("{path} names `{vendor}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "vendors out of their rooms:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_stays_readable() {
    let mut wrong = Vec::new();
    for (path, text) in files("src", ".rs").into_iter().chain(files("tests", ".rs")) {
        if !text.starts_with("//!") {
            wrong.push(format!("{path} does not open with `//!`"));
        }
        let lines = production(&text).lines().count();
        if path.starts_with("src/") && lines > 500 {
            wrong.push(format!("{path} has {lines} production lines"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn banned_words_do_not_stand_in_production_code() {
    let mut wrong = Vec::new();
    for (path, text) in files("src", ".rs") {
        let code = production(&text);
        for (word, why) in BANNED {
            if code.contains(word) {
                wrong.push(format!("{path}: `{word}`: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Third-party MCP servers are the only programs that belay ever starts.
#[test]
fn programs_are_started_in_one_place() {
    let starts = |code: &str| code.contains("process::Command") || code.contains("tokio::process");
    let wrong: Vec<String> = files("src", ".rs")
        .into_iter()
        .filter(|(path, text)| starts(&production(text)) && path != "src/adapters/mcp/child.rs")
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tests_wait_for_states_and_never_sleep() {
    let sleeps = files("tests", ".rs")
        .into_iter()
        // `tests/load` measures, also at rest; it tests nothing
        .filter(|(path, _)| !path.ends_with("tidy.rs") && !path.starts_with("tests/load/"))
        .flat_map(|(path, text)| {
            text.lines()
                .enumerate()
                .filter(|(_, l)| l.contains("sleep(") && !l.contains("// polls"))
                .map(|(n, _)| format!("{path}:{}", n + 1))
                .collect::<Vec<_>>()
        })
        .collect::<Vec<_>>();
    assert!(sleeps.is_empty(), "sleeps:\n{}", sleeps.join("\n"));
}

/// Each promise that is claimed names at least one test, and the test exists.
#[test]
fn promises_name_tests_that_exist() {
    const CLAIMED: [u32; 10] = [1, 2, 4, 6, 7, 11, 12, 16, 21, 22];
    let doc = fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let tests: String =
        files("tests", ".rs").into_iter().chain(files("src", ".rs")).map(|(_, text)| text).collect();
    for promise in CLAIMED {
        let row = doc.lines().find(|l| l.starts_with(&format!("| {promise} |")));
        let row = row.unwrap_or_else(|| panic!("docs/promises.md has no row for promise {promise}"));
        let named: Vec<_> = row.split('`').skip(1).step_by(2).filter(|t| !t.contains('/')).collect();
        assert!(!named.is_empty(), "promise {promise} names no test");
        for test in named {
            let function = test.rsplit("::").next().unwrap();
            assert!(
                tests.contains(&format!("fn {function}(")),
                "promise {promise}: there is no test `{test}`"
            );
        }
    }
}

#[test]
fn documents_name_files_that_exist() {
    let mut gone = Vec::new();
    for doc in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/promises.md"] {
        let text = fs::read_to_string(root().join(doc)).unwrap();
        for name in text.split('`').skip(1).step_by(2) {
            let first = name.split('/').next().unwrap_or_default();
            let ours = ["src", "tests", "policies", "prompts", "deploy", "docs", "benches"].contains(&first);
            let plain = name.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
            if ours && plain && name.contains('/') && !root().join(name).exists() {
                gone.push(format!("{doc} names `{name}`"));
            }
        }
    }
    assert!(gone.is_empty(), "{}", gone.join("\n"));
}

#[test]
fn nothing_of_a_machine_is_committed() {
    // where this very checkout lies, and homes in general
    let needles = [concat!(env!("CARGO_MANIFEST_DIR"), "/"), concat!("/ho", "me/")];
    let mut wrong = Vec::new();
    for dir in ["src", "tests", "policies", "prompts", "docs", "benches", "deploy"] {
        for (path, text) in files(dir, "").into_iter().filter(|(p, _)| !p.ends_with("tidy.rs")) {
            if needles.iter().any(|n| text.contains(n)) {
                wrong.push(path);
            }
        }
    }
    assert!(wrong.is_empty(), "paths of a machine in:\n{}", wrong.join("\n"));
}
