//! Where people read and answer, and how they are called.

use async_trait::async_trait;

use crate::domain::ids::IncidentId;
use crate::domain::message::{Notice, View};
use crate::domain::record::MessageRef;

/// A message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// Worth another try, not before this many seconds.
    #[error("not accepted now ({why}); to be tried again in {after_seconds} s")]
    Later {
        /// What was said.
        why: String,
        /// How long to wait.
        after_seconds: u32,
    },
    /// No try will help until somebody changes something.
    #[error("refused: {0}")]
    Never(String),
}

/// Posts and updates the one living message of an incident.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Its name in records: `slack`, `terminal`.
    fn name(&self) -> &'static str;

    /// Shows `view`, in place of `earlier` where there is one. Returns once the channel accepted it.
    async fn publish(&self, view: &View, earlier: Option<&MessageRef>) -> Result<MessageRef, Undelivered>;

    /// Says something that belongs to no incident, where those who answer for the policy read. Returns once
    /// the channel accepted it.
    async fn tell(&self, notice: &Notice) -> Result<(), Undelivered>;
}

/// Calls a person.
#[async_trait]
pub trait Pager: Send + Sync {
    /// Its name in records.
    fn name(&self) -> &'static str;

    /// Calls about this incident; calling again about the same one is not a second page.
    async fn page(&self, incident: &IncidentId, headline: &str, why: &str) -> Result<(), Undelivered>;
}
