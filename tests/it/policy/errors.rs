//! What an author reads when a policy is wrong.

use super::{edited, shown, with_examples};

fn errors(text: &str) -> String {
    with_examples("test.yaml", text).unwrap_err().to_string()
}

#[test]
fn unknown_and_later_keys() {
    let edits = [("  environments:", "  envrionments: []\n  scope: {}\n  environments:")];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: unknown key `envrionments` in spec
     --> policies/test.yaml:6:3
      |
    6 |   envrionments: []
      |   ^^^^^^^^^^^^
      = did you mean `environments`?

    error: `scope` is not supported yet
     --> policies/test.yaml:7:3
      |
    7 |   scope: {}
      |   ^^^^^
      = this version does not know it, and nothing is ever ignored: leave it out

    2 errors: the policy is not used
    "#);
}

#[test]
fn all_errors_at_once() {
    let edits = [
        ("level: 4", "level: 7"),
        ("[restart_pod]", "[restart_pods]"),
        ("onFailure: revert", "onfailure: revert"),
        ("environments: [shop]", "environments: [shpo]"),
        ("approval: one", "approval: on"),
        ("20m", "20"),
    ];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: `restart_pods` is not an action
      --> policies/test.yaml:21:17
       |
    21 |       actions: [restart_pods]
       |                 ^^^^^^^^^^^^
       = did you mean `restart_pod`?

    error: there is no environment `shpo`
      --> policies/test.yaml:22:22
       |
    22 |       environments: [shpo]
       |                      ^^^^
       = did you mean `shop`?

    error: expected a whole number, 1 to 5, found `7`
      --> policies/test.yaml:23:14
       |
    23 |       level: 7
       |              ^

    error: expected a duration like `90s`, `15m` or `1h30m`, found `20`
      --> policies/test.yaml:24:25
       |
    24 |       verify: { within: 20, expect: [workload_ready] }
       |                         ^^

    error: there is no approval `on`
      --> policies/test.yaml:25:28
       |
    25 |       confirm: { approval: on }
       |                            ^^
       = did you mean `one`?

    error: unknown key `onfailure` in verify
      --> policies/test.yaml:32:56
       |
    32 |       verify: { within: 20m, expect: [workload_ready], onfailure: revert }
       |                                                        ^^^^^^^^^
       = did you mean `onFailure`?

    6 errors: the policy is not used
    "#);
}

#[test]
fn names_in_expressions() {
    let edits = [("finding.cause == 'OOMKilled'", "finding.cause == 'OOMkilled' && owner.replica > 1")];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: `finding.cause` is never `OOMkilled`
      --> policies/test.yaml:20:32
       |
    20 |       when: "finding.cause == 'OOMkilled' && owner.replica > 1"
       |                                ^^^^^^^^^
       = did you mean `OOMKilled`?

    error: there is no fact `owner.replica`
      --> policies/test.yaml:20:46
       |
    20 |       when: "finding.cause == 'OOMkilled' && owner.replica > 1"
       |                                              ^^^^^^^^^^^^^
       = did you mean `owner.replicas`?

    2 errors: the policy is not used
    "#);
}

#[test]
fn expressions_that_do_not_parse() {
    let edits = [("finding.cause == 'OOMKilled'", "finding.cause == == 'x'")];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: the expression does not parse: extraneous input '==' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}
      --> policies/test.yaml:20:31
       |
    20 |       when: "finding.cause == == 'x'"
       |                               ^

    1 error: the policy is not used
    "#);
}

#[test]
fn types_in_expressions() {
    let edits = [("finding.cause == 'OOMKilled'", "owner.replicas && owner.name < 3")];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: `&&` does not take a whole number and something unknown
      --> policies/test.yaml:20:29
       |
    20 |       when: "owner.replicas && owner.name < 3"
       |                             ^

    error: `<` between text and a whole number
      --> policies/test.yaml:20:43
       |
    20 |       when: "owner.replicas && owner.name < 3"
       |                                           ^

    2 errors: the policy is not used
    "#);
}

#[test]
fn expressions_that_are_not_boolean() {
    let edits = [("finding.cause == 'OOMKilled'", "owner.replicas + 1")];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: the expression gives a whole number, not true or false
      --> policies/test.yaml:20:29
       |
    20 |       when: "owner.replicas + 1"
       |                             ^

    1 error: the policy is not used
    "#);
}

