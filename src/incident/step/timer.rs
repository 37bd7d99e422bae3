//! Timers and failures: nothing that was begun is left without an end. No timer ever starts an act; the
//! end of a temporary measure puts one back.

use jiff::SignedDuration;

use crate::domain::record::{Ask, Record, Verdict};

use super::super::effect::{Effect, TimerName};
use super::super::phase::Phase;
use super::{Ignored, Writer};

/// How long the end of a measure waits while something else is being changed.
pub(super) const AGAIN: SignedDuration = SignedDuration::from_mins(1);

impl Writer<'_> {
    pub(super) fn timer(&mut self, name: TimerName) {
        self.clear(name);
        match name {
            TimerName::Check => {
                let verifying = match self.phase() {
                    Phase::Verifying(intent) => Some(intent.clone()),
                    _ => self.state.watched(self.moment.at).map(|act| act.intent.id.clone()),
                };
                if let Some(intent) = verifying {
                    self.effect(Effect::Check { intent });
                }
            }
            TimerName::Approval => self.approval_expired(),
            TimerName::Confirm => self.window_ended(),
            TimerName::Delivery => self.not_delivered(),
            TimerName::Deadline => self.overdue(),
            TimerName::Expires => self.measure_ended(),
        }
    }

    /// A temporary measure is put back, whether or not the incident is over. Where a person has the
    /// incident, they are told instead.
    fn measure_ended(&mut self) {
        let Some(act) = self.state.temporary() else { return };
        let (intent, words) = (act.intent.id.clone(), act.intent.plan.action.done_words());
        let newest = self.state.revertible().is_some_and(|act| act.intent.id == intent);
        match self.phase() {
            Phase::Acting(_) | Phase::PlanningRevert(_) => self.set(TimerName::Expires, AGAIN),
            _ if !newest => {
                self.escalate(format!(
                    "a temporary measure has ended, and what was done since stands on it: {words}"
                ));
            }
            Phase::Escalated => {
                let why = format!("a temporary measure has ended and is still in force: {words}");
                self.record(Record::Escalated { why: why.clone(), hands_off: false });
                self.effect(Effect::Page { why });
            }
            Phase::Looking
            | Phase::Choosing
            | Phase::Deciding(_)
            | Phase::Judging
            | Phase::Approving
            | Phase::Verifying(_)
            | Phase::Confirming(_)
            | Phase::Closed => {
                self.step.open = Some(true);
                self.withdraw("the measure was temporary and is put back");
                self.clear(TimerName::Check);
                self.effect(Effect::PlanRevert { intent, by: None });
            }
        }
    }

    fn approval_expired(&mut self) {
        let Some(open) = self.state.question.as_ref().filter(|q| q.question.ask == Ask::Approve) else {
            return;
        };
        let question = open.question.id.clone();
        self.record(Record::Lapsed { question, why: "nobody approved it in time".into() });
        self.escalate("nobody approved it in time; nothing was done");
    }

    fn window_ended(&mut self) {
        let Some(open) = self.state.question.as_ref().filter(|q| q.question.ask != Ask::Approve) else {
            return;
        };
        let act = open.question.intent.as_ref().and_then(|i| self.state.act(i)).cloned();
        let question = open.question.id.clone();
        self.record(Record::Lapsed { question, why: "nobody answered in time".into() });
        // while it is still being verified, the verdict decides what silence means
        let Some(act) = act else { return };
        if let (Some(Verdict::Helped { .. }), Some(confirm)) = (&act.verdict, &act.intent.terms.confirm) {
            let words = act.intent.plan.action.done_words();
            self.silence(confirm.on_silence, &words);
        }
    }

    fn not_delivered(&mut self) {
        if self.state.question.as_ref().is_some_and(|q| q.accepted_at.is_none()) {
            self.escalate("no channel accepted the question within a minute");
        }
    }

    fn overdue(&mut self) {
        if let Phase::Acting(intent) = self.phase().clone() {
            self.step.release.push(intent.clone());
            self.escalate(format!("what became of `{intent}` could not be learned in time"));
        }
    }

    pub(super) fn failed(&mut self, effect: &Effect, why: &str) -> Result<(), Ignored> {
        // the end of a temporary measure outlives its incident
        let owed = matches!(effect, Effect::PlanRevert { .. }) && *self.phase() == Phase::Closed;
        if matches!(self.phase(), Phase::Closed | Phase::Escalated) && !owed {
            return Err(Ignored::Duplicate);
        }
        let what = match effect {
            Effect::Look => "the cluster could not be read",
            Effect::Advise => "policy could not be asked for advice",
            Effect::Investigate => "the investigation failed",
            Effect::Decide { .. } | Effect::Judge => "policy could not be asked",
            Effect::Plan { .. } => "no plan could be made",
            Effect::Apply { .. } => "what became of the act could not be learned",
            Effect::Check { .. } => "whether the act helped could not be seen",
            Effect::PlanRevert { .. } => "the undo could not be planned",
            Effect::Note { .. } => "what became of the act could not be noted",
            Effect::HandOn => "its alerts could not be handed on",
            Effect::Publish => "no channel accepts the message",
            Effect::Page { .. } => "nobody could be called",
        };
        self.escalate(format!("{what}: {why}"));
        Ok(())
    }
}
