//! The pure halves of the actions over random live objects.

use belay::domain::action::live::{Around, LiveObject, LivePod, Marking, Pods};
use belay::domain::action::{Action, Risk, edit, restart_pod};
use belay::domain::ids::IntentId;
use belay::domain::plan::{Plan, Refusal};
use belay::domain::warrant::Applied;
use belay::ports::cluster_writes::Mode;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::fake::changed;
use super::world::{deployment, pod, replicas, set_replicas, start};

fn markings() -> impl Strategy<Value = Marking> {
    prop_oneof![
        Just(Marking::Bare),
        proptest::option::of("[a-z0-9-]{1,12}").prop_map(|intent| Marking::Annotated { intent }),
    ]
}

fn workloads() -> impl Strategy<Value = LiveObject> {
    (0u32..200, 0u32..200, 1i64..1_000, markings(), proptest::option::of(0u32..5)).prop_map(
        |(desired, ready, generation, marking, budget_allows)| {
            let mut live = LiveObject { generation: Some(generation), marking, ..deployment() };
            set_replicas(&mut live, desired);
            live.pods = Some(Pods { desired, ready: ready.min(desired), max_unavailable: 1, budget_allows });
            live
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
fn write(live: &LiveObject, plan: &Plan, intent: &IntentId) -> LiveObject {
    let order = edit::order(plan, Some(live)).unwrap();
    let mut after = live.clone();
    assert!(changed(&mut after, &order, Mode::Act(intent)));
    after
}

fn to(live: &LiveObject, replicas: u32) -> Result<Plan, Refusal> {
    let action = Action::ScaleWorkload { workload: live.object.clone(), replicas };
    edit::plan(Some(live), &action, start())
}

fn done(applied: &Applied) -> bool {
    matches!(applied, Applied::Done { .. })
}

proptest! {
    #[test]
    fn putting_back_what_was_done_restores_the_touched_field(live in workloads(), wanted in 1u32..200) {
        let planned = to(&live, wanted);
        if replicas(&live) == wanted {
            prop_assert!(matches!(planned, Err(Refusal::NothingToDo(_))));
            return Ok(());
        }
        let (plan, act, undo) = (planned.unwrap(), IntentId::new("inc-0"), IntentId::new("inc-1"));
        let changed = write(&live, &plan, &act);
        prop_assert!(done(&edit::status(Some(&changed), &plan, &act)));
        let back = edit::plan_revert(Some(&changed), &plan, std::slice::from_ref(&act), start()).unwrap();
        let restored = write(&changed, &back, &undo);
        prop_assert_eq!(replicas(&restored), replicas(&live));
        prop_assert_eq!(LiveObject { generation: live.generation, marking: live.marking.clone(), ..restored }, live);
    }

    #[test]
    fn a_plan_changes_nothing_once_anything_it_rests_on_moved(live in workloads(), wanted in 1u32..200, by in 1u32..9) {
        prop_assume!(replicas(&live) != wanted);
        let plan = to(&live, wanted).unwrap();
        let act = IntentId::new("inc-0");
        let mut resized = live.clone();
        set_replicas(&mut resized, replicas(&live) + by);
        let moved = [
            resized,
            LiveObject { generation: live.generation.map(|n| n + i64::from(by)), ..live.clone() },
            LiveObject { around: Around::Autoscaler(Some("hpa".into())), ..live.clone() },
            LiveObject { object: belay::domain::target::Object { uid: format!("u-{by}"), ..live.object.clone() }, ..live.clone() },
        ];
        for other in moved {
            prop_assert!(edit::order(&plan, Some(&other)).is_err());
            prop_assert!(!done(&edit::status(Some(&other), &plan, &act)));
            prop_assert!(edit::plan_revert(Some(&other), &plan, std::slice::from_ref(&act), start()).is_err());
        }
        prop_assert!(edit::order(&plan, None).is_err());
    }

    #[test]
    fn plans_survive_the_wire_with_their_hash(live in workloads(), pod in pods(), wanted in 1u32..200) {
        prop_assume!(replicas(&live) != wanted);
        let plans = [
            to(&live, wanted).unwrap(),
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
        prop_assume!(replicas(&live) != wanted);
        let plan = to(&live, wanted).unwrap();
        let expected = if wanted < replicas(&live) { Risk::Medium } else { Risk::Low };
        prop_assert_eq!(plan.class.risk, expected);
        prop_assert!(plan.blast.unavailable_after <= replicas(&live).min(wanted));
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
