//! Every knob of the format, seen changing a decision.

use belay::domain::decision::{Decision, Expectation, Fact, OnFailure, OnSilence, Outcome};
use belay::policy::decide;
use jiff::SignedDuration;

use super::{OOM, SATURATION, ask, decided, edited, set};

type Changes<'a> = &'a [(&'a str, &'a str)];

/// Decides an example under an edited `BASE`; the first reason must be as told.
#[track_caller]
fn check(edits: Changes<'_>, given: &str, changes: Changes<'_>, outcome: Outcome, first: &str) -> Decision {
    let decision = decided(&set(&edited(edits)), given, changes);
    assert_eq!(
        (decision.outcome, decision.reasons[0].code.as_str()),
        (outcome, first),
        "{:#?}",
        decision.reasons
    );
    decision
}

/// Text put behind the restart grant's level.
fn grant(text: &str) -> (&'static str, String) {
    ("level: 4\n", format!("level: 4\n      {text}\n"))
}

#[track_caller]
fn check_grant(text: &str, given: &str, changes: Changes<'_>, outcome: Outcome, first: &str) -> Decision {
    let (from, to) = grant(text);
    check(&[(from, &to)], given, changes, outcome, first)
}

fn tail(section: &str) -> String {
    format!("  brakes:\n{section}")
}

/// A section put before the brakes.
#[track_caller]
fn check_section(text: &str, given: &str, changes: Changes<'_>, outcome: Outcome, first: &str) -> Decision {
    let section = format!("{text}\n{}", tail(""));
    check(&[("  brakes:\n", &section)], given, changes, outcome, first)
}

#[test]
fn the_base_acts() {
    let decision = check(&[], OOM, &[], Outcome::Act, "grant/restart");
    assert_eq!(decision.level.unwrap().number(), 4);
    check(&[], SATURATION, &[], Outcome::Act, "grant/scale");
}

#[test]
fn mode() {
    check(&[("mode: enforce", "mode: shadow")], OOM, &[], Outcome::Notify, "shadow/restart");
    let decision = check_grant("mode: shadow", OOM, &[], Outcome::Notify, "shadow/restart");
    assert!(decision.because().contains("would have been `act` at level 4"), "{}", decision.because());
    // A trial must not swallow what would be said without it.
    let critical = [("alert.severity", "critical")];
    check_grant("mode: shadow", OOM, &critical, Outcome::Escalate, "shadow/restart");
}

#[test]
fn a_grant_on_trial_does_not_change_what_is_in_force() {
    let trial = edited(&[]).replace("grants:\n", TRIAL);
    let decision = decided(&set(&trial), OOM, &[]);
    assert_eq!((decision.outcome, decision.level.unwrap().number()), (Outcome::Act, 4));
    assert!(decision.reasons.iter().any(|reason| reason.code == "shadow/trial"), "{:?}", decision.reasons);
}

const TRIAL: &str = r#"grants:
    - id: trial
      mode: shadow
      alerts: ['alertname=~"Kube.*"']
      actions: [restart_pod]
      level: 5
      verify: { within: 20m, expect: [workload_ready] }
      confirm: { approval: one }
"#;

#[test]
fn environments() {
    check(&[("maxLevel: 5", "maxLevel: 2")], OOM, &[], Outcome::Ask, "environment/shop");
    check(&[("maxLevel: 5", "maxLevel: 1")], OOM, &[], Outcome::Notify, "environment/shop");
    check(&[("ladder: off", "ladder: strict")], OOM, &[], Outcome::Ask, "earned");
    check(&[(", ladder: off", "")], OOM, &[], Outcome::Ask, "earned");
    check(&[], OOM, &[("target.namespace", "other")], Outcome::Notify, "no-grant");
    let everywhere = ("      environments: [shop]\n      level: 4", "      level: 4");
    check(&[everywhere], OOM, &[("target.namespace", "other")], Outcome::Notify, "environment/none");
    let second =
        ("  approvers:\n", "    - { name: all, when: \"true\", maxLevel: 5, ladder: off }\n  approvers:\n");
    check(&[second], OOM, &[], Outcome::Notify, "environment/several");
    let labelled = ("target.namespace == 'shop'", "target.labels.app == 'api'");
    check(&[labelled], OOM, &[], Outcome::Act, "grant/restart");
    check(
        &[labelled, everywhere],
        OOM,
        &[("target.labels", "unknown")],
        Outcome::Notify,
        "environment/unknown",
    );
}

