//! The ways through an incident, one test each.
// said so that the lints know these helpers for tests
#![cfg(test)]

use belay::domain::decision::{Asked, Decided, OnFailure, Outcome, Person};
use belay::domain::plan::Refusal;
use belay::domain::record::{Answer, Ask, Choice, Conclusion, Outcome as Ended, Record, Verdict};
use belay::domain::warrant::Applied;
use belay::incident::input::Held;
use belay::incident::{Effect, Ignored, Input, Phase, TimerName};

use super::{Life, given};

#[test]
fn a_restart_asks_to_confirm_or_hand_over_and_ends_confirmed() {
    let mut life = Life::acted(given::restart());
    assert_eq!(life.state.question.as_ref().unwrap().question.ask, Ask::ConfirmOrHandOver);
    assert!(life.set_timers().contains(&TimerName::Check));
    life.look(10, Held::Yes);
    assert!(matches!(life.state.phase, Phase::Verifying(_)), "it has to hold for a while");
    life.look(130, Held::Yes);
    assert!(matches!(life.state.phase, Phase::Confirming(_)));
    life.give(life.clone().answer(Answer::Confirm)).unwrap();
    let (outcome, summary, _) = life.state.closed.clone().unwrap();
    assert_eq!(outcome, Ended::Remedied);
    assert_eq!(summary, "restarted pod `web-5d9f-abcde`; it helped; confirmed by ann");
    assert_eq!(life.last.open, Some(false));
}

#[test]
fn a_scale_up_can_be_put_back_once_and_then_says_so() {
    let mut life = Life::acted(given::scale(5));
    assert_eq!(life.state.question.as_ref().unwrap().question.ask, Ask::ConfirmOrRevert);
    let click = life.answer(Answer::Revert);
    life.give(click.clone()).unwrap();
    assert!(life.effects().iter().any(|e| matches!(e, Effect::PlanRevert { by: Some(_), .. })));
    assert!(matches!(life.give(click.clone()), Err(Ignored::TooLate(_))), "the second click does nothing");
    let undo = given::plan(given::scale(3), life.now);
    let first = life.intent();
    let planned = Input::RevertPlanned {
        intent: first.clone(),
        by: Some(given::operator()),
        result: Ok(Box::new(undo)),
    };
    life.give(planned).unwrap();
    assert_eq!(life.state.acts.last().unwrap().intent.reverts, Some(first));
    life.give(life.applied()).unwrap();
    life.look(10, Held::Yes);
    life.look(140, Held::Yes);
    assert_eq!(life.state.closed.as_ref().unwrap().0, Ended::Reverted);
    let Err(Ignored::TooLate(why)) = life.give(click) else { panic!("it was put back already") };
    assert_eq!(why, "there is nothing (any more) that can be put back");
}

#[test]
fn a_restart_has_nothing_to_revert() {
    let mut life = Life::acted(given::restart());
    assert!(matches!(life.give(life.clone().answer(Answer::Revert)), Err(Ignored::TooLate(_))));
}

#[test]
fn a_confirmed_scale_up_can_still_be_put_back() {
    let mut life = Life::acted(given::scale(5));
    let revert = life.answer(Answer::Revert);
    life.look(10, Held::Yes);
    life.look(140, Held::Yes);
    life.give(life.clone().answer(Answer::Confirm)).unwrap();
    assert_eq!(life.state.phase, Phase::Closed);
    life.give(revert).unwrap();
    assert!(matches!(life.state.phase, Phase::PlanningRevert(_)));
    assert_eq!(life.last.open, Some(true));
}

#[test]
fn handing_over_stops_automation_and_calls_a_person() {
    let mut life = Life::acted(given::restart());
    life.give(life.clone().answer(Answer::HandOver)).unwrap();
    assert!(life.state.hands_off);
    assert!(life.effects().iter().any(|e| matches!(e, Effect::Page { .. })));
    // and it stays so when the alert comes back
    life.at(600).give(Input::Alert(given::resolved(0, 600))).unwrap();
    assert_eq!(life.state.closed.as_ref().unwrap().0, Ended::HandedOver);
    life.at(700).give(Input::Alert(given::firing(700))).unwrap();
    life.give(Input::Diagnosed(Box::new(given::diagnosis(given::restart())))).unwrap();
    assert_eq!(life.state.phase, Phase::Escalated);
}

