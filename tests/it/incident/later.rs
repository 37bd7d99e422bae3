//! After the verdict: the cause is watched for, what is known of acts is noted, and what needs nothing done is
//! quiet for a day.
// said so that the lints know these helpers for tests
#![cfg(test)]

use belay::domain::alert::Alert;
use belay::domain::decision::Outcome;
use belay::domain::finding::Cause;
use belay::domain::ids::Fingerprint;
use belay::domain::plan::Refusal;
use belay::domain::record::{Answer, Choice, Conclusion, Outcome as Ended, Record};
use belay::domain::track::Became;
use belay::domain::warrant::Applied;
use belay::incident::input::Held;
use belay::incident::{Effect, Ignored, Input, Phase, TimerName};

use jiff::SignedDuration;

use super::{Life, given};

const DAY: i64 = 24 * 3_600;

fn notes(life: &Life) -> usize {
    life.effects().iter().filter(|effect| matches!(effect, Effect::Note { .. })).count()
}

fn publishes(life: &Life) -> bool {
    life.effects().contains(&&Effect::Publish)
}

/// As far as the verdict that it helped, 130 seconds into the story.
fn helped() -> Life {
    let mut life = Life::acted(given::restart());
    life.look(10, Held::Yes);
    life.look(130, Held::Yes);
    life
}

fn became(life: &Life) -> Became {
    life.state.acts[0].became(false)
}

#[test]
fn the_cause_is_watched_for_until_the_time_is_up() {
    for confirmed in [false, true] {
        let mut life = helped();
        assert!(life.set_timers().contains(&TimerName::Check));
        if confirmed {
            life.give(life.answer(Answer::Confirm)).unwrap();
            assert!(life.set_timers().contains(&TimerName::Check), "closed and watched");
        }
        life.at(19 * 60).give(Input::Timer(TimerName::Check)).unwrap();
        assert_eq!(life.effects(), [&Effect::Check { intent: life.intent() }]);
        life.look(19 * 60, Held::NotYet);
        assert_eq!(life.set_timers(), [TimerName::Check], "only that it comes again counts");
        let mut again = life.clone();
        again.look(19 * 60 + 10, Held::Again);
        assert_eq!(again.state.phase, Phase::Escalated);
        assert!(again.effects().iter().any(|effect| matches!(effect, Effect::Page { .. })));
        assert_eq!(
            (became(&again), again.last.open, again.state.closed.clone()),
            (Became::Ineffective, Some(true), None)
        );
        // it is said once
        assert!(matches!(again.give(again.clone().checked(Held::Again)), Err(Ignored::Duplicate)));
        // and when its time is up nobody looks any more
        life.at(20 * 60).give(Input::Timer(TimerName::Check)).unwrap();
        assert_eq!(life.effects(), Vec::<&Effect>::new());
        assert!(matches!(life.give(life.clone().checked(Held::Again)), Err(Ignored::Duplicate)));
    }
}

#[test]
fn an_alert_that_fires_again_says_so_of_the_act() {
    let mut life = helped();
    life.at(200).give(Input::Alert(given::firing(190))).unwrap();
    assert_eq!((became(&life), life.state.phase.clone()), (Became::Ineffective, Phase::Escalated));
}

#[test]
fn what_nobody_stands_by_is_not_watched() {
    let mut life = helped();
    life.give(life.answer(Answer::HandOver)).unwrap();
    assert!(matches!(life.give(life.clone().checked(Held::Again)), Err(Ignored::Duplicate)));
}

#[test]
fn every_step_that_says_something_of_an_act_has_it_noted() {
    let mut life = Life::planned(given::restart(), belay::domain::decision::Outcome::Act);
    assert_eq!((notes(&life), became(&life)), (1, Became::Open));
    life.give(life.applied()).unwrap();
    assert_eq!(notes(&life), 1);
    life.look(10, Held::Yes);
    assert_eq!(notes(&life), 0, "nothing new");
    life.look(130, Held::Yes);
    assert_eq!((notes(&life), became(&life)), (1, Became::Helped));
    life.give(life.answer(Answer::Confirm)).unwrap();
    assert_eq!(notes(&life), 1);
    assert_eq!(life.state.acts[0].confirmed_by, Some(given::operator()));
}