#[test]
fn what_a_grant_covers() {
    check(&[("KubePodCrashLooping", "Other")], OOM, &[], Outcome::Notify, "no-grant");
    check(&[("=\"KubePodCrashLooping", "=~\"Kube.*")], OOM, &[], Outcome::Act, "grant/restart");
    check(&[("=\"KubePodCrashLooping", "!=\"KubePodCrashLooping")], OOM, &[], Outcome::Notify, "no-grant");
    check(&[("=\"KubePodCrashLooping", "!~\"Node.*")], OOM, &[], Outcome::Act, "grant/restart");
    check(&[("OOMKilled", "CrashLoop")], OOM, &[], Outcome::Notify, "no-grant");
    check(&[("[restart_pod]", "[scale_workload]")], OOM, &[], Outcome::Notify, "no-grant");
    check(
        &[("finding.cause == 'OOMKilled'", "owner.stateful")],
        OOM,
        &[("owner.stateful", "unknown")],
        Outcome::Notify,
        "no-grant",
    );
    check(
        &[("finding.cause == 'OOMKilled'", "action.params.replicas < 3")],
        OOM,
        &[],
        Outcome::Notify,
        "no-grant",
    );
    check(&[], OOM, &[("chosen_by_model", "false")], Outcome::Notify, "no-grant");
    check_grant("playbook: true", OOM, &[("chosen_by_model", "false")], Outcome::Act, "grant/restart");
}

#[test]
fn the_highest_grant_carries() {
    let second = "grants:\n    - id: also\n      alerts: ['alertname=~\".*\"']\n      actions: [restart_pod]\n      level: 5\n      verify: { within: 1h, expect: [alert_gone] }\n      confirm: { approval: one }\n";
    let decision = check(&[("grants:\n", second)], OOM, &[], Outcome::Act, "grant/also");
    assert_eq!(decision.terms.unwrap().verify.expect, [Expectation::AlertGone]);
    let lower = second.replace("level: 5", "level: 3");
    check(&[("grants:\n", &lower)], OOM, &[], Outcome::Act, "grant/restart");
}

#[test]
fn levels() {
    check(&[("level: 4", "level: 1")], OOM, &[], Outcome::Notify, "grant/restart");
    check(&[("level: 4", "level: 2")], OOM, &[], Outcome::Ask, "grant/restart");
    let confirmed = check(&[("level: 4", "level: 3")], OOM, &[], Outcome::Act, "grant/restart");
    assert!(confirmed.terms.unwrap().confirm.is_some());
    let quiet = check(&[], OOM, &[], Outcome::Act, "grant/restart");
    assert!(quiet.terms.unwrap().confirm.is_none());
    check_grant("actFrom: 5", OOM, &[], Outcome::Ask, "act-from");
    check_grant("actFrom: 4", OOM, &[], Outcome::Act, "grant/restart");
    let plan = [("plan.risk", "medium")];
    check(&[], OOM, &plan, Outcome::Ask, "class");
}

#[test]
fn limits() {
    for (key, history, what) in [
        ("perTarget", "per_target", "acts on this owner"),
        ("perGrant", "per_grant", "acts by this grant"),
        ("perNamespace", "per_namespace", "acts by this grant in this namespace"),
        ("perCluster", "per_cluster", "acts by this grant in this cluster"),
    ] {
        let path = format!("history.{history}");
        let code = format!("limit/{key}");
        let text = format!("limits: {{ {key}: {{ max: 2, window: 10m }} }}");
        check_grant(&text, OOM, &[(&path, "1")], Outcome::Act, "grant/restart");
        check_grant(&text, OOM, &[(&path, "2")], Outcome::Escalate, &code);
        // The moments are a minute old and older.
        let short = text.replace("10m", "30s");
        check_grant(&short, OOM, &[(&path, "2")], Outcome::Act, "grant/restart");
        // At granted level 1 it is only printed.
        let low = set(&edited(&[("level: 4\n", &format!("level: 1\n      {text}\n"))]));
        let decision = decided(&low, OOM, &[(&path, "2")]);
        assert_eq!(decision.outcome, Outcome::Notify);
        let told = decision.reasons.iter().find(|reason| reason.code == code).unwrap();
        assert!(told.text.starts_with(&format!("2 of 2 {what} in the last")), "{}", told.text);
    }
}

