//! What has to be done in the world because of a step. Effects travel through the store's outbox as
//! JSON, are carried out at least once, and come back as inputs; each is safe to repeat.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::decision::Person;
use crate::domain::ids::{CandidateId, IntentId};

/// One piece of work for the shell. It names what is meant; everything else is in the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Effect {
    /// Read the cluster and diagnose.
    Look,
    /// Say what policy advises where nothing can be done.
    Advise,
    /// Let the model (or, without one, the playbook) choose among the candidates.
    Investigate,
    /// Ask policy about this candidate.
    Decide {
        /// Which.
        candidate: CandidateId,
    },
    /// Have this candidate planned against the live object.
    Plan {
        /// Which.
        candidate: CandidateId,
    },
    /// Ask policy about the plan, with the approvals given so far.
    Judge,
    /// Ask policy a last time, sign the warrant and carry the intent out; on a repeat this tells what
    /// became of it.
    Apply {
        /// Which.
        intent: IntentId,
    },
    /// Look whether the act helped.
    Check {
        /// Which.
        intent: IntentId,
    },
    /// Have the undo of this act planned and judged.
    PlanRevert {
        /// Which.
        intent: IntentId,
        /// Who wants it; nobody where a rule of the grant does.
        by: Option<Person>,
    },
    /// Write down, for the track records, what is known of this act.
    Note {
        /// Which.
        intent: IntentId,
    },
    /// Give its alerts to the incident that goes on with them.
    HandOn,
    /// Bring the living message up to date.
    Publish,
    /// Call a person.
    Page {
        /// Why.
        why: String,
    },
}

/// The timers of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerName {
    /// The next look at whether the act helped.
    Check,
    /// An open approval expires.
    Approval,
    /// The confirm window ends.
    Confirm,
    /// By then a channel must have accepted the question.
    Delivery,
    /// By then the intent must have an outcome.
    Deadline,
    /// A temporary measure ends.
    Expires,
}

impl TimerName {
    /// Every timer.
    pub const ALL: [Self; 6] =
        [Self::Check, Self::Approval, Self::Confirm, Self::Delivery, Self::Deadline, Self::Expires];

    /// Its name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Approval => "approval",
            Self::Confirm => "confirm",
            Self::Delivery => "delivery",
            Self::Deadline => "deadline",
            Self::Expires => "expires",
        }
    }
}

impl fmt::Display for TimerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no timer of that name.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a timer of an incident")]
pub struct NoSuchTimer(String);

impl FromStr for TimerName {
    type Err = NoSuchTimer;

    fn from_str(name: &str) -> Result<Self, NoSuchTimer> {
        Self::ALL.into_iter().find(|t| t.name() == name).ok_or_else(|| NoSuchTimer(name.into()))
    }
}
