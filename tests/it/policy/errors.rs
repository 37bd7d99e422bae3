//! What an author reads when a policy is wrong.

use super::{OOM, SATURATION, edited, shown, with_examples};

fn errors(text: &str) -> String {
    with_examples("test.yaml", text).unwrap_err().to_string()
}

#[test]
fn unknown_and_later_keys() {
    let edits = [
        ("  environments:", "  envrionments: []\n  environments:"),
        ("expect: [workload_ready] }", "expect: [workload_ready] }\n      offer: open_pull_request"),
    ];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: unknown key `envrionments` in spec
     --> policies/test.yaml:6:3
      |
    6 |   envrionments: []
      |   ^^^^^^^^^^^^
      = did you mean `environments`?
      = see policies/README.md#files

    error: `offer` is not supported yet
      --> policies/test.yaml:26:7
       |
    26 |       offer: open_pull_request
       |       ^^^^^
       = this version does not know it, and nothing is ever ignored: leave it out
       = see policies/README.md#grants

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
       = see policies/README.md#grants

    error: there is no environment `shpo`
      --> policies/test.yaml:22:22
       |
    22 |       environments: [shpo]
       |                      ^^^^
       = did you mean `shop`?
       = see policies/README.md#grants

    error: expected a whole number, 1 to 5, found `7`
      --> policies/test.yaml:23:14
       |
    23 |       level: 7
       |              ^
       = see policies/README.md#grants

    error: expected a duration like `90s`, `15m` or `1h30m`, found `20`
      --> policies/test.yaml:24:25
       |
    24 |       verify: { within: 20, expect: [workload_ready] }
       |                         ^^
       = see policies/README.md#grants

    error: there is no approval `on`
      --> policies/test.yaml:25:28
       |
    25 |       confirm: { approval: on }
       |                            ^^
       = did you mean `one`?
       = see policies/README.md#grants

    error: unknown key `onfailure` in verify
      --> policies/test.yaml:32:56
       |
    32 |       verify: { within: 20m, expect: [workload_ready], onfailure: revert }
       |                                                        ^^^^^^^^^
       = did you mean `onFailure`?
       = see policies/README.md#grants

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
       = see policies/README.md#expressions

    error: there is no fact `owner.replica`
      --> policies/test.yaml:20:46
       |
    20 |       when: "finding.cause == 'OOMkilled' && owner.replica > 1"
       |                                              ^^^^^^^^^^^^^
       = did you mean `owner.replicas`?
       = see policies/README.md#expressions

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
       = see policies/README.md#expressions

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
       = see policies/README.md#expressions

    error: `<` between text and a whole number
      --> policies/test.yaml:20:43
       |
    20 |       when: "owner.replicas && owner.name < 3"
       |                                           ^
       = see policies/README.md#expressions

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
       = see policies/README.md#expressions

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
       = did you mean `incident.flagged`?
       = see policies/README.md#expressions

    error: `owner` is not a fact by itself
      --> policies/test.yaml:20:38
       |
    20 |       when: "incident.mood == 'x' || owner.bogus()"
       |                                      ^^^^^
       = expected one of `owner.kind`, `owner.name`, `owner.replicas`, `owner.ready`, `owner.stateful`, `owner.busy`, `owner.gitops.selfHeal`, `owner.hpa`, `owner.minutes_since_rollout`, `owner.changed_by_person_minutes`, `owner.budget`, `owner.migration`
       = see policies/README.md#expressions

    error: there is no function `bogus`
      --> policies/test.yaml:20:44
       |
    20 |       when: "incident.mood == 'x' || owner.bogus()"
       |                                            ^^^^^
       = expected one of `startsWith`, `endsWith`, `contains`, `matches`, `size`, `string`, `int`, `double`, `timestamp`, `duration`, `getHours`, `getMinutes`, `getDayOfWeek`, `getDayOfMonth`, `getMonth`, `getFullYear`
       = see policies/README.md#expressions

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
      = see policies/README.md#files

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
       = see policies/README.md#golden-inputs

    error: there is no example `examples/oomm.yaml`
      --> policies/test.yaml:19:31
       |
    19 |     - { name: no such, given: examples/oomm.yaml, expect: { outcome: ask } }
       |                               ^^^^^^^^^^^^^^^^^^
       = expected one of `policies/examples/hands-off.yaml`, `policies/examples/oom.yaml`, `policies/examples/saturation.yaml`
       = see policies/README.md#golden-inputs

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
    for (bytes, fits) in [(2048, true), (2049, false)] {
        let text = format!("finding.cause == 'OOMKilled'{}", " ".repeat(bytes - 28));
        assert_eq!(text.len(), bytes);
        let loaded = with_examples("test.yaml", &edited(&[("finding.cause == 'OOMKilled'", &text)]));
        let told = loaded.err().map(|errors| errors.to_string()).unwrap_or_default();
        assert_eq!(!told.contains("bytes long"), fits, "{bytes}: {told}");
    }
}

