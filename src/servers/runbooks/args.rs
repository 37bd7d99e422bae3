//! What the tools of the runbooks server take. Whatever is not named here is refused.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Runbooks of one answer: a section each of at most 1,500 characters.
pub const MOST: u32 = 5;

/// What `find_runbook` takes: an alert, a service or words.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindArgs {
    /// Of the service.
    pub namespace: String,
    /// The alert's name.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub alert: Option<String>,
    /// Its other labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// A workload.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub service: Option<String>,
    /// Words.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    pub text: String,
    /// How many at most.
    #[serde(default = "few")]
    #[schemars(range(min = 1, max = MOST))]
    pub limit: u32,
}

/// What `check_runbook` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckArgs {
    /// Of the service.
    pub namespace: String,
    /// Its name, as `find_runbook` gives it.
    #[schemars(length(max = 500))]
    pub runbook: String,
    /// The workload that is looked at.
    pub service: String,
}

/// As many as an incident is shown, and one more.
const fn few() -> u32 {
    3
}
