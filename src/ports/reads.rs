//! The eyes: typed, read-only views of the cluster and its alerts.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::alert::Labels;
use crate::domain::cluster::{ActiveAlert, Event, Fleet, LogTail, Pod, Revision, Snapshot, Workload};
use crate::domain::inventory;
use crate::domain::series::{Series, Window};
use crate::domain::target::{Named, Object, RootOwner};

/// Something could not be read: nothing is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

    /// The logs of each container of this pod, of its present and its previous instance: all that is left of
    /// it once it goes.
    async fn last_words(&self, pod: &Object) -> Result<Vec<LogTail>, ReadError>;

    /// Counts the pods of these namespaces and how many of them are not well. What is counted in part would
    /// mislead: one namespace that cannot be read is an error.
    async fn fleet(&self, namespaces: &[String]) -> Result<Fleet, ReadError>;
}

/// Alertmanager's own list of alerts.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// All alerts it knows, suppressed ones included.
    async fn active(&self) -> Result<Vec<ActiveAlert>, ReadError>;
}

/// One series of an answer: its labels, and its value at that moment. Never NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels, as the query left them.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// The most steps of a window: as many points as a screen is wide, and as many as a change is looked for in.
pub const MOST_STEPS: u32 = 300;

/// Measurements, by a time-series database that answers PromQL.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// What `promql` gave at this moment: one sample a series, none where nothing matches. An answer in part is an
    /// error.
    async fn query(&self, promql: &str, at: Timestamp) -> Result<Vec<Sample>, ReadError>;

    /// What `promql` gave at each step of the window, none where nothing matches; points without a value are left out.
    /// An answer in part is an error, and so is a window of more than [`MOST_STEPS`].
    async fn range(&self, promql: &str, window: Window) -> Result<Vec<Series>, ReadError>;
}

/// What a list showed, and how much of it there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// What was read.
    pub items: Vec<T>,
    /// How many more there are that were not read; `None`: there are more, and the server did not say how
    /// many.
    pub left_out: Option<u64>,
}

/// Which log is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// Its container; `None`: its only one.
    pub container: Option<String>,
    /// Of the instance before the present one.
    pub previous: bool,
    /// Lines from the end.
    pub tail: u32,
}

/// Which stretch of a log is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StretchQuery {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// Its container.
    pub container: String,
    /// Of the instance before the present one.
    pub previous: bool,
    /// From this moment on.
    pub since: Timestamp,
    /// Up to this moment.
    pub until: Timestamp,
    /// Where not all of it can be read: its end; its beginning otherwise.
    pub newest: bool,
}

/// A stretch of a log, as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Its lines in order, with the time at which each was written. Text of others, neither cleaned nor redacted.
    pub lines: Vec<(Timestamp, String)>,
    /// Whether more lines are in it than could be read.
    pub cut: bool,
}

/// Plain lists of one cluster, for whoever looks around in it. Text in them is cleaned and redacted.
#[async_trait]
pub trait Listing: Send + Sync {
    /// Pods of a namespace, by name.
    async fn pods(&self, namespace: &str) -> Result<Listed<Pod>, ReadError>;

    /// Deployments of a namespace, by name.
    async fn deployments(&self, namespace: &str) -> Result<Listed<Workload>, ReadError>;

    /// Events of a namespace, newest first.
    async fn events(&self, namespace: &str) -> Result<Listed<Event>, ReadError>;

    /// Revisions of a Deployment, newest first.
    async fn revisions(&self, namespace: &str, deployment: &str) -> Result<Listed<Revision>, ReadError>;

    /// The end of one container's log.
    async fn log(&self, query: &LogQuery) -> Result<LogTail, ReadError>;

    /// A stretch of one container's log, for whoever searches in it: not redacted, so that it can be.
    async fn stretch(&self, query: &StretchQuery) -> Result<Stretch, ReadError> {
        let what = format!("the log of pod `{}` in namespace `{}`", query.pod, query.namespace);
        Err(ReadError::Failed { what, why: "stretches of logs are not had from here".to_owned() })
    }
}

/// One read, as it travels to a read server in another process: a method of [`Reads`], of [`Listing`] or of
/// [`Inventory`](super::inventory::Inventory) with its arguments. The answer is what the method gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "read", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "as in the methods")]
pub enum Query {
    Locate { named: Named },
    Snapshot { target: Object, owner: RootOwner },
    LastWords { pod: Object },
    Fleet { namespaces: Vec<String> },
    Pods { namespace: String },
    Deployments { namespace: String },
    Events { namespace: String },
    Revisions { namespace: String, deployment: String },
    Log { namespace: String, pod: String, container: Option<String>, previous: bool, tail: u32 },
    Objects { kind: inventory::Kind, namespace: String, after: Option<String> },
    Nodes { after: Option<String> },
    Usage { namespace: String },
    Templates { keeper: inventory::Keeper, namespace: String, name: String },
    Stretch { of: StretchQuery },
}
