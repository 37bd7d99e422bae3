//! What somebody outside of belay proposes. It is written down and shown; and where a person has the incident, and it is one
//! of the candidates that belay itself had found, it goes the way of any candidate, with a person asked at the end of it.

use crate::domain::action::Candidate;
use crate::domain::ids::CandidateId;
use crate::domain::record::{Choice, Conclusion, Investigator, Record, Suggestion};

use super::super::effect::Effect;
use super::super::phase::Phase;
use super::super::state::State;
use super::{Ignored, Writer};

/// Proposals that one incident takes: as many as candidates are offered for most, and a few that are none.
const MOST: usize = 6;

impl State {
    /// Who proposed what is being decided or was done last, where that was somebody outside.
    pub fn outside(&self) -> Option<&str> {
        match &self.choice.as_ref()?.by {
            Investigator::Outside { caller } => Some(caller),
            Investigator::Playbook { .. } | Investigator::Model { .. } => None,
        }
    }

    /// Whether it is being decided, and nothing is done yet: meanwhile, a person has the incident.
    pub(in crate::incident) fn deciding_for_outside(&self) -> bool {
        self.outside().is_some()
            && matches!(self.phase, Phase::Deciding(_) | Phase::Judging | Phase::Approving)
    }

    /// The candidate that this is.
    fn meant(&self, suggestion: &Suggestion) -> Option<CandidateId> {
        let is = |c: &&Candidate| {
            c.action.kind() == suggestion.action && c.action.target().named == suggestion.target
        };
        let all = self.diagnosis.iter().flat_map(|diagnosis| &diagnosis.candidates);
        all.into_iter().find(is).map(|candidate| candidate.id.clone())
    }

    /// Whether a proposal may be decided: a person has the incident, nothing keeps automation from it, and nobody is being
    /// asked anything.
    pub fn takes_proposals(&self) -> bool {
        let for_a_person = self.diagnosis.as_ref().is_some_and(|d| d.for_a_person().is_some());
        self.phase == Phase::Escalated && !self.hands_off && !for_a_person && self.question.is_none()
    }
}

impl Writer<'_> {
    pub(super) fn suggested(&mut self, suggestion: Suggestion) -> Result<(), Ignored> {
        if *self.phase() == Phase::Closed {
            return Err(self.wrong_phase());
        }
        let known = &self.state.suggestions;
        let same = |s: &&Suggestion| s.action == suggestion.action && s.target == suggestion.target;
        let again = |s: &&Suggestion| same(s) && (s.queued || !self.state.takes_proposals());
        if let Some(before) = known.iter().find(again) {
            return Err(Ignored::TooLate(format!("{} proposed the same before", before.by)));
        }
        if known.len() >= MOST {
            return Err(Ignored::TooLate(format!(
                "the incident has taken {MOST} proposals, and takes no more"
            )));
        }
        let meant = self.state.meant(&suggestion);
        let candidate = meant.clone().filter(|_| self.state.takes_proposals());
        let suggestion = Suggestion { candidate: meant, queued: candidate.is_some(), ..suggestion };
        let caller = suggestion.by.clone();
        self.record(Record::Suggested(Box::new(suggestion)));
        let Some(candidate) = candidate else { return Ok(()) };
        self.record(Record::Chosen(Choice {
            by: Investigator::Outside { caller },
            conclusion: Conclusion::Choose { candidate: candidate.clone(), evidence: Vec::new() },
            why: None,
            said: String::new(),
            transcript: None,
            tokens: 0,
            // who proposes has read what belay has not: policy takes it for text that speaks to its reader or not by
            // what belay read itself
            flags: std::collections::BTreeSet::new(),
            minutes: None,
        }));
        self.effect(Effect::Decide { candidate });
        Ok(())
    }
}
