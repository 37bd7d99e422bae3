//! What the tools take.

use schemars::JsonSchema;
use serde::Deserialize;

/// Most traces of a search: each is read whole, and a row of each with its slowest way fits one answer.
pub const MOST_TRACES: u32 = 20;

/// What `get_trace` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceArgs {
    /// A namespace that it went through.
    pub namespace: String,
    /// Its id, in hexadecimal.
    #[schemars(length(max = 32))]
    pub trace_id: String,
}

/// What `search_traces` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchArgs {
    /// The service's namespace.
    pub namespace: String,
    /// The service.
    #[schemars(length(max = 253))]
    pub service: String,
    /// Only with this operation of it.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub operation: Option<String>,
    /// Only those that took as long: `250ms`, `2s`.
    #[serde(default)]
    pub min_duration: Option<String>,
    /// Only those that failed.
    #[serde(default)]
    pub errors_only: bool,
    /// From: a time, or how long ago (`15m`).
    #[serde(default = "hour")]
    pub since: String,
    /// To; now unless given.
    #[serde(default)]
    pub until: Option<String>,
    /// How many at most.
    #[serde(default = "traces")]
    #[schemars(range(min = 1, max = MOST_TRACES))]
    pub limit: u32,
}

/// What `slowest_spans` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowArgs {
    /// The service's namespace.
    pub namespace: String,
    /// The service.
    #[schemars(length(max = 253))]
    pub service: String,
    /// From: a time, or how long ago (`15m`).
    #[serde(default = "hour")]
    pub since: String,
}

/// What an incident is about, and some time before it.
fn hour() -> String {
    "1h".to_owned()
}

/// Half of the most.
const fn traces() -> u32 {
    MOST_TRACES / 2
}
