//! The eyes: typed, read-only views of the cluster and its alerts.

use async_trait::async_trait;

use crate::domain::cluster::{ActiveAlert, Snapshot};
use crate::domain::target::{Named, Object, RootOwner};

/// Something could not be read: nothing is known of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It was asked for and is not there.
    #[error("{what} does not exist")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The answer was no.
    #[error("reading {what} was refused: {why}")]
    Refused {
        /// What was asked for.
        what: String,
        /// What was said.
        why: String,
    },
    /// There was no answer.
    #[error("reading {what} failed: {why}")]
    Failed {
        /// What was asked for.
        what: String,
        /// What was seen instead.
        why: String,
    },
}

/// An object with the chain of its controllers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The object as it was found.
    pub target: Object,
    /// The top of the chain; the object itself where nothing controls it.
    pub owner: RootOwner,
}

/// Typed reads of one cluster.
#[async_trait]
pub trait Reads: Send + Sync {
    /// Finds the object and walks up to its root owner.
    async fn locate(&self, named: &Named) -> Result<Located, ReadError>;

    /// Reads everything about the owner that diagnosis needs. Parts that cannot be read say why; only
    /// when nothing can be read is it an error.
    async fn snapshot(&self, located: &Located) -> Result<Snapshot, ReadError>;
}

/// Alertmanager's own list of alerts.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// All alerts it knows, suppressed ones included.
    async fn active(&self) -> Result<Vec<ActiveAlert>, ReadError>;
}
