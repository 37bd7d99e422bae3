//! What stops an act, and that somebody hears of it.

use belay::app::admin::{self, Request, Response};
use belay::domain::alert::AlertStatus;
use belay::domain::record::{Answer, Record};
use belay::incident::{Phase, State};
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{Kind, Verb};
use jiff::SignedDuration;
use serde_json::json;

use super::house::{House, Wish, body, crash_loop, saturation, until};

const CHECKOUT: &str = "/apis/apps/v1/namespaces/shop/deployments/checkout";
const STARTS: &str = "2026-11-21T01:50:00Z";

fn escalated(phase: &Phase) -> bool {
    *phase == Phase::Escalated
}

fn confirming(phase: &Phase) -> bool {
    matches!(phase, Phase::Confirming(_))
}

fn because(state: &State) -> &str {
    state.escalations.last().map_or("", String::as_str)
}

/// `checkout` saturates and its alert is delivered.
async fn surge(house: &House) {
    house.surge();
    assert_eq!(house.deliver(body(&[saturation("checkout", STARTS, None)])).await, 200);
}

/// A pod of `web` crash-loops and its alert is delivered.
async fn leak(house: &House) {
    let pod = house.leak("web").await;
    assert_eq!(house.deliver(body(&[crash_loop(&pod.name, STARTS, None)])).await, 200);
}

#[tokio::test]
async fn oom_again_within_ten_minutes_escalates_with_the_limit() {
    let house = House::open(Wish::by_hand()).await;
    let first = house.leak("web").await;
    house.deliver(body(&[crash_loop(&first.name, STARTS, None)])).await;
    let asked = house.phase("web", confirming).await;
    house.answer(&asked, Answer::Confirm).await;
    house.phase("web", |p| *p == Phase::Closed).await;
    // another pod of the same owner, minutes later
    let second = house.leak("web").await;
    assert_ne!(first.name, second.name);
    house.deliver(body(&[crash_loop(&second.name, "2026-11-21T02:01:00Z", None)])).await;
    let state = house.phase("web", escalated).await;
    assert!(because(&state).starts_with("1 of 1 acts on this owner"), "{}", because(&state));
    assert!(format!("{:?}", state.decided.as_ref().unwrap().decision).contains("limit/perTarget"));
    until("a person is called", async || house.people.pages().pop()).await;
    assert_eq!(house.evictions(), 1, "the second pod is left alone");
    house.stop().await;
}

#[tokio::test]
async fn promise_4_and_21_a_human_edit_between_plan_and_apply_survives() {
    let house = House::open(Wish::by_hand()).await;
    house.world.faults(|faults| {
        let edit = Effect::Edit(Box::new(|objects| {
            let note = json!({ "note": "four will do, says Ana" });
            let patch = json!({ "spec": { "replicas": 4 }, "metadata": { "annotations": note } });
            objects.merge(Kind::Deployment, "shop", "checkout", &patch).unwrap();
        }));
        faults.add(Rule::on(Verb::Patch, CHECKOUT, edit).dry_run(false));
    });
    surge(&house).await;
    // refused, looked at anew, and decided anew on what the person left
    let refused = |s: &State| s.looks >= 2;
    let state = house.find("the cluster is looked at again", "checkout", refused).await;
    let records: Vec<_> = house.entries(&state.id).await.iter().map(|e| e.record.clone()).collect();
    let refusal = records.iter().find_map(|r| match r {
        Record::Acted { applied: belay::domain::warrant::Applied::Refused { refusal }, .. } => Some(refusal),
        _ => None,
    });
    assert!(refusal.is_some(), "{}", house.story().await);
    let settled = |s: &State| {
        matches!(s.phase, Phase::Escalated | Phase::Closed | Phase::Confirming(_) | Phase::Approving)
    };
    house.find("it is settled", "checkout", settled).await;
    let object = house.world.object(Kind::Deployment, "shop", "checkout").unwrap();
    assert_eq!(object["metadata"]["annotations"]["note"], "four will do, says Ana");
    // the plan that was shown was 3 to 5: it never took effect on the 4 that the person set
    let first = &house.intents(&state.id).await[0];
    let done = house.effects();
    assert!(done.iter().all(|w| w.intent.as_deref() != Some(first.id.as_str())), "{done:?}");
    house.stop().await;
}