#[test]
fn moments_in_the_future_count() {
    let (from, to) = grant("limits: { perTarget: { max: 1, window: 10m } }");
    let set = set(&edited(&[(from, &to)]));
    let mut question = ask(&set, OOM, &[("history.per_target", "1")]);
    for moments in question.history.taken.values_mut() {
        moments[0] = question.now + SignedDuration::from_hours(24);
    }
    assert_eq!(decide(&set, &question).outcome, Outcome::Escalate);
}

#[test]
fn brakes() {
    check(&[], OOM, &[("history.global", "9")], Outcome::Act, "grant/restart");
    check(&[], OOM, &[("history.global", "10")], Outcome::Escalate, "limit/global");
    check(
        &[("maxActions: 10", "maxActions: 11")],
        OOM,
        &[("history.global", "10")],
        Outcome::Act,
        "grant/restart",
    );
    check(&[("window: 1h", "window: 30s")], OOM, &[("history.global", "10")], Outcome::Act, "grant/restart");
    // up the ramp by verified acts: one, two, four, and then all that is allowed
    let busy = [("cluster.actions_in_flight", "4"), ("history.verified", "3")];
    check(&[], OOM, &busy, Outcome::Escalate, "limit/inFlight");
    check(&[("maxInFlight: 4", "maxInFlight: 5")], OOM, &busy, Outcome::Act, "grant/restart");
    check(&[], OOM, &[("cluster.actions_in_flight", "1")], Outcome::Escalate, "limit/inFlight");
    let none = ("  brakes:\n    global: { maxInFlight: 4, maxActions: 10, window: 1h }\n", "");
    check(&[none], OOM, &[("history.global", "10")], Outcome::Escalate, "limit/global");
}

#[test]
fn blast_radius() {
    let half = [("plan.unavailable_after", "2")];
    check_grant("blastRadius: { maxUnavailable: 50% }", OOM, &half, Outcome::Act, "grant/restart");
    check_grant(
        "blastRadius: { maxUnavailable: 49% }",
        OOM,
        &half,
        Outcome::Escalate,
        "blast/maxUnavailable",
    );
    // Never below one pod, however small the owner.
    let lone = [("plan.unavailable_after", "1"), ("owner.replicas", "2")];
    check_grant("blastRadius: { maxUnavailable: 10% }", OOM, &lone, Outcome::Act, "grant/restart");
    check_grant("blastRadius: { keepReady: 2 }", OOM, &half, Outcome::Act, "grant/restart");
    check_grant("blastRadius: { keepReady: 3 }", OOM, &half, Outcome::Escalate, "blast/keepReady");
    let budget = [("plan.budget_allows", "0")];
    check_grant(
        "blastRadius: { respectBudgets: true }",
        OOM,
        &budget,
        Outcome::Escalate,
        "blast/respectBudgets",
    );
    check_grant("blastRadius: { respectBudgets: false }", OOM, &budget, Outcome::Act, "grant/restart");
}

#[test]
fn blast_radius_of_scaling() {
    let scale = |text: &str, changes: Changes<'_>, outcome, first: &str| {
        let to = format!("level: 3\n      blastRadius: {{ {text} }}\n");
        check(&[("level: 3\n", &to)], SATURATION, changes, outcome, first);
    };
    scale("maxReplicaDelta: 2", &[], Outcome::Act, "grant/scale");
    scale("maxReplicaDelta: 1", &[], Outcome::Escalate, "blast/maxReplicaDelta");
    scale("maxReplicaDelta: 2", &[("plan.replica_delta", "3")], Outcome::Escalate, "blast/maxReplicaDelta");
    scale("maxReplicaDelta: 2", &[("plan.replica_delta", "-3")], Outcome::Escalate, "blast/maxReplicaDelta");
    scale("maxReplicas: 5", &[], Outcome::Act, "grant/scale");
    scale("maxReplicas: 4", &[], Outcome::Escalate, "blast/maxReplicas");
}

