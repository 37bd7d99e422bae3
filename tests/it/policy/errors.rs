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
        (
            "many",
            vec![
                ("level: 4", "level: 7"),
                ("[restart_pod]", "[restart_pods]"),
                ("onFailure: revert", "onfailure: revert"),
                ("environments: [shop]", "environments: [shpo]"),
                ("approval: one", "approval: on"),
                ("20m", "20"),
            ],
        ),
        ("cel", vec![("finding.cause == 'OOMKilled'", "finding.cause == 'OOMkilled' && owner.replica > 1")]),
        ("syntax", vec![("finding.cause == 'OOMKilled'", "finding.cause == == 'x'")]),
        ("types", vec![("finding.cause == 'OOMKilled'", "owner.replicas && owner.name < 3")]),
        ("not boolean", vec![("finding.cause == 'OOMKilled'", "owner.replicas + 1")]),
        ("later", vec![("finding.cause == 'OOMKilled'", "incident.severity == 'x' || owner.bogus()")]),
        ("yaml", vec![("  mode: enforce", "  mode: [enforce")]),
        (
            "test",
            vec![(
                "  grants:",
                "  tests:\n    - { name: it asks, given: examples/oom.yaml, expect: { outcome: ask, level: 2 } }\n    - { name: no such, given: examples/oomm.yaml, expect: { outcome: ask } }\n  grants:",
            )],
        ),
    ]
}

type Edits<'a> = &'a [(&'a str, &'a str)];

