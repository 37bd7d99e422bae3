//! What the tools take. Whatever is not named here is refused; a number that is too large is made the
//! largest, and the answer says what it left out.
//!
//! Most rows: a client of a model passes on about 24 KiB of one answer (some 6,000 tokens), and a row of a
//! table has 120 bytes, a row with a message twice that: 200 and 100.

use schemars::JsonSchema;
use serde::Deserialize;

/// Most rows of a table.
pub const MOST_ROWS: u32 = 200;
/// Most events: each has a message.
pub const MOST_EVENTS: u32 = 100;
/// Kubernetes keeps 10 old revisions by default; five times that is more history than anybody reads.
pub const MOST_REVISIONS: u32 = 50;
/// Most lines of a log: at 128 bytes each, the usual structured line, 64 KiB, which is all that is read.
pub const MOST_LINES: u32 = 500;

/// What `list_pods` and `list_deployments` take.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListArgs {
    /// The namespace to look in.
    pub namespace: String,
    /// Only those with this text in their name.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub name_contains: String,
    /// How many to show at most; those in trouble come first.
    #[serde(default = "rows")]
    #[schemars(range(min = 1, max = MOST_ROWS))]
    pub limit: u32,
}

impl ListArgs {
    /// Whether no name is left out.
    pub const fn all(&self) -> bool {
        self.name_contains.is_empty()
    }

    /// Whether this name is asked for.
    pub fn wants(&self, name: &str) -> bool {
        name.contains(&self.name_contains)
    }
}

/// What `get_pod_logs` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogArgs {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// Its container; may be left out where it has only one.
    #[serde(default)]
    pub container: Option<String>,
    /// Read the instance before the present one: what a container said before it was killed.
    #[serde(default)]
    pub previous: bool,
    /// How many lines from the end.
    #[serde(default = "lines")]
    #[schemars(range(min = 1, max = MOST_LINES))]
    pub tail: u32,
}

/// What `get_events` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventArgs {
    /// The namespace to look in.
    pub namespace: String,
    /// Only events about the object of this name.
    #[serde(default)]
    pub object: Option<String>,
    /// How many to show at most, the newest.
    #[serde(default = "events")]
    #[schemars(range(min = 1, max = MOST_EVENTS))]
    pub limit: u32,
}

/// What `get_rollout_history` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryArgs {
    /// The Deployment's namespace.
    pub namespace: String,
    /// The Deployment.
    pub deployment: String,
    /// How many revisions to show at most, the newest.
    #[serde(default = "revisions")]
    #[schemars(range(min = 1, max = MOST_REVISIONS))]
    pub limit: u32,
}

/// What the prompt `incident` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentArgs {
    /// The cluster it happened in.
    pub cluster: String,
    /// The namespace it happened in.
    pub namespace: String,
    /// What is to be found out.
    pub task: String,
}

/// What the prompt `ask` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskArgs {
    /// The cluster it is about.
    pub cluster: String,
    /// The namespace to look in.
    pub namespace: String,
    /// The question.
    pub question: String,
}

/// Half of the most, so that two tables fit where one is allowed.
const fn rows() -> u32 {
    MOST_ROWS / 2
}

/// A stack trace with its context.
const fn lines() -> u32 {
    100
}

/// A quarter of the most: what happened in the last minutes.
const fn events() -> u32 {
    MOST_EVENTS / 4
}

/// What Kubernetes keeps by default.
const fn revisions() -> u32 {
    10
}
