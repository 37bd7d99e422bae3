//! The closed catalogue of actions: what each is, how it can be undone, how risky it is, and in which
//! plain words people read about it. How each is planned and undone lives in the file of its name.

pub mod live;
pub mod restart_pod;
pub mod scale_workload;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::{CandidateId, EvidenceId};
use super::target::{Object, RootOwner};

/// How long a plan is good for: as long as a person needs to read and approve it, and short enough that
/// the blast radius they saw is still true.
pub const PLAN_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// The moment from which a plan made at `made_at` is refused.
pub(crate) fn expiry(made_at: Timestamp) -> Timestamp {
    made_at.saturating_add(PLAN_LIFE).unwrap_or(Timestamp::MAX)
}

/// The kinds of action, as policies list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Evict one pod; its controller makes a new one.
    RestartPod,
    /// Set the number of replicas of a workload.
    ScaleWorkload,
}

impl ActionKind {
    /// Every kind, in the order of the catalogue.
    pub const ALL: [Self; 2] = [Self::RestartPod, Self::ScaleWorkload];

    /// The name in policies, records and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RestartPod => "restart_pod",
            Self::ScaleWorkload => "scale_workload",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its class, before a concrete plan raises the risk.
    pub const fn class(self) -> Class {
        match self {
            Self::RestartPod => Class { undo: Reversibility::SelfHealing, risk: Risk::Low },
            Self::ScaleWorkload => Class { undo: Reversibility::Exact, risk: Risk::Low },
        }
    }
}

/// What can be put back, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// Every touched field gets its old value back.
    Exact,
    /// A controller brings back an equivalent object; there is nothing to revert.
    SelfHealing,
    /// The fields can be put back, and doing so has effects of its own (a rollout).
    SideEffects,
    /// Nothing can be put back.
    None,
}

/// How much can go wrong. Ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Risk {
    Low,
    Medium,
    High,
}

/// Reversibility and risk: the column of the level table that an action stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// What can be put back.
    pub undo: Reversibility,
    /// How much can go wrong.
    pub risk: Risk,
}

/// One action with its exact target and parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Evict this pod (by uid), so that its controller makes a new one.
    RestartPod {
        /// The pod.
        pod: Object,
    },
    /// Set `spec.replicas` of this workload to this absolute value.
    ScaleWorkload {
        /// The Deployment.
        workload: Object,
        /// The new value.
        replicas: u32,
    },
}

impl Action {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::RestartPod { .. } => ActionKind::RestartPod,
            Self::ScaleWorkload { .. } => ActionKind::ScaleWorkload,
        }
    }

    /// The object it changes.
    pub const fn target(&self) -> &Object {
        match self {
            Self::RestartPod { pod } => pod,
            Self::ScaleWorkload { workload, .. } => workload,
        }
    }

    /// What it does, as a person would say it: "restart pod `api-7f4b9`".
    pub fn words(&self) -> String {
        match self {
            Self::RestartPod { pod } => restart_pod::words(pod),
            Self::ScaleWorkload { workload, replicas } => scale_workload::words(workload, *replicas),
        }
    }

    /// What was done, as a person would say it: "restarted pod `api-7f4b9`".
    pub fn done_words(&self) -> String {
        match self {
            Self::RestartPod { pod } => restart_pod::done_words(pod),
            Self::ScaleWorkload { workload, replicas } => scale_workload::done_words(workload, *replicas),
        }
    }
}

/// A remedy that policy could permit for an incident. The set of an incident's candidates is closed
/// before any text from the cluster is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// `c1`, `c2`, … within the incident.
    pub id: CandidateId,
    /// What would be done.
    pub action: Action,
    /// Who answers for the target.
    pub owner: RootOwner,
    /// The name of the cause that suggests it.
    pub cause: String,
    /// What that finding rests on.
    pub evidence: Vec<EvidenceId>,
}