/// What is refused: an edit, and what the author is told.
const REFUSED: &[(Edits<'_>, &str)] = &[
    (&[("belay.dev/v1", "belay.dev/v2")], "`belay.dev/v2` is not a version of the format"),
    (&[("kind: Policy", "kind: Polcy")], "`Polcy` is not a kind of file"),
    (&[("metadata: { name: test, owner: us }\n", "")], "the file has no `metadata`"),
    (&[(", owner: us", "")], "metadata has no `owner`"),
    (&[("mode: enforce", "mode: trial")], "`trial` is not a mode"),
    (&[("id: restart\n", "id: scale\n")], "grant `scale` is defined twice"),
    (&[("id: restart\n", "id: a b\n")], "`a b` is not a name"),
    (&[("level: 4\n", "level: 4\n      level: 3\n")], "duplicate"),
    (&[("      level: 4\n", "")], "a grant has no `level`"),
    (&[("      confirm: { approval: one }\n    - id: scale", "    - id: scale")], "a grant has no `confirm`"),
    (&[("      verify: { within: 20m, expect: [workload_ready] }\n", "")], "a grant has no `verify`"),
    (&[("[restart_pod]", "[]")], "`actions` is empty"),
    (&[("[workload_ready] }", "[workload_reddy] }")], "`workload_reddy` is not an expectation"),
    (
        &[("expect: [workload_ready] }", "stabilise: 20m, expect: [workload_ready] }")],
        "`stabilise` is not shorter than `within`",
    ),
    (
        &[("expect: [workload_ready] }", "expect: [workload_ready], onFailure: revert }")],
        "`restart_pod` has no undo",
    ),
    (
        &[("confirm: { approval: one }", "confirm: { approval: one, onSilence: revert }")],
        "`restart_pod` has no undo",
    ),
    (&[("level: 3", "level: 5"), (", onFailure: revert", "")], "is at level 5 without an automatic revert"),
    (&[("alertname=\"KubePod", "alertname\"KubePod")], "has none of `=`"),
    (&[("count: 2", "count: 5")], "approval `two` takes 5 and 4 are entitled"),
    (&[("[leads, oncall]", "[lead, oncall]")], "there is no approver `lead`"),
    (&[("U0A", "alice")], "`alice` is not the id of a Slack user"),
    (&[("expires: 15m", "expires: 2d")], "stays open for more than a day"),
    (&[("expires: 15m", "expires: 15m, onExpire: approve")], "silence never starts anything"),
    (&[("maxInFlight: 4", "maxInFlight: 0")], "expected a whole number, 1 to 1000"),
    (&[("  brakes:\n", "  guards: [{ id: g, when: \"true\" }]\n  brakes:\n")], "this guard changes nothing"),
    (
        &[(
            "  brakes:\n",
            "  freezes: [{ name: f, from: 2026-01-02T00:00:00Z, to: 2026-01-01T00:00:00Z, maxLevel: 1 }]\n  brakes:\n",
        )],
        "ends before it starts",
    ),
    (
        &[(
            "  brakes:\n",
            "  freezes: [{ name: f, from: tomorrow, to: 2026-01-01T00:00:00Z, maxLevel: 1 }]\n  brakes:\n",
        )],
        "expected a moment",
    ),
    (
        &[("  brakes:\n", "  advice: [{ alerts: ['a=b'], outcome: act }]\n  brakes:\n")],
        "`act` is not an outcome of advice",
    ),
    (&[("level: 4\n", "level: 4\n      blastRadius: { maxUnavailable: 25 }\n")], "expected a percentage"),
    (
        &[("finding.cause == 'OOMKilled'", "plan.replica_delta > 1")],
        "`plan.replica_delta` can be used in guards only",
    ),
    (
        &[("finding.cause == 'OOMKilled'", "alert.labels.all(k, alert.labels.all(j, k == j))")],
        "within another one",
    ),
    (&[("finding.cause == 'OOMKilled'", "has(owner.busy)")], "`has` is for labels and annotations"),
    (&[("finding.cause == 'OOMKilled'", "target.name.matches('(')")], "`(` is not a regular expression"),
    (&[("finding.cause == 'OOMKilled'", "target.name.startWith('x')")], "there is no function `startWith`"),
    (&[("finding.cause == 'OOMKilled'", "target == 'x'")], "`target` is not a fact by itself"),
    (&[("finding.cause == 'OOMKilled'", "bogus > 1")], "there is no fact `bogus`"),
    (&[("finding.cause == 'OOMKilled'", "owner.replicas == 'x'")], "between a whole number and text"),
    (&[("finding.cause == 'OOMKilled'", "owner.busy + 1 > 2")], "`+` does not take"),
    (&[("finding.cause == 'OOMKilled'", "owner.kind in [1, 2]")], "`in` needs a list of such values"),
    (
        &[("finding.cause == 'OOMKilled'", "action.kind in ['restart_pods']")],
        "`action.kind` is never `restart_pods`",
    ),
];

#[test]
fn what_is_wrong_is_refused() {
    for (edits, told) in REFUSED {
        let errors = errors(&edited(edits));
        assert!(errors.contains(told), "{edits:?}: {errors}");
    }
}

#[test]
fn an_expression_is_bounded() {
    let long = format!("{} owner.busy", "owner.busy || ".repeat(150));
    let errors = errors(&edited(&[("finding.cause == 'OOMKilled'", &long)]));
    assert!(errors.contains("bytes long"), "{errors}");
}

/// Keys of the format that this version does not know: never ignored.
#[test]
fn what_comes_later_is_refused_by_name() {
    let brake = |key: &'static str| ("global: {", format!("{key}: {{}}\n    global: {{"));
    let spec = |key: &'static str| ("  mode:", format!("  {key}: {{}}\n  mode:"));
    let grant = |key: &'static str| ("level: 4\n", format!("level: 4\n      {key}: 1\n"));
    let approval = |key: &'static str| ("expires: 15m", format!("expires: 15m, {key}: 1"));
    let approver = |key: &'static str| ("operators: true", format!("operators: true, {key}: x"));
    let freeze =
        |key: &'static str| ("  brakes:\n", format!("  freezes: [{{ name: f, {key}: x }}]\n  brakes:\n"));
    let guard = |key: &'static str| {
        ("  brakes:\n", format!("  guards: [{{ id: g, when: \"true\", deny: true, {key}: x }}]\n  brakes:\n"))
    };
    let verify = |key: &'static str| ("within: 20m", format!("within: 20m, {key}: []"));
    let global = |key: &'static str| ("window: 1h", format!("window: 1h, {key}: []"));
    let environment = |key: &'static str| ("maxLevel: 5", format!("maxLevel: 5, {key}: {{}}"));
    let cases = [
        spec("scope"),
        spec("ceilings"),
        environment("override"),
        approver("slackUserGroup"),
        approver("schedule"),
        approver("oidcGroup"),
        approval("eachGroup"),
        approval("stepUp"),
        grant("expires"),
        grant("offer"),
        grant("override"),
        grant("target"),
        verify("metrics"),
        guard("offer"),
        freeze("cron"),
        freeze("for"),
        freeze("timezone"),
        freeze("ics"),
        brake("storm"),
        brake("breaker"),
        brake("blind"),
        brake("trust"),
        brake("target"),
        global("ramp"),
    ];
    for (from, to) in cases {
        let errors = errors(&edited(&[(from, &to)]));
        assert!(errors.contains("is not supported yet"), "{to}: {errors}");
    }
}

#[test]
fn names_are_unique_over_all_files() {
    let file = |name: &str| (name.to_owned(), super::BASE.to_owned());
    let errors = belay::policy::load([file("a.yaml"), file("b.yaml")]).unwrap_err().to_string();
    for what in
        ["environment `shop`", "approver `oncall`", "approval `one`", "grant `restart`", "brake `global`"]
    {
        assert!(errors.contains(&format!("{what} is defined twice")), "{what}: {errors}");
    }
    assert!(errors.contains("= first at a.yaml:7"), "{errors}");
}
