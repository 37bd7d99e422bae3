//! Every action there and back: planned without a trace, written once, followed by the controllers, told
//! again, and put back exactly.

use std::collections::BTreeSet;

use belay::domain::action::{Action, ActionKind};
use belay::domain::plan::{Direction, Plan, Refusal};
use serde_json::Value;

use super::cases::{Case, cases};
use super::{Stage, done, part};
use crate::sim::live;

fn spec(stage: &Stage, plan: &Plan) -> Value {
    let named = &plan.action.target().named;
    part(&stage.found(named.kind, &named.name))
}

/// Carries a plan out, lets the controllers follow, and asks again.
async fn carried_out(stage: &Stage, plan: &Plan, intent: &str) {
    let before = stage.writes().len();
    let warrant = stage.warrant(plan, intent);
    let applied = stage.send(plan, &warrant).await;
    assert!(done(&applied), "{}: {applied:?}", plan.action.words());
    let writes = stage.writes();
    let ours = writes.get(before..).unwrap();
    assert_eq!(ours.len(), if matches!(plan.action, Action::RestartPod { .. }) { 2 } else { 1 });
    assert!(ours.iter().all(|write| write.user_agent.ends_with(&format!(" intent/{intent}"))), "{ours:?}");
    assert_eq!(stage.effects(intent), 1);
    // asked again, in both ways: told, and not done again
    assert!(done(&stage.send(plan, &warrant).await));
    assert!(done(&stage.status(plan, intent).await));
    assert_eq!(stage.writes().len(), writes.len());
}

async fn there_and_back(case: Case) {
    let stage = case.stage().await;
    let action = (case.action)(&stage);
    let plan = stage.plan(&action).await;
    let tried = stage.world().writes();
    assert!(tried.iter().all(|write| write.dry_run && !write.changed && write.status < 300), "{tried:?}");
    let target = &action.target().named;
    let before = spec(&stage, &plan);
    let uids: BTreeSet<String> = stage.world().all_pods().into_iter().map(|pod| pod.uid).collect();

    carried_out(&stage, &plan, "inc-0").await;
    stage.until(case.followed);
    if plan.action.removes_pods() && !plan.changes.is_empty() {
        let now = live(stage.world(), &target.name);
        assert!(now.iter().all(|pod| !uids.contains(&pod.uid)), "every pod was replaced");
    }
    assert!(done(&stage.status(&plan, "inc-0").await), "also once the controllers have followed");

    let back = stage.try_revert(&plan, "inc-0").await;
    if !plan.revertible() {
        assert!(matches!(back, Err(Refusal::NothingToDo(_))), "{back:?}");
        return;
    }
    let back = back.unwrap();
    assert_eq!((back.direction, back.action.target()), (Direction::Revert, action.target()));
    assert_ne!(spec(&stage, &plan), before);
    carried_out(&stage, &back, "inc-1").await;
    // what controllers add by themselves they take away again
    stage.until(|stage| spec(stage, &plan) == before);
    assert!(done(&stage.status(&back, "inc-1").await));
    // what was put back is not put back again
    let again = stage.try_revert(&plan, "inc-0").await;
    assert!(matches!(again, Err(Refusal::Changed { .. })), "{again:?}");
}

#[tokio::test]
async fn there_and_back_each() {
    for case in cases() {
        there_and_back(case).await;
    }
}

#[tokio::test]
async fn every_action_is_here() {
    let mut here = BTreeSet::new();
    for case in cases() {
        let stage = case.stage().await;
        here.insert((case.action)(&stage).kind());
    }
    let all: BTreeSet<ActionKind> = ActionKind::ALL.into();
    // proposals have tests of their own, on a forge: `tests/it/forge`
    here.insert(ActionKind::OpenPullRequest);
    assert_eq!(here, all);
}