#[test]
fn facts_of_few_words_take_no_other() {
    for (fact, word) in [
        ("finding.cause", "OOMKilled"),
        ("finding.certainty", "likely"),
        ("alert.severity", "info"),
        ("action.kind", "restart_pod"),
        ("action.class.risk", "low"),
        ("action.class.undo", "self_healing"),
    ] {
        for (word, fits) in [(word.to_owned(), true), (format!("{word}x"), false)] {
            for when in [
                format!("{fact} == '{word}'"),
                format!("'{word}' != {fact}"),
                format!("{fact} in ['{word}']"),
            ] {
                let files = super::files("test.yaml", &edited(&[("finding.cause == 'OOMKilled'", &when)]));
                let told = belay::policy::draft(files).err().map(|errors| errors.to_string());
                assert_eq!(told.is_none(), fits, "{when}: {told:?}");
                assert!(
                    told.is_none_or(|told| told.contains(&format!("`{fact}` is never `{word}`"))),
                    "{when}"
                );
            }
        }
    }
}

/// What is known of a list's items, and of a map's keys, is known of the variable over them.
#[test]
fn variables_have_the_type_of_what_they_stand_for() {
    let list = |n: usize| format!("owner.replicas in [{}]", vec!["1"; n].join(","));
    for (when, refused) in [
        ("['a'].exists(x, x > 1)".to_owned(), true),
        ("[1].exists(x, x > 1)".to_owned(), false),
        ("target.labels.exists(k, k > 1)".to_owned(), true),
        ("target.labels.exists(k, k > 'a')".to_owned(), false),
        ("[target.labels].exists(m, m.app == 'api')".to_owned(), false),
        ("owner.busy < true".to_owned(), true),
        ("[1] < [2]".to_owned(), true),
        ("target.name > 1".to_owned(), true),
        ("target.name > 'a'".to_owned(), false),
        ("owner.replicas > 1.5".to_owned(), false),
        ("owner.replicas + 1.5 > 2.0".to_owned(), true),
        ("1.5 + owner.replicas > 2.0".to_owned(), true),
        ("owner.busy + 1 == 2".to_owned(), true),
        ("owner.busy ? owner.replicas == 1 : false".to_owned(), false),
        ("owner.replicas ? true : false".to_owned(), true),
        ("(owner.busy ? 1 : 'a') == 1".to_owned(), true),
        (list(256), false),
        (list(257), true),
    ] {
        let told = belay::policy::draft(super::files(
            "test.yaml",
            &edited(&[("finding.cause == 'OOMKilled'", &when)]),
        ));
        assert_eq!(
            told.is_err(),
            refused,
            "{when}: {}",
            told.map_or_else(|e| e.to_string(), |_| String::new())
        );
    }
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

#[test]
fn a_file_is_bounded() {
    let text = edited(&[]);
    for (bytes, fits) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let padded = format!("{text}#{}", " ".repeat(bytes - text.len() - 1));
        assert_eq!(padded.len(), bytes);
        let told = belay::policy::draft(super::files("test.yaml", &padded)).err();
        let told = told.map(|errors| errors.to_string()).unwrap_or_default();
        assert_eq!(!told.contains("the file is larger than 1 MiB"), fits, "{bytes}");
        assert_eq!(told.is_empty(), fits, "{bytes}");
    }
}

/// Keys of the format that this version does not know: never ignored.
#[test]
fn what_comes_later_is_refused_by_name() {
    let grant = |key: &'static str| ("level: 4\n", format!("level: 4\n      {key}: 1\n"));
    let guard = |key: &'static str| {
        ("  brakes:\n", format!("  guards: [{{ id: g, when: \"true\", deny: true, {key}: x }}]\n  brakes:\n"))
    };
    let environment = |key: &'static str| ("maxLevel: 5", format!("maxLevel: 5, {key}: {{}}"));
    let cases = [environment("override"), grant("offer"), grant("target"), guard("target")];
    for (from, to) in cases {
        let errors = errors(&edited(&[(from, &to)]));
        assert!(errors.contains("is not supported yet"), "{to}: {errors}");
    }
}

