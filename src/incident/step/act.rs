//! From the act to its outcome: what became of it, whether it helped, how it is put back.

use jiff::SignedDuration;

use crate::domain::decision::{Decided, Expectation, LOCK, OnFailure, OnSilence, Person};
use crate::domain::ids::{IncidentId, IntentId, QuestionId};
use crate::domain::plan::{Plan, Refusal};
use crate::domain::record::{Ask, MessageRef, Outcome, Question, Record, Verdict};
use crate::domain::warrant::Applied;

use super::super::act::Act;
use super::super::effect::{Effect, TimerName};
use super::super::input::{Check, Held};
use super::super::phase::Phase;
use super::decide::Order;
use super::{DELIVERY, Ignored, Writer};

/// How often an act is looked at while it is being verified.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// How often it is looked whether the cause of an act that helped came again. Restarts are counted, so that
/// none is lost between two looks.
pub(super) const WATCH_EVERY: SignedDuration = SignedDuration::from_secs(30);
/// How often it is looked how a proposal stands: people take minutes at least, and a forge counts requests.
const PROPOSED_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How long until a message that no channel accepted is offered again.
const OWED: SignedDuration = SignedDuration::from_mins(5);
/// How long to wait before reading back an act whose outcome is unknown.
const READ_BACK: SignedDuration = SignedDuration::from_secs(5);

