//! What the recorder needs: somebody who shows it objects as they change, and a shelf for what it keeps.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::reads::ReadError;
use crate::domain::recorded::{Kept, Key, Observation, Place};
use crate::domain::target::Kind;

/// What following one kind in one namespace shows.
#[derive(Clone)]
pub enum Shown {
    /// A part of what is there.
    Page(Vec<Observation>),
    /// That was all that is there.
    Whole(Vec<Place>),
    /// It came to be, or changed, just now.
    Changed(Box<Observation>),
    /// It was deleted just now.
    Gone(Place),
}

/// A list, and from then on every change.
#[async_trait]
pub trait Watches: Send + Sync {
    /// Shows all objects of this kind in this namespace, and then each change, for as long as it can. `Ok`:
    /// what happened since cannot be told any more, so that it has to begin anew, or nobody listens.
    async fn follow(&self, kind: Kind, namespace: &str, show: &mpsc::Sender<Shown>) -> Result<(), ReadError>;
}

/// What was on the shelf.
#[derive(Debug, Clone)]
pub struct Shelved {
    /// The key that hashes were made with; the given one where there was none.
    pub key: Key,
    /// What was kept.
    pub kept: Vec<Kept>,
    /// What could not be read any more, and so is gone.
    pub lost: Option<String>,
}

/// The shelf does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what was recorded cannot be kept: {0}")]
pub struct ShelfError(pub String);

/// Where the record outlasts the process. Losing it costs history and never safety: whoever implements it may
/// come up empty, and says so.
#[async_trait]
pub trait Shelf: Send + Sync {
    /// Everything that is kept, with the key; `fresh` becomes the key where there is none.
    async fn load(&self, fresh: Key) -> Result<Shelved, ShelfError>;

    /// Keeps, or (`None`) forgets, what stands in these places; all of it durably, or none.
    async fn put(&self, changes: Vec<(Place, Option<Kept>)>) -> Result<(), ShelfError>;
}
