//! Whether an act helped, by the measures that its grant names.

use std::sync::{Arc, Mutex};

use belay::domain::record::Verdict;
use belay::incident::Act;
use belay::incident::{Phase, State};

use super::house::{House, Wish, body, saturation, until};
use crate::eyes::metrics::{Fake, one};

const STARTS: &str = "2026-11-21T01:50:00Z";

/// Two replicas more, judged by this measure as well.
fn judged_by(url: Option<&str>, rule: &str) -> Wish {
    let expect = "expect: [workload_ready, alert_gone]";
    let wish = Wish::by_hand().with(expect, &format!("expect: [workload_ready], metrics: ['{rule}']"));
    let own = url.map(|url| {
        format!("prometheus: {{ url: '{url}', measures: {{ p99: 'p99{{app=\"$workload\",ns=\"$namespace\"}}' }} }}\n")
    });
    Wish { more: own.unwrap_or_default(), ..wish }
}

async fn scaled(wish: Wish) -> (House, State) {
    let house = House::open(wish).await;
    house.surge();
    assert_eq!(house.deliver(body(&[saturation("checkout", STARTS, None)])).await, 200);
    let state = house.find("it is scaled", "checkout", |s| s.acts.first().is_some_and(Act::done)).await;
    (house, state)
}

#[tokio::test]
async fn an_act_has_helped_once_its_measure_is_what_it_has_to_be() {
    let now = Arc::new(Mutex::new(0.9));
    let says = Arc::clone(&now);
    let (fake, url, _task) = Fake::start(move |_, _| one(*says.lock().unwrap())).await;
    let (house, _) = scaled(judged_by(Some(&url), "p99 below 0.5")).await;
    // everything else holds, and it is not taken for help
    let waits = |s: &State| {
        let saw = |words: &str| s.acts[0].seen.iter().any(|seen| seen.contains(words));
        saw("does not hold: it is 0.9")
            && saw("5 of 5 replicas of `checkout` are ready")
            && s.acts[0].held_since.is_none()
    };
    house.find("only the measure is missing", "checkout", waits).await;
    *now.lock().unwrap() = 0.4;
    let state = house.phase("checkout", |p| matches!(p, Phase::Confirming(_))).await;
    assert!(matches!(state.acts[0].verdict, Some(Verdict::Helped { .. })), "{:?}", state.acts[0].verdict);
    // a diagnosis asks its own table besides
    let asked: Vec<String> =
        fake.asked().into_iter().map(|a| a.query).filter(|q| q.contains("p99")).collect();
    assert!(!asked.is_empty() && asked.iter().all(|q| q == r#"p99{app="checkout",ns="shop"}"#), "{asked:?}");
    house.stop().await;
}

#[tokio::test]
async fn a_fall_is_counted_from_the_moment_of_the_act() {
    let at = Arc::new(Mutex::new(None));
    let acted = Arc::clone(&at);
    // it was 2 until then, and is 1.5 since
    let says =
        move |_: &str, time| one(if acted.lock().unwrap().is_none_or(|at| time <= at) { 2.0 } else { 1.5 });
    let (_fake, url, _task) = Fake::start(says).await;
    let (house, state) = scaled(judged_by(Some(&url), "p99 falls 20%")).await;
    *at.lock().unwrap() = state.acts[0].done_at;
    let state = house.phase("checkout", |p| matches!(p, Phase::Confirming(_))).await;
    let seen = state.acts[0].seen.join("; ");
    assert!(seen.contains("`p99 falls 20%` holds: it is 1.5, and was 2"), "{seen}");
    house.stop().await;
}

#[tokio::test]
async fn where_nothing_measures_a_person_decides() {
    for (url, rule, says) in [
        (None, "p99 falls", "no measure `p99`"),
        (None, "cpu_usage falls", "no Prometheus is configured"),
        (Some("http://127.0.0.1:9/"), "p99 falls", "could not be read"),
    ] {
        let wish = judged_by(url, rule).with("within: 20m, stabilise", "within: 2m, stabilise");
        let (house, _) = scaled(wish).await;
        let cannot = |s: &State| s.acts[0].seen.iter().any(|seen| seen.contains(says));
        house.find("it says why", "checkout", cannot).await;
        let state = house.find("the time is up", "checkout", |s| s.acts[0].verdict.is_some()).await;
        assert!(
            matches!(state.acts[0].verdict, Some(Verdict::CannotTell { .. })),
            "{:?}",
            state.acts[0].verdict
        );
        until("a person is asked or called", async || {
            let state = house.incidents().await.pop()?;
            matches!(state.phase, Phase::Confirming(_) | Phase::Escalated).then_some(())
        })
        .await;
        house.stop().await;
    }
}
