//! The policy engine, through its public face.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use std::path::Path;

use belay::domain::decision::{Decision, Outcome, Question};
use belay::policy::{Errors, PolicySet, decide, draft, example, load};

mod admission;
mod algebra;
mod corpus;
mod errors;
mod every_key;
mod explained;
mod format;
mod knobs;
mod pack;
mod permits;
mod replay;
mod reports;
mod schema;
mod shipped;
mod story;

const OOM: &str = "examples/oom.yaml";
const SATURATION: &str = "examples/saturation.yaml";
const HANDS_OFF: &str = "examples/hands-off.yaml";

/// A policy in which both examples act at level 4, and nothing stands against them.
const BASE: &str = r#"apiVersion: belay.dev/v1
kind: Policy
metadata: { name: test, owner: us }
spec:
  mode: enforce
  environments:
    - { name: shop, when: "target.namespace == 'shop'", maxLevel: 5, ladder: off }
  approvers:
    terminal: { operators: true }
    oncall: { slackUsers: [U0A, U0B, U0C] }
    leads: { slackUsers: [U0C, U0D] }
  approvals:
    one: { from: [oncall, terminal], count: 1, expires: 15m }
    two: { from: [leads, oncall], count: 2, expires: 30m }
  brakes:
    global: { maxInFlight: 4, maxActions: 10, window: 1h }
  grants:
    - id: restart
      alerts: ['alertname="KubePodCrashLooping"']
      when: "finding.cause == 'OOMKilled'"
      actions: [restart_pod]
      environments: [shop]
      level: 4
      verify: { within: 20m, expect: [workload_ready] }
      confirm: { approval: one }
    - id: scale
      alerts: ['alertname="CPUSaturation"']
      when: "finding.cause == 'Saturation'"
      actions: [scale_workload]
      environments: [shop]
      level: 3
      verify: { within: 20m, expect: [workload_ready], onFailure: revert }
      confirm: { approval: one }
"#;

/// The shipped policy file of this name, with the golden inputs beside it.
fn shipped(name: &str) -> PolicySet {
    with_examples(name, &read(name)).unwrap_or_else(|errors| panic!("{errors}"))
}

fn read(file: &str) -> String {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let own = policies.join(file);
    // the demo's policy stands apart, so that the folder can be loaded as a whole
    let path = if own.is_file() { own } else { policies.join("demo").join(file) };
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn with_examples(name: &str, text: &str) -> Result<PolicySet, Errors> {
    load(files(name, text))
}

/// A policy file with the shipped golden inputs beside it.
fn files(name: &str, text: &str) -> Vec<(String, String)> {
    let file = |name: &str| (format!("policies/{name}"), read(name));
    let mut files = vec![(format!("policies/{name}"), text.to_owned())];
    files.extend([OOM, SATURATION, HANDS_OFF].map(file));
    files
}

/// `BASE` with each of these texts replaced by another.
fn edited(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(BASE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not there to be replaced");
        text.replacen(from, to, 1)
    })
}

/// A draft: one knob is turned, and whether golden inputs show it is not the question.
fn set(text: &str) -> PolicySet {
    draft(files("test.yaml", text)).unwrap_or_else(|errors| panic!("{errors}"))
}

fn ask(set: &PolicySet, given: &str, changes: &[(&str, &str)]) -> Question {
    example(set, given, changes).unwrap_or_else(|why| panic!("{given} {changes:?}: {why}"))
}

fn decided(set: &PolicySet, given: &str, changes: &[(&str, &str)]) -> Decision {
    decide(set, &ask(set, given, changes))
}

/// How much belay may do of itself. Escalation is loud, and no authority.
fn authority(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Drop | Outcome::Notify | Outcome::Escalate => 0,
        Outcome::Ask => 1,
        Outcome::Act => 2,
    }
}

/// Text for people without what changes with every edit of a file: the set's hash.
fn shown(text: &str) -> String {
    let hash = regex::Regex::new("policy [0-9a-f]{8}").unwrap();
    let lines = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    hash.replace_all(&lines, "policy <hash>").into_owned()
}