impl Writer<'_> {
    fn act(&self, id: &IntentId) -> Result<Act, Ignored> {
        let act = self.state.act(id).cloned();
        act.ok_or_else(|| Ignored::TooLate(format!("`{id}` was never intended")))
    }

    pub(super) fn applied(&mut self, id: &IntentId, applied: Applied) -> Result<(), Ignored> {
        let act = self.act(id)?;
        if act.done() || !matches!(self.phase(), Phase::Acting(i) if i == id) {
            return Err(Ignored::Duplicate);
        }
        match &applied {
            Applied::Done { .. } => {
                self.record(Record::Acted { intent: id.clone(), applied });
                self.done(&act);
            }
            Applied::Refused { refusal } => {
                let refusal = refusal.clone();
                self.record(Record::Acted { intent: id.clone(), applied });
                self.clear(TimerName::Deadline);
                self.step.release.push(id.clone());
                if act.intent.reverts.is_some() {
                    self.escalate(format!("the act could not be put back: {refusal}"));
                } else {
                    self.refused(&refusal);
                }
            }
            Applied::Unknown { .. } => {
                if act.applied.as_ref() != Some(&applied) {
                    self.record(Record::Acted { intent: id.clone(), applied });
                }
                self.later(Effect::Apply { intent: id.clone() }, READ_BACK);
            }
        }
        Ok(())
    }

    fn done(&mut self, act: &Act) {
        let intent = &act.intent;
        if intent.plan.proposal.is_some() {
            // nothing is being changed: whoever else acts on the owner does not have to wait for people
            self.step.release.push(intent.id.clone());
        }
        self.clear(TimerName::Deadline);
        self.set(TimerName::Check, LOOK_EVERY.min(intent.terms.verify.stabilise));
        if let Some(expires) = intent.terms.expires.filter(|_| intent.reverts.is_none()) {
            self.set(TimerName::Expires, expires);
        }
        let Some(confirm) = &intent.terms.confirm else { return };
        let ask = if intent.plan.revertible() { Ask::ConfirmOrRevert } else { Ask::ConfirmOrHandOver };
        self.record(Record::Asked(Question {
            id: QuestionId::from_bits(self.moment.entropy),
            ask,
            plan: intent.plan_hash,
            intent: Some(intent.id.clone()),
            rule: confirm.approval.clone(),
            within: confirm.within,
        }));
        self.set(TimerName::Delivery, DELIVERY);
    }

    pub(super) fn not_sent(&mut self, id: &IntentId, decided: Decided) -> Result<(), Ignored> {
        if !matches!(self.phase(), Phase::Acting(i) if i == id) {
            return Err(self.wrong_phase());
        }
        let because = decided.decision.because().to_owned();
        self.record(Record::Decided(Box::new(decided)));
        self.record(Record::Acted {
            intent: id.clone(),
            applied: Applied::Refused { refusal: Refusal::Limit(because.clone()) },
        });
        self.step.release.push(id.clone());
        self.escalate(format!("policy no longer allows it, so nothing was sent: {because}"));
        Ok(())
    }

    pub(super) fn checked(&mut self, id: &IntentId, check: Check) -> Result<(), Ignored> {
        let act = self.act(id)?;
        if self.state.watched(self.moment.at).is_some_and(|watched| watched.intent.id == *id) {
            self.watched(id, check);
            return Ok(());
        }
        if !matches!(self.phase(), Phase::Verifying(i) if i == id) {
            return Err(Ignored::Duplicate);
        }
        let at = self.moment.at;
        let rule = &act.intent.terms.verify;
        let since = act.done_at.unwrap_or(act.intended_at);
        let overdue = at.duration_since(since) >= rule.within;
        let proposed = matches!(check.held, Held::Pending | Held::Declined);
        if proposed && self.state.all_resolved() {
            let seen = check.seen.join("; ");
            self.close(Outcome::ResolvedBySelf, format!("its alerts are resolved; {seen}"));
            return Ok(());
        }
        let verdict = match check.held {
            Held::Again => Some(Verdict::DidNotHelp { seen: check.seen.clone() }),
            Held::Yes if act.held_since.is_some_and(|t| at.duration_since(t) >= rule.stabilise) => {
                Some(Verdict::Helped { seen: check.seen.clone() })
            }
            Held::NotYet if overdue => Some(Verdict::DidNotHelp { seen: check.seen.clone() }),
            Held::CannotTell | Held::Pending if overdue => {
                Some(Verdict::CannotTell { why: check.seen.clone() })
            }
            Held::Declined => Some(Verdict::CannotTell { why: check.seen.clone() }),
            Held::Yes | Held::NotYet | Held::CannotTell | Held::Pending => None,
        };
        match verdict {
            Some(verdict) => self.verified(&act, verdict),
            None => self.watch(&act, check),
        }
        Ok(())
    }

    fn watch(&mut self, act: &Act, check: Check) {
        let held = check.held == Held::Yes;
        let pending = check.held == Held::Pending;
        if held != act.held_since.is_some() || act.seen.is_empty() {
            self.record(Record::Watched { intent: act.intent.id.clone(), held, seen: check.seen });
        }
        let often = LOOK_EVERY.min(act.intent.terms.verify.stabilise);
        self.set(TimerName::Check, if pending { PROPOSED_EVERY } else { often });
    }

    /// A look at an act that helped. *Again* counts whether or not a second alert fires.
    fn watched(&mut self, id: &IntentId, check: Check) {
        if check.held != Held::Again {
            return self.set(TimerName::Check, WATCH_EVERY);
        }
        let why = format!("it helped and the cause came again: {}", check.seen.join("; "));
        self.step.open = Some(true);
        self.clear(TimerName::Check);
        self.record(Record::Recurred { intent: id.clone(), seen: check.seen });
        self.escalate(why);
    }

    /// The same where the owner's open incident is another one: people hear of it there. This one stays
    /// over, and what became of its act is noted, so that the other one is decided with it in mind.
    pub(super) fn again_elsewhere(
        &mut self,
        id: &IntentId,
        mut seen: Vec<String>,
        other: Option<&IncidentId>,
    ) -> Result<(), Ignored> {
        if self.state.watched(self.moment.at).is_none_or(|watched| watched.intent.id != *id) {
            return Err(Ignored::Duplicate);
        }
        let other =
            other.map_or_else(|| "another incident".to_owned(), |other| format!("incident `{other}`"));
        seen.push(format!("{other} of the same owner is open and goes on with it"));
        self.clear(TimerName::Check);
        self.record(Record::Recurred { intent: id.clone(), seen });
        Ok(())
    }

    fn verified(&mut self, act: &Act, verdict: Verdict) {
        let id = act.intent.id.clone();
        self.clear(TimerName::Check);
        self.step.release.push(id.clone());
        self.record(Record::Verified { intent: id.clone(), verdict: verdict.clone() });
        match verdict {
            Verdict::Helped { .. } => {
                self.set(TimerName::Check, WATCH_EVERY);
                self.helped(act);
            }
            Verdict::DidNotHelp { seen } => {
                let seen = seen.join("; ");
                let undo = act.intent.terms.verify.on_failure == OnFailure::Revert;
                if undo && act.intent.plan.revertible() && act.intent.reverts.is_none() {
                    self.effect(Effect::PlanRevert { intent: id, by: None });
                } else {
                    self.escalate(format!("it did not help: {seen}"));
                }
            }
            Verdict::CannotTell { why } if act.intent.plan.proposal.is_some() => {
                self.escalate(format!("what was proposed is not in force: {}", why.join("; ")));
            }
            Verdict::CannotTell { why } => {
                self.escalate(format!("whether it helped cannot be seen: {}", why.join("; ")));
            }
        }
    }

    fn helped(&mut self, act: &Act) {
        let words = act.intent.plan.action.done_words();
        if let Some(reverted) = &act.intent.reverts {
            let by = &act.intent.approved_by;
            return self.close(Outcome::Reverted, format!("`{reverted}` was put back for {by}"));
        }
        match (&act.intent.terms.confirm, &act.confirmed_by) {
            (None, _) => self.close(Outcome::Remedied, format!("{words}; it helped")),
            (Some(_), Some(by)) => {
                self.close(Outcome::Remedied, format!("{words}; it helped; confirmed by {}", by.name()));
            }
            (Some(confirm), None) if act.silent => self.silence(confirm.on_silence, &words),
            (Some(_), None) => {} // people have the word
        }
    }

    /// The confirm window ended without an answer, for an act that helped.
    pub(super) fn silence(&mut self, rule: OnSilence, words: &str) {
        match rule {
            OnSilence::Keep | OnSilence::Revert => {
                self.close(Outcome::Remedied, format!("{words}; it helped; nobody answered, so it stays"));
            }
            OnSilence::Escalate => self.escalate(format!("nobody answered whether to keep it: {words}")),
        }
    }

    pub(super) fn revert_planned(
        &mut self,
        id: &IntentId,
        by: Option<&Person>,
        result: Result<Box<Plan>, Refusal>,
    ) -> Result<(), Ignored> {
        let act = self.act(id)?;
        if self.state.revertible().is_none_or(|a| a.intent.id != *id) {
            return Err(self.wrong_phase());
        }
        match result {
            Err(refusal) => self.escalate(format!("the act cannot be put back: {refusal}")),
            Ok(plan) => {
                let Some(decided) = self.state.decided.clone() else {
                    self.escalate("there is no decision to put back");
                    return Ok(());
                };
                let mut terms = act.intent.terms.clone();
                terms.confirm = None;
                terms.verify.on_failure = OnFailure::Escalate;
                let pods = act.intent.plan.owner.0.named.kind.has_pods();
                let pods = pods && act.intent.plan.proposal.is_none();
                terms.verify.expect.retain(|e| *e == Expectation::WorkloadReady && pods);
                // that it helped is not what an undo is judged by
                terms.verify.metrics.clear();
                terms.expires = None;
                // the original drew upon the limits; putting it back must never be refused by them
                terms.draws.retain(|draw| draw.code == LOCK);
                let approved_by = by.map_or("policy", Person::name).to_owned();
                let set = decided.decision.set;
                self.intend(Order { plan: *plan, terms, set, approved_by, reverts: Some(id.clone()) });
            }
        }
        Ok(())
    }

    pub(super) fn published(&mut self, message: MessageRef, version: u64, carries: Option<QuestionId>) {
        let open = self.state.question.as_ref();
        let first = open
            .filter(|q| carries.as_ref() == Some(&q.question.id) && q.accepted_at.is_none())
            .map(|q| (q.question.ask, q.question.within));
        if let Some((ask, within)) = first {
            self.clear(TimerName::Delivery);
            match ask {
                Ask::ConfirmOrRevert | Ask::ConfirmOrHandOver => self.set(TimerName::Confirm, within),
                Ask::Approve => {} // runs since it was asked
            }
        }
        self.record(Record::Published { message, version, carries: carries.into_iter().collect() });
    }

    pub(super) fn undelivered(&mut self, why: &str) {
        if self.state.question.is_some() && *self.phase() != Phase::Escalated {
            return self.escalate(format!("nobody could be asked: {why}"));
        }
        // somebody has to hear of it by another way, and the message is still owed
        if *self.phase() != Phase::Escalated {
            self.effect(Effect::Page { why: format!("the message about it was not accepted: {why}") });
        }
        self.later(Effect::Publish, OWED);
    }
}