#[test]
fn an_approval_is_asked_counted_and_only_then_carried_out() {
    let mut life = Life::planned(given::restart(), Outcome::Ask);
    assert_eq!(life.state.phase, Phase::Approving);
    assert!(life.state.acts.is_empty());
    let stranger = Person::Slack { user: "U0OTHER".into(), team: "T1".into(), name: "eve".into() };
    let question = life.question();
    let foreign = Input::Answered { question, answer: Answer::Approve, by: stranger };
    assert!(matches!(life.give(foreign), Err(Ignored::NotEntitled(_))));
    life.give(life.clone().answer(Answer::Approve)).unwrap();
    assert_eq!(life.effects(), [&Effect::Judge, &Effect::Publish]);
    assert!(matches!(life.give(life.clone().answer(Answer::Approve)), Err(Ignored::TooLate(_))));
    let plan = life.state.plan.clone();
    let decided = |cleared| Input::Decided {
        decided: Box::new(Decided {
            question: given::question(Asked::Plan, given::restart(), plan.clone(), given::t0()),
            decision: given::decision(Outcome::Ask),
        }),
        cleared,
    };
    // one more person is needed: the same question stays open
    let open = life.question();
    life.give(decided(false)).unwrap();
    assert_eq!((life.question(), life.state.acts.len()), (open, 0));
    life.give(decided(true)).unwrap();
    assert!(matches!(life.state.phase, Phase::Acting(_)));
    assert!(life.last.draws.is_some());
}

#[test]
fn an_approval_that_nobody_gives_escalates_and_cannot_be_given_later() {
    let mut life = Life::planned(given::restart(), Outcome::Ask);
    let late = life.answer(Answer::Approve);
    // the plan is good for ten minutes, the rule for fifteen: the shorter counts
    let due = life.last.timers.iter().find(|(n, _)| *n == TimerName::Approval).unwrap().1.unwrap();
    assert_eq!(due, given::after(600));
    assert!(matches!(life.at(600).give(late.clone()), Err(Ignored::TooLate(_))), "even before the timer");
    life.give(Input::Timer(TimerName::Approval)).unwrap();
    assert_eq!(life.state.phase, Phase::Escalated);
    assert!(life.give(late).is_err());
    assert!(life.state.acts.is_empty());
}

#[test]
fn a_rejected_plan_is_not_carried_out() {
    let mut life = Life::planned(given::restart(), Outcome::Ask);
    life.give(life.clone().answer(Answer::Reject { reason: "we are migrating".into() })).unwrap();
    let (outcome, summary, _) = life.state.closed.clone().unwrap();
    assert_eq!((outcome, summary.as_str()), (Ended::Rejected, "ann said no: we are migrating"));
}

#[test]
fn an_unknown_outcome_is_read_back_and_never_left_open() {
    let mut life = Life::planned(given::restart(), Outcome::Act);
    let unknown = |d: &str| Applied::Unknown { detail: d.into() };
    let intent = life.intent();
    life.give(Input::Applied { intent: intent.clone(), applied: unknown("no answer") }).unwrap();
    assert!(life.last.effects.iter().any(|(e, due)| matches!(e, Effect::Apply { .. }) && due.is_some()));
    assert!(matches!(life.state.phase, Phase::Acting(_)));
    life.at(660).give(Input::Timer(TimerName::Deadline)).unwrap();
    assert_eq!(life.state.phase, Phase::Escalated);
    assert_eq!(life.last.release, [intent]);
}

#[test]
fn a_target_that_moved_is_looked_at_anew_and_not_for_ever() {
    let mut life = Life::opened();
    for round in 1..=3 {
        life.give(Input::Diagnosed(Box::new(given::diagnosis(given::restart())))).unwrap();
        life.give(Input::Chosen(given::choice())).unwrap();
        let candidate = belay::domain::ids::CandidateId::new("c1");
        let gone = Refusal::Gone { object: "web-5d9f-abcde".into(), detail: "another uid".into() };
        life.give(Input::Planned { candidate, result: Err(gone), kept: None }).unwrap();
        let again = life.effects().contains(&&Effect::Look);
        assert_eq!(again, round < 3);
    }
    assert_eq!(life.state.phase, Phase::Escalated);
}

#[test]
fn an_act_that_does_not_help_is_put_back_where_the_grant_says_so() {
    for (action, reverts) in [(given::scale(5), true), (given::restart(), false)] {
        let mut life = Life::planned(action, Outcome::Act);
        let id = life.intent();
        let act = life.state.acts.iter_mut().find(|a| a.intent.id == id).unwrap();
        act.intent.terms.verify.on_failure = OnFailure::Revert;
        life.give(life.applied()).unwrap();
        life.look(30, Held::Again);
        assert!(matches!(life.state.acts[0].verdict, Some(Verdict::DidNotHelp { .. })));
        let put_back = life.effects().iter().any(|e| matches!(e, Effect::PlanRevert { by: None, .. }));
        assert_eq!(put_back, reverts);
        assert_eq!(life.state.phase == Phase::Escalated, !reverts);
    }
}