#[test]
fn guards() {
    let guard = |text: &str, changes: Changes<'_>, outcome, first: &str| {
        check_section(&format!("  guards:\n    - {{ id: g, {text} }}"), OOM, changes, outcome, first)
    };
    guard("when: owner.stateful, maxLevel: 2", &[], Outcome::Act, "grant/restart");
    guard("when: owner.stateful, maxLevel: 2", &[("owner.stateful", "true")], Outcome::Ask, "guard/g");
    guard("when: owner.stateful, maxLevel: 1", &[("owner.stateful", "true")], Outcome::Notify, "guard/g");
    guard("when: owner.stateful, maxLevel: 2", &[("owner.stateful", "unknown")], Outcome::Ask, "guard/g");
    guard(
        "when: owner.stateful, maxLevel: 2",
        &[("owner.stateful", "not_applicable")],
        Outcome::Act,
        "grant/restart",
    );
    // Unknown outweighs not applicable.
    let both = [("owner.stateful", "not_applicable"), ("owner.busy", "unknown")];
    guard("when: owner.stateful || owner.busy, maxLevel: 2", &both, Outcome::Ask, "guard/g");
    let denied = guard(
        "when: owner.busy, deny: true, message: not now",
        &[("owner.busy", "true")],
        Outcome::Escalate,
        "guard/g",
    );
    assert_eq!(denied.because(), "not now");
    let two = guard("when: \"true\", approval: two", &[], Outcome::Act, "grant/restart");
    assert_eq!(two.terms.unwrap().also[0].name, "two");
    // A fact of the plan does not stand against a candidate, and does against a plan.
    guard("when: plan.unavailable_after > 1, deny: true", &[], Outcome::Act, "grant/restart");
    guard(
        "when: plan.unavailable_after > 1, deny: true",
        &[("plan.unavailable_after", "2")],
        Outcome::Escalate,
        "guard/g",
    );
}

#[test]
fn a_denial_at_granted_level_1_is_only_printed() {
    let guard = "  guards:\n    - { id: g, when: \"true\", deny: true }\n  brakes:\n";
    let decision = check(
        &[("level: 4", "level: 1"), ("  brakes:\n", guard)],
        OOM,
        &[],
        Outcome::Notify,
        "grant/restart",
    );
    assert!(decision.reasons.iter().any(|reason| reason.code == "guard/g"));
}

#[test]
fn freezes() {
    let freeze = |text: &str, changes: Changes<'_>, outcome, first: &str| {
        let text = format!(
            "  freezes:\n    - {{ name: f, from: 2026-11-20T00:00:00Z, to: 2026-11-21T00:00:00Z, maxLevel: 1{text} }}"
        );
        check_section(&text, OOM, changes, outcome, first);
    };
    freeze("", &[], Outcome::Notify, "freeze/f");
    freeze("", &[("now", "2026-11-19T23:59:59Z")], Outcome::Act, "grant/restart");
    freeze("", &[("now", "2026-11-20T00:00:00Z")], Outcome::Notify, "freeze/f");
    freeze("", &[("now", "2026-11-21T00:00:00Z")], Outcome::Act, "grant/restart");
    freeze(", environments: [shop]", &[], Outcome::Notify, "freeze/f");
    freeze(", when: owner.stateful", &[], Outcome::Act, "grant/restart");
    freeze(", when: owner.stateful", &[("owner.stateful", "true")], Outcome::Notify, "freeze/f");
    freeze(", when: owner.stateful", &[("owner.stateful", "unknown")], Outcome::Notify, "freeze/f");
    let elsewhere = "  freezes:\n    - { name: f, from: 2026-11-20T00:00:00Z, to: 2026-11-21T00:00:00Z, maxLevel: 1, environments: [other] }\n  approvers:\n";
    let other =
        format!("    - {{ name: other, when: \"target.namespace == 'other'\", maxLevel: 5 }}\n{elsewhere}");
    check(&[("  approvers:\n", &other)], OOM, &[], Outcome::Act, "grant/restart");
}

