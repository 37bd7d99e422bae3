//! The laws of the algebra, over random policies and facts.

use belay::domain::decision::{Decision, Outcome, Question};
use belay::policy::{PolicySet, decide, explain, load, permit};
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::{BASE, OOM, SATURATION, ask, authority, edited, read, set};

const GUARDS: [&str; 6] = [
    "{ id: a, when: owner.stateful, maxLevel: 2, approval: two }",
    "{ id: b, when: \"owner.busy || target.annotations['quiet'] == 'true'\", deny: true }",
    "{ id: c, when: \"owner.replicas < 2\", maxLevel: 2 }",
    "{ id: d, when: \"target.lookalikes > 0 && !target.named_by_alert\", maxLevel: 1 }",
    "{ id: e, when: \"owner.changed_by_person_minutes < 10\", maxLevel: 3 }",
    "{ id: f, when: \"plan.unavailable_after > 1\", maxLevel: 3 }",
];

const FREEZES: [&str; 3] = [
    "{ name: a, from: 2026-11-20T00:00:00Z, to: 2026-11-21T00:00:00Z, environments: [shop], maxLevel: 2 }",
    "{ name: b, from: 2026-11-20T00:00:00Z, to: 2026-11-20T10:00:00Z, when: owner.stateful, maxLevel: 1 }",
    "{ name: c, from: 2025-01-01T00:00:00Z, to: 2025-01-02T00:00:00Z, maxLevel: 1 }",
];

const CHANGES: [(&str, &str); 22] = [
    ("owner.stateful", "true"),
    ("owner.busy", "true"),
    ("owner.replicas", "1"),
    ("owner.hpa", "true"),
    ("owner.changed_by_person_minutes", "5"),
    ("target.lookalikes", "2"),
    ("target.named_by_alert", "false"),
    ("target.grounded", "false"),
    ("target.annotations.quiet", "\"true\""),
    ("finding.cause", "CrashLoop"),
    ("alert.severity", "critical"),
    ("chosen_by_model", "false"),
    ("history.per_target", "1"),
    ("history.global", "10"),
    ("history.locked", "true"),
    ("cluster.actions_in_flight", "4"),
    ("cluster.holds", "[stop]"),
    ("cluster.strange_intents", "true"),
    ("plan.unavailable_after", "1"),
    ("plan.unavailable_after", "3"),
    ("plan.risk", "medium"),
    ("target.namespace", "elsewhere"),
];

const FACTS: [&str; 12] = [
    "owner.stateful",
    "owner.busy",
    "owner.replicas",
    "owner.ready",
    "owner.gitops.selfHeal",
    "owner.hpa",
    "owner.minutes_since_rollout",
    "owner.changed_by_person_minutes",
    "target.labels",
    "target.annotations",
    "target.lookalikes",
    "cluster.firing_groups",
];

/// What a random policy is made of.
#[derive(Debug, Clone)]
struct Made {
    guards: Vec<&'static str>,
    freezes: Vec<&'static str>,
    level: u8,
    max_level: u8,
    ladder: &'static str,
}

impl Made {
    fn text(&self) -> String {
        let list = |key: &str, items: &[&str]| {
            let items = items.join("\n    - ");
            if items.is_empty() { String::new() } else { format!("  {key}:\n    - {items}\n") }
        };
        let sections =
            format!("{}{}  brakes:\n", list("guards", &self.guards), list("freezes", &self.freezes));
        edited(&[
            ("  brakes:\n", &sections),
            (
                "level: 4\n",
                &format!(
                    "level: {}\n      limits: {{ perTarget: {{ max: 1, window: 10m }} }}\n      blastRadius: {{ maxUnavailable: 50%, keepReady: 1 }}\n",
                    self.level
                ),
            ),
            ("maxLevel: 5, ladder: off", &format!("maxLevel: {}, ladder: {}", self.max_level, self.ladder)),
        ])
    }

    fn set(&self) -> PolicySet {
        set(&self.text())
    }
}

fn made() -> impl Strategy<Value = Made> {
    (
        subsequence(GUARDS.to_vec(), 0..=GUARDS.len()),
        subsequence(FREEZES.to_vec(), 0..=FREEZES.len()),
        1..=5u8,
        1..=5u8,
        prop_oneof![3 => Just("off"), 1 => Just("strict")],
    )
        .prop_map(|(guards, freezes, level, max_level, ladder)| Made {
            guards,
            freezes,
            level,
            max_level,
            ladder,
        })
}

fn changes() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    subsequence(CHANGES.to_vec(), 0..=4)
}

/// The later decision allows no more than the earlier.
fn no_looser(before: &Decision, after: &Decision) -> Result<(), TestCaseError> {
    prop_assert!(authority(after.outcome) <= authority(before.outcome), "{before:#?}\n{after:#?}");
    if authority(after.outcome) > 0 {
        prop_assert!(after.level <= before.level);
    }
    Ok(())
}

