//! What is known of deploys besides the cluster's own revisions: what whoever delivers a service tells of it, and what
//! was recorded of its configuration.

use async_trait::async_trait;
use jiff::Timestamp;

use super::reads::ReadError;
use crate::domain::deploy::{Compared, ConfigChange, Deploy, Pipeline, Source};
use crate::domain::recorded::WorkloadHistory;
use crate::domain::target::Object;

/// One way by which one service is delivered. Text of others in the answers is cleaned.
#[async_trait]
pub trait Delivery: Send + Sync {
    /// Who tells.
    fn source(&self) -> Source;

    /// The newest deploys, newest first, at most so many.
    async fn history(&self, most: usize) -> Result<Vec<Deploy>, ReadError>;

    /// The newest runs of its pipeline, newest first, at most so many.
    async fn pipelines(&self, most: usize) -> Result<Vec<Pipeline>, ReadError>;

    /// What lies between two commits; `None`: who tells knows no commits.
    async fn compare(&self, base: &str, head: &str) -> Result<Option<Compared>, ReadError>;
}

/// What a running daemon recorded of the namespaces that it may act in.
pub trait Recorded: Send + Sync {
    /// How this workload was.
    fn workload(&self, workload: &Object, now: Timestamp) -> Option<WorkloadHistory>;

    /// How ConfigMaps and Services of a namespace changed since then, the newest change first.
    fn changes(&self, namespace: &str, since: Timestamp) -> Vec<ConfigChange>;

    /// What of a namespace is not followed now, and why.
    fn unwatched(&self, namespace: &str) -> Vec<String>;
}