#[test]
fn advice() {
    let advice = |items: &str, severity: &str| {
        let section = format!("  advice:\n{items}\n  brakes:\n");
        let set = set(&edited(&[("  brakes:\n", &section)]));
        decided(&set, OOM, &[("finding.cause", "CrashLoop"), ("alert.severity", severity)])
    };
    let item = |outcome: &str| {
        format!("    - {{ alerts: ['alertname=~\"Kube.*\"'], outcome: {outcome}, look: [the logs] }}\n")
    };
    for (word, outcome) in
        [("drop", Outcome::Drop), ("notify", Outcome::Notify), ("escalate", Outcome::Escalate)]
    {
        let decision = advice(&item(word), "warning");
        assert_eq!((decision.outcome, decision.level), (outcome, None));
        assert!(decision.because().ends_with("look at: the logs"), "{}", decision.because());
    }
    let loudest = advice(&format!("{}{}{}", item("drop"), item("escalate"), item("notify")), "warning");
    assert_eq!(loudest.outcome, Outcome::Escalate);
    assert!(!advice(&item("drop"), "critical").page);
    assert!(advice(&item("notify"), "critical").page);
    check(
        &[],
        OOM,
        &[("finding.cause", "CrashLoop"), ("alert.severity", "critical")],
        Outcome::Escalate,
        "no-grant",
    );
}

#[test]
fn severity_critical_pages_at_any_level() {
    for level in 1..=5 {
        let set = set(&edited(&[("level: 4", &format!("level: {level}"))]));
        assert!(decided(&set, OOM, &[("alert.severity", "critical")]).page);
        assert!(!decided(&set, OOM, &[]).page);
    }
}

#[test]
fn code_stands_above_policy() {
    check(&[], OOM, &[("target.grounded", "false")], Outcome::Escalate, "not-grounded");
    check(&[], OOM, &[("finding.services", "2")], Outcome::Escalate, "cause/spans-services");
    check(&[], OOM, &[("finding.services", "unknown")], Outcome::Escalate, "cause/spans-services");
    check(&[], OOM, &[("finding.services", "not_applicable")], Outcome::Act, "grant/restart");
    check(&[], OOM, &[("owner.kind", "Widget")], Outcome::Escalate, "owner/unknown-kind");
    check(&[], OOM, &[("cluster.strange_intents", "true")], Outcome::Ask, "strange-intents");
    check(&[], OOM, &[("cluster.holds", "[stop]")], Outcome::Notify, "hold");
    check(&[], OOM, &[("history.locked", "true")], Outcome::Notify, "lock");
    check(&[], OOM, &[("asked", "plan")], Outcome::Escalate, "plan/missing");
    let stale = [("plan.made_minutes_ago", "15"), ("asked", "write")];
    check(&[], OOM, &stale, Outcome::Notify, "plan/expired");
}

#[test]
fn the_plan_must_be_the_one_for_the_action() {
    let set = set(&edited(&[]));
    let mut question = ask(&set, SATURATION, &[("plan.replica_delta", "2"), ("asked", "plan")]);
    assert_eq!(decide(&set, &question).outcome, Outcome::Act);
    let other = ask(&set, SATURATION, &[("action.replicas", "6")]);
    question.action = other.action;
    let decision = decide(&set, &question);
    assert_eq!((decision.outcome, decision.reasons[0].code.as_str()), (Outcome::Escalate, "plan/mismatch"));
}

