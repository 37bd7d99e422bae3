//! The pure halves of the actions over random live objects.

use belay::domain::action::live::{LivePod, LiveWorkload, Marking};
use belay::domain::action::{Risk, restart_pod, scale_workload};
use belay::domain::ids::IntentId;
use belay::domain::plan::{Plan, Refusal};
use belay::domain::warrant::Applied;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::world::{deployment, pod, start};

fn markings() -> impl Strategy<Value = Marking> {
    prop_oneof![
        "[0-9]{1,6}".prop_map(|resource_version| Marking::Bare { resource_version }),
        proptest::option::of("[a-z0-9-]{1,12}").prop_map(|intent| Marking::Annotated { intent }),
    ]
}

fn workloads() -> impl Strategy<Value = LiveWorkload> {
    (0u32..200, 0u32..200, 1i64..1_000, markings(), proptest::option::of(0u32..5)).prop_map(
        |(replicas, ready, generation, marking, budget_allows)| LiveWorkload {
            replicas,
            ready: ready.min(replicas),
            generation,
            marking,
            budget_allows,
            ..deployment()
        },
    )
}

fn pods() -> impl Strategy<Value = LivePod> {
    (1u32..50, 0u32..50, any::<bool>(), markings(), proptest::option::of(0u32..3)).prop_map(
        |(owner_desired, ready, is_ready, marking, budget_allows)| LivePod {
            owner_desired,
            owner_ready: ready.min(owner_desired).max(u32::from(is_ready)),
            ready: is_ready,
            marking,
            budget_allows,
            ..pod()
        },
    )
}

/// What the API server does with the one patch.
fn write(live: &LiveWorkload, plan: &Plan, intent: &IntentId) -> LiveWorkload {
    let order = scale_workload::order(plan, Some(live)).unwrap();
    assert_eq!((order.from, order.generation), (live.replicas, live.generation));
    LiveWorkload {
        replicas: order.to,
        generation: live.generation + 1,
        marking: Marking::Annotated { intent: Some(intent.to_string()) },
        ..live.clone()
    }
}

fn done(applied: &Applied) -> bool {
    matches!(applied, Applied::Done { .. })
}

proptest! {
    #[test]
    fn putting_back_what_was_done_restores_the_touched_field(live in workloads(), wanted in 1u32..200) {
        let object = live.object.clone();
        let planned = scale_workload::plan(Some(&live), &object, wanted, start());
        if live.replicas == wanted {
            prop_assert!(matches!(planned, Err(Refusal::NothingToDo(_))));
            return Ok(());
        }
        let (plan, act, undo) = (planned.unwrap(), IntentId::new("inc-0"), IntentId::new("inc-1"));
        let changed = write(&live, &plan, &act);
        prop_assert!(done(&scale_workload::status(Some(&changed), &plan, &act)));
        let back = scale_workload::plan_revert(Some(&changed), &plan, &act, start()).unwrap();
        let restored = write(&changed, &back, &undo);
        prop_assert_eq!(restored.replicas, live.replicas);
        prop_assert_eq!(LiveWorkload { generation: live.generation, marking: live.marking.clone(), ..restored }, live);
    }

    #[test]
    fn a_plan_changes_nothing_once_anything_it_rests_on_moved(live in workloads(), wanted in 1u32..200, by in 1u32..9) {
        prop_assume!(live.replicas != wanted);
        let plan = scale_workload::plan(Some(&live), &live.object, wanted, start()).unwrap();
        let act = IntentId::new("inc-0");
        let moved = [
            LiveWorkload { replicas: live.replicas + by, ..live.clone() },
            LiveWorkload { generation: live.generation + i64::from(by), ..live.clone() },
            LiveWorkload { autoscaler: Some("hpa".into()), ..live.clone() },
            LiveWorkload { object: belay::domain::target::Object { uid: format!("u-{by}"), ..live.object.clone() }, ..live.clone() },
        ];
        for other in moved {
            prop_assert!(scale_workload::order(&plan, Some(&other)).is_err());
            prop_assert!(!done(&scale_workload::status(Some(&other), &plan, &act)));
            prop_assert!(scale_workload::plan_revert(Some(&other), &plan, &act, start()).is_err());
        }
        prop_assert!(scale_workload::order(&plan, None).is_err());
    }

    #[test]
    fn plans_survive_the_wire_with_their_hash(live in workloads(), pod in pods(), wanted in 1u32..200) {
        prop_assume!(live.replicas != wanted);
        let plans = [
            scale_workload::plan(Some(&live), &live.object, wanted, start()).unwrap(),
            restart_pod::plan(Some(&pod), &pod.object, start()).unwrap(),
        ];
        for plan in plans {
            let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
            prop_assert_eq!(again.hash().unwrap(), plan.hash().unwrap());
            prop_assert_eq!(&again, &plan);
            prop_assert_eq!(plan.expires_at, start() + SignedDuration::from_mins(10));
        }
    }

    #[test]
    fn going_down_is_riskier_than_going_up(live in workloads(), wanted in 1u32..200) {
        prop_assume!(live.replicas != wanted);
        let plan = scale_workload::plan(Some(&live), &live.object, wanted, start()).unwrap();
        let expected = if wanted < live.replicas { Risk::Medium } else { Risk::Low };
        prop_assert_eq!(plan.class.risk, expected);
        prop_assert!(plan.blast.unavailable_after <= live.replicas.min(wanted));
    }

    #[test]
    fn a_restart_counts_those_already_not_ready(live in pods()) {
        let plan = restart_pod::plan(Some(&live), &live.object, start()).unwrap();
        let not_ready = live.owner_desired.saturating_sub(live.owner_ready);
        prop_assert_eq!(plan.blast.unavailable_after, (not_ready + u32::from(live.ready)).min(live.owner_desired.max(1)));
        let riskier = (live.ready && live.owner_ready == 1) || live.budget_allows == Some(0);
        prop_assert_eq!(plan.class.risk, if riskier { Risk::Medium } else { Risk::Low });
        prop_assert!(restart_pod::order(&plan, Some(&live)).is_ok());
    }
}

#[test]
fn the_status_of_a_restart_is_read_from_the_pod() {
    let (live, act) = (pod(), IntentId::new("inc-0"));
    let plan = restart_pod::plan(Some(&live), &live.object, start()).unwrap();
    let marked = Marking::Annotated { intent: Some("inc-0".into()) };
    let not_applied = |live: &LivePod| {
        matches!(
            restart_pod::status(Some(live), &plan, &act),
            Applied::Refused { refusal: Refusal::NotApplied(_) }
        )
    };
    assert!(not_applied(&live));
    assert!(not_applied(&LivePod { marking: marked.clone(), ..live.clone() }));
    assert!(done(&restart_pod::status(
        Some(&LivePod { terminating: true, marking: marked, ..live }),
        &plan,
        &act
    )));
    assert!(done(&restart_pod::status(None, &plan, &act)));
}
