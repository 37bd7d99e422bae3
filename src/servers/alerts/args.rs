//! What the tools take. Whatever is not named here is refused; a number that is too large is made the largest.

use schemars::JsonSchema;
use serde::Deserialize;

/// Most rows of a table: each has labels, and 24 KiB of one answer are passed on.
pub const MOST_ROWS: u32 = 50;
/// The farthest that shifts are shown ahead.
pub const MOST_DAYS: u32 = 30;

/// What `get_active_alerts` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActiveArgs {
    /// The namespace.
    pub namespace: String,
    /// Only alerts of this name.
    #[serde(default)]
    pub alert: Option<String>,
    /// At most, the loudest.
    #[serde(default = "rows")]
    #[schemars(range(min = 1, max = MOST_ROWS))]
    pub limit: u32,
}

/// What `get_alert_history` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryArgs {
    /// The namespace.
    pub namespace: String,
    /// Time or age: `1d`.
    #[serde(default = "day")]
    pub since: String,
    /// Now without it.
    #[serde(default)]
    pub until: Option<String>,
    /// Only alerts of this name.
    #[serde(default)]
    pub alert: Option<String>,
    /// At most, the newest.
    #[serde(default = "rows")]
    #[schemars(range(min = 1, max = MOST_ROWS))]
    pub limit: u32,
}

/// What `get_silences` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceArgs {
    /// The namespace.
    pub namespace: String,
}

/// What `get_on_call_schedule` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnCallArgs {
    /// The namespace.
    pub namespace: String,
    /// Now without it.
    #[serde(default)]
    pub at: Option<String>,
    /// How many days ahead.
    #[serde(default = "week")]
    #[schemars(range(min = 1, max = MOST_DAYS))]
    pub days: u32,
}

/// What `get_pages` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagesArgs {
    /// The namespace.
    pub namespace: String,
    /// Time or age: `1d`.
    #[serde(default = "day")]
    pub since: String,
    /// Only unresolved ones.
    #[serde(default)]
    pub open: bool,
}

/// What `similar_alerts` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimilarArgs {
    /// The namespace.
    pub namespace: String,
    /// Its name.
    pub alert: String,
    /// The workload.
    #[serde(default)]
    pub service: Option<String>,
    /// Time or age: `7d`.
    #[serde(default = "days")]
    pub since: String,
}

/// Half of the most: two tables fit.
const fn rows() -> u32 {
    MOST_ROWS / 2
}

/// A day and a night.
fn day() -> String {
    "1d".to_owned()
}

/// As long as most keep samples close enough.
fn days() -> String {
    "7d".to_owned()
}

/// Until the next handoff of most rotations.
const fn week() -> u32 {
    7
}
