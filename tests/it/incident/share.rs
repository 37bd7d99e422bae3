//! What incidents share: one act at a time on an owner, and an owner that two of them turn out to be about.
// said so that the lints know these helpers for tests
#![cfg(test)]

use belay::domain::action::Action;
use belay::domain::decision::{Asked, Decided, Decision, LOCK, Level, Outcome, Reason};
use belay::domain::ids::IncidentId;
use belay::domain::record::{Outcome as Ended, Record};
use belay::incident::input::Held;
use belay::incident::{Effect, Ignored, Input, Phase};

use super::{Life, given};

fn locked() -> Decision {
    let text = "another act on this owner is under way".to_owned();
    let mut decision = given::decision(Outcome::Notify);
    decision.level = Some(Level::Observe);
    decision.reasons.insert(0, Reason { code: LOCK.to_owned(), text });
    decision
}

fn decided(asked: Asked, action: &Action, decision: &Decision) -> Input {
    let plan = (asked == Asked::Plan).then(|| given::plan(action.clone(), given::t0()));
    let question = given::question(asked, action.clone(), plan, given::t0());
    Input::Decided { decided: Box::new(Decided { question, decision: decision.clone() }), cleared: false }
}

/// As far as policy being asked about the candidate.
fn deciding() -> Life {
    let mut life = Life::opened();
    life.give(Input::Diagnosed(Box::new(given::diagnosis(given::restart())))).unwrap();
    life.give(Input::Chosen(given::choice())).unwrap();
    life
}

fn redecides(life: &Life) -> bool {
    let [(Effect::Decide { .. }, Some(due)), ..] = &life.last.effects[..] else { return false };
    due.duration_since(life.now).as_secs() == 60
}

#[test]
fn an_act_that_comes_second_waits_and_is_looked_at_anew() {
    let mut life = deciding();
    for _ in 0..3 {
        life.give(decided(Asked::Candidate, &given::restart(), &locked())).unwrap();
        assert!(redecides(&life), "{:?}", life.last);
        assert!(matches!(life.state.phase, Phase::Deciding(_)) && life.state.closed.is_none());
        life.at(60);
    }
    // it is over: what it left is looked at before anything is planned
    life.give(decided(Asked::Candidate, &given::restart(), &given::decision(Outcome::Act))).unwrap();
    assert_eq!((life.effects()[0], &life.state.phase), (&Effect::Look, &Phase::Looking));
    life.give(Input::Diagnosed(Box::new(given::diagnosis(given::restart())))).unwrap();
    life.give(Input::Chosen(given::choice())).unwrap();
    life.give(decided(Asked::Candidate, &given::restart(), &given::decision(Outcome::Act))).unwrap();
    assert!(matches!(life.effects()[0], Effect::Plan { .. }), "nothing is waited for any more");
}

#[test]
fn one_that_was_overtaken_at_the_last_moment_waits_too() {
    // policy is asked about the plan, or the store refuses the lock itself
    let mut life = deciding();
    let candidate = belay::domain::ids::CandidateId::new("c1");
    life.give(decided(Asked::Candidate, &given::restart(), &given::decision(Outcome::Act))).unwrap();
    let plan = Ok(Box::new(given::plan(given::restart(), life.now)));
    life.give(Input::Planned { candidate, result: plan, kept: None }).unwrap();
    let mut blocked = life.clone();
    life.give(decided(Asked::Plan, &given::restart(), &locked())).unwrap();
    blocked.give(Input::Blocked { code: LOCK.into(), why: "1 of 1 taken".into() }).unwrap();
    for life in [life, blocked] {
        assert!(redecides(&life) && matches!(life.state.phase, Phase::Deciding(_)), "{:?}", life.last);
    }
    // an approval that was asked for is taken back, and says why
    let mut asked = Life::planned(given::scale(5), Outcome::Ask);
    let question = asked.question();
    asked.give(Input::Blocked { code: LOCK.into(), why: "1 of 1 taken".into() }).unwrap();
    assert!(redecides(&asked) && asked.state.question.is_none());
    let lapsed = |r: &&Record| matches!(r, Record::Lapsed { question: q, why } if *q == question && why.contains("came first"));
    assert_eq!(asked.records().into_iter().filter(lapsed).count(), 1);
}

