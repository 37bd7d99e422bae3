//! An act of an incident: what was meant, what became of it, what people said of it; and which acts of an
//! incident still stand.

use jiff::Timestamp;

use crate::domain::decision::Person;
use crate::domain::ids::IntentId;
use crate::domain::plan::Refusal;
use crate::domain::record::{Intent, Verdict};
use crate::domain::track::Became;
use crate::domain::warrant::Applied;

use super::phase::Phase;
use super::state::State;

/// An intended act and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The intent.
    pub intent: Intent,
    /// When it was written.
    pub intended_at: Timestamp,
    /// What became of it.
    pub applied: Option<Applied>,
    /// When that was known to be done.
    pub done_at: Option<Timestamp>,
    /// Since when what is expected holds without a break.
    pub held_since: Option<Timestamp>,
    /// What was seen last.
    pub seen: Vec<String>,
    /// Whether it helped.
    pub verdict: Option<Verdict>,
    /// A person said that it is well.
    pub confirmed_by: Option<Person>,
    /// The confirm window ended without an answer.
    pub silent: bool,
    /// The cause that it was to remedy.
    pub cause: String,
    /// Who approved it beforehand.
    pub approved_by: Vec<Person>,
    /// When its outcome was known: what became of the call where that failed, else the verdict.
    pub ended_at: Option<Timestamp>,
    /// Policy said no at the write, so that nothing was sent.
    pub unsent: bool,
    /// After it had helped, its cause came again.
    pub recurred: bool,
    /// When it was put back, and who wanted that.
    pub put_back: Option<(Timestamp, Option<Person>)>,
}

impl Act {
    /// Whether it took effect.
    pub const fn done(&self) -> bool {
        matches!(self.applied, Some(Applied::Done { .. }))
    }

    /// What became of it, as the track records count it. `over`: nobody waits for its verdict any more.
    pub fn became(&self, over: bool) -> Became {
        match (&self.verdict, &self.applied) {
            _ if self.recurred => Became::Ineffective,
            (Some(Verdict::Helped { .. }), _) => Became::Helped,
            (Some(Verdict::DidNotHelp { .. }), _) => Became::Ineffective,
            (Some(Verdict::CannotTell { .. }), _) => Became::Unseen,
            (None, Some(Applied::Refused { refusal })) if !self.unsent => refused(refusal),
            (None, Some(Applied::Refused { .. })) => Became::Withdrawn,
            (None, Some(Applied::Done { .. } | Applied::Unknown { .. }) | None) if over => Became::Unseen,
            (None, Some(Applied::Done { .. } | Applied::Unknown { .. }) | None) => Became::Open,
        }
    }

    /// Until when its cause is watched for after it has helped: as long as it had to help in.
    pub(super) fn watched_until(&self) -> Option<Timestamp> {
        let helped = matches!(self.verdict, Some(Verdict::Helped { .. })) && !self.recurred;
        let ours = self.intent.reverts.is_none() && self.put_back.is_none();
        let until = self.done_at?.saturating_add(self.intent.terms.verify.within).ok();
        until.filter(|_| helped && ours)
    }
}

impl State {
    /// The newest act that took effect, can be put back and was not.
    pub fn revertible(&self) -> Option<&Act> {
        self.in_force().next()
    }

    /// The newest temporary measure that is still in force.
    pub fn temporary(&self) -> Option<&Act> {
        self.in_force().find(|act| act.intent.terms.expires.is_some())
    }

    /// Every act that took effect, can be put back and was not; the newest first.
    pub fn in_force(&self) -> impl Iterator<Item = &Act> {
        let undone =
            |id: &IntentId| self.acts.iter().any(|act| act.intent.reverts.as_ref() == Some(id) && act.done());
        self.acts.iter().rev().filter(move |act| {
            act.done()
                && act.intent.reverts.is_none()
                && act.intent.plan.revertible()
                && !undone(&act.intent.id)
        })
    }

    /// The act whose cause is still watched for after it has helped: the newest, while nobody stands in the
    /// way of automation.
    pub fn watched(&self, at: Timestamp) -> Option<&Act> {
        let act = self.acts.last().filter(|act| act.watched_until().is_some_and(|until| at < until))?;
        let there = matches!(self.phase, Phase::Confirming(_) | Phase::Closed) && !self.hands_off;
        there.then_some(act)
    }
}

/// Whether the call failed, or the world was no longer as it was read.
const fn refused(refusal: &Refusal) -> Became {
    match refusal {
        Refusal::Gone { .. }
        | Refusal::Changed { .. }
        | Refusal::NothingToDo(_)
        | Refusal::Expired(_)
        | Refusal::Managed(_)
        | Refusal::NotYet(_) => Became::Withdrawn,
        Refusal::Limit(_)
        | Refusal::Api(_)
        | Refusal::Warrant(_)
        | Refusal::NotApplied(_)
        | Refusal::Unreadable(_) => Became::Failed,
    }
}