/// What a measure has to become is said in one of four ways.
#[test]
fn measures_that_say_nothing_are_refused() {
    let with = |rules: &str| edited(&[("within: 20m", &format!("within: 20m, metrics: {rules}"))]);
    for (rules, told) in [
        ("[p99]", "`p99` does not say what a measure has to become"),
        ("['p99 falls a lot']", "does not say what a measure has to become"),
        ("['p99 below lots']", "does not say what a measure has to become"),
        ("['rate(x[5m]) below 1']", "is not the name of a measure"),
        (
            "[a falls, b falls, c falls, d falls, e falls, f falls, g falls, h falls, i falls]",
            "more than 8 measures",
        ),
    ] {
        let errors = errors(&with(rules));
        assert!(errors.contains(told), "{rules}: {errors}");
    }
    belay::policy::draft(super::files("test.yaml", &with("['p99 falls', 'errors below 0.01']"))).unwrap();
}

const NO_BRAKES: (&str, &str) =
    ("  brakes:\n    global: { maxInFlight: 4, maxActions: 10, window: 1h }\n", "");

/// What a team's file may not say, and what a scope must be.
#[test]
fn scopes_and_ceilings_that_are_refused() {
    let scope = |scope: &str| edited(&[("  mode:", &format!("  scope: {scope}\n  mode:")), NO_BRAKES]);
    for (given, told) in [
        ("{}", "this scope bounds nothing"),
        ("{ namespace: [] }", "`namespace` is empty: this file would reach nothing"),
        ("{ namespace: ['*'] }", "`*` does not bound anything by name"),
        ("{ namespace: ['a*b'] }", "`a*b` does not bound anything by name"),
        ("{ namespaces: [a] }", "did you mean `namespace`?"),
        ("{ cluster: demo }", "expected a list"),
    ] {
        let errors = errors(&scope(given));
        assert!(errors.contains(told), "{given}: {errors}");
        assert!(errors.contains("policies/test.yaml:5:"), "{given}: {errors}");
    }
    for (length, fits) in [(253, true), (254, false)] {
        let name = "a".repeat(length);
        let errors = errors(&scope(&format!("{{ namespace: [{name}] }}")));
        assert_eq!(!errors.contains("does not bound anything by name"), fits, "{length}: {errors}");
    }
    let of_platform = "{ namespace: [shop] }\n  ceilings: [{ maxLevel: 3 }]\n  brakes: {}";
    let both = errors(&scope(of_platform));
    for (key, at) in [("ceilings", "6:3"), ("brakes", "7:3")] {
        assert!(both.contains(&format!("a file with a `scope` cannot have `{key}`")), "{both}");
        assert!(both.contains(&format!("--> policies/test.yaml:{at}")), "{both}");
    }
    let ceiling = |text: &str| {
        let to = format!("  ceilings: [{{ {text} }}]\n  mode:");
        errors(&edited(&[("  mode:", &to)]))
    };
    let above = ceiling("environments: [shop], actions: [restart_pod], maxLevel: 3");
    assert!(above.contains("grant `restart` is above its ceiling, which is level 3"), "{above}");
    assert!(above.contains("--> policies/test.yaml:24:14") && above.contains("1 error:"), "{above}");
    assert!(above.contains("the ceiling of `us` stands at policies/test.yaml:5"), "{above}");
    assert!(above.contains("= see policies/README.md#grants"), "{above}");
    assert!(ceiling("environments: [shp], maxLevel: 3").contains("there is no environment `shp`"));
    assert!(ceiling("actions: [restart], maxLevel: 3").contains("did you mean `restart_pod`?"));
    assert!(ceiling("actions: [restart_pod]").contains("a ceiling has no `maxLevel`"));
}

