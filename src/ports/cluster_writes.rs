//! The hand: the action server's own, narrow access to one cluster. Uncached reads for planning, and
//! exactly those writes that an action comes down to. There is no general patch (an `Edit` is made in one
//! place, of the action's own fields) and no delete.

use async_trait::async_trait;

use super::reads::ReadError;
use crate::domain::action::Action;
use crate::domain::action::edit::Edit;
use crate::domain::action::job::{CreateJob, LiveJob};
use crate::domain::action::live::{LiveAbout, LiveObject, LivePod};
use crate::domain::action::restart_pod::Evict;
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
    /// The action's target as it is now, whatever its uid, with what this kind of action depends on;
    /// `None`: there is none.
    async fn object(&self, action: &Action) -> Result<Option<LiveObject>, ReadError>;

    /// The pod of that name as it is now, whatever its uid; `None`: there is none.
    async fn pod(&self, pod: &Object) -> Result<Option<LivePod>, ReadError>;

    /// What a job is run for, as it is now, whatever its uid; `None`: there is none.
    async fn about(&self, object: &Object) -> Result<Option<LiveAbout>, ReadError>;

    /// The Job of that name; `None`: there is none.
    async fn job(&self, namespace: &str, name: &str) -> Result<Option<LiveJob>, ReadError>;

    /// Makes the Job in the name of the intent; its own name follows from it, so that a second one is refused.
    async fn create_job(&self, order: &CreateJob, mode: Mode<'_>) -> Answer;

    /// Changes the fields and puts the intent on the object in one patch that tests uid, generation and
    /// the old values.
    async fn edit(&self, order: &Edit, mode: Mode<'_>) -> Answer;

    /// Dry-runs the creation of a pod from the template as it will be, where the template changes.
    async fn rehearse_template(&self, order: &Edit) -> Answer;

    /// Dry-runs the creation of the pod that the controller will make in place of this one, so that a
    /// broken webhook or a full quota is seen before the old pod is gone.
    async fn rehearse(&self, order: &Evict) -> Answer;

    /// Puts the intent on the pod, in a patch that tests its uid.
    async fn mark(&self, order: &Evict, intent: &IntentId) -> Answer;

    /// Evicts the pod, on condition that its uid is still this one.
    async fn evict(&self, order: &Evict, mode: Mode<'_>) -> Answer;
}
