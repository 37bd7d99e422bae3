//! *Again* counts by root owner, action and cause, whether or not a second alert fires; and what became of an
//! act is remembered beyond its incident.

use belay::app::{Fed, TrackAsk};
use belay::domain::record::{Answer, Record};
use belay::domain::track::{Became, Judgement};
use belay::incident::input::{Check, Held};
use belay::incident::{Input, Phase, State};
use belay::ports::store::{Append, IndexOp};
use jiff::SignedDuration;

use super::house::{House, Wish, body, crash_loop, operator, until};

const STARTS: &str = "2026-11-21T01:50:00Z";

fn confirming(phase: &Phase) -> bool {
    matches!(phase, Phase::Confirming(_))
}

fn because(state: &State) -> &str {
    state.escalations.last().map_or("", String::as_str)
}

/// A pod of `web` was killed for its memory, evicted, and its owner verified as well.
async fn remedied(house: &House) -> (String, State) {
    let pod = house.leak("web").await;
    assert_eq!(house.deliver(body(&[crash_loop(&pod.name, STARTS, None)])).await, 200);
    (pod.name, house.phase("web", confirming).await)
}

/// Until so long after the act was done.
async fn after(house: &House, state: &State, minutes: i64) {
    let due = state.acts[0].done_at.unwrap() + SignedDuration::from_mins(minutes);
    until("time passes", async || (house.clock.now() >= due).then_some(())).await;
}

impl House {
    /// What the stream `acts` says of the only act.
    async fn became(&self) -> Vec<Became> {
        let noted = self.records("acts").await;
        noted
            .into_iter()
            .filter_map(|r| if let Record::Noted(note) = r { Some(note.became) } else { None })
            .collect()
    }
}

#[tokio::test]
async fn oom_in_a_pod_with_another_name_9_minutes_later_escalates_with_no_second_alert() {
    let house = House::open(Wish::by_hand()).await;
    let (first, asked) = remedied(&house).await;
    after(&house, &asked, 9).await;
    let second = house.leak("web").await;
    assert_ne!(first, second.name);
    let state = house.phase("web", |p| *p == Phase::Escalated).await;
    assert!(because(&state).contains("came again"), "{}", because(&state));
    assert!(because(&state).contains(&second.name), "{}", because(&state));
    until("a person is called", async || house.people.pages().pop()).await;
    assert_eq!(house.evictions(), 1, "{}", house.story().await);
    let deliveries = house.records("intake").await;
    assert_eq!(deliveries.len(), 1, "no second alert was delivered");
    let told = async || house.became().await.ends_with(&[Became::Ineffective]).then_some(());
    until("it counts as one that did not help", told).await;
    house.stop().await;
}

#[tokio::test]
async fn it_is_watched_for_after_people_confirmed_it() {
    let house = House::open(Wish::by_hand()).await;
    let (_, asked) = remedied(&house).await;
    house.answer(&asked, Answer::Confirm).await;
    house.phase("web", |p| *p == Phase::Closed).await;
    let proven = async || house.became().await.ends_with(&[Became::Helped]).then_some(());
    until("it counts as one that helped", proven).await;
    after(&house, &asked, 9).await;
    house.leak("web").await;
    let state = house.phase("web", |p| *p == Phase::Escalated).await;
    assert!(because(&state).contains("came again"), "{}", because(&state));
    assert_eq!(house.evictions(), 1);
    house.stop().await;
}

#[tokio::test]
async fn what_lies_beyond_the_time_it_had_to_help_in_is_another_story() {
    let wish = Wish::by_hand().with(
        "within: 20m, stabilise: 15s, expect: [workload_ready, no_new",
        "within: 2m, stabilise: 15s, expect: [workload_ready, no_new",
    );
    let house = House::open(wish).await;
    let (_, asked) = remedied(&house).await;
    house.answer(&asked, Answer::Confirm).await;
    after(&house, &asked, 3).await;
    house.leak("web").await;
    after(&house, &asked, 6).await;
    let state = house.incidents().await.pop().unwrap();
    assert_eq!((state.phase, state.escalations), (Phase::Closed, vec![]));
    house.stop().await;
}

#[tokio::test]
async fn two_incidents_never_both_take_the_last_place() {
    let house = House::open(Wish::default().with(", ramp: [4] }", " }")).await;
    house.leak("web").await;
    house.surge();
    let settled = |p: &Phase| matches!(p, Phase::Confirming(_) | Phase::Escalated | Phase::Closed);
    let mut under_way = Vec::new();
    for deployment in ["web", "checkout"] {
        let state = house.phase(deployment, settled).await;
        let ended = |act: &belay::incident::Act| act.ended_at.unwrap_or(jiff::Timestamp::MAX);
        under_way.extend(state.acts.iter().map(|act| (act.intended_at, ended(act))));
        if state.acts.is_empty() {
            let story = house.story().await;
            // policy saw that it was taken, or the store did, a moment later
            let (asked, taken) = ("1 of 1 acts under way", "limit/inFlight: 1 of 1 taken");
            let why = because(&state);
            assert!(why.contains(asked) || why.contains(taken), "{story}");
        }
    }
    // until one was verified there is one place
    under_way.sort();
    assert!(!under_way.is_empty());
    for pair in under_way.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "{pair:?}\n{}", house.story().await);
    }
    house.stop().await;
}

