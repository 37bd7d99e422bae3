//! What somebody else would put back is proposed once, if policy lets that happen; what is proposed is never
//! called a remedy before it is in force.

use belay::domain::action::{Action, ActionKind};
use belay::domain::decision::{Asked, Decided, OnFailure, Outcome};
use belay::domain::ids::CandidateId;
use belay::domain::plan::{Plan, Refusal};
use belay::domain::record::{Answer, Ask, Outcome as Ended, Record, Verdict};
use belay::incident::input::Held;
use belay::incident::{Effect, Input, Phase};

use super::Life;
use crate::given;

const WHY: &str = "Argo CD manages `web` and would put the change back";

fn c1() -> CandidateId {
    CandidateId::new("c1")
}

fn decided(life: &Life, plan: Option<Plan>, outcome: Outcome) -> Input {
    let asked = if plan.is_some() { Asked::Plan } else { Asked::Candidate };
    let action = life.state.candidate(&c1()).unwrap().action;
    let question = given::question(asked, action, plan, life.now);
    let decided = Box::new(Decided { question, decision: given::decision(outcome) });
    Input::Decided { decided, cleared: outcome == Outcome::Act }
}

fn planned(result: Result<Plan, Refusal>) -> Input {
    Input::Planned { candidate: c1(), result: result.map(Box::new), kept: None }
}

/// As far as the refusal of the first plan.
fn managed() -> Life {
    let mut life = Life::opened();
    life.give(Input::Diagnosed(Box::new(given::diagnosis(given::scale(5))))).unwrap();
    life.give(Input::Chosen(given::choice())).unwrap();
    life.give(decided(&life.clone(), None, Outcome::Act)).unwrap();
    life.give(planned(Err(Refusal::Managed(WHY.into())))).unwrap();
    life
}

fn proposal(life: &Life) -> Plan {
    given::plan(life.state.candidate(&c1()).unwrap().action, life.now)
}

/// As far as it being opened.
fn opened() -> Life {
    let mut life = managed();
    life.give(decided(&life.clone(), None, Outcome::Act)).unwrap();
    let plan = proposal(&life);
    life.give(planned(Ok(plan.clone()))).unwrap();
    life.give(decided(&life.clone(), Some(plan), Outcome::Act)).unwrap();
    life.give(life.applied()).unwrap();
    life
}

#[test]
fn the_same_candidate_is_asked_about_anew_as_a_pull_request() {
    let life = managed();
    assert_eq!(life.effects()[0], &Effect::Decide { candidate: c1() });
    assert_eq!(life.state.phase, Phase::Deciding(c1()));
    let action = life.state.candidate(&c1()).unwrap().action;
    assert_eq!(action, Action::OpenPullRequest { instead_of: Box::new(given::scale(5)) });
    assert_eq!(life.state.diagnosis.as_ref().unwrap().candidates.len(), 1, "the set stays closed");
    let life = opened();
    assert_eq!(life.state.acts[0].intent.plan.action.kind(), ActionKind::OpenPullRequest);
    // people are asked, and nobody else waits for them
    assert_eq!(life.state.question.as_ref().unwrap().question.ask, Ask::ConfirmOrRevert);
    assert_eq!(life.last.release, [life.intent()]);
}

#[test]
fn there_is_no_second_time_and_both_reasons_are_told() {
    let mut life = managed();
    life.give(decided(&life.clone(), None, Outcome::Act)).unwrap();
    let mut again = life.clone();
    again.give(planned(Err(Refusal::Managed("Flux manages it".into())))).unwrap();
    assert_eq!(again.state.phase, Phase::Escalated);
    life.give(planned(Err(Refusal::Limit("no repository is configured".into())))).unwrap();
    let why = &life.state.escalations[0];
    assert!(why.contains(WHY) && why.contains("no repository is configured"), "{why}");
    for outcome in [Outcome::Notify, Outcome::Drop, Outcome::Escalate] {
        let mut life = managed();
        life.give(decided(&life.clone(), None, outcome)).unwrap();
        assert_eq!(life.state.phase, Phase::Escalated, "{outcome:?}");
        assert!(life.state.escalations[0].contains(WHY));
        assert!(life.effects().iter().any(|effect| matches!(effect, Effect::Page { .. })));
    }
    // a file that changed is looked at anew, and begins with the action itself
    let mut life = managed();
    life.give(decided(&life.clone(), None, Outcome::Act)).unwrap();
    life.give(planned(Err(Refusal::Changed { object: "web".into(), detail: "x".into() }))).unwrap();
    assert_eq!(life.effects()[0], &Effect::Look);
    life.give(Input::Diagnosed(Box::new(given::diagnosis(given::scale(5))))).unwrap();
    assert_eq!(life.state.candidate(&c1()).unwrap().action, given::scale(5));
}

#[test]
fn it_is_no_remedy_until_it_is_merged() {
    let mut life = opened();
    for seconds in [60, 120, 600] {
        life.look(seconds, Held::Pending);
        assert!(matches!(life.state.phase, Phase::Verifying(_)));
    }
    let mut confirmed = life.clone();
    confirmed.give(confirmed.answer(Answer::Confirm)).unwrap();
    assert!(matches!(confirmed.state.phase, Phase::Verifying(_)), "that people saw it merges nothing");
    let mut merged = confirmed.clone();
    merged.look(610, Held::Yes);
    merged.look(900, Held::Yes);
    assert_eq!(merged.state.closed.as_ref().unwrap().0, Ended::Remedied);
    // its alerts end first
    let mut over = life.clone();
    over.give(Input::Alert(given::resolved(0, 650))).unwrap();
    assert!(over.state.closed.is_none());
    over.look(660, Held::Pending);
    assert_eq!(over.state.closed.as_ref().unwrap().0, Ended::ResolvedBySelf);
    // nobody merges it
    life.look(3_000, Held::Pending);
    assert!(life.state.escalations[0].contains("what was proposed is not in force"));
    assert!(
        matches!(life.state.acts[0].verdict, Some(Verdict::CannotTell { .. })),
        "its grant is not blamed"
    );
}

#[test]
fn what_people_close_is_for_people() {
    let mut life = opened();
    life.look(60, Held::Declined);
    assert_eq!(life.state.phase, Phase::Escalated);
    let reverts =
        life.records().iter().filter(|r| matches!(r, Record::Intended(i) if i.reverts.is_some())).count();
    assert_eq!(reverts, 0);
    // a rule that puts back what fails has nothing to do with what people did not merge
    let mut life = opened();
    life.state.acts[0].intent.terms.verify.on_failure = OnFailure::Revert;
    life.look(3_000, Held::Pending);
    assert!(!life.effects().iter().any(|effect| matches!(effect, Effect::PlanRevert { .. })));
}

#[test]
fn closing_it_waits_for_nothing_in_the_cluster() {
    let mut life = opened();
    life.give(life.answer(Answer::Revert)).unwrap();
    let intent = life.intent();
    let plan = Plan { direction: belay::domain::plan::Direction::Revert, ..proposal(&life) };
    life.give(Input::RevertPlanned {
        intent: intent.clone(),
        by: Some(given::operator()),
        result: Ok(Box::new(plan)),
    })
    .unwrap();
    let undo = &life.state.acts[1].intent;
    assert_eq!(undo.reverts, Some(intent));
    assert!(undo.terms.verify.expect.is_empty(), "a workload in trouble does not hold it up");
}
