//! What the tools take. Whatever is not named here is refused.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::series::Aggregation;

/// The longest query that is passed on: a page.
pub const LONGEST: u32 = 4096;

/// What `get_service_metrics` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceArgs {
    /// Its namespace.
    pub namespace: String,
    /// The workload.
    pub service: String,
    /// `error_ratio`, `latency_p99`, …; a wrong one lists all.
    pub metric: String,
    /// How far back.
    #[serde(default)]
    pub period: Period,
    /// Over the period.
    #[serde(default)]
    pub aggregation: How,
}

/// How far back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Period {
    #[serde(rename = "15m")]
    Quarter,
    #[default]
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "6h")]
    SixHours,
    #[serde(rename = "1d")]
    Day,
    #[serde(rename = "7d")]
    Week,
}

impl Period {
    /// In minutes.
    pub const fn minutes(self) -> i64 {
        match self {
            Self::Quarter => 15,
            Self::Hour => 60,
            Self::SixHours => 6 * 60,
            Self::Day => 24 * 60,
            Self::Week => 7 * 24 * 60,
        }
    }
}

/// How a stretch of time becomes one number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum How {
    #[default]
    Avg,
    Min,
    Max,
    Last,
    P50,
    P95,
    P99,
}

impl From<How> for Aggregation {
    fn from(how: How) -> Self {
        match how {
            How::Avg => Self::Avg,
            How::Min => Self::Min,
            How::Max => Self::Max,
            How::Last => Self::Last,
            How::P50 => Self::P50,
            How::P95 => Self::P95,
            How::P99 => Self::P99,
        }
    }
}

/// What `detect_change` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeArgs {
    /// Its namespace.
    pub namespace: String,
    /// The workload.
    pub service: String,
    /// As in `memory_usage`.
    pub metric: String,
    /// Time or age: `6h`.
    #[serde(default = "hours")]
    pub since: String,
    /// Instead of its own limit.
    #[serde(default)]
    pub limit: Option<f64>,
}

/// A working day's worth: long enough for a leak, short enough for a release to stand out.
fn hours() -> String {
    "6h".to_owned()
}

/// What `query` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryArgs {
    /// PromQL.
    #[schemars(length(min = 1, max = LONGEST))]
    pub promql: String,
    /// Time or age; now without it.
    #[serde(default)]
    pub at: Option<String>,
}

/// What `query_range` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RangeArgs {
    /// PromQL.
    #[schemars(length(min = 1, max = LONGEST))]
    pub promql: String,
    /// Time or age: `1h`.
    pub since: String,
    /// Now without it.
    #[serde(default)]
    pub until: Option<String>,
    /// From point to point.
    #[serde(default)]
    pub step_seconds: Option<u32>,
}