#[tokio::test]
async fn people_judge_reset_and_sign() {
    let house = House::open(Wish::by_hand()).await;
    let track = async |ask: TrackAsk| house.daemon.track(ask, operator()).await;
    assert_eq!(track(TrackAsk::Show).await.unwrap(), "nothing was done yet");
    let (_, asked) = remedied(&house).await;
    house.answer(&asked, Answer::Confirm).await;
    let shown = async || track(TrackAsk::Show).await.ok().filter(|text| text.contains("1 proven"));
    until("it is proven", shown).await;
    let intent = asked.acts[0].intent.id.clone();
    let grant = asked.acts[0].intent.grant().clone();
    let why = || "because".to_owned();
    let judge = |intent: &str, reason: String| TrackAsk::Judge {
        intent: belay::domain::ids::IntentId::new(intent),
        judgement: Judgement::Harmful,
        reason,
    };
    let refused = [
        judge("nobody-1", why()),
        judge(intent.as_str(), "  ".to_owned()),
        TrackAsk::ResetGrant { grant: grant.clone(), reason: why() },
        TrackAsk::ResetBreaker { reason: why() },
        TrackAsk::Sign { report: "w47".to_owned() },
        // the demo's ladder is off: nothing is earned there
        TrackAsk::Promote { grant: grant.clone(), environment: "shop".to_owned(), reason: why() },
    ];
    for ask in refused {
        assert!(track(ask.clone()).await.is_err(), "{ask:?}");
    }
    track(judge(intent.as_str(), why())).await.unwrap();
    assert!(track(TrackAsk::Show).await.unwrap().contains("DEMOTED"));
    // the next decision knows of it
    let pod = house.leak("web").await;
    house.deliver(body(&[crash_loop(&pod.name, "2026-11-21T02:00:00Z", None)])).await;
    let demoted = |s: &State| {
        let decided = s.decided.as_ref();
        decided.is_some_and(|d| d.decision.reasons.iter().any(|reason| reason.code == "demoted"))
    };
    house.find("it is demoted", "web", demoted).await;
    track(TrackAsk::ResetGrant { grant, reason: why() }).await.unwrap();
    assert!(!track(TrackAsk::Show).await.unwrap().contains("DEMOTED"));
    let (from, to) = (house.clock.now() - SignedDuration::from_hours(1), house.clock.now());
    house.daemon.reported("w47", from, to, vec![]).await.unwrap();
    track(TrackAsk::Sign { report: "w47".to_owned() }).await.unwrap();
    assert!(track(TrackAsk::Sign { report: "w47".to_owned() }).await.is_err(), "once is enough");
    house.stop().await;
}

/// The owner's open incident is another one by the time that the cause comes again.
#[tokio::test]
async fn what_comes_again_beside_an_open_incident_of_the_owner_is_noted() {
    let house = House::open(Wish::by_hand()).await;
    let (_, asked) = remedied(&house).await;
    house.answer(&asked, Answer::Confirm).await;
    let state = house.phase("web", |p| *p == Phase::Closed).await;
    let owner = state.owner.clone().unwrap();
    let other = belay::domain::ids::IncidentId::new("0therinc");
    let mut append = Append::to(other.stream(), None, house.clock.now());
    append.index.push(IndexOp::Bind { key: format!("owner/{}", owner.key()) });
    house.daemon.ports().store.append(append).await.unwrap();
    let check = Check { held: Held::Again, seen: vec!["pod `web-2` was killed".to_owned()] };
    let again = Input::Checked { intent: state.acts[0].intent.id.clone(), check };
    let Fed::Taken(state) = house.daemon.feed(&state.id, again, None).await.unwrap() else { panic!() };
    assert_eq!(state.phase, Phase::Closed, "people hear of it where the owner's incident is open");
    assert!(state.acts[0].seen.iter().any(|seen| seen.contains("0therinc")), "{:?}", state.acts[0].seen);
    let told = async || house.became().await.ends_with(&[Became::Ineffective]).then_some(());
    until("it counts as one that did not help", told).await;
    let shown = async || {
        let views = house.people.views.lock().unwrap();
        views.last().filter(|view| view.headline.contains("its cause came again")).map(drop)
    };
    until("its message says so", shown).await;
    assert_eq!(house.people.pages(), Vec::<String>::new());
    house.stop().await;
}
