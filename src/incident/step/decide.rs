//! From the diagnosis to the plan: what was found, who chose what, what policy said.

use crate::domain::canonical::Hash;
use crate::domain::decision::{Asked, Decided, Decision, LOCK, Outcome as Says, Person, Terms};
use crate::domain::evidence::Preserved;
use crate::domain::finding::Cause;
use crate::domain::ids::{CandidateId, IntentId, QuestionId};
use crate::domain::plan::{Plan, Refusal};
use crate::domain::record::{Ask, Choice, Conclusion, Diagnosis, Intent, Outcome, Question, Record};

use super::super::effect::{Effect, TimerName};
use super::super::phase::Phase;
use super::timer::AGAIN;
use super::{DELIVERY, Ignored, MAX_LOOKS, Writer};

/// How long an intent may be without an outcome: as long as its plan is good, plus one minute for
/// reading back what became of it (promise 3).
const GRACE: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// An act that policy allowed.
pub(super) struct Order {
    /// What will be done.
    pub plan: Plan,
    /// On which terms.
    pub terms: Terms,
    /// By which policy set.
    pub set: Hash,
    /// By whom.
    pub approved_by: String,
    /// The act that it puts back.
    pub reverts: Option<IntentId>,
}

impl Writer<'_> {
    pub(super) fn diagnosed(&mut self, diagnosis: Diagnosis) -> Result<(), Ignored> {
        self.only_in(&[Phase::Looking])?;
        let well = diagnosis.findings.iter().all(|f| f.cause == Cause::NothingWrong);
        let quiet = well && !diagnosis.findings.is_empty();
        let none = diagnosis.candidates.is_empty();
        self.record(Record::Diagnosed(Box::new(diagnosis)));
        if quiet {
            self.nothing_to_do("nothing is wrong any more");
        } else if self.state.hands_off {
            self.escalate("automation stands down on this incident");
        } else {
            self.effect(if none { Effect::Advise } else { Effect::Investigate });
        }
        Ok(())
    }

    pub(super) fn advised(&mut self, decision: &Decision) -> Result<(), Ignored> {
        self.only_in(&[Phase::Looking, Phase::Choosing])?;
        let because = decision.because().to_owned();
        if let Some(why) = self.for_a_person() {
            self.escalate(why);
            return Ok(());
        }
        match decision.outcome {
            Says::Drop => self.close(Outcome::Dropped, because),
            Says::Notify => self.close(Outcome::Notified, because),
            Says::Ask | Says::Act | Says::Escalate => self.escalate(because),
        }
        Ok(())
    }

    pub(super) fn chosen(&mut self, choice: Choice) -> Result<(), Ignored> {
        self.only_in(&[Phase::Choosing])?;
        let conclusion = choice.conclusion.clone();
        self.record(Record::Chosen(choice));
        match conclusion {
            Conclusion::Choose { candidate, .. } if self.candidate(&candidate) => {
                self.effect(Effect::Decide { candidate });
            }
            Conclusion::Choose { candidate, .. } => {
                self.escalate(format!("`{candidate}` is not among the candidates"));
            }
            Conclusion::NoAction => match self.for_a_person() {
                Some(why) => self.escalate(why),
                None => self.nothing_to_do("the investigation found that nothing should be done"),
            },
            Conclusion::Escalate => self.escalate("the investigation asks for a person"),
        }
        Ok(())
    }

    /// Why this incident is for a person whatever policy says, if it is.
    fn for_a_person(&self) -> Option<String> {
        let found = self.state.diagnosis.as_ref()?.for_a_person()?;
        Some(format!("{}, which always goes to a person: {}", found.cause.name(), found.summary))
    }

    fn candidate(&self, id: &CandidateId) -> bool {
        self.state.diagnosis.iter().flat_map(|d| &d.candidates).any(|c| c.id == *id)
    }

    pub(super) fn decided(&mut self, decided: Decided, cleared: bool) -> Result<(), Ignored> {
        match decided.question.asked {
            Asked::Candidate => self.decided_candidate(decided),
            Asked::Plan => self.decided_plan(decided, cleared),
            Asked::Write => Err(Ignored::TooLate("a write is decided where it is made".into())),
        }
    }

    fn decided_candidate(&mut self, decided: Decided) -> Result<(), Ignored> {
        let Phase::Deciding(candidate) = self.phase().clone() else {
            return Err(self.wrong_phase());
        };
        let decision = decided.decision.clone();
        self.record(Record::Decided(Box::new(decided)));
        match decision.outcome {
            Says::Act | Says::Ask if self.state.waiting => self.waited(candidate),
            Says::Act | Says::Ask => self.effect(Effect::Plan { candidate }),
            Says::Drop | Says::Notify | Says::Escalate => self.declined(&decision),
        }
        Ok(())
    }

    pub(super) fn planned(
        &mut self,
        candidate: CandidateId,
        result: Result<Box<Plan>, Refusal>,
        kept: Option<Preserved>,
    ) -> Result<(), Ignored> {
        if *self.phase() != Phase::Deciding(candidate.clone()) {
            return Err(self.wrong_phase());
        }
        match result {
            Ok(plan) => {
                self.record(Record::Planned { candidate, plan, kept });
                self.effect(Effect::Judge);
            }
            Err(refusal) => self.not_planned(candidate, &refusal),
        }
        Ok(())
    }

    /// What somebody else would put back is proposed to them, if policy lets that happen; what cannot be proposed
    /// either is for a person.
    fn not_planned(&mut self, candidate: CandidateId, refusal: &Refusal) {
        self.record(Record::NotPlanned { candidate: candidate.clone(), refusal: refusal.clone() });
        match (refusal, &self.state.proposing) {
            (Refusal::Managed(_), None) => self.effect(Effect::Decide { candidate }),
            (Refusal::Gone { .. } | Refusal::Changed { .. } | Refusal::Expired(_), Some(_)) | (_, None) => {
                self.refused(refusal);
            }
            (_, Some((_, managed))) => {
                self.escalate(format!("{managed}; none could be prepared: {refusal}"));
            }
        }
    }

    /// Nothing was changed because the world is not as it was read, or because somebody said no.
    pub(super) fn refused(&mut self, refusal: &Refusal) {
        // looking anew would set belay going again on what a person has
        if let Some(caller) = self.state.outside() {
            return self.escalate(format!("what {caller} proposed was not done: {refusal}"));
        }
        match refusal {
            Refusal::Gone { .. } | Refusal::Changed { .. } | Refusal::Expired(_)
                if self.state.looks < MAX_LOOKS =>
            {
                self.effect(Effect::Look);
            }
            Refusal::NothingToDo(why) => self.nothing_to_do(why.clone()),
            Refusal::Gone { .. }
            | Refusal::Changed { .. }
            | Refusal::Expired(_)
            | Refusal::Limit(_)
            | Refusal::Managed(_)
            | Refusal::Api(_)
            | Refusal::Warrant(_)
            | Refusal::NotApplied(_)
            | Refusal::NotYet(_)
            | Refusal::Unreadable(_) => self.escalate(refusal.to_string()),
        }
    }

    fn decided_plan(&mut self, decided: Decided, cleared: bool) -> Result<(), Ignored> {
        self.only_in(&[Phase::Judging, Phase::Approving])?;
        let Some(plan) = decided.question.plan.clone().filter(|p| self.state.plan.as_ref() == Some(p)) else {
            return Err(Ignored::TooLate("another plan was made since".into()));
        };
        let decision = decided.decision.clone();
        let approved_by = approvers(&decided);
        self.record(Record::Decided(Box::new(decided)));
        match (decision.outcome, &decision.terms) {
            (Says::Act, Some(terms)) => {
                let (terms, approved_by) = (terms.clone(), "policy".to_owned());
                self.intend(Order { plan, terms, set: decision.set, approved_by, reverts: None });
            }
            (Says::Ask, Some(terms)) if cleared => {
                let terms = terms.clone();
                self.intend(Order { plan, terms, set: decision.set, approved_by, reverts: None });
            }
            (Says::Ask, Some(terms)) => self.ask_approval(&plan, terms),
            (Says::Act | Says::Ask, None) => self.escalate("policy said yes without saying on which terms"),
            (Says::Drop | Says::Notify | Says::Escalate, _) => self.declined(&decision),
        }
        Ok(())
    }

    /// Policy does not let it happen: people are told, or called.
    pub(super) fn declined(&mut self, decision: &Decision) {
        if let Some(caller) = self.state.outside() {
            let why = decision.because();
            return self.escalate(format!("what {caller} proposed is not for belay to do: {why}"));
        }
        if let Some((_, managed)) = &self.state.proposing {
            return self
                .escalate(format!("{managed}; policy does not let belay do that: {}", decision.because()));
        }
        if let Some(why) = self.for_a_person() {
            return self.escalate(why);
        }
        match decision.outcome {
            Says::Drop => self.close(Outcome::Dropped, decision.because()),
            Says::Notify if decision.waits() => self.wait(decision.because()),
            Says::Notify if decision.page => self.escalate(decision.because()),
            Says::Notify => self.close(Outcome::Notified, decision.because()),
            Says::Ask | Says::Act | Says::Escalate => self.escalate(decision.because()),
        }
    }

    fn ask_approval(&mut self, plan: &Plan, terms: &Terms) {
        let Ok(hash) = plan.hash() else {
            return self.escalate("the plan cannot be named, so nobody can approve it");
        };
        let open = self.state.question.as_ref();
        if open.is_some_and(|q| q.question.ask == Ask::Approve && q.question.plan == hash) {
            return; // it takes one more person
        }
        // an approval is for this plan: it cannot outlive it
        let left = plan.expires_at.duration_since(self.moment.at);
        let within = terms.approval.expires.min(left);
        self.record(Record::Asked(Question {
            id: QuestionId::from_bits(self.moment.entropy),
            ask: Ask::Approve,
            plan: hash,
            intent: None,
            rule: terms.approval.clone(),
            within,
        }));
        self.set(TimerName::Approval, within);
        self.set(TimerName::Delivery, DELIVERY);
    }

    /// Writes the intent down; it is carried out only once that is durable.
    pub(super) fn intend(&mut self, order: Order) {
        let Order { plan, terms, set, approved_by, reverts } = order;
        let Ok(plan_hash) = plan.hash() else {
            return self.escalate("the plan cannot be named, so nothing was sent");
        };
        let id = IntentId::derive(self.incident(), self.state.acts.len() + 1);
        let deadline = plan.expires_at.saturating_add(GRACE).unwrap_or(plan.expires_at);
        let intent = Intent {
            id: id.clone(),
            incident: self.incident().clone(),
            plan,
            plan_hash,
            terms,
            approved_by,
            set,
            reverts,
            deadline,
        };
        // whatever is put back is no longer under way itself: its lock passes to the undo
        self.step.release.extend(intent.reverts.clone());
        self.clear(TimerName::Approval);
        self.clear(TimerName::Delivery);
        self.step.timers.push((TimerName::Deadline, Some(deadline)));
        self.step.draws = Some(Box::new(intent.clone()));
        self.record(Record::Intended(Box::new(intent)));
        self.effect(Effect::Apply { intent: id });
    }

    /// The store refused the step that would have intended the act.
    pub(super) fn blocked(&mut self, code: &str, why: &str) -> Result<(), Ignored> {
        match (self.phase(), self.state.temporary()) {
            (Phase::Closed, None) => return Err(self.wrong_phase()),
            // its own end is in the way of nothing: it waits for the other act
            (Phase::Closed, Some(_)) if code == LOCK => self.set(TimerName::Expires, AGAIN),
            (Phase::Judging | Phase::Approving, _) if code == LOCK => {
                self.wait("another act on this owner is under way");
            }
            _ => self.escalate(format!("{code}: {why}")),
        }
        Ok(())
    }

    pub(super) fn only_in(&self, phases: &[Phase]) -> Result<(), Ignored> {
        if phases.contains(self.phase()) { Ok(()) } else { Err(self.wrong_phase()) }
    }

    pub(super) fn wrong_phase(&self) -> Ignored {
        Ignored::TooLate(match &self.state.closed {
            Some((_, summary, _)) => format!("the incident is over: {summary}"),
            None => "the incident has moved on".into(),
        })
    }
}

fn approvers(decided: &Decided) -> String {
    let people = decided.question.approval.iter().flat_map(|a| &a.by);
    people.map(Person::name).collect::<Vec<_>>().join(", ")
}
