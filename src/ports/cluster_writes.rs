//! The hand: the action server's own, narrow access to one cluster. Uncached reads for planning, and
//! exactly those writes that an action comes down to; there is no general patch and no delete.

use async_trait::async_trait;

use super::reads::ReadError;
use crate::domain::action::live::{LivePod, LiveWorkload};
use crate::domain::action::restart_pod::Evict;
use crate::domain::action::scale_workload::SetReplicas;
use crate::domain::ids::IntentId;
use crate::domain::target::Object;

/// Whether a request is to have an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode<'a> {
    /// The API server checks everything and changes nothing.
    DryRun,
    /// For real, in the name of this intent.
    Act(&'a IntentId),
}

/// What came back for a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was accepted.
    Done,
    /// The API server said no: nothing was changed.
    Refused {
        /// The HTTP status code.
        code: u16,
        /// `reason` of the Status: `TooManyRequests`, `Invalid`, ….
        reason: String,
        /// Its message and causes: text.
        message: String,
    },
    /// No answer, or one that leaves open what was done (5xx): to be read back.
    Unknown(String),
}

/// The writes of the action server, and the reads they rest on.
#[async_trait]
pub trait Hand: Send + Sync {
    /// The workload of that name as it is now, whatever its uid; `None`: there is none.
    async fn workload(&self, workload: &Object) -> Result<Option<LiveWorkload>, ReadError>;

    /// The pod of that name as it is now, whatever its uid; `None`: there is none.
    async fn pod(&self, pod: &Object) -> Result<Option<LivePod>, ReadError>;

    /// Sets the replicas and the intent in one patch that tests uid, generation and the old value.
    async fn set_replicas(&self, order: &SetReplicas, mode: Mode<'_>) -> Answer;

    /// Dry-runs the creation of the pod that the controller will make in place of this one, so that a
    /// broken webhook or a full quota is seen before the old pod is gone.
    async fn rehearse(&self, order: &Evict) -> Answer;

    /// Puts the intent on the pod, in a patch that tests its uid.
    async fn mark(&self, order: &Evict, intent: &IntentId) -> Answer;

    /// Evicts the pod, on condition that its uid is still this one.
    async fn evict(&self, order: &Evict, mode: Mode<'_>) -> Answer;
}
