//! What the tools take. Whatever is not named here is refused; a number that is too large is made the
//! largest, and the answer says what it left out.
//!
//! Most rows: a client of a model passes on about 24 KiB of one answer (some 6,000 tokens), and a row of a
//! table has 120 bytes, a row with a message twice that: 200 and 100.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::domain::inventory::{Keeper, Kind};

/// Most rows of a table.
pub const MOST_ROWS: u32 = 200;
/// Most events: each has a message.
pub const MOST_EVENTS: u32 = 100;
/// Kubernetes keeps 10 old revisions by default; five times that is more history than anybody reads.
pub const MOST_REVISIONS: u32 = 50;
/// The widest row has ten columns beside its name and its trouble.
pub const MOST_FIELDS: u32 = 12;
/// Most of a cursor: a name of 253 bytes with its mark, in base 64.
pub const MOST_CURSOR: u32 = 400;
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
    /// The workload's namespace.
    pub namespace: String,
    /// The workload.
    pub name: String,
    /// Its kind.
    #[serde(default)]
    pub kind: Rolled,
    /// How many revisions to show at most, the newest.
    #[serde(default = "revisions")]
    #[schemars(range(min = 1, max = MOST_REVISIONS))]
    pub limit: u32,
}

/// What is rolled out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Rolled {
    #[default]
    Deployment,
    StatefulSet,
    DaemonSet,
}

impl Rolled {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self.keeper() {
            None => "deployment",
            Some(keeper) => keeper.words(),
        }
    }

    /// What keeps its templates itself; a Deployment leaves that to its ReplicaSets.
    pub const fn keeper(self) -> Option<Keeper> {
        match self {
            Self::Deployment => None,
            Self::StatefulSet => Some(Keeper::StatefulSet),
            Self::DaemonSet => Some(Keeper::DaemonSet),
        }
    }
}

/// What `list_objects` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectsArgs {
    /// The namespace to look in.
    pub namespace: String,
    /// What to list.
    #[schemars(schema_with = "kinds")]
    pub kind: Kind,
    /// Only those with this text in their name.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub name_contains: String,
    /// Only those in trouble.
    #[serde(default)]
    pub in_trouble: bool,
    /// Only these columns.
    #[serde(default)]
    #[schemars(length(max = MOST_FIELDS))]
    pub fields: Vec<String>,
    /// How many to show at most.
    #[serde(default = "rows")]
    #[schemars(range(min = 1, max = MOST_ROWS))]
    pub limit: u32,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    #[schemars(length(max = MOST_CURSOR))]
    pub cursor: Option<String>,
}

/// What `list_nodes` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodesArgs {
    /// Only those with this text in their name.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub name_contains: String,
    /// Only those in trouble.
    #[serde(default)]
    pub in_trouble: bool,
    /// Only these columns.
    #[serde(default)]
    #[schemars(length(max = MOST_FIELDS))]
    pub fields: Vec<String>,
    /// How many to show at most.
    #[serde(default = "rows")]
    #[schemars(range(min = 1, max = MOST_ROWS))]
    pub limit: u32,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    #[schemars(length(max = MOST_CURSOR))]
    pub cursor: Option<String>,
}

/// What `get_usage` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageArgs {
    /// The namespace to look in.
    pub namespace: String,
    /// Only pods with this text in their name.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub name_contains: String,
    /// Those that use most of this come first.
    #[serde(default)]
    pub by: By,
    /// How many to show at most.
    #[serde(default = "rows")]
    #[schemars(range(min = 1, max = MOST_ROWS))]
    pub limit: u32,
}

/// What is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum By {
    #[default]
    Memory,
    Cpu,
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
    json_schema!({ "type": "string", "enum": names })
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