#[test]
fn what_became_of_an_act() {
    let refused = |refusal| Applied::Refused { refusal };
    let changed = Refusal::Changed { object: "web".into(), detail: "replicas is 7".into() };
    for (applied, expected) in [
        (refused(Refusal::Api("no".into())), Became::Failed),
        (refused(changed), Became::Withdrawn),
        (Applied::Unknown { detail: String::new() }, Became::Open),
    ] {
        let mut life = Life::planned(given::restart(), belay::domain::decision::Outcome::Act);
        life.give(Input::Applied { intent: life.intent(), applied }).unwrap();
        assert_eq!((notes(&life), became(&life)), (1, expected));
    }
    for (held, expected) in [(Held::NotYet, Became::Ineffective), (Held::CannotTell, Became::Unseen)] {
        let mut life = Life::acted(given::restart());
        life.look(20 * 60, held);
        assert_eq!(became(&life), expected);
    }
    let mut life = Life::acted(given::restart());
    life.give(life.answer(Answer::HandOver)).unwrap();
    assert_eq!((notes(&life), life.state.acts[0].became(true)), (1, Became::Unseen), "nobody waited for it");
}

#[test]
fn an_act_that_was_put_back_says_by_whom() {
    let mut life = Life::acted(given::scale(5));
    life.give(life.answer(Answer::Revert)).unwrap();
    let undo = given::plan(given::scale(3), life.now);
    let (intent, by) = (life.intent(), Some(given::operator()));
    life.give(Input::RevertPlanned { intent: intent.clone(), by, result: Ok(Box::new(undo)) }).unwrap();
    life.give(life.applied()).unwrap();
    assert!(life.effects().contains(&&Effect::Note { intent }), "of the act, not of the undo");
    assert_eq!(life.state.acts[0].put_back, Some((life.now, Some(given::operator()))));
}

/// Nothing is wrong any more: closed, and told.
fn nothing() -> Life {
    let mut life = Life::opened();
    life.give(Input::Diagnosed(Box::new(well()))).unwrap();
    assert!(publishes(&life));
    life
}

fn well() -> belay::domain::record::Diagnosis {
    let mut diagnosis = given::diagnosis(given::restart());
    diagnosis.findings[0].cause = Cause::NothingWrong;
    diagnosis.candidates.clear();
    diagnosis
}

/// The same alert, anew, so many seconds into the story.
fn again(life: &mut Life, seconds: i64, alert: Alert) {
    life.at(seconds).give(Input::Alert(alert)).unwrap();
}

#[test]
fn after_nothing_to_do_the_same_alert_is_looked_at_and_quiet_for_a_day() {
    let mut life = nothing();
    again(&mut life, DAY - 1, given::firing(DAY - 2));
    assert_eq!(life.effects(), [&Effect::Look]);
    life.give(Input::Diagnosed(Box::new(well()))).unwrap();
    assert_eq!((life.state.phase.clone(), publishes(&life)), (Phase::Closed, false));
    // a day after people were told, not after it was last quiet
    again(&mut life, DAY + 1, given::firing(DAY));
    assert!(publishes(&life));
}

#[test]
fn what_is_quiet_is_loud_once_something_is_wrong() {
    let mut life = nothing();
    again(&mut life, 100, given::firing(90));
    assert!(!publishes(&life));
    life.give(Input::Diagnosed(Box::new(given::diagnosis(given::restart())))).unwrap();
    life.give(Input::Chosen(given::choice())).unwrap();
    assert!(publishes(&life) && !life.state.hushed);
}

#[test]
fn another_severity_is_another_alert() {
    let mut life = nothing();
    let mut louder = given::firing(90);
    louder.labels.insert("severity".into(), "critical".into());
    louder.fingerprint = Fingerprint::new("0000000000000001");
    again(&mut life, 100, louder);
    assert!(publishes(&life));
}

