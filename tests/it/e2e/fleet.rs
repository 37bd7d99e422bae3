//! Facts of policy about more than one owner: how well the fleet is, and who else has the alert in hand.

use belay::domain::decision::{Decision, Fact, Outcome};
use belay::incident::State;
use jiff::SignedDuration;

use super::house::{BEGINS, House, Wish, body, crash_loop, until};

const STARTS: &str = "2026-11-21T01:50:00Z";

async fn decided(house: &House) -> (Decision, State) {
    let state = house.find("policy is asked", "web", |state| state.decided.is_some()).await;
    (state.decided.clone().unwrap().decision, state)
}

/// Pods count as starting for two minutes, and not as unwell.
async fn settled(house: &House) {
    let begun: jiff::Timestamp = BEGINS.parse().unwrap();
    let old = begun + SignedDuration::from_mins(3);
    until("the shop's pods are no longer starting", async || (house.clock.now() >= old).then_some(())).await;
}

#[tokio::test]
async fn a_fleet_that_is_unwell_is_a_storm() {
    // 1 of 13 pods is more than a twentieth
    let brakes = "  brakes:\n    storm: { unhealthyFractionAbove: 0.05 }\n";
    let house = House::open(Wish::by_hand().with("  brakes:\n", brakes)).await;
    settled(&house).await;
    let pod = house.leak("web").await;
    house.deliver(body(&[crash_loop(&pod.name, STARTS, None)])).await;
    let (decision, state) = decided(&house).await;
    assert_eq!(decision.outcome, Outcome::Ask, "{:#?}", decision.reasons);
    let storm = decision.reasons.iter().find(|reason| reason.code == "brake/storm").unwrap();
    assert!(storm.text.contains("7 % of the pods are not well"), "{}", storm.text);
    assert_eq!(state.decided.unwrap().question.cluster.unhealthy_permille, Fact::Known(76));
    house.stop().await;
}

#[tokio::test]
async fn one_pod_of_many_is_no_storm() {
    let house = House::open(Wish::by_hand()).await;
    settled(&house).await;
    let pod = house.leak("web").await;
    house.deliver(body(&[crash_loop(&pod.name, STARTS, None)])).await;
    let (decision, _) = decided(&house).await;
    assert_eq!(decision.outcome, Outcome::Act, "{:#?}", decision.reasons);
    house.stop().await;
}

#[tokio::test]
async fn an_alert_that_somebody_silenced_is_in_hand_elsewhere() {
    let guards =
        "  guards:\n    - { id: somebody-has-it, when: incident.acknowledged_elsewhere, maxLevel: 2 }\n";
    // the simulated Alertmanager evaluates its own rules, so that the incident's alert is in its list
    let house = House::open(Wish::default().with("  guards:\n", guards)).await;
    house.alertmanager.silence(&[("alertname", "KubePodCrashLooping")]);
    let pod = house.leak("web").await;
    let ours = |labels: &belay::domain::alert::Labels| labels.get("pod") == Some(&pod.name);
    let firing = async || house.alertmanager.firing().into_iter().find(|labels| ours(labels));
    let labels = until("it fires, silenced", firing).await;
    let pairs: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    house.deliver(body(&[super::house::alert(&pairs, STARTS, None)])).await;
    let (decision, _) = decided(&house).await;
    assert!(decision.reasons.iter().any(|r| r.code == "guard/somebody-has-it"), "{:#?}", decision.reasons);
    assert_eq!(decision.outcome, Outcome::Ask);
    house.stop().await;
}

/// Nobody would notice that alerts stopped arriving until the one that always fires was seen.
#[tokio::test(flavor = "multi_thread")]
async fn the_blind_brake_is_armed_by_the_first_watchdog_and_stays_so() {
    let house = House::open(Wish::by_hand()).await;
    let journal = || belay::app::armed(house.dir.path(), "Watchdog").unwrap();
    assert!(!house.daemon.is_armed().await.unwrap() && !journal());
    let watchdog = super::house::alert(&[("alertname", "Watchdog"), ("severity", "none")], STARTS, None);
    house.deliver(body(&[watchdog])).await;
    let armed = async || house.daemon.is_armed().await.unwrap().then_some(());
    until("it is armed", armed).await;
    assert!(journal());
    let policies = house.policies.clone();
    let house = house.restart(policies, SignedDuration::ZERO).await;
    assert!(house.daemon.is_armed().await.unwrap(), "also after a restart");
    house.stop().await;
}
