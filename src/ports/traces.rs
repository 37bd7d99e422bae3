//! The traces of one cluster, by a tracing backend.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::reads::ReadError;
use crate::domain::trace::{Trace, TraceId};

/// Which traces are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceQuery {
    /// Those with a span of this service.
    pub service: String,
    /// In this namespace; `None`: in any, or where spans do not say theirs.
    pub namespace: Option<String>,
    /// With this operation.
    pub operation: Option<String>,
    /// That took at least so long.
    pub at_least: Option<SignedDuration>,
    /// That failed.
    pub failed: bool,
    /// From here.
    pub since: Timestamp,
    /// To here.
    pub until: Timestamp,
    /// How many at most.
    pub limit: u32,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whole traces.
    pub traces: Vec<Trace>,
    /// How many more were found and could not be read whole.
    pub unread: u64,
}

/// Calls between two services, as a backend has counted them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Calls {
    /// Who called.
    pub from: String,
    /// Who was called.
    pub to: String,
    /// How often.
    pub calls: u64,
}

/// A tracing backend. What it gives is as the senders wrote it, neither cleaned nor redacted.
#[async_trait]
pub trait Traces: Send + Sync {
    /// One trace, whole.
    async fn trace(&self, id: &TraceId) -> Result<Trace, ReadError>;

    /// Traces that fit. Backends search as they see fit: there may be others, and they are in no order.
    async fn search(&self, query: &TraceQuery) -> Result<Found, ReadError>;

    /// Who called whom between two moments; `None` where the backend counts nothing like it. Names only: it does not say
    /// in which namespace.
    async fn calls(&self, since: Timestamp, until: Timestamp) -> Result<Option<Vec<Calls>>, ReadError>;
}