/// Everything that was written for real from `from` on.
fn since(house: &House, from: jiff::Timestamp) -> usize {
    house.writes().iter().filter(|w| w.at > from).count()
}

#[tokio::test]
async fn promise_15_no_write_begins_once_a_pause_is_acknowledged() {
    let house = House::open(Wish::by_hand()).await;
    let ask = async |request: Request| admin::ask(house.dir.path(), &request).await.unwrap();
    let pause =
        Request::Pause { hold: "test".into(), reason: "something is odd".into(), name: "tester".into() };
    assert!(matches!(ask(pause).await, Response::Done(_)));
    let paused_at = house.clock.now();
    surge(&house).await;
    leak(&house).await;
    for deployment in ["web", "checkout"] {
        let state = house.phase(deployment, |p| *p == Phase::Closed).await;
        assert!(state.closed.unwrap().1.contains("paused"));
    }
    assert_eq!(since(&house, paused_at), 0, "{}", house.story().await);
    assert!(matches!(ask(Request::Holds).await, Response::Holds(holds) if holds.len() == 1));
    // somebody else's hold is not lifted along
    let lift = |hold: &str| Request::Resume { hold: hold.into(), name: "tester".into() };
    assert!(matches!(ask(lift("other")).await, Response::Refused(_)));
    assert!(matches!(ask(lift("test")).await, Response::Done(_)));
    assert!(matches!(ask(Request::Holds).await, Response::Holds(holds) if holds.is_empty()));
    house.stop().await;
}

#[tokio::test]
async fn promise_15_a_pause_stops_an_act_that_is_approved_afterwards() {
    let house = House::open(Wish::by_hand().level(2)).await;
    surge(&house).await;
    let asked = house.phase("checkout", |p| *p == Phase::Approving).await;
    house.daemon.pause("test", "wait", super::house::operator()).await.unwrap();
    house.answer(&asked, Answer::Approve).await;
    let state = house.phase("checkout", |p| *p == Phase::Closed).await;
    assert!(state.closed.unwrap().1.contains("paused"));
    assert_eq!(house.writes(), []);
    house.stop().await;
}

#[tokio::test]
async fn after_a_resume_belay_acts_again() {
    let house = House::open(Wish::by_hand()).await;
    house.daemon.pause("test", "wait", super::house::operator()).await.unwrap();
    house.daemon.resume("test", super::house::operator()).await.unwrap();
    surge(&house).await;
    house.phase("checkout", confirming).await;
    assert_eq!(house.replicas("checkout"), 5);
    house.stop().await;
}

#[tokio::test]
async fn a_guard_denies_and_a_person_hears() {
    let house = House::open(Wish::by_hand()).await;
    let pod = house.leak("web").await;
    house.world.edit(|objects| {
        let patch = json!({ "metadata": { "annotations": { "belay.dev/do-not-disturb": "true" } } });
        objects.merge(Kind::Pod, "shop", &pod.name, &patch).unwrap();
    });
    house.deliver(body(&[crash_loop(&pod.name, STARTS, None)])).await;
    let state = house.phase("web", escalated).await;
    assert!(
        because(&state).contains("work-in-progress") || because(&state).contains("must not be interrupted")
    );
    assert_eq!(house.writes(), []);
    until("a person is called", async || house.people.pages().pop()).await;
    house.stop().await;
}

#[tokio::test]
async fn a_frozen_namespace_is_only_told_about() {
    let wish = Wish::by_hand().with("from: 2026-11-27T00:00:00Z", "from: 2026-11-20T00:00:00Z");
    let house = House::open(wish).await;
    surge(&house).await;
    let state = house.phase("checkout", |p| matches!(p, Phase::Closed | Phase::Escalated)).await;
    assert_eq!(house.writes(), [], "{}", house.story().await);
    let decided = state.decided.unwrap();
    assert!(format!("{:?}", decided.decision).contains("freeze/black-friday"), "{decided:?}");
    house.stop().await;
}