/// Each case loads a policy, which takes 30 ms unoptimised: 64 of each by default, and as many as
/// `PROPTEST_CASES` says in the long run.
fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.cases == 256 { ProptestConfig { cases: 64, ..config } } else { config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn adding_a_guard_a_freeze_or_a_cap_never_loosens(made in made(), changes in changes(), lower in 1..=5u8) {
        let before_set = made.set();
        let question = ask(&before_set, OOM, &changes);
        let before = decide(&before_set, &question);
        let more = [
            Made { guards: GUARDS.to_vec(), ..made.clone() },
            Made { freezes: FREEZES.to_vec(), ..made.clone() },
            Made { max_level: made.max_level.min(lower), ..made.clone() },
            Made { ladder: "strict", ..made.clone() },
            Made { level: made.level.min(lower), ..made },
        ];
        for stricter in more {
            let after = decide(&stricter.set(), &question);
            no_looser(&before, &after)?;
            // Loudness is a maximum: nothing that lowers may silence (but for lowering the grant itself).
            if before.outcome == Outcome::Escalate && stricter.level >= 2 {
                prop_assert_eq!(after.outcome, Outcome::Escalate);
            }
        }
    }

    #[test]
    fn an_unknown_fact_never_loosens(made in made(), changes in changes(), fact in proptest::sample::select(FACTS.to_vec())) {
        let set = made.set();
        let before = decide(&set, &ask(&set, OOM, &changes));
        let mut unknown = changes.clone();
        unknown.retain(|(path, _)| !path.starts_with(fact));
        let known = decide(&set, &ask(&set, OOM, &unknown));
        unknown.push((fact, "unknown"));
        let after = decide(&set, &ask(&set, OOM, &unknown));
        no_looser(&known, &after)?;
        prop_assert!(before.terms.is_none() || before.level.is_some());
    }

    #[test]
    fn order_never_matters(made in made(), changes in changes(), seed in any::<u64>()) {
        let set = made.set();
        let mut shuffled = made.clone();
        shuffled.guards.reverse();
        shuffled.freezes.reverse();
        let (text, guards) = (shuffled.text(), seed % 2 == 0);
        // One half in a file of its own, whose name sorts before or after the other's.
        let (head, grants) = text.split_once("  grants:\n").unwrap();
        let (first, second) = grants.split_once("    - id: scale").unwrap();
        let other = format!("apiVersion: belay.dev/v1\nkind: Policy\nmetadata: {{ name: other, owner: us }}\nspec:\n  grants:\n    - id: scale{second}");
        let mut files = vec![
            (if guards { "policies/a.yaml" } else { "policies/z.yaml" }.to_owned(), format!("{head}  grants:\n{first}")),
            ("policies/m.yaml".to_owned(), other),
            (format!("policies/{OOM}"), read(OOM)),
        ];
        if seed % 3 == 0 { files.reverse(); }
        let other = load(files).unwrap();
        let question = ask(&set, OOM, &changes);
        let (a, b) = (decide(&set, &question), decide(&other, &question));
        prop_assert_eq!((a.outcome, a.level, a.reasons, a.terms, a.page), (b.outcome, b.level, b.reasons, b.terms, b.page));
    }

    #[test]
    fn a_cap_never_hides_an_escalation(made in made(), changes in changes()) {
        let made = Made { level: made.level.max(2), ..made };
        let set = made.set();
        let mut changes: Vec<_> = changes.into_iter().filter(|(path, _)| !["finding.cause", "chosen_by_model", "target.namespace"].contains(path)).collect();
        changes.push(("history.per_target", "1"));
        let decision = decide(&set, &ask(&set, OOM, &changes));
        prop_assert_eq!(decision.outcome, Outcome::Escalate);
        prop_assert!(decision.reasons.iter().any(|reason| reason.code == "limit/perTarget"));
    }

    #[test]
    fn deciding_is_a_function_and_survives_the_record(made in made(), changes in changes()) {
        let set = made.set();
        let question = ask(&set, OOM, &changes);
        let replayed: Question = serde_json::from_str(&serde_json::to_string(&question).unwrap()).unwrap();
        let decision = decide(&set, &question);
        prop_assert_eq!(&decision, &decide(&made.set(), &replayed));
        prop_assert_eq!(&decision, &explain(&set, &question).decision);
    }

    #[test]
    fn level_1_neither_acts_nor_asks(made in made(), changes in changes(), how in 0..3) {
        let made = match how {
            0 => Made { level: 1, ..made },
            1 => Made { max_level: 1, ..made },
            _ => made,
        };
        let set = made.set();
        let mut changes = changes;
        if how == 2 { changes.push(("cluster.holds", "[stop]")); }
        let decision = decide(&set, &ask(&set, OOM, &changes));
        prop_assert!(authority(decision.outcome) == 0, "{:?}", decision.outcome);
    }

    #[test]
    fn no_permit_without_an_acting_decision(made in made(), changes in changes(), given in proptest::sample::select(vec![OOM, SATURATION])) {
        let set = made.set();
        let mut changes = changes;
        changes.push(("asked", "write"));
        let question = ask(&set, given, &changes);
        let decision = decide(&set, &question);
        prop_assert_eq!(permit(&set, &question).is_ok(), decision.outcome == Outcome::Act);
    }
}

#[test]
fn the_base_is_what_the_laws_are_tried_on() {
    assert!(BASE.contains("  grants:\n") && BASE.contains("    - id: scale"));
}
