//! What travels through the outbox, as JSON.

use serde::{Deserialize, Serialize};

use crate::domain::ids::StreamId;
use crate::incident::Effect;
use crate::ports::store::Work;

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Give each alert of the deliveries that this was enqueued with to its incident.
    Route {
        /// How many deliveries: the last is the entry that the work was enqueued with.
        deliveries: usize,
    },
    /// Compare what is open with what Alertmanager knows.
    Reconcile,
    /// Note what is to be remembered of the incident whose work this is.
    Remember,
    /// Carry out an effect of an incident.
    Incident {
        /// The effect.
        effect: Effect,
    },
}

impl Job {
    /// The job as work of a stream.
    pub fn work(&self, id: String, stream: StreamId, due: jiff::Timestamp) -> Work {
        // a closed enum of plain data always serialises; should that ever change, `read` refuses it
        let what = serde_json::to_string(self).unwrap_or_default();
        Work { id, stream, due, what }
    }

    /// Whether, after enough tries, a person is told instead of trying on.
    pub const fn may_be_given_up(&self) -> bool {
        !matches!(self, Self::Incident { effect: Effect::Page { .. } | Effect::Note { .. } })
    }

    /// The job that a piece of work holds.
    pub fn read(work: &Work) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&work.what)
    }
}