#[test]
fn terms_say_what_a_yes_obliges_to() {
    let text = edited(&[
        (
            "verify: { within: 20m, expect: [workload_ready] }\n      confirm: { approval: one }",
            "verify: { within: 7m, stabilise: 3m, expect: [no_new_restarts, alert_gone], onFailure: escalate }\n      confirm: { approval: two, within: 9m, onSilence: keep }\n      limits: { perTarget: { max: 1, window: 10m }, perGrant: { max: 5, window: 1h } }",
        ),
        ("level: 4", "level: 3"),
    ]);
    let set = set(&text);
    let question = ask(&set, OOM, &[]);
    let terms = decide(&set, &question).terms.unwrap();
    assert_eq!(terms.grant.as_str(), "restart");
    assert_eq!(terms.verify.within, SignedDuration::from_mins(7));
    assert_eq!(terms.verify.stabilise, SignedDuration::from_mins(3));
    assert_eq!(terms.verify.expect, [Expectation::NoNewRestarts, Expectation::AlertGone]);
    assert_eq!(terms.verify.on_failure, OnFailure::Escalate);
    let confirm = terms.confirm.unwrap();
    assert_eq!((confirm.within, confirm.on_silence), (SignedDuration::from_mins(9), OnSilence::Keep));
    assert_eq!(terms.approval.name, "two");
    assert_eq!((terms.approval.count, terms.approval.slack_users.len()), (2, 4));
    let owner = question.owner.owner.key();
    let draws: Vec<(String, u32, bool)> =
        terms.draws.iter().map(|draw| (draw.key.clone(), draw.max, draw.window.is_some())).collect();
    let expected = [
        (format!("perTarget/restart/{owner}"), 1, true),
        ("perGrant/restart".to_owned(), 5, true),
        (format!("cooldown/restart_pod/{owner}"), 1, true),
        ("global".to_owned(), 10, true),
        // nothing was verified yet: the beginning of the ramp
        ("in-flight".to_owned(), 1, false),
        (format!("lock/{owner}"), 1, false),
    ];
    assert_eq!(draws, expected);
    let keys = belay::policy::history_keys(&set, &question);
    for (key, _, windowed) in expected {
        assert!(!windowed || keys.contains(&key), "{key}");
    }
}

