//! What others ask of an incident's state; its records alone answer.

use super::phase::Phase;
use super::state::State;
use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::ids::CandidateId;
use crate::domain::record::Conclusion;

impl State {
    /// The candidate that was chosen.
    pub fn chosen(&self) -> Option<CandidateId> {
        match &self.choice.as_ref()?.conclusion {
            Conclusion::Choose { candidate, .. } => Some(candidate.clone()),
            Conclusion::NoAction | Conclusion::Escalate => None,
        }
    }

    /// Whether of two incidents about one owner this one goes on for both: the one with an act under way, else the
    /// older one.
    pub fn goes_on_for(&self, other: &Self) -> bool {
        let rank = |state: &Self| (!state.under_way(), state.opened_at, state.id.clone());
        rank(self) < rank(other)
    }

    /// Whether an act of it has begun and not ended: from its intent until people have said what they want.
    pub const fn under_way(&self) -> bool {
        matches!(
            self.phase,
            Phase::Acting(_) | Phase::Verifying(_) | Phase::Confirming(_) | Phase::PlanningRevert(_)
        )
    }

    /// The alert that speaks for the incident: the loudest of those firing (else of all), then the oldest.
    pub fn lead(&self) -> Option<&Alert> {
        let rank =
            |a: &&Alert| (a.status == AlertStatus::Firing, a.severity(), std::cmp::Reverse(a.starts_at));
        self.alerts.values().max_by_key(rank)
    }

    /// Whether no alert of it fires any more.
    pub fn all_resolved(&self) -> bool {
        self.alerts.values().all(|alert| alert.status == AlertStatus::Resolved)
    }
}
