//! What a finding rests on. Each piece has an id that findings, the model and people cite.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::canonical::Hash;
use super::ids::EvidenceId;
use super::suspicion::Flag;

/// Where a piece of evidence came from, which says how far it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Fields of objects, as the API server states them.
    Api,
    /// Measured values (metrics API, Prometheus).
    Metrics,
    /// Text that workloads write: never names a target, never moves a decision by itself.
    Logs,
    /// Messages of Kubernetes events: text, as logs are.
    Events,
    /// Alertmanager's own list of alerts.
    Alerts,
    /// A read-only tool that the model called.
    Tool,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// `e1`, `e2`, … within the incident.
    pub id: EvidenceId,
    /// Where it came from.
    pub source: Source,
    /// What was looked at, in a few words.
    pub title: String,
    /// What it showed: one or two lines, redacted and bounded.
    pub summary: String,
    /// The whole of it, where it is longer than the summary.
    pub blob: Option<Hash>,
    /// When it was read.
    pub at: Timestamp,
    /// What it does that data does not: shown to people, and never a reason to do anything.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<Flag>,
}

/// What was kept of pods before an act takes them away: logs, events and what they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preserved {
    /// All of it, under this name.
    Blob(Hash),
    /// It could not be kept, and why.
    Not(String),
}