/// Each fact, in a guard that fires on the example's value and does not fire on another one.
#[test]
fn every_fact_can_be_used() {
    let cases: &[(&str, &str, &str)] = &[
        ("alert.labels.pod == 'api-7f4b9'", "alert.labels.pod", "other"),
        ("alert.labels.exists(k, alert.labels[k] == 'api-7f4b9')", "alert.labels.pod", "other"),
        ("!has(target.labels.team)", "target.labels.team", "x"),
        ("alert.name == 'KubePodCrashLooping' && alert.flaps == 0", "alert.flaps", "1"),
        ("alert.severity == 'warning'", "alert.severity", "info"),
        ("alert.age_minutes >= 6", "alert.age_minutes", "5"),
        ("alert.flaps < 3", "alert.flaps", "3"),
        ("finding.certainty == 'certain'", "finding.certainty", "likely"),
        ("target.name.startsWith('api-') && target.kind == 'Pod'", "target.name", "web-1"),
        ("target.name.matches('^api-[a-z0-9]+$')", "target.name", "web-1"),
        ("target.cluster == 'demo'", "target.cluster", "eu"),
        ("target.labels['app'] in ['api', 'web']", "target.labels.app", "db"),
        ("target.annotations['a'] == ''", "target.annotations.a", "b"),
        ("target.lookalikes == 0", "target.lookalikes", "1"),
        ("target.named_by_alert", "target.named_by_alert", "false"),
        ("owner.kind == 'Deployment'", "owner.kind", "StatefulSet"),
        ("owner.name == 'api'", "owner.name", "web"),
        ("owner.replicas - owner.ready == 1", "owner.ready", "4"),
        ("!owner.hpa", "owner.hpa", "true"),
        ("!owner.gitops.selfHeal", "owner.gitops.selfHeal", "true"),
        ("owner.minutes_since_rollout > 60", "owner.minutes_since_rollout", "5"),
        ("owner.changed_by_person_minutes > 60", "owner.changed_by_person_minutes", "5"),
        (
            "action.kind == 'restart_pod' && action.class.undo == 'self_healing' && !owner.busy",
            "owner.busy",
            "true",
        ),
        ("action.class.risk == 'low'", "plan.risk", "medium"),
        ("action.transient && !owner.stateful", "owner.stateful", "true"),
        ("cluster.firing_groups <= 1", "cluster.firing_groups", "2"),
        ("cluster.actions_in_flight == 0", "cluster.actions_in_flight", "1"),
        ("cluster.unhealthy_fraction < 0.3", "cluster.unhealthy_fraction", "0.35"),
        ("!cluster.major_incident", "cluster.major_incident", "true"),
        ("history.per_target == 0", "history.per_target", "1"),
        ("history.per_target == 0", "history.helped", "1"),
        ("history.per_grant < 5", "history.track.last_day", "5"),
        ("history.failures == 0", "history.failures", "1"),
        ("history.ineffective == 0", "history.ineffective", "1"),
        ("!incident.acknowledged_elsewhere", "incident.acknowledged_elsewhere", "true"),
        ("!incident.flagged", "incident.flagged", "true"),
        ("incident.severity == 'warning'", "incident.severity", "critical"),
        ("alert.age < duration('10m')", "alert.age_minutes", "10"),
        ("!alert.flapping", "alert.flaps", "2"),
        ("finding.services == 1", "finding.services", "2"),
        ("owner.budget > 0", "owner.budget", "0"),
        ("!owner.migration", "owner.migration", "true"),
        ("now.getHours('Europe/Berlin') == 3", "now", "2026-11-20T12:00:00Z"),
        ("now < timestamp('2026-11-21T00:00:00Z')", "now", "2026-11-21T00:00:00Z"),
    ];
    for (when, path, value) in cases {
        let restart = "limits: { perTarget: { max: 9, window: 10m } }";
        let (from, to) = grant(restart);
        let guard = format!("  guards:\n    - id: g\n      when: \"{when}\"\n      maxLevel: 1\n  brakes:\n");
        let set = set(&edited(&[(from, &to), ("  brakes:\n", &guard)]));
        let fired =
            |changes: Changes<'_>| decided(&set, OOM, changes).reasons.iter().any(|r| r.code == "guard/g");
        assert!(fired(&[]), "{when} does not hold");
        assert!(!fired(&[(path, value)]), "{when} holds with {path} = {value}");
        // a guard fires on a fact that cannot be read, too; a grant matches only on one that can
        let set = self::set(&edited(&[("finding.cause == 'OOMKilled'", when), (from, &to)]));
        let matches = |changes: Changes<'_>| decided(&set, OOM, changes).terms.is_some();
        assert!(matches(&[]), "{when} cannot be told");
        assert!(!matches(&[(path, value)]), "{when} matches with {path} = {value}");
    }
}

/// `history` looks back for a day, and tells what became of acts apart.
#[test]
fn history_is_of_the_last_day() {
    for (fact, given) in [
        ("history.failures", "history.failures"),
        ("history.per_target", "history.helped"),
        ("history.per_target", "history.per_target"),
    ] {
        let guard = format!("  guards:\n    - {{ id: g, when: \"{fact} > 0\", maxLevel: 1 }}\n  brakes:\n");
        let (from, to) = grant("limits: { perTarget: { max: 9, window: 10m } }");
        let set = set(&edited(&[(from, &to), ("  brakes:\n", &guard)]));
        for (ago, fires) in [("1439", true), ("1440", false)] {
            let decision = decided(&set, OOM, &[(given, "1"), ("history.minutes_ago", ago)]);
            let fired = decision.reasons.iter().any(|reason| reason.code == "guard/g");
            assert_eq!(fired, fires, "{fact} from {given} {ago} minutes ago");
        }
        let helped = decided(&set, OOM, &[("history.helped", "1")]);
        let fired = helped.reasons.iter().any(|reason| reason.code == "guard/g");
        assert_eq!(fired, fact == "history.per_target", "{fact} of an act that helped");
    }
}

