//! Past decisions decided again, and grants on trial against what happened.

use belay::domain::decision::{Decided, Outcome};
use belay::domain::ids::IncidentId;
use belay::domain::record;
use belay::policy::{PolicySet, Replay, Trials, decide, enforced};
use jiff::Timestamp;
use proptest::prelude::*;

use super::{OOM, SATURATION, ask, edited, set};

fn decided(set: &PolicySet, given: &str, changes: &[(&str, &str)]) -> Decided {
    let question = ask(set, given, changes);
    let decision = decide(set, &question);
    Decided { question, decision }
}

fn replayed(set: &PolicySet, past: &[Decided]) -> Replay {
    let mut replay = Replay::default();
    for decided in past {
        replay.add(set, Timestamp::UNIX_EPOCH, decided);
    }
    replay.finish()
}

#[test]
fn the_same_set_changes_nothing() {
    let set = set(&edited(&[]));
    let past = [
        decided(&set, OOM, &[]),
        decided(&set, SATURATION, &[]),
        decided(&set, OOM, &[("finding.cause", "CrashLoop")]),
    ];
    let replay = replayed(&set, &past);
    assert_eq!((replay.decisions, replay.changed), (3, 0));
    let counts: Vec<_> = replay.outcomes.iter().map(|c| (c.before, c.after, c.count)).collect();
    assert_eq!(counts, [("act", "act", 2), ("notify", "notify", 1)]);
}

#[test]
fn only_what_changes_is_listed_with_the_reasons_that_differ() {
    let before = set(&edited(&[]));
    let past = [decided(&before, OOM, &[]), decided(&before, SATURATION, &[])];
    let guarded = "  grants:\n";
    let after = set(&edited(&[(
        guarded,
        "  guards:\n    - { id: calm, when: \"owner.name == 'api'\", maxLevel: 2 }\n  grants:\n",
    )]));
    let replay = replayed(&after, &past);
    assert_eq!((replay.decisions, replay.changed, replay.changes.len()), (2, 1, 1));
    let change = &replay.changes[0];
    assert_eq!((change.before.outcome, change.after.outcome), (Outcome::Act, Outcome::Ask));
    assert_eq!(change.action, "restart_pod");
    assert!(change.gone.is_empty(), "{:?}", change.gone);
    assert_eq!(change.new.iter().map(|r| r.code.as_str()).collect::<Vec<_>>(), ["guard/calm"]);
}

#[test]
fn other_people_to_ask_are_a_change_too() {
    let before = set(&edited(&[("level: 4", "level: 2")]));
    let past = [decided(&before, OOM, &[])];
    let after = set(&edited(&[("level: 4", "level: 2"), ("approval: one", "approval: two")]));
    let replay = replayed(&after, &past);
    assert_eq!(replay.changed, 1);
    assert_eq!(replay.changes[0].after.approvals, ["two"]);
}

#[test]
fn a_trial_is_compared_with_what_happened() {
    let trial = || set(&edited(&[("- id: restart\n", "- id: restart\n      mode: shadow\n")]));
    let (now, would) = (trial(), enforced(trial()));
    let mut trials = Trials::default();
    let past = decided(&now, OOM, &[]);
    trials.add(&now, &would, Timestamp::UNIX_EPOCH, &past);
    trials.add(&now, &would, Timestamp::UNIX_EPOCH, &decided(&now, SATURATION, &[]));
    trials.ended(&past.question.incident, record::Outcome::HandedOver);
    let trials = trials.finish().trials;
    assert_eq!(trials.len(), 1, "only what a grant on trial would have carried");
    assert_eq!((trials[0].would, trials[0].was), (Outcome::Act, Outcome::Notify));
    assert_eq!(trials[0].ended, Some(record::Outcome::HandedOver));
    assert_eq!(trials[0].grant.as_str(), "restart");
}

#[test]
fn trials_beyond_the_list_are_counted() {
    const LISTED: usize = 10_000;
    let now = set(&edited(&[("- id: restart\n", "- id: restart\n      mode: shadow\n")]));
    let would = enforced(set(&edited(&[("- id: restart\n", "- id: restart\n      mode: shadow\n")])));
    let mut trials = Trials::default();
    let mut past = decided(&now, OOM, &[]);
    for n in 0..LISTED + 3 {
        past.question.incident = IncidentId::new(format!("i{n:05}"));
        trials.add(&now, &would, Timestamp::UNIX_EPOCH, &past);
    }
    // one that is listed is asked about again
    past.question.incident = IncidentId::new("i00000");
    trials.add(&now, &would, Timestamp::UNIX_EPOCH, &past);
    let trials = trials.finish();
    assert_eq!((trials.trials.len(), trials.more), (LISTED, 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever was asked: a set decides its own past as it did.
    #[test]
    fn prop_a_replay_by_the_same_set_is_exact(
        replicas in 0u32..8, per_target in 0u32..3, busy: bool, flight in 0u32..6,
    ) {
        let set = set(&edited(&[]));
        let (replicas, per_target) = (replicas.to_string(), per_target.to_string());
        let (busy, flight) = (busy.to_string(), flight.to_string());
        let changes = [
            ("owner.replicas", replicas.as_str()),
            ("history.per_target", per_target.as_str()),
            ("owner.busy", busy.as_str()),
            ("cluster.actions_in_flight", flight.as_str()),
        ];
        let past = [decided(&set, OOM, &changes)];
        prop_assert_eq!(replayed(&set, &past).changed, 0);
    }
}
