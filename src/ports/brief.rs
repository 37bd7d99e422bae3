//! What is asked about a workload besides what the cluster itself says: pages of a brief, each from somewhere else.
//! They are evidence to read, and never name what could be done.

use async_trait::async_trait;

use crate::domain::ids::Cluster;

/// The workload in question: read from the API server, never from text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its cluster.
    pub cluster: Cluster,
    /// Its namespace; empty for what has none.
    pub namespace: String,
    /// Its kind, as in `Deployment`.
    pub kind: String,
    /// Its name.
    pub workload: String,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The errors that it logged lately.
    ErrorLogs,
    /// What was deployed lately.
    RecentDeploys,
    /// What it calls, and how that is.
    Dependencies,
    /// Its measured values.
    Metrics,
}

impl Topic {
    /// Its name for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ErrorLogs => "error logs",
            Self::RecentDeploys => "recent deploys",
            Self::Dependencies => "dependencies",
            Self::Metrics => "metrics",
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// To what.
    pub topic: Topic,
    /// Who gave it.
    pub source: String,
    /// What was said: text of others, bounded, and neither cleaned nor fenced.
    pub text: String,
}

/// No answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// To what.
    pub topic: Topic,
    /// Who gave none.
    pub source: String,
    /// Why, in one line.
    pub why: String,
}

/// Answers questions about workloads.
#[async_trait]
pub trait Brief: Send + Sync {
    /// Every answer to be had within a bound of its own, in a fixed order; what is missing says so.
    async fn pages(&self, about: &About) -> Vec<Result<Page, Missing>>;
}
