//! Limits and brakes hold over restarts, and over clocks that jumped while the daemon was away.

use belay::app::policies::Looked;
use belay::domain::action::ActionKind;
use belay::domain::decision::Decision;
use belay::domain::ids::{GrantId, IncidentId, IntentId, StreamId};
use belay::domain::record::{Answer, Record};
use belay::domain::track::{ActNote, Became};
use belay::incident::{Phase, State};
use belay::ports::store::Append;
use belay::sim::kube::Behaviour;
use jiff::{SignedDuration, Timestamp};

use super::house::{House, Wish, body, operator, saturation};
use super::reloads::{mount, watch};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn at(minutes: i64) -> String {
    let begins: Timestamp = "2026-11-21T01:50:00Z".parse().unwrap();
    (begins + SignedDuration::from_mins(minutes)).to_string()
}

/// A deployment is scaled once, that helped, and people confirmed it.
async fn scaled(house: &House) -> State {
    house.surge();
    assert_eq!(house.deliver(body(&[saturation("checkout", &at(0), None)])).await, 200);
    let asked = house.phase("checkout", |phase| matches!(phase, Phase::Confirming(_))).await;
    house.answer(&asked, Answer::Confirm).await;
    house.phase("checkout", |phase| *phase == Phase::Closed).await
}

impl House {
    /// The alert fires anew; what policy says of it.
    async fn decided_anew(&self, minutes: i64) -> Decision {
        self.deliver(body(&[saturation("checkout", &at(minutes - 1), Some(&at(minutes)))])).await;
        let starts = at(minutes);
        self.deliver(body(&[saturation("checkout", &starts, None)])).await;
        let anew = |state: &State| {
            let asked = state.decided.as_ref().map(|decided| decided.question.alert.starts_at.to_string());
            asked.as_ref() == Some(&starts)
        };
        self.find("policy is asked anew", "checkout", anew).await.decided.unwrap().decision
    }

    async fn restarted(self, jumped: SignedDuration) -> Self {
        let policies = self.policies.clone();
        self.restart(policies, jumped).await
    }
}

#[track_caller]
fn says(decision: &Decision, codes: &[&str], in_flight: u32) {
    for code in codes {
        assert!(
            decision.reasons.iter().any(|reason| reason.code == *code),
            "{code}: {:#?}",
            decision.reasons
        );
    }
    let draws = &decision.terms.as_ref().unwrap().draws;
    let max = draws.iter().find(|draw| draw.code == "limit/inFlight").map(|draw| draw.max);
    assert_eq!(max, Some(in_flight), "how far up the ramp");
}

fn wish() -> Wish {
    Wish::by_hand()
        .with("perTarget: { max: 2, window: 1h }", "perTarget: { max: 1, window: 1h }")
        .with("ramp: [4] }", "ramp: [1, 2, 4] }\n    target: { sameActionCooldown: 2h }")
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_cooldown_and_ramp_hold_over_restarts_and_clocks_that_jump() {
    let house = House::open(wish()).await;
    scaled(&house).await;
    let replicas = house.replicas("checkout");
    house.world.behave("shop", "checkout", Behaviour::Busy { demand_millicores: 20_000 });
    let limits = ["limit/perTarget", "limit/cooldown"];

    let house = house.restarted(SignedDuration::ZERO).await;
    let decision = house.decided_anew(5).await;
    says(&decision, &limits, 2);
    let limit = decision.reasons.iter().find(|reason| reason.code == "limit/perTarget").unwrap();
    assert!(
        limit.text.contains("-1`: it helped)"),
        "which act it was, and what became of it: {}",
        limit.text
    );
    // a clock that was set back an hour: what was done lies in the future now
    let house = house.restarted(-HOUR).await;
    says(&house.decided_anew(7).await, &limits, 2);
    // one that ran ahead by a day, and was put right again: nothing was forgotten meanwhile
    let house = house.restarted(HOUR * 26).await;
    let house = house.restarted(SignedDuration::ZERO).await;
    says(&house.decided_anew(9).await, &limits, 2);
    assert_eq!(house.replicas("checkout"), replicas, "{}", house.story().await);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_over_an_edited_policy() {
    let house = House::open(wish()).await;
    scaled(&house).await;
    house.world.behave("shop", "checkout", Behaviour::Busy { demand_millicores: 20_000 });
    let (dir, text) = (tempfile::tempdir().unwrap(), wish().policy);
    mount(dir.path(), "1", &text);
    let mut watch = watch(&house, dir.path());
    // what was done under the earlier text counts under the later
    mount(dir.path(), "2", &text.replace("      level: 3\n", "      level: 4\n"));
    assert!(matches!(watch.look().await, Looked::Loaded(_)));
    says(&house.decided_anew(5).await, &["limit/perTarget", "limit/cooldown"], 2);
    house.stop().await;
}

/// An act on the same owner that did not help.
fn missed(n: i64, of: &State, at: Timestamp) -> Record {
    let intent = IntentId::new(format!("{}-9{n}", of.id));
    Record::Noted(Box::new(ActNote {
        intent,
        incident: IncidentId::new(of.id.as_str()),
        grant: GrantId::new("scale-up-on-saturation"),
        environment: Some("shop".to_owned()),
        owner: of.owner.clone().unwrap(),
        action: ActionKind::ScaleWorkload,
        cause: "Saturation".to_owned(),
        at,
        approved_by: vec![operator()],
        confirmed_by: None,
        became: Became::Ineffective,
        became_at: Some(at),
        put_back: None,
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_offs_and_the_breaker_hold_over_restarts_and_clocks_that_jump() {
    let house = House::open(wish()).await;
    let state = scaled(&house).await;
    house.world.behave("shop", "checkout", Behaviour::Busy { demand_millicores: 20_000 });
    let now = house.clock.now();
    let mut append = Append::to(StreamId::new("acts"), None, now);
    append.records.extend((0..3).map(|n| missed(n, &state, now)));
    house.daemon.ports().store.append(append).await.unwrap();
    let stops = ["limit/ineffective", "brake/breaker"];

    let house = house.restarted(SignedDuration::ZERO).await;
    says(&house.decided_anew(5).await, &stops, 1);
    let house = house.restarted(-HOUR).await;
    says(&house.decided_anew(7).await, &stops, 1);
    // four hours are not over, and a breaker waits for a person however far the clock runs
    let house = house.restarted(HOUR * 3).await;
    says(&house.decided_anew(9).await, &stops, 1);
    let house = house.restarted(HOUR * 26).await;
    says(&house.decided_anew(11).await, &["brake/breaker"], 1);
    house.stop().await;
}