#[test]
fn what_never_ends_is_a_persons() {
    let mut life = deciding();
    for _ in 0..31 {
        life.give(decided(Asked::Candidate, &given::restart(), &locked())).unwrap();
    }
    assert!(redecides(&life));
    life.give(decided(Asked::Candidate, &given::restart(), &locked())).unwrap();
    assert_eq!(life.state.phase, Phase::Escalated);
    assert!(life.state.escalations[0].ends_with("and it does not end"), "{:?}", life.state.escalations);
}

#[test]
fn another_owner_is_looked_at_anew_and_not_for_ever() {
    let mut life = Life::opened();
    let owner = life.state.owner.clone().unwrap();
    assert_eq!(life.give(Input::Rehomed(owner.clone())).unwrap_err(), Ignored::Duplicate);
    let mut other = owner;
    for n in 0..3 {
        other.0.named.name = format!("adopter-{n}");
        life.give(Input::Rehomed(other.clone())).unwrap();
        assert_eq!((life.effects()[0], life.state.owner.as_ref()), (&Effect::Look, Some(&other)));
        assert_eq!((life.last.owner.as_ref(), life.last.open), (Some(&other), Some(true)));
    }
    other.0.named.name = "one-more".to_owned();
    life.give(Input::Rehomed(other.clone())).unwrap();
    assert_eq!(life.state.phase, Phase::Escalated);
    assert!(matches!(life.give(Input::Rehomed(other)), Err(Ignored::TooLate(_))));
}

#[test]
fn what_another_incident_goes_on_with_is_withdrawn() {
    let into = IncidentId::new("older");
    for mut life in [Life::opened(), deciding(), Life::planned(given::scale(5), Outcome::Ask)] {
        let asked = life.state.question.is_some();
        life.give(Input::Merge { into: into.clone() }).unwrap();
        let (ended, summary, _) = life.state.closed.clone().unwrap();
        assert_eq!((ended, life.state.merged.as_ref()), (Ended::Merged, Some(&into)));
        assert!(summary.contains("`older`") && life.state.question.is_none(), "{summary}");
        assert!(life.effects().contains(&&Effect::HandOn) && life.last.open == Some(false));
        let lapsed = life.records().into_iter().any(|r| matches!(r, Record::Lapsed { .. }));
        assert_eq!(lapsed, asked);
        assert!(matches!(life.give(Input::Merge { into: into.clone() }), Err(Ignored::TooLate(_))), "once");
        // its alert fires anew, later: it begins anew
        life.at(7_200).give(Input::Alert(given::firing(7_000))).unwrap();
        assert_eq!((life.state.merged.clone(), &life.state.phase), (None, &Phase::Looking));
    }
}

/// The one with an act under way goes on, else the older: exactly one of two, whoever asks.
#[test]
fn of_two_one_goes_on() {
    let (older, acting) = (deciding().state, Life::planned(given::restart(), Outcome::Act).state);
    let mut younger = older.clone();
    younger.opened_at = given::after(5);
    younger.id = IncidentId::new("a");
    let mut late = acting;
    late.opened_at = given::after(9);
    for (first, second) in [(&older, &younger), (&late, &older), (&late, &younger)] {
        assert!(first.goes_on_for(second) && !second.goes_on_for(first), "{} {}", first.id, second.id);
    }
}

#[test]
fn an_act_ends_where_it_began() {
    let mut life = Life::planned(given::restart(), Outcome::Act);
    let merge = || Input::Merge { into: IncidentId::new("older") };
    assert!(life.state.under_way());
    assert!(matches!(life.give(merge()), Err(Ignored::TooLate(_))), "acting");
    life.give(life.applied()).unwrap();
    assert!(matches!(life.give(merge()), Err(Ignored::TooLate(_))), "verifying");
    life.look(10, Held::Yes);
    life.look(130, Held::Yes);
    assert!(matches!(life.give(merge()), Err(Ignored::TooLate(_))), "people are being asked");
}
