//! The proof that policy said yes to one plan: only policy makes it, and the executor takes nothing else.

use jiff::Timestamp;

use crate::domain::canonical::Hash;
use crate::domain::ids::IncidentId;

/// Policy's yes for one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    incident: IncidentId,
    plan: Hash,
    uid: String,
    expires_at: Timestamp,
    approved_by: String,
}

impl Permit {
    /// For policy alone.
    #[expect(dead_code, reason = "the engine that decides constructs it")]
    pub(in crate::policy) const fn grant(
        incident: IncidentId,
        plan: Hash,
        uid: String,
        expires_at: Timestamp,
        approved_by: String,
    ) -> Self {
        Self { incident, plan, uid, expires_at, approved_by }
    }

    /// The incident it was given for.
    pub const fn incident(&self) -> &IncidentId {
        &self.incident
    }

    /// The plan it was given for.
    pub const fn plan(&self) -> Hash {
        self.plan
    }

    /// The uid of the target.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// From then on it is void.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The grant acting by itself, or the people who approved.
    pub fn approved_by(&self) -> &str {
        &self.approved_by
    }
}
