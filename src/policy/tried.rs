//! What the tests of brakes and ladder start from: a set whose knobs are turned by hand, asked about an
//! example. The format's own tests turn the same knobs by their text.

use jiff::SignedDuration;

use super::set::{Override, PolicySet};
use super::{decide, example, load};
use crate::domain::decision::{Decision, Level, Outcome, Question};

pub(super) const OOM: &str = "examples/oom.yaml";
const EXAMPLE: &str = include_str!("../../policies/examples/oom.yaml");
const POLICY: &str = r#"apiVersion: belay.dev/v1
kind: Policy
metadata: { name: tried, owner: us }
spec:
  environments:
    - { name: shop, when: "target.namespace == 'shop'", maxLevel: 5, ladder: off }
  approvers:
    terminal: { operators: true }
  approvals:
    one: { from: [terminal], expires: 15m }
  grants:
    - id: restart
      alerts: ['alertname="KubePodCrashLooping"']
      actions: [restart_pod]
      level: 4
      limits: { perTarget: { max: 9, window: 10m } }
      verify: { within: 20m, expect: [workload_ready] }
      confirm: { approval: one }
"#;

/// A set in which the example acts at level 4.
pub(super) fn lenient() -> PolicySet {
    load([("policies/tried.yaml", POLICY), (OOM, EXAMPLE)]).unwrap()
}

/// The same, where levels are earned; the grant gives level 5.
pub(super) fn strict() -> PolicySet {
    let mut set = lenient();
    set.environments.iter_mut().for_each(|environment| environment.strict = true);
    set.grants.iter_mut().for_each(|grant| grant.level = Level::Autonomous);
    set
}

/// Lifts the grant to `level` until so many hours after the example's moment.
pub(super) fn lift(set: &mut PolicySet, level: Level, hours: i64) {
    let until = asked(set, &[]).now + SignedDuration::from_hours(hours);
    let lifted = Override { level, by: "Kim".to_owned(), reason: "a launch".to_owned(), until };
    set.grants.iter_mut().for_each(|grant| grant.lifted = Some(lifted.clone()));
}

pub(super) fn asked(set: &PolicySet, changes: &[(&str, &str)]) -> Question {
    example(set, OOM, changes).unwrap()
}

pub(super) fn decided(set: &PolicySet, changes: &[(&str, &str)]) -> Decision {
    decide(set, &asked(set, changes))
}

/// The decision's outcome, its level and its first reason.
#[track_caller]
pub(super) fn check(
    set: &PolicySet,
    changes: &[(&str, &str)],
    outcome: Outcome,
    level: u8,
    first: &str,
) -> Decision {
    let decision = decided(set, changes);
    let found = (decision.outcome, decision.level.map(Level::number), decision.reasons[0].code.as_str());
    assert_eq!(found, (outcome, Some(level), first), "{changes:?}: {:#?}", decision.reasons);
    decision
}
