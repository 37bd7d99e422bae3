//! What an author reads when a policy is wrong.

use super::{edited, with_examples};

fn errors(text: &str) -> String {
    with_examples("test.yaml", text).unwrap_err().to_string()
}

#[test]
fn scratch() {
    for (name, edits) in cases() {
        println!("@@@{name}\n{}\n@@@end", errors(&edited(&edits)));
    }
}

fn cases() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    vec![
        ("keys", vec![("  environments:", "  envrionments: []\n  scope: {}\n  environments:")]),
        ("many", vec![("level: 4", "level: 7"), ("[restart_pod]", "[restart_pods]"), ("onFailure: revert", "onfailure: revert"), ("environments: [shop]", "environments: [shpo]"), ("approval: one", "approval: on"), ("20m", "20")]),
        ("cel", vec![("finding.cause == 'OOMKilled'", "finding.cause == 'OOMkilled' && owner.replica > 1")]),
        ("syntax", vec![("finding.cause == 'OOMKilled'", "finding.cause == == 'x'")]),
        ("types", vec![("finding.cause == 'OOMKilled'", "owner.replicas && owner.name < 3")]),
        ("not boolean", vec![("finding.cause == 'OOMKilled'", "owner.replicas + 1")]),
        ("later", vec![("finding.cause == 'OOMKilled'", "incident.severity == 'x' || owner.bogus()")]),
        ("yaml", vec![("  mode: enforce", "  mode: [enforce")]),
        ("test", vec![("  grants:", "  tests:\n    - { name: it asks, given: examples/oom.yaml, expect: { outcome: ask, level: 2 } }\n    - { name: no such, given: examples/oomm.yaml, expect: { outcome: ask } }\n  grants:")]),
    ]
}