#[test]
fn what_cannot_be_seen_goes_to_a_person() {
    let mut life = Life::acted(given::restart());
    life.look(30, Held::CannotTell);
    assert!(matches!(life.state.phase, Phase::Verifying(_)), "it may still become visible");
    life.look(1300, Held::CannotTell);
    assert_eq!(life.state.phase, Phase::Escalated);
}

#[test]
fn a_break_in_what_holds_starts_the_wait_anew() {
    let mut life = Life::acted(given::restart());
    for (seconds, held) in [(10, Held::Yes), (60, Held::NotYet), (120, Held::Yes), (180, Held::Yes)] {
        life.look(seconds, held);
        assert!(matches!(life.state.phase, Phase::Verifying(_)));
    }
    life.look(240, Held::Yes);
    assert!(matches!(life.state.phase, Phase::Confirming(_)));
}

#[test]
fn silence_after_an_act_keeps_what_helped() {
    let mut life = Life::acted(given::scale(5));
    life.look(10, Held::Yes);
    life.look(140, Held::Yes);
    life.at(1900).give(Input::Timer(TimerName::Confirm)).unwrap();
    let (outcome, summary, _) = life.state.closed.clone().unwrap();
    assert_eq!(outcome, Ended::Remedied);
    assert!(summary.ends_with("nobody answered, so it stays"));
}

#[test]
fn a_question_that_no_channel_accepts_calls_a_person() {
    let mut life = Life::acted(given::scale(5));
    life.at(60).give(Input::Timer(TimerName::Delivery)).unwrap();
    assert_eq!(life.state.phase, Phase::Escalated);
    // the act can be put back all the same
    let question = belay::domain::ids::QuestionId::new("any");
    let revert = Input::Answered { question, answer: Answer::Revert, by: given::operator() };
    life.give(revert).unwrap();
    assert!(matches!(life.state.phase, Phase::PlanningRevert(_)));
}

#[test]
fn an_alert_that_ends_before_anything_was_done_ends_the_incident() {
    let mut life = Life::planned(given::restart(), Outcome::Ask);
    life.at(30).give(Input::Alert(given::resolved(0, 25))).unwrap();
    assert_eq!(life.state.closed.as_ref().unwrap().0, Ended::ResolvedBySelf);
    assert!(life.records().iter().any(|r| matches!(r, Record::Lapsed { .. })), "the question is taken back");
}

#[test]
fn copies_and_old_news_change_nothing() {
    let mut life = Life::opened();
    assert_eq!(life.give(Input::Alert(given::firing(0))).err(), Some(Ignored::Duplicate));
    life.at(30).give(Input::Alert(given::resolved(0, 25))).unwrap();
    assert_eq!(life.give(Input::Alert(given::firing(0))).err(), Some(Ignored::Stale));
    assert_eq!(life.give(Input::Alert(given::resolved(0, 25))).err(), Some(Ignored::Duplicate));
    life.at(60).give(Input::Alert(given::firing(50))).unwrap();
    assert_eq!((&life.state.phase, life.state.flaps), (&Phase::Looking, 1));
}

#[test]
fn an_undo_takes_over_the_lock_of_the_act() {
    let mut life = Life::acted(given::scale(5));
    let first = life.intent();
    life.give(life.answer(Answer::Revert)).unwrap();
    let undo = Box::new(given::plan(given::scale(3), life.now));
    let planned =
        Input::RevertPlanned { intent: first.clone(), by: Some(given::operator()), result: Ok(undo) };
    life.give(planned).unwrap();
    assert_eq!(life.last.release, [first]);
}

#[test]
fn a_message_that_no_channel_takes_reaches_a_person_by_another_way() {
    let mut told = Life::opened();
    told.give(Input::Diagnosed(Box::new(given::diagnosis(given::restart())))).unwrap();
    let nothing = Choice { conclusion: Conclusion::NoAction, ..given::choice() };
    told.give(Input::Chosen(nothing)).unwrap();
    assert_eq!(told.state.phase, Phase::Closed);
    told.give(Input::Undelivered { why: "channel_not_found".into() }).unwrap();
    assert!(told.effects().iter().any(|e| matches!(e, Effect::Page { .. })));
    assert!(told.effects().contains(&&Effect::Publish), "it is still owed");

    let mut asked = Life::acted(given::scale(5));
    asked.give(Input::Undelivered { why: "channel_not_found".into() }).unwrap();
    assert_eq!(asked.state.phase, Phase::Escalated);
    asked.give(Input::Undelivered { why: "channel_not_found".into() }).unwrap();
    let pages = asked.effects().iter().filter(|e| matches!(e, Effect::Page { .. })).count();
    assert_eq!(pages, 0, "who was called is not called for the same again");
}

#[test]
fn a_person_who_takes_over_frees_what_the_act_held() {
    let mut life = Life::acted(given::restart());
    life.give(life.answer(Answer::HandOver)).unwrap();
    assert_eq!(life.last.release, [life.intent()]);
}
