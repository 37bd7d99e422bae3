//! What the tools of the deploys server take. Whatever is not named here is refused.

use schemars::JsonSchema;
use serde::Deserialize;

/// Most deploys of one answer: some 300 bytes each, and a client of a model passes on some 24 KiB.
pub const MOST: u32 = 50;

/// What `deploy_history` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryArgs {
    /// Of the service.
    pub namespace: String,
    /// A Deployment.
    pub service: String,
    /// How many at most, the newest.
    #[serde(default = "few")]
    #[schemars(range(min = 1, max = MOST))]
    pub limit: u32,
}

/// What `recent_changes` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangesArgs {
    /// To look in.
    pub namespace: String,
    /// Only deploys of this Deployment.
    #[serde(default)]
    pub service: Option<String>,
    /// A time, or how long ago: `2h`.
    #[serde(default = "a_day")]
    pub since: String,
}

/// What `pipeline_status` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineArgs {
    /// Of the service.
    pub namespace: String,
    /// A Deployment.
    pub service: String,
}

/// What `plan_rollback` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackArgs {
    /// Of the service.
    pub namespace: String,
    /// A Deployment.
    pub service: String,
    /// Back to this one; else to the newest that worked.
    #[serde(default)]
    pub to_revision: Option<u64>,
}

/// What Kubernetes keeps of revisions by default.
const fn few() -> u32 {
    10
}

fn a_day() -> String {
    "24h".to_owned()
}