/// Brakes are tuned within bounds and never off.
#[test]
fn brakes_that_are_refused() {
    let cases = [
        ("global: { ramp: [] }", "a ramp needs at least one step"),
        ("global: { ramp: [1, 3, 2] }", "a ramp must not go down"),
        ("global: { ramp: [1, 5] }", "step 5 is above `maxInFlight`, which is 4"),
        ("global: { ramp: [0] }", "expected a whole number, 1 to 1000"),
        ("storm: off", "expected a map, found text"),
        ("storm: { firingGroupsAbove: 201 }", "expected a whole number, 0 to 200"),
        ("storm: { unhealthyFractionAbove: 1.0 }", "expected a fraction from 0 to below 1"),
        ("storm: { unhealthyFractionAbove: 40% }", "expected a fraction from 0 to below 1"),
        ("storm: { cooldown: 30s }", "`30s` is out of bounds: 1m to 168h"),
        ("storm: { maxLevel: 3 }", "level 3 is no brake"),
        ("breaker: { failedVerifications: 0 }", "expected a whole number, 1 to 20"),
        ("breaker: { window: 5m }", "is out of bounds: 6m to"),
        ("breaker: { maxLevel: 4 }", "level 4 is no brake"),
        ("breaker: { resetBy: time }", "`time` is not who resets a breaker"),
        ("blind: { missingFor: 51m }", "is out of bounds: 1m to 50m"),
        ("blind: { alert: '' }", "expected text"),
        ("trust: { alerts: [] }", "`alerts` is empty: a brake cannot be switched off"),
        ("trust: { alerts: ['severity=\"critical\"'] }", "`severity` cannot be matched here"),
        ("target: { sameActionCooldown: 10s }", "is out of bounds: 30s to"),
        ("target: { failures: { count: 31 } }", "expected a whole number, 1 to 30"),
        ("target: { ineffective: { hold: 20m } }", "is out of bounds: 24m to"),
        ("target: { ineffectiv: {} }", "did you mean `ineffective`?"),
        ("strom: {}", "did you mean `storm`?"),
    ];
    for (brake, told) in cases {
        let (from, to) = (NO_BRAKES.0, format!("  brakes:\n    {brake}\n"));
        let errors = errors(&edited(&[(from, &to)]));
        assert!(errors.contains(told) && errors.contains("--> policies/test.yaml:16:"), "{brake}: {errors}");
        assert!(errors.contains("= see policies/README.md#brakes"), "{brake}: {errors}");
    }
}

#[test]
fn freezes_that_are_refused() {
    let cases = [
        ("maxLevel: 1", "this freeze does not say when"),
        ("from: 2026-01-01T00:00:00Z, maxLevel: 1", "a freeze has no `to`"),
        ("cron: '0 2 * * *', for: 2h, maxLevel: 1", "a freeze has no `timezone`"),
        ("cron: '0 2 * * *', for: 2h, timezone: Europe/Berln, maxLevel: 1", "did you mean `Europe/Berlin`?"),
        ("cron: '0 2 * *', for: 2h, timezone: UTC, maxLevel: 1", "has 4 fields, not five"),
        ("cron: '0 25 * * *', for: 2h, timezone: UTC, maxLevel: 1", "`25` is not a list of numbers, 0 to 23"),
        ("cron: '0 0 30 2 *', for: 2h, timezone: UTC, maxLevel: 1", "`0 0 30 2 *` never comes"),
        ("cron: '0 2 * * *', for: 8d, timezone: UTC, maxLevel: 1", "is out of bounds: 1m to 168h"),
        (
            "from: 2026-01-01T00:00:00Z, to: 2026-01-02T00:00:00Z, for: 2h, maxLevel: 1",
            "`for` does not go with",
        ),
        ("ics: company.ics, maxLevel: 1", "there is no calendar `company.ics`"),
        ("ics: freezes.ics, from: 2026-01-01T00:00:00Z, maxLevel: 1", "`ics` does not go with"),
    ];
    for (text, told) in cases {
        let section = format!("  freezes: [{{ name: f, {text} }}]\n  brakes:\n");
        let errors = errors(&edited(&[("  brakes:\n", &section)]));
        assert!(errors.contains(told) && errors.contains("--> policies/test.yaml:15:"), "{text}: {errors}");
        assert!(errors.contains("= see policies/README.md#freezes"), "{text}: {errors}");
    }
}

