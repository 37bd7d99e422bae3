//! What is proposed where its state is kept, because somebody else would put it back: the same candidate, once.

use crate::domain::action::{Action, Candidate};
use crate::domain::ids::CandidateId;
use crate::domain::plan::Refusal;

use super::phase::Phase;
use super::state::State;

impl State {
    /// The candidate of this name, as it is meant now.
    pub fn candidate(&self, id: &CandidateId) -> Option<Candidate> {
        let found = self.diagnosis.iter().flat_map(|d| &d.candidates).find(|c| c.id == *id)?.clone();
        Some(match &self.proposing {
            Some((proposed, _)) if proposed == id => {
                let action = Action::OpenPullRequest { instead_of: Box::new(found.action) };
                Candidate { action, ..found }
            }
            _ => found,
        })
    }

    /// What somebody else would put back is proposed instead, once.
    pub(super) fn not_planned(&mut self, candidate: &CandidateId, refusal: &Refusal) {
        self.phase = match refusal {
            Refusal::Managed(why) if self.proposing.is_none() => {
                self.proposing = Some((candidate.clone(), why.clone()));
                Phase::Deciding(candidate.clone())
            }
            _ => Phase::Looking,
        };
    }
}
