//! A look at everything of a namespace, or of all, at once: the snapshots that [`Reads`](super::reads::Reads) would give
//! of each owner, from lists alone.

use async_trait::async_trait;

use super::reads::ReadError;
use crate::domain::cluster::Snapshot;

/// What was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// Workloads and bare pods.
    pub owners: usize,
    /// Pods.
    pub pods: usize,
    /// Nodes.
    pub nodes: usize,
    /// The namespaces that objects were found in.
    pub namespaces: usize,
    /// What could not be read, one sentence each.
    pub not_read: Vec<String>,
}

/// Lists of one cluster.
#[async_trait]
pub trait Survey: Send + Sync {
    /// Reads all of a namespace, or of all that may be read, and gives each owner's snapshot to `each`. What could not
    /// be read is told; it is an error only where no workload and no pod could be.
    async fn survey(
        &self,
        namespace: Option<&str>,
        each: &mut (dyn FnMut(Snapshot) + Send),
    ) -> Result<Surveyed, ReadError>;
}