/// A calendar's mistakes are shown in the calendar.
#[test]
fn a_calendar_that_cannot_be_read() {
    let section = "  freezes: [{ name: company, ics: freezes.ics, maxLevel: 1 }]\n  brakes:\n";
    let mut files = super::files("test.yaml", &edited(&[("  brakes:\n", section)]));
    let calendar = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261224\nRRULE:FREQ=YEARLY\nEND:VEVENT\nEND:VCALENDAR\n";
    files.push(("policies/freezes.ics".to_owned(), calendar.to_owned()));
    insta::assert_snapshot!(belay::policy::load(files).unwrap_err().to_string(), @r#"
    error: this time has no time zone: give the freeze a `timezone`
     --> policies/freezes.ics:3:1
      |
    3 | DTSTART;VALUE=DATE:20261224
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = see policies/README.md#freezes

    error: `RRULE`: events that come again are not supported; write a freeze with `cron`, or one event for each
     --> policies/freezes.ics:4:1
      |
    4 | RRULE:FREQ=YEARLY
      | ^^^^^^^^^^^^^^^^^
      = see policies/README.md#freezes

    2 errors: the policy is not used
    "#);
}

#[test]
fn approvals_that_are_refused() {
    let rule = |rule: &str| {
        errors(&edited(&[(
            "two: { from: [leads, oncall], count: 2, expires: 30m }",
            &format!("two: {rule}"),
        )]))
    };
    let cases = [
        (
            "{ from: [leads, oncall], count: 2, eachGroup: 2, expires: 30m }",
            "takes 2 of each of 2 groups, which are more than 2",
        ),
        (
            "{ from: [leads, oncall], count: 6, eachGroup: 3, expires: 30m }",
            "takes 3 of `leads` and 2 are entitled",
        ),
        ("{ from: [leads, oncall], eachGroup: 0, expires: 30m }", "expected a whole number, 1 to 20"),
        ("{ from: [leads, oncall], stepUp: true, expires: 30m }", "takes 1 and 0 are entitled"),
        (
            "{ from: [leads, terminal], count: 2, eachGroup: 1, stepUp: true, expires: 30m }",
            "takes 1 of `leads` and 0 are entitled",
        ),
        ("{ from: [leads], stepUp: 1, expires: 30m }", "expected `true` or `false`"),
    ];
    for (given, told) in cases {
        let errors = rule(given);
        assert!(errors.contains(told) && errors.contains("--> policies/test.yaml:14:"), "{given}: {errors}");
        assert!(errors.contains("= see policies/README.md#approvals"), "{given}: {errors}");
    }
    let step_up = rule("{ from: [leads], stepUp: true, expires: 30m }");
    assert!(step_up.contains("a click in Slack does not count here"), "{step_up}");
    let group = errors(&edited(&[("operators: true", "slackUserGroup: '@oncall'")]));
    assert!(group.contains("`@oncall` is not the id of a Slack user group"), "{group}");
    for id in ["oncall", "Soncall", "T0ABC"] {
        let group = errors(&edited(&[("operators: true", &format!("slackUserGroup: {id}"))]));
        assert!(group.contains(&format!("`{id}` is not the id of a Slack user group")), "{group}");
    }
}

#[test]
fn temporary_measures_and_overrides_that_are_refused() {
    let scale = |text: &str| errors(&edited(&[("level: 3\n", &format!("level: 3\n      {text}\n"))]));
    let restart = errors(&edited(&[("level: 4\n", "level: 4\n      expires: 6h\n")]));
    assert!(restart.contains("`restart_pod` has no undo: there is nothing to revert"), "{restart}");
    let lifted = "by: kim, reason: a launch, until: 2026-12-01T00:00:00Z";
    let cases = [
        ("expires: 20m".to_owned(), "`expires` is not longer than the verification"),
        ("expires: 31d".to_owned(), "is out of bounds: 1m to 720h"),
        (format!("override: {{ level: 4, {lifted} }}"), "this override is above the grant's own level"),
        (format!("override: {{ level: 2, {lifted} }}"), "this override lifts nothing"),
        (
            "override: { level: 3, by: kim, until: 2026-12-01T00:00:00Z }".to_owned(),
            "an override has no `reason`",
        ),
        (
            "override: { level: 3, reason: x, until: 2026-12-01T00:00:00Z }".to_owned(),
            "an override has no `by`",
        ),
        ("override: { level: 3, by: kim, reason: x }".to_owned(), "an override has no `until`"),
        ("override: { level: 3, by: kim, reason: x, until: friday }".to_owned(), "expected a moment"),
    ];
    for (given, told) in cases {
        let errors = scale(&given);
        assert!(errors.contains(told) && errors.contains("--> policies/test.yaml:32:"), "{given}: {errors}");
    }
    let offer = "  guards: [{ id: g, when: owner.busy, deny: true, offer: open_pull_requst }]\n  brakes:\n";
    assert!(errors(&edited(&[("  brakes:\n", offer)])).contains("did you mean `open_pull_request`?"));
    let mixed = [("[scale_workload]", "[scale_workload, restart_pod]"), ("level: 3", "level: 5")];
    assert!(
        errors(&edited(&mixed)).contains("actions without an undo need a grant of their own")
            || errors(&edited(&mixed)).contains("`restart_pod` has no undo")
    );
}

/// A grant or guard that no golden input reaches, and an expression that fails on one.
#[test]
fn what_no_golden_input_shows_is_refused() {
    let edits = [
        ("KubePodCrashLooping", "KubePodNotReady"),
        (
            "  brakes:\n",
            "  guards:\n    - { id: quiet, when: \"target.annotations['quiet'] == 'yes'\", deny: true }\n    - { id: odd, when: \"10 / (owner.replicas - 4) > 3 || owner.stateful\", deny: true }\n  brakes:\n",
        ),
    ];
    insta::assert_snapshot!(shown(&errors(&edited(&edits))), @r#"
    error: guard `quiet` fires on no golden input: nothing shows what it does
      --> policies/test.yaml:16:13
       |
    16 |     - { id: quiet, when: "target.annotations['quiet'] == 'yes'", deny: true }
       |             ^^^^^
       = add a test, or an example, with facts that it is about
       = see policies/README.md#guards

    error: the expression fails on golden input `policies/examples/oom.yaml`: Division by zero of Int(10)
      --> policies/test.yaml:17:24
       |
    17 |     - { id: odd, when: "10 / (owner.replicas - 4) > 3 || owner.stateful", deny: true }
       |                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = every fact that it reads is known there: it would fail in earnest, too
       = see policies/README.md#guards

    error: grant `restart` matches no golden input: nothing shows what it does
      --> policies/test.yaml:21:11
       |
    21 |     - id: restart
       |           ^^^^^^^
       = add a test, or an example, with facts that it is about
       = see policies/README.md#grants

    3 errors: the policy is not used
    "#);
    // an unknown fact lets a guard fire, and shows nothing of what it is about
    let unknown = "  guards:\n    - { id: quiet, when: \"target.annotations['quiet'] == 'yes'\", deny: true }\n  tests:\n    - { name: unknown, given: examples/oom.yaml, set: { target.annotations: unknown }, expect: { outcome: escalate } }\n  brakes:\n";
    assert!(errors(&edited(&[("  brakes:\n", unknown)])).contains("guard `quiet` fires on no golden input"));
    let shown = unknown.replace("target.annotations: unknown", "target.annotations.quiet: 'yes'");
    with_examples("test.yaml", &edited(&[("  brakes:\n", &shown)])).unwrap();
}

/// An example is read whether or not a test uses it.
#[test]
fn an_example_that_cannot_be_read() {
    let mut files = super::files("test.yaml", super::BASE);
    let broken = super::read(super::OOM).replace("owner:\n", "ownr:\n");
    files.push(("policies/examples/broken.yaml".to_owned(), broken));
    let errors = belay::policy::load(files).unwrap_err().to_string();
    assert!(errors.contains("unknown key `ownr` in a golden input"), "{errors}");
    assert!(errors.contains("--> policies/examples/broken.yaml:24:1"), "{errors}");
    assert!(errors.contains("= see policies/README.md#golden-inputs"), "{errors}");
}

/// What stands in a file by mistake is not shown to everybody who reads the log.
#[test]
fn secrets_are_not_shown() {
    let secret = ["xoxb-1234567890-abcdefgh", "hunter2hunter2"];
    let edits = [
        ("level: 4\n", "level: xoxb-1234567890-abcdefgh\n      password: hunter2hunter2\n"),
        ("count: 1, expires: 15m", "count: 1, token: hunter2hunter2, expires: 15m"),
    ];
    let errors = errors(&edited(&edits));
    for secret in secret {
        assert!(!errors.contains(secret), "{errors}");
    }
    assert!(errors.contains("expected a whole number, 1 to 5, found `[redacted]`"), "{errors}");
    assert!(errors.contains("unknown key `token` in an approval"), "{errors}");
}

/// A folder without a policy is a mistake, not a policy that grants nothing.
#[test]
fn golden_inputs_alone_are_refused() {
    let examples = [OOM, SATURATION].map(|name| (name.to_owned(), super::read(name)));
    let calendar = ("a.ics".to_owned(), "BEGIN:VCALENDAR\nEND:VCALENDAR\n".to_owned());
    for files in [examples.to_vec(), vec![calendar]] {
        let errors = belay::policy::load(files).unwrap_err().to_string();
        assert!(errors.contains("none of these files is a policy"), "{errors}");
        assert!(errors.contains("add a file with `kind: Policy`"), "{errors}");
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