#[test]
fn facts_and_functions() {
    let edits = [("finding.cause == 'OOMKilled'", "incident.mood == 'x' || owner.bogus()")];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: there is no fact `incident.mood`
      --> policies/test.yaml:20:14
       |
    20 |       when: "incident.mood == 'x' || owner.bogus()"
       |              ^^^^^^^^^^^^^
       = did you mean `incident.severity`?

    error: `owner` is not a fact by itself
      --> policies/test.yaml:20:38
       |
    20 |       when: "incident.mood == 'x' || owner.bogus()"
       |                                      ^^^^^
       = expected one of `owner.kind`, `owner.name`, `owner.replicas`, `owner.ready`, `owner.stateful`, `owner.busy`, `owner.gitops.selfHeal`, `owner.hpa`, `owner.minutes_since_rollout`, `owner.changed_by_person_minutes`, `owner.budget`, `owner.migration`

    error: there is no function `bogus`
      --> policies/test.yaml:20:44
       |
    20 |       when: "incident.mood == 'x' || owner.bogus()"
       |                                            ^^^^^
       = expected one of `startsWith`, `endsWith`, `contains`, `matches`, `size`, `string`, `int`, `double`, `timestamp`, `duration`, `getHours`, `getMinutes`, `getDayOfWeek`, `getDayOfMonth`, `getMonth`, `getFullYear`

    3 errors: the policy is not used
    "#);
}

#[test]
fn what_is_not_yaml() {
    let edits = [("  mode: enforce", "  mode: [enforce")];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: illegal placement of ':' indicator at line 6, column 15
     --> policies/test.yaml:6:15
      |
    6 |   environments:
      |               ^

    1 error: the policy is not used
    "#);
}

#[test]
fn tests_that_fail() {
    let edits = [(
        "  grants:",
        "  tests:\n    - { name: it asks, given: examples/oom.yaml, expect: { outcome: ask, level: 2 } }\n    - { name: no such, given: examples/oomm.yaml, expect: { outcome: ask } }\n  grants:",
    )];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: test `it asks` fails: expected outcome `ask`, got `act`, expected level 2, got 4
      --> policies/test.yaml:18:58
       |
    18 |     - { name: it asks, given: examples/oom.yaml, expect: { outcome: ask, level: 2 } }
       |                                                          ^
       = act        restart_pod  demo/shop/Deployment/api (pod api-7f4b9)      policy <hash>
         because    grant/restart: grant `restart` gives level 4

           grant    restart           YES       level 4      policies/test.yaml:21
           grant    scale             no        action restart_pod is not listed      policies/test.yaml:29
           cap      environment shop            5, ladder off      policies/test.yaml:7
           limit    cooldown                    0 of 1 acts of this kind on this owner in the last 5m
           limit    global                      0 of 10 acts in all in the last 1h
           limit    inFlight                    0 of 1 acts under way
           limit    failures                    0 of 3 acts on this owner in a row failed
           limit    ineffective                 0 of 3 acts on this owner in a row did not help

    error: there is no example `examples/oomm.yaml`
      --> policies/test.yaml:19:31
       |
    19 |     - { name: no such, given: examples/oomm.yaml, expect: { outcome: ask } }
       |                               ^^^^^^^^^^^^^^^^^^
       = expected one of `policies/examples/oom.yaml`, `policies/examples/saturation.yaml`

    2 errors: the policy is not used
    "#);
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

/// The longest chains and the deepest nesting that fit are read or refused, and overflow no stack.
#[test]
fn the_longest_expressions_do_no_harm() {
    let chain = |link: &str, end: &str| format!("{}{end}", link.repeat((2048 - end.len()) / link.len()));
    let nested = |n: usize| format!("{}owner.busy{}", "(".repeat(n), ")".repeat(n));
    for text in
        [chain("1+", "1 > 0"), chain("owner.busy || ", "true"), chain("!", "true"), nested(30), nested(1000)]
    {
        let loaded = with_examples("test.yaml", &edited(&[("finding.cause == 'OOMKilled'", &text)]));
        if let Ok(set) = loaded {
            super::decided(&set, super::OOM, &[]);
        }
    }
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