/// What nothing can tell does not apply, and what cannot be read fires.
#[test]
fn facts_of_what_is_not_connected() {
    let guard = "  guards:\n    - { id: g, when: \"owner.changed_by_person_minutes < 10 || incident.acknowledged_elsewhere || cluster.major_incident\", maxLevel: 1 }\n  brakes:\n";
    let set = set(&edited(&[("  brakes:\n", guard)]));
    let decide = |changes: Changes<'_>| decided(&set, OOM, changes).outcome;
    let neither =
        [("incident.acknowledged_elsewhere", "not_applicable"), ("cluster.major_incident", "not_applicable")];
    assert_eq!(decide(&neither), Outcome::Act);
    assert_eq!(decide(&[neither[0], ("cluster.major_incident", "unknown")]), Outcome::Notify);
    assert_eq!(decide(&[neither[0], neither[1], ("owner.changed_by_person_minutes", "5")]), Outcome::Notify);
}

#[test]
fn a_plan_says_how_much_it_changes() {
    for fact in ["plan.diff_size", "plan.replica_delta", "plan.unavailable_after"] {
        let guard = format!("  guards:\n    - {{ id: g, when: \"{fact} > 3\", maxLevel: 1 }}\n  brakes:\n");
        let edit = [("  brakes:\n", guard.as_str())];
        check(&edit, OOM, &[(fact, "3")], Outcome::Act, "grant/restart");
        check(&edit, OOM, &[(fact, "4")], Outcome::Notify, "guard/g");
    }
}

#[test]
fn a_map_too_large_for_the_engine_is_an_error() {
    let guard = "  guards:\n    - { id: g, when: \"alert.labels.exists(k, k == 'x') || target.labels.exists(k, k == 'x')\", maxLevel: 1 }\n  brakes:\n";
    let set = set(&edited(&[("  brakes:\n", guard)]));
    let mut question = ask(&set, OOM, &[]);
    assert_eq!(decide(&set, &question).outcome, Outcome::Act);
    let known = std::mem::replace(&mut question.target.labels, Fact::NotApplicable);
    assert_eq!(decide(&set, &question).outcome, Outcome::Act);
    question.target.labels = known;
    question.alert.labels.extend((0..256).map(|i| (format!("l{i}"), String::new())));
    assert_eq!(decide(&set, &question).outcome, Outcome::Notify);
    question.target.labels = Fact::NotApplicable;
    assert_eq!(decide(&set, &question).outcome, Outcome::Notify);
}

#[test]
fn a_text_too_large_for_the_engine_is_an_error() {
    for when in ["target.annotations['note'].contains('x')", "target.annotations.exists(k, k == 'x')"] {
        let guard = format!("  guards:\n    - {{ id: g, when: \"{when}\", maxLevel: 1 }}\n  brakes:\n");
        let set = set(&edited(&[("  brakes:\n", &guard)]));
        let mut question = ask(&set, OOM, &[]);
        let mut with = |bytes: usize| {
            question.target.annotations = Fact::Known([("note".to_owned(), "a".repeat(bytes))].into());
            decide(&set, &question).outcome
        };
        assert_eq!(with(2048), Outcome::Act, "{when}");
        assert_eq!(with(2049), Outcome::Notify, "{when}");
    }
}

/// What does not apply excuses no guard from what is too long to be looked at.
#[test]
fn a_name_too_long_for_the_engine_is_an_error() {
    let guard = "  guards:\n    - { id: g, when: \"target.name == 'x' || owner.budget == 0\", maxLevel: 1 }\n  brakes:\n";
    let set = set(&edited(&[("  brakes:\n", guard)]));
    let mut question = ask(&set, OOM, &[]);
    for budget in [Fact::Known(1), Fact::NotApplicable] {
        question.owner.budget = budget;
        for (bytes, fires) in [(2048, false), (2049, true)] {
            question.target.object.named.name = "a".repeat(bytes);
            let decision = decide(&set, &question);
            let fired = decision.reasons.iter().find(|reason| reason.code == "guard/g");
            assert_eq!(fired.is_some(), fires, "{bytes}: {:#?}", decision.reasons);
            assert!(fired.is_none_or(|reason| reason.text.contains("target.name is longer than 2048 bytes")));
        }
    }
}
