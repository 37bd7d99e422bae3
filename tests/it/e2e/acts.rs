//! Both acts from the alert to the outcome, at each level, and what stops them.

use belay::domain::record::{Answer, Outcome, Record};
use belay::incident::Phase;

use super::house::{House, USED, Wish, policy};

fn closed(phase: &Phase) -> bool {
    *phase == Phase::Closed
}

fn confirming(phase: &Phase) -> bool {
    matches!(phase, Phase::Confirming(_))
}

#[tokio::test]
async fn an_oomkilled_pod_is_evicted_and_confirmed() {
    let house = House::open(Wish::default()).await;
    let pod = house.leak("web").await;
    let asked = house.phase("web", confirming).await;
    assert_eq!(house.effects().len(), 1, "{}", house.story().await);
    assert_eq!(house.world.evictions().get(&pod.uid), Some(&1));
    house.answer(&asked, Answer::Confirm).await;
    let over = house.phase("web", closed).await;
    assert_eq!(over.closed.unwrap().0, Outcome::Remedied);
    house.stop().await;
}

#[tokio::test]
async fn a_restart_can_be_handed_over_but_not_reverted() {
    let house = House::open(Wish::default()).await;
    house.leak("web").await;
    let asked = house.phase("web", confirming).await;
    let fed = house.answer(&asked, Answer::Revert).await;
    assert!(matches!(fed, belay::app::Fed::Ignored(_)), "{fed:?}");
    house.answer(&asked, Answer::HandOver).await;
    let over = house.find("it is handed over", "web", |s| s.hands_off).await;
    assert!(over.escalations.last().unwrap().contains("tester"));
    super::house::until("somebody is called", async || house.people.pages().pop()).await;
    assert_eq!(house.evictions(), 1);
    house.stop().await;
}

#[tokio::test]
async fn a_saturated_deployment_is_scaled_and_reverted() {
    let house = House::open(Wish::default()).await;
    house.surge();
    let asked = house.phase("checkout", confirming).await;
    assert_eq!(house.replicas("checkout"), 5);
    house.answer(&asked, Answer::Revert).await;
    let over = house.phase("checkout", closed).await;
    assert_eq!(over.closed.unwrap().0, Outcome::Reverted);
    assert_eq!(house.replicas("checkout"), 3);
    assert_eq!(house.intents(&over.id).await.len(), 2, "the act and its undo each have an intent");
    house.stop().await;
}

#[tokio::test]
async fn an_action_server_of_its_own_plans_acts_and_reverts() {
    let house = House::open(Wish { remote: true, ..Wish::default() }).await;
    house.surge();
    let asked = house.phase("checkout", confirming).await;
    assert_eq!(house.replicas("checkout"), 5);
    house.answer(&asked, Answer::Revert).await;
    let over = house.phase("checkout", closed).await;
    assert_eq!(over.closed.unwrap().0, Outcome::Reverted);
    assert_eq!(house.replicas("checkout"), 3);
    let dir = house.stop().await;
    assert!(!std::fs::read(dir.path().join(USED)).unwrap().is_empty(), "the warrants were used there");
    assert!(!dir.path().join("used-warrants.jsonl").exists(), "none runs in the daemon's own process");
}

#[tokio::test]
async fn a_saturated_deployment_is_scaled_and_kept() {
    let house = House::open(Wish::default()).await;
    house.surge();
    let asked = house.phase("checkout", confirming).await;
    house.answer(&asked, Answer::Confirm).await;
    let over = house.phase("checkout", closed).await;
    assert_eq!(over.closed.unwrap().0, Outcome::Remedied);
    assert_eq!(house.replicas("checkout"), 5);
    house.stop().await;
}

#[tokio::test]
async fn at_level_2_an_approval_runs_the_plan() {
    let house = House::open(Wish::default().level(2)).await;
    house.surge();
    let asked = house.phase("checkout", |p| *p == Phase::Approving).await;
    assert_eq!(house.writes(), [], "promise 12: nothing is sent before the approval");
    house.answer(&asked, Answer::Approve).await;
    house.find("it is scaled", "checkout", |s| s.acts.iter().any(belay::incident::Act::done)).await;
    assert_eq!(house.replicas("checkout"), 5);
    let intents = house.intents(&asked.id).await;
    assert_eq!(intents[0].plan_hash, asked.question.unwrap().question.plan, "promise 21");
    assert_eq!(intents[0].approved_by, "tester");
    house.stop().await;
}

#[tokio::test]
async fn at_level_2_a_rejection_ends_it() {
    let house = House::open(Wish::default().level(2)).await;
    house.leak("web").await;
    let asked = house.phase("web", |p| *p == Phase::Approving).await;
    house.answer(&asked, Answer::Reject { reason: "not now".into() }).await;
    let over = house.phase("web", closed).await;
    assert_eq!(over.closed.unwrap().0, Outcome::Rejected);
    assert_eq!(house.writes(), []);
    house.stop().await;
}

/// Plays both failures and waits until belay has nothing left to do about them.
async fn both(wish: Wish, quiet: fn(&Phase) -> bool) {
    let house = House::open(wish).await;
    house.leak("web").await;
    house.surge();
    for deployment in ["web", "checkout"] {
        house.find("policy has decided", deployment, |s| s.decided.is_some() && quiet(&s.phase)).await;
    }
    assert_eq!(house.writes(), [], "promise 12: {}", house.story().await);
    house.stop().await;
}

#[tokio::test]
async fn promise_12_level_1_sends_no_mutating_verb() {
    both(Wish::default().level(1), closed).await;
}

#[tokio::test]
async fn promise_12_shadow_mode_sends_no_mutating_verb() {
    both(Wish::default().with("mode: enforce", "mode: shadow"), |p| {
        matches!(p, Phase::Closed | Phase::Escalated)
    })
    .await;
}

#[tokio::test]
async fn promise_12_unapproved_at_level_2_sends_no_mutating_verb() {
    // the approval expires: silence is never consent
    let wish = Wish { policy: policy(), ..Wish::default() }.level(2).with("expires: 15m", "expires: 1m");
    both(wish, |p| *p == Phase::Escalated).await;
}

#[tokio::test]
async fn each_step_is_in_the_journal_in_order() {
    let house = House::open(Wish::default()).await;
    house.surge();
    let asked = house.phase("checkout", confirming).await;
    let entries = house.entries(&asked.id).await;
    let place = |wanted: fn(&Record) -> bool| entries.iter().position(|e| wanted(&e.record)).unwrap();
    let order = [
        place(|r| matches!(r, Record::Opened(_))),
        place(|r| matches!(r, Record::Diagnosed(_))),
        place(|r| matches!(r, Record::Chosen(_))),
        place(|r| matches!(r, Record::Decided(_))),
        place(|r| matches!(r, Record::Planned { .. })),
        place(|r| matches!(r, Record::Intended(_))),
        place(|r| matches!(r, Record::Acted { .. })),
        place(|r| matches!(r, Record::Asked(_))),
        place(|r| matches!(r, Record::Verified { .. })),
    ];
    assert!(order.is_sorted(), "{order:?}");
    house.stop().await;
}
