//! The action server over MCP on a fake cluster: once and only once, whatever is lost in between.

use std::time::Duration;

use belay::domain::action::live::{Around, Marking};
use belay::domain::action::{Action, Class, Reversibility, Risk};
use belay::domain::ids::{Cluster, IntentId};
use belay::domain::plan::{Plan, Refusal, Undo};
use belay::domain::target::{Kind, RootOwner};
use belay::domain::warrant::Applied;
use belay::ports::actions::Actions as _;
use jiff::SignedDuration;

use super::fake::Fault;
use super::world::{Bench, object, owner, pod, replicas, restart, scale_to, set_replicas, start};

async fn planned(bench: &Bench, action: &Action) -> Plan {
    bench.actions().plan(action, &owner()).await.unwrap().unwrap()
}

async fn applied(bench: &Bench, plan: &Plan, id: &str, intent: &str) -> Applied {
    let warrant = bench.warrant(plan, id, intent);
    bench.actions().apply(plan, &warrant).await.unwrap()
}

fn is_done(applied: &Applied) -> bool {
    matches!(applied, Applied::Done { .. })
}

fn refusal(applied: Applied) -> Refusal {
    match applied {
        Applied::Refused { refusal } => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_deployment_is_scaled_and_put_back() {
    let bench = Bench::new().await;
    let plan = planned(&bench, &scale_to(5)).await;
    assert_eq!(plan.class, Class { undo: Reversibility::Exact, risk: Risk::Low });
    assert_eq!(plan.expires_at, start() + SignedDuration::from_mins(10));
    assert!(bench.hand.world().sent.is_empty(), "planning writes nothing");
    assert_eq!(bench.hand.world().rehearsed, 1);

    assert!(is_done(&applied(&bench, &plan, "w1", "inc-0").await));
    assert_eq!(replicas(bench.hand.world().workload.as_ref().unwrap()), 5);

    let back = bench.actions().plan_revert(&plan, &IntentId::new("inc-0")).await.unwrap().unwrap();
    assert!(!back.revertible());
    assert!(is_done(&applied(&bench, &back, "w2", "inc-1").await));
    assert_eq!(replicas(bench.hand.world().workload.as_ref().unwrap()), 3);
    assert_eq!(bench.hand.world().effects, ["replicas 5", "replicas 3"]);
    // the first act's status is still known, though the object carries the second one's mark
    let first = bench.actions().status(&plan, &IntentId::new("inc-0")).await.unwrap();
    assert!(is_done(&first), "{first:?}");
}

#[tokio::test]
async fn a_pod_is_marked_and_evicted() {
    let bench = Bench::new().await;
    let plan = planned(&bench, &restart()).await;
    assert!(matches!(plan.undo, Undo::Nothing { .. }));
    assert_eq!(plan.blast.unavailable_after, 1);
    let refused = bench.actions().plan_revert(&plan, &IntentId::new("inc-0")).await.unwrap();
    assert!(matches!(refused, Err(Refusal::NothingToDo(_))));
    assert!(is_done(&applied(&bench, &plan, "w1", "inc-0").await));
    assert_eq!(bench.hand.world().effects, ["mark", "evict"]);
    assert_eq!(bench.hand.world().rehearsed, 3, "new pod twice, eviction once");
}

#[tokio::test]
async fn the_same_order_twice_is_done_once() {
    for action in [scale_to(5), restart()] {
        let mut bench = Bench::new().await;
        let plan = planned(&bench, &action).await;
        let warrant = bench.warrant(&plan, "w1", "inc-0");
        for _ in 0..3 {
            assert!(is_done(&bench.actions().apply(&plan, &warrant).await.unwrap()));
        }
        // another warrant for the same intent, and another server
        assert!(is_done(&applied(&bench, &plan, "w2", "inc-0").await));
        bench.restart().await;
        assert!(is_done(&applied(&bench, &plan, "w3", "inc-0").await));
        // long after it expired, a repeat still hears the truth
        bench.clock.advance(SignedDuration::from_hours(2));
        assert!(is_done(&bench.actions().apply(&plan, &warrant).await.unwrap()));
        let effects = bench.hand.world().effects.clone();
        assert!(effects == ["replicas 5"] || effects == ["mark", "evict"], "{effects:?}");
    }
}

#[tokio::test]
async fn a_crash_between_the_used_file_and_the_write_leaves_it_to_a_fresh_warrant() {
    for (action, last) in [(scale_to(5), "replicas 5"), (restart(), "evict")] {
        let mut bench = Bench::new().await;
        let plan = planned(&bench, &action).await;
        // what a crash leaves behind: the use is on disk, the write was never sent
        bench.stop().await;
        let line = serde_json::json!({
            "state": "started", "warrant": "w1", "intent": "inc-0",
            "plan": plan.hash().unwrap(), "expires": start() + SignedDuration::from_mins(2),
        });
        std::fs::write(bench.file(), format!("{line}\n{{\"state\":\"sta")).unwrap();
        bench.restart().await;

        let seen = bench.actions().status(&plan, &IntentId::new("inc-0")).await.unwrap();
        assert!(matches!(refusal(seen), Refusal::NotApplied(_)));
        let same = applied(&bench, &plan, "w1", "inc-0").await;
        assert!(matches!(refusal(same), Refusal::NotApplied(_)), "a used warrant writes nothing");
        assert!(bench.hand.world().sent.is_empty());
        assert!(is_done(&applied(&bench, &plan, "w2", "inc-0").await));
        assert_eq!(bench.hand.world().effects.last().unwrap(), last);
    }
}

#[tokio::test]
async fn an_answer_lost_after_the_effect_is_read_back_as_done() {
    for (action, before) in [(scale_to(5), 0), (restart(), 1)] {
        let bench = Bench::new().await;
        let plan = planned(&bench, &action).await;
        let warrant = bench.warrant(&plan, "w1", "inc-0");
        if before == 1 {
            // the mark is answered, the eviction is not
            bench.hand.world().pod.as_mut().unwrap().marking =
                Marking::Annotated { intent: Some("inc-0".into()) };
        }
        bench.hand.world().faults.push_back(Fault::LostAfter);
        assert!(is_done(&bench.actions().apply(&plan, &warrant).await.unwrap()));
        assert!(is_done(&bench.actions().apply(&plan, &warrant).await.unwrap()));
        assert_eq!(bench.hand.world().sent.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_lost_before_the_effect_is_read_back_as_not_applied_and_never_sent_again() {
    for action in [scale_to(5), restart()] {
        let bench = Bench::new().await;
        let plan = planned(&bench, &action).await;
        let warrant = bench.warrant(&plan, "w1", "inc-0");
        bench.hand.world().faults.push_back(Fault::LostBefore);
        for _ in 0..2 {
            let seen = bench.actions().apply(&plan, &warrant).await.unwrap();
            assert!(matches!(refusal(seen), Refusal::NotApplied(_)));
        }
        assert_eq!(bench.hand.world().sent.len(), 1);
        assert!(bench.hand.world().effects.is_empty());
    }
}

#[tokio::test]
async fn only_when_reading_back_fails_too_is_it_unknown() {
    let bench = Bench::new().await;
    let plan = planned(&bench, &scale_to(5)).await;
    bench.hand.world().faults.push_back(Fault::LostAfter);
    bench.hand.world().blind_after_write = true;
    let warrant = bench.warrant(&plan, "w1", "inc-0");
    let seen = bench.actions().apply(&plan, &warrant).await.unwrap();
    assert!(matches!(seen, Applied::Unknown { .. }), "{seen:?}");
    bench.hand.world().blind = false;
    bench.hand.world().blind_after_write = false;
    assert!(is_done(&bench.actions().apply(&plan, &warrant).await.unwrap()));
    assert_eq!(bench.hand.world().sent.len(), 1);
}

#[tokio::test]
async fn a_target_that_changed_is_refused_and_says_what_it_holds() {
    let bench = Bench::new().await;
    let plan = planned(&bench, &scale_to(5)).await;
    // before the server's last look
    {
        let mut world = bench.hand.world();
        let live = world.workload.as_mut().unwrap();
        set_replicas(live, 7);
        live.generation = live.generation.map(|n| n + 1);
    }
    let why = refusal(applied(&bench, &plan, "w1", "inc-0").await).to_string();
    assert!(why.contains("`/spec/replicas` holds 7 now, and 3 when it was planned"), "{why}");
    assert!(bench.hand.world().sent.is_empty());

    // between that look and the write
    let bench = Bench::new().await;
    let plan = planned(&bench, &scale_to(5)).await;
    bench.hand.world().faults.push_back(Fault::EditFirst(7));
    let changed = refusal(applied(&bench, &plan, "w1", "inc-0").await);
    assert!(matches!(changed, Refusal::Changed { .. }), "{changed:?}");
    assert!(changed.to_string().contains("its generation is 5 now, and was 4"), "{changed}");
    assert_eq!(replicas(bench.hand.world().workload.as_ref().unwrap()), 7, "the edit stands");
}

#[tokio::test]
async fn a_target_of_the_same_name_is_not_the_target() {
    let bench = Bench::new().await;
    let (scale, restart) = (planned(&bench, &scale_to(5)).await, planned(&bench, &restart()).await);
    bench.hand.world().workload.as_mut().unwrap().object.uid = "u-other".into();
    bench.hand.world().pod.as_mut().unwrap().object.uid = "u-other".into();
    for (plan, id) in [(scale, "inc-0"), (restart, "inc-1")] {
        let gone = refusal(applied(&bench, &plan, id, id).await);
        assert!(matches!(gone, Refusal::Gone { .. }), "{gone:?}");
    }
    assert!(bench.hand.world().sent.is_empty());
}

#[tokio::test]
async fn the_api_servers_no_is_passed_on() {
    let budget = "Cannot evict pod as it would violate the pod's disruption budget.";
    for (code, reason, message) in [
        (429, "TooManyRequests", budget),
        (422, "Invalid", "spec is odd"),
        (409, "Conflict", "has been modified"),
    ] {
        let bench = Bench::new().await;
        let plan = planned(&bench, &restart()).await;
        let mut pod = pod();
        pod.marking = Marking::Annotated { intent: Some("inc-0".into()) };
        bench.hand.world().pod = Some(pod);
        bench.hand.world().faults.push_back(Fault::Status(code, reason, message));
        let why = refusal(applied(&bench, &plan, "w1", "inc-0").await);
        assert!(matches!(&why, Refusal::Api(text) if text.contains(message)), "{why:?}");
        assert_eq!(bench.hand.world().sent, ["evict"]);
    }
}

#[tokio::test]
async fn a_dry_run_that_fails_makes_no_plan() {
    let bench = Bench::new().await;
    bench.hand.world().dry_run = Some((403, "Forbidden", "exceeded quota: pods"));
    for action in [scale_to(5), restart()] {
        let why = bench.actions().plan(&action, &owner()).await.unwrap().unwrap_err();
        assert!(matches!(&why, Refusal::Api(text) if text.contains("exceeded quota")), "{why:?}");
    }
}

#[tokio::test]
async fn a_new_pod_that_would_be_refused_keeps_the_old_one() {
    let bench = Bench::new().await;
    let plan = planned(&bench, &restart()).await;
    bench.hand.world().dry_run = Some((500, "InternalError", "failed calling webhook"));
    let why = refusal(applied(&bench, &plan, "w1", "inc-0").await);
    assert!(why.to_string().contains("failed calling webhook"), "{why}");
    assert!(bench.hand.world().sent.is_empty());
}

#[tokio::test]
async fn more_unavailable_than_planned_is_refused() {
    let bench = Bench::new().await;
    let plan = planned(&bench, &restart()).await;
    bench.hand.world().pod.as_mut().unwrap().owner_ready = 1;
    let why = refusal(applied(&bench, &plan, "w1", "inc-0").await);
    assert!(why.to_string().contains("2 of 3 replicas would be unavailable now, and 1 when"), "{why}");
    assert!(bench.hand.world().sent.is_empty());
}

#[tokio::test]
async fn the_hard_limits_hold_whoever_asks() {
    let bench = Bench::new().await;
    let with = |change: fn(&mut belay::domain::target::Object), replicas: u32| {
        let mut workload = object(Kind::Deployment, "web", "u-web");
        change(&mut workload);
        Action::ScaleWorkload { workload, replicas }
    };
    let cases = [
        (with(|_| {}, 13), "13 replicas are more than the 12"),
        (with(|_| {}, 8), "a change by 5 replicas is more than the 4"),
        (with(|_| {}, 0), "takes the whole workload away"),
        (with(|o| o.named.namespace = "belay".into(), 5), "is belay's own"),
        (with(|o| o.named.namespace = "bank".into(), 5), "is not one that it acts in"),
        (with(|o| o.named.namespace = "../shop".into(), 5), "is none that Kubernetes gives"),
        (with(|o| o.named.name = "web/../x".into(), 5), "is none that Kubernetes gives"),
        (with(|o| o.named.cluster = Cluster::new("us-1"), 5), "acts in cluster `eu-1` only"),
        (with(|o| o.named.kind = Kind::StatefulSet, 5), "was read in place of"),
    ];
    for (action, expected) in cases {
        let why = bench.actions().plan(&action, &owner()).await.unwrap().unwrap_err();
        assert!(matches!(&why, Refusal::Limit(text) if text.contains(expected)), "{why:?}");
    }
    // and again at the write: a signed plan does not lift them
    let mut plan = planned(&bench, &scale_to(5)).await;
    plan.blast.replica_delta = 9;
    let why = refusal(applied(&bench, &plan, "w1", "inc-0").await);
    assert!(matches!(why, Refusal::Limit(_)), "{why:?}");
    assert!(bench.hand.world().sent.is_empty());
}

#[tokio::test]
async fn what_somebody_else_governs_is_refused() {
    let bench = Bench::new().await;
    bench.hand.world().workload.as_mut().unwrap().around = Around::Autoscaler(Some("web-hpa".into()));
    let why = bench.actions().plan(&scale_to(5), &owner()).await.unwrap().unwrap_err();
    assert!(
        matches!(&why, Refusal::Limit(text) if text.contains("an autoscaler sets the replicas")),
        "{why:?}"
    );

    bench.hand.world().pod.as_mut().unwrap().controller = None;
    let why = bench.actions().plan(&restart(), &owner()).await.unwrap().unwrap_err();
    assert!(matches!(&why, Refusal::Limit(text) if text.contains("has no controller")), "{why:?}");

    bench.hand.world().pod.as_mut().unwrap().controller = Some(object(Kind::Job, "nightly", "u-job"));
    let why = bench.actions().plan(&restart(), &owner()).await.unwrap().unwrap_err();
    assert!(matches!(&why, Refusal::Limit(text) if text.contains("belongs to a Job")), "{why:?}");

    let stranger = RootOwner(object(Kind::Deployment, "shop", "u-shop"));
    bench.hand.world().pod = Some(pod());
    let why = bench.actions().plan(&restart(), &stranger).await.unwrap().unwrap_err();
    assert!(matches!(why, Refusal::Changed { .. }), "{why:?}");
}

#[tokio::test]
async fn the_last_ready_replica_and_an_empty_budget_raise_the_risk() {
    let bench = Bench::new().await;
    {
        let mut world = bench.hand.world();
        let pod = world.pod.as_mut().unwrap();
        (pod.ready, pod.owner_ready, pod.owner_desired) = (true, 1, 1);
    }
    assert_eq!(planned(&bench, &restart()).await.class.risk, Risk::Medium);
    bench.hand.world().pod = Some(pod());
    bench.hand.world().pod.as_mut().unwrap().budget_allows = Some(0);
    assert_eq!(planned(&bench, &restart()).await.class.risk, Risk::Medium);
    bench.hand.world().pod.as_mut().unwrap().budget_allows = Some(1);
    assert_eq!(planned(&bench, &restart()).await.class.risk, Risk::Low);
    assert_eq!(planned(&bench, &scale_to(2)).await.class.risk, Risk::Medium);
}

#[tokio::test]
async fn a_change_by_somebody_else_is_never_put_back() {
    let bench = Bench::new().await;
    let plan = planned(&bench, &scale_to(5)).await;
    assert!(is_done(&applied(&bench, &plan, "w1", "inc-0").await));
    set_replicas(bench.hand.world().workload.as_mut().unwrap(), 6);
    let intent = IntentId::new("inc-0");
    let why = bench.actions().plan_revert(&plan, &intent).await.unwrap().unwrap_err().to_string();
    assert!(why.contains("holds 6 now, and we wrote 5"), "{why}");
    {
        let mut world = bench.hand.world();
        let live = world.workload.as_mut().unwrap();
        set_replicas(live, 5);
        live.marking = Marking::Annotated { intent: Some("other-3".into()) };
    }
    let why = bench.actions().plan_revert(&plan, &intent).await.unwrap().unwrap_err().to_string();
    assert!(why.contains("it carries the intent `other-3` now"), "{why}");
}

#[tokio::test]
async fn an_old_plan_is_refused() {
    let bench = Bench::new().await;
    let plan = planned(&bench, &scale_to(5)).await;
    bench.clock.advance(SignedDuration::from_mins(10));
    assert_eq!(refusal(applied(&bench, &plan, "w1", "inc-0").await), Refusal::Expired(plan.expires_at));
}

#[tokio::test]
async fn a_warrant_or_an_intent_is_never_used_for_something_else() {
    let bench = Bench::new().await;
    let (scale, restart) = (planned(&bench, &scale_to(5)).await, planned(&bench, &restart()).await);
    assert!(is_done(&applied(&bench, &scale, "w1", "inc-0").await));
    for (id, intent) in [("w1", "inc-1"), ("w1", "inc-0"), ("w2", "inc-0")] {
        let why = refusal(applied(&bench, &restart, id, intent).await);
        assert!(matches!(&why, Refusal::Warrant(text) if text.contains("used before")), "{why:?}");
    }
    assert_eq!(bench.hand.world().effects, ["replicas 5"]);
}

#[tokio::test]
async fn two_orders_at_once_take_turns() {
    let bench = Bench::new().await;
    let plan = planned(&bench, &scale_to(5)).await;
    let (one, two) = (bench.warrant(&plan, "w1", "inc-0"), bench.warrant(&plan, "w2", "inc-0"));
    let (a, b) = tokio::join!(bench.actions().apply(&plan, &one), bench.actions().apply(&plan, &two));
    assert!(is_done(&a.unwrap()) && is_done(&b.unwrap()));
    assert_eq!(bench.hand.world().sent.len(), 1);
}

#[tokio::test]
async fn a_server_that_is_gone_gives_no_answer() {
    let bench = Bench::new().await;
    let plan = planned(&bench, &scale_to(5)).await;
    let mut bench = bench;
    let client = {
        let served = bench.take_client().await;
        belay::adapters::mcp::McpActions::new(served, Duration::from_secs(5))
    };
    assert!(client.status(&plan, &IntentId::new("inc-0")).await.is_err());
}
