//! What people say. Each answer takes effect once; whoever comes later is told what happened before.

use crate::domain::decision::Person;
use crate::domain::ids::QuestionId;
use crate::domain::record::{Answer, Ask, Outcome, Record, Verdict};

use super::super::effect::{Effect, TimerName};
use super::super::phase::{OpenQuestion, Phase};
use super::{Ignored, Writer};

impl Writer<'_> {
    pub(super) fn answered(&mut self, id: &QuestionId, answer: Answer, by: Person) -> Result<(), Ignored> {
        if answer == Answer::Revert {
            return self.revert_wanted(id, by);
        }
        let open = self.open_question(id)?;
        entitled(&open, &by)?;
        match (open.question.ask, &answer) {
            (Ask::Approve, Answer::Approve) => {
                self.approve(&open, by);
                Ok(())
            }
            (Ask::Approve, Answer::Reject { reason }) => {
                let summary = format!("{} said no: {reason}", by.name());
                self.record(Record::Answered { question: id.clone(), answer, by });
                // of what was proposed from outside, not of the incident that a person has
                match self.state.outside() {
                    Some(caller) => self.escalate(format!("{summary} (to what {caller} proposed)")),
                    None => self.close(Outcome::Rejected, summary),
                }
                Ok(())
            }
            (Ask::ConfirmOrRevert | Ask::ConfirmOrHandOver, Answer::Confirm) => self.confirm(&open, by),
            (_, Answer::HandOver) => {
                let why = format!("handed over by {}", by.name());
                self.record(Record::Answered { question: id.clone(), answer, by });
                self.withdraw("a person has it");
                self.record(Record::Escalated { why: why.clone(), hands_off: true });
                self.stand_down();
                self.effect(Effect::Page { why });
                Ok(())
            }
            (Ask::Approve, Answer::Confirm | Answer::Revert)
            | (Ask::ConfirmOrRevert | Ask::ConfirmOrHandOver, Answer::Approve | Answer::Reject { .. })
            | (_, Answer::Revert) => Err(Ignored::TooLate("that does not answer the open question".into())),
        }
    }

    fn open_question(&self, id: &QuestionId) -> Result<OpenQuestion, Ignored> {
        let open = self.state.question.as_ref().filter(|q| q.question.id == *id);
        let open = open.ok_or_else(|| Ignored::TooLate(self.what_happened()))?;
        if open.question.ask == Ask::Approve {
            let until = open.asked_at.saturating_add(open.question.within).unwrap_or(open.asked_at);
            if self.moment.at >= until {
                return Err(Ignored::TooLate(format!("the question expired at {until}")));
            }
        }
        Ok(open.clone())
    }

    /// Why an answer comes too late, in words.
    fn what_happened(&self) -> String {
        let confirmed = self.state.acts.iter().rev().find_map(|a| a.confirmed_by.as_ref());
        match (&self.state.closed, confirmed) {
            (Some((_, summary, _)), _) => format!("it is over: {summary}"),
            (None, Some(by)) => format!("already confirmed by {}", by.name()),
            (None, None) => "that question is not open any more".into(),
        }
    }

    fn approve(&mut self, open: &OpenQuestion, by: Person) {
        self.record(Record::Answered { question: open.question.id.clone(), answer: Answer::Approve, by });
        self.effect(Effect::Judge);
    }

    fn confirm(&mut self, open: &OpenQuestion, by: Person) -> Result<(), Ignored> {
        let act = open.question.intent.as_ref().and_then(|i| self.state.act(i));
        let act = act.ok_or_else(|| Ignored::TooLate("there is no act to confirm".into()))?;
        let words = act.intent.plan.action.done_words();
        let helped = matches!(act.verdict, Some(Verdict::Helped { .. }));
        let name = by.name().to_owned();
        self.record(Record::Answered { question: open.question.id.clone(), answer: Answer::Confirm, by });
        self.clear(TimerName::Confirm);
        self.clear(TimerName::Delivery);
        if helped {
            self.close(Outcome::Remedied, format!("{words}; it helped; confirmed by {name}"));
        }
        Ok(())
    }

    /// An act can be put back as long as it is ours to put back, whether or not its question is open.
    fn revert_wanted(&mut self, id: &QuestionId, by: Person) -> Result<(), Ignored> {
        if matches!(self.phase(), Phase::PlanningRevert(_) | Phase::Acting(_)) {
            return Err(Ignored::TooLate("it is being changed just now".into()));
        }
        let Some(act) = self.state.revertible() else {
            return Err(Ignored::TooLate("there is nothing (any more) that can be put back".into()));
        };
        let intent = act.intent.id.clone();
        let confirm = act.intent.terms.confirm.as_ref();
        let rule = confirm.map_or(&act.intent.terms.approval, |c| &c.approval);
        if !rule.entitles(&by) {
            let why = format!("{} is not among those who may put it back (`{}`)", by.name(), rule.name);
            return Err(Ignored::NotEntitled(why));
        }
        self.step.open = Some(true);
        self.record(Record::Answered { question: id.clone(), answer: Answer::Revert, by: by.clone() });
        for timer in [TimerName::Confirm, TimerName::Delivery, TimerName::Check] {
            self.clear(timer);
        }
        self.effect(Effect::PlanRevert { intent, by: Some(by) });
        Ok(())
    }
}

/// Whether this person may answer the open question (again).
fn entitled(open: &OpenQuestion, by: &Person) -> Result<(), Ignored> {
    let rule = &open.question.rule;
    if !rule.entitles(by) {
        let why = format!("{} is not among those who may answer (`{}`)", by.name(), rule.name);
        return Err(Ignored::NotEntitled(why));
    }
    if open.answers.iter().any(|(who, _, _)| who == by) {
        return Err(Ignored::TooLate(format!("{} has answered already", by.name())));
    }
    Ok(())
}