#[test]
fn whatever_ends_with_nothing_to_do_is_quiet() {
    let no_action = || {
        let mut life = Life::opened();
        life.give(Input::Diagnosed(Box::new(given::diagnosis(given::restart())))).unwrap();
        life.give(Input::Chosen(Choice { conclusion: Conclusion::NoAction, ..given::choice() })).unwrap();
        life
    };
    for life in [nothing(), no_action()] {
        let nothing =
            |r: &&Record| matches!(r, Record::Closed { outcome: Ended::Notified, nothing_to_do: true, .. });
        assert!(life.records().iter().any(nothing));
        assert!(life.state.quiet_until.is_some());
    }
    let mut told = Life::opened();
    told.give(Input::Diagnosed(Box::new(given::diagnosis(given::restart())))).unwrap();
    let advised = given::decision(belay::domain::decision::Outcome::Notify);
    told.give(Input::Advised(advised)).unwrap();
    assert_eq!(told.state.quiet_until, None, "advice to tell people is something to tell");
}

/// Its owner's open incident is another one by now: it is written down, and people hear of it there.
#[test]
fn a_cause_that_comes_again_while_another_incident_is_open_is_noted() {
    let mut life = helped();
    let other = belay::domain::ids::IncidentId::new("0therinc");
    let noted = |life: &Life| Input::AgainElsewhere {
        intent: life.intent(),
        seen: vec!["pod `web-2` was killed".to_owned()],
        other: Some(other.clone()),
    };
    life.give(life.answer(Answer::Confirm)).unwrap();
    let closed = life.state.closed.clone();
    assert!(closed.is_some());
    let again = noted(&life);
    life.at(19 * 60).give(again).unwrap();
    assert_eq!((became(&life), notes(&life), publishes(&life)), (Became::Ineffective, 1, true));
    assert_eq!((life.last.open, life.state.phase.clone()), (None, Phase::Closed), "it stays over");
    assert_eq!(life.state.closed, closed);
    assert!(!life.effects().iter().any(|effect| matches!(effect, Effect::Page { .. })));
    assert!(
        life.state.acts[0].seen.iter().any(|seen| seen.contains("`0therinc`")),
        "{:?}",
        life.state.acts[0].seen
    );
    // it is said once
    let again = noted(&life);
    assert!(matches!(life.give(again), Err(Ignored::Duplicate)));
}

/// A measure for two hours, 130 seconds into the story: it helped.
fn temporary() -> Life {
    let mut decision = given::decision(Outcome::Act);
    decision.terms.as_mut().unwrap().expires = Some(SignedDuration::from_hours(2));
    let mut life = Life::planned_by(given::scale(5), &decision);
    life.give(life.applied()).unwrap();
    assert!(life.set_timers().contains(&TimerName::Expires));
    life.look(10, Held::Yes);
    life.look(130, Held::Yes);
    life
}

fn undoes(life: &Life) -> Effect {
    Effect::PlanRevert { intent: life.state.acts[0].intent.id.clone(), by: None }
}

#[test]
fn a_temporary_measure_is_put_back_when_its_time_is_up_also_once_the_incident_is_over() {
    for confirmed in [false, true] {
        let mut life = temporary();
        if confirmed {
            life.at(200);
            life.give(life.answer(Answer::Confirm)).unwrap();
            assert_eq!(life.state.phase, Phase::Closed);
            let ends = life.last.timers.iter().rev().find(|(name, _)| *name == TimerName::Expires).unwrap().1;
            assert_eq!(ends, Some(given::after(2 * 3_600)), "two hours from the act");
        }
        life.at(2 * 3_600).give(Input::Timer(TimerName::Expires)).unwrap();
        assert!(life.effects().contains(&&undoes(&life)));
        assert_eq!(life.last.open, Some(true));
        let plan = Box::new(given::plan(given::scale(5), life.now));
        let planned = Input::RevertPlanned { intent: life.intent(), by: None, result: Ok(plan) };
        life.give(planned).unwrap();
        assert!(matches!(life.state.phase, Phase::Acting(_)));
        assert_eq!(life.state.closed, None);
        life.give(life.applied()).unwrap();
        assert!(life.state.temporary().is_none());
        // the undo has no end of its own
        assert!(!life.set_timers().contains(&TimerName::Expires));
        life.look(2 * 3_600 + 10, Held::Yes);
        life.look(2 * 3_600 + 130, Held::Yes);
        assert!(matches!(life.state.closed, Some((Ended::Reverted, _, _))));
        life.at(4 * 3_600).give(Input::Timer(TimerName::Expires)).unwrap();
        assert!(life.effects().is_empty());
    }
}