#[tokio::test]
async fn promise_17_a_disruption_budget_is_never_passed() {
    let house = House::open(Wish::by_hand()).await;
    let refusal =
        Effect::Fail(429, "Cannot evict pod as it would violate the pod's disruption budget.".into());
    // the plan's dry run passes; the budget is used up right before the write
    let rule = Rule::on(Verb::Create, "/api/v1/namespaces/shop/pods", refusal).ending("/eviction");
    house.world.faults(|faults| faults.add(rule.dry_run(false).times(1_000)));
    leak(&house).await;
    let state = house.phase("web", |p| matches!(p, Phase::Escalated | Phase::Closed)).await;
    assert_eq!(state.phase, Phase::Escalated, "{}", house.story().await);
    assert!(house.world.evictions().is_empty());
    // never by another way round the budget
    assert!(house.writes().iter().all(|w| w.verb != Verb::Delete), "{}", house.story().await);
    until("a person is called", async || house.people.pages().pop()).await;
    house.stop().await;
}

#[tokio::test]
async fn promise_3_a_person_hears_within_a_minute_when_the_api_server_is_down() {
    // slow enough that the machine's own time does not count as the daemon's
    let house = House::open(Wish { speed: 20.0, ..Wish::by_hand() }).await;
    let gone = || Effect::Fail(503, "the server is currently unable to handle the request".into());
    house.world.faults(|faults| {
        faults.add(Rule::any("/api", gone()).times(100_000));
    });
    house.surge();
    let delivered = house.clock.now();
    house.deliver(body(&[saturation("checkout", STARTS, None)])).await;
    until("a person is called", async || house.people.pages().pop()).await;
    let took = house.clock.now().duration_since(delivered);
    assert!(took < SignedDuration::from_secs(60), "{took:?}");
    assert_eq!(house.writes(), []);
    house.stop().await;
}

#[tokio::test]
async fn a_silence_is_not_an_end() {
    let house = House::open(Wish::default().with(
        "within: 20m, stabilise: 15s, expect: [workload_ready, alert_gone]",
        "within: 1m, stabilise: 15s, expect: [workload_ready, alert_gone]",
    ))
    .await;
    house.alertmanager.silence(&[("alertname", "CPUSaturation")]);
    // even five pods cannot do it, and somebody has silenced the alert
    house.world.behave("shop", "checkout", belay::sim::kube::Behaviour::Busy { demand_millicores: 20_000 });
    until("it fires, silenced", async || {
        house
            .alertmanager
            .firing()
            .iter()
            .any(|l| l.get("alertname").is_some_and(|n| n == "CPUSaturation"))
            .then_some(())
    })
    .await;
    house.deliver(body(&[saturation("checkout", STARTS, None)])).await;
    let judged = |s: &State| s.acts.first().is_some_and(|a| a.verdict.is_some());
    let state = house.find("the act is judged", "checkout", judged).await;
    let verdict = state.acts[0].verdict.clone().unwrap();
    assert!(matches!(verdict, belay::domain::record::Verdict::DidNotHelp { .. }), "{verdict:?}");
    house.stop().await;
}

#[tokio::test]
async fn an_alert_that_is_over_before_anything_was_done_ends_by_itself() {
    let house = House::open(Wish::by_hand().level(2)).await;
    surge(&house).await;
    house.phase("checkout", |p| *p == Phase::Approving).await;
    house.world.behave("shop", "checkout", belay::sim::kube::Behaviour::Busy { demand_millicores: 300 });
    house.deliver(body(&[saturation("checkout", STARTS, Some("2026-11-21T02:00:30Z"))])).await;
    let state = house.phase("checkout", |p| *p == Phase::Closed).await;
    assert!(state.alerts.values().all(|a| a.status == AlertStatus::Resolved));
    assert_eq!(house.writes(), []);
    // and its question can no longer be answered
    house.stop().await;
}
