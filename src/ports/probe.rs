//! What a source says of itself, for `belay doctor`.

use async_trait::async_trait;

use super::reads::ReadError;

/// What a source says of itself. Each part only where its API tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probed {
    /// Its version.
    pub version: Option<String>,
    /// How far back it keeps what it has.
    pub retention: Option<String>,
}

/// A source that can be asked how it is. It is asked with the credentials that are used in earnest.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Asks it; an error where it cannot be used.
    async fn probe(&self) -> Result<Probed, ReadError>;
}