#[test]
fn where_a_person_has_the_incident_they_hear_that_the_measure_has_ended() {
    let mut life = temporary();
    life.give(life.answer(Answer::HandOver)).unwrap();
    life.at(2 * 3_600).give(Input::Timer(TimerName::Expires)).unwrap();
    assert!(!life.effects().contains(&&undoes(&life)));
    assert!(
        life.effects().iter().any(|e| matches!(e, Effect::Page { why } if why.contains("still in force")))
    );
}

#[test]
fn an_end_that_comes_while_something_is_changed_waits() {
    let mut life = temporary();
    life.give(life.answer(Answer::Revert)).unwrap();
    life.at(2 * 3_600).give(Input::Timer(TimerName::Expires)).unwrap();
    assert!(life.effects().is_empty() && life.set_timers() == [TimerName::Expires]);
}

/// A temporary measure whose incident is over, at its end.
fn ended() -> Life {
    let mut life = temporary();
    life.give(life.answer(Answer::Confirm)).unwrap();
    life.at(2 * 3_600).give(Input::Timer(TimerName::Expires)).unwrap();
    assert_eq!(life.state.phase, Phase::Closed);
    life
}

#[test]
fn a_measure_that_cannot_be_put_back_calls_a_person_also_once_its_incident_is_over() {
    let pages = |life: &Life| life.effects().iter().any(|effect| matches!(effect, Effect::Page { .. }));
    let mut life = ended();
    let effect = undoes(&life);
    life.give(Input::Failed { effect, why: "the action server does not answer".into() }).unwrap();
    assert!(pages(&life) && life.state.phase == Phase::Escalated);

    let mut life = ended();
    let result = Err(Refusal::Changed { object: "web".into(), detail: "somebody was here".into() });
    life.give(Input::RevertPlanned { intent: life.intent(), by: None, result }).unwrap();
    assert!(pages(&life) && life.state.phase == Phase::Escalated);

    let blocked = |code: &str| Input::Blocked { code: code.into(), why: "1 of 1 taken".into() };
    let mut life = ended();
    life.give(blocked("hold")).unwrap();
    assert!(pages(&life) && life.state.phase == Phase::Escalated);
    // another act on the same owner ends soon
    let mut life = ended();
    life.give(blocked("lock")).unwrap();
    assert_eq!((life.set_timers(), pages(&life)), (vec![TimerName::Expires], false));
}

/// What a log says of damage, beside whatever else was found.
fn damaged(mut diagnosis: belay::domain::record::Diagnosis) -> belay::domain::record::Diagnosis {
    let mut told = diagnosis.findings[0].clone();
    told.certainty = belay::domain::finding::Certainty::Likely;
    told.cause = Cause::Logged {
        word: belay::domain::cause::CauseWord::DataCorruption,
        sign: "stored data is damaged".into(),
        pod: "web-1".into(),
        container: "web".into(),
        lines: 1,
    };
    diagnosis.findings.push(told);
    diagnosis
}

#[test]
fn damage_goes_to_a_person_whatever_advice_model_or_policy_say() {
    let escalated = |life: &Life| {
        assert_eq!(life.state.phase, Phase::Escalated);
        let why = life.state.escalations.last().unwrap();
        assert!(why.starts_with("DataCorruption, which always goes to a person"), "{why}");
    };
    // nothing else is wrong, and advice is to say nothing
    let mut life = Life::opened();
    life.give(Input::Diagnosed(Box::new(damaged(well())))).unwrap();
    life.give(Input::Advised(given::decision(Outcome::Drop))).unwrap();
    escalated(&life);
    // the model says that nothing should be done
    let mut life = Life::opened();
    life.give(Input::Diagnosed(Box::new(damaged(given::diagnosis(given::restart()))))).unwrap();
    life.give(Input::Chosen(Choice { conclusion: Conclusion::NoAction, ..given::choice() })).unwrap();
    escalated(&life);
}
