//! Alerts as Alertmanager tells them (webhook version 4), read into belay's own words.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::Fingerprint;

/// Label and annotation sets.
pub type Labels = BTreeMap<String, String>;

/// What an alert says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// It fires.
    Firing,
    /// It was resolved at `ends_at`.
    Resolved,
}

/// How loud an alert is, from its `severity` label. Anything unknown is `Warning`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// `info` and `none`.
    Info,
    /// `warning`, and whatever is not known.
    Warning,
    /// `critical`, `page`, `error`, `high`.
    Critical,
}

/// One alert of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Hash of the label set; the same alert has the same one each time it fires.
    pub fingerprint: Fingerprint,
    /// Firing or resolved, as the alert itself says (never the delivery's status).
    pub status: AlertStatus,
    /// Authenticated by the webhook's credentials: these may name a target.
    pub labels: Labels,
    /// Text for people. Never names a target.
    pub annotations: Labels,
    /// When it began to fire, by the sender's clock; with the fingerprint it names one episode.
    pub starts_at: Timestamp,
    /// When it was resolved; `None` while it fires.
    pub ends_at: Option<Timestamp>,
    /// Where the rule can be looked at; shown, never fetched.
    pub generator_url: String,
}

impl Alert {
    /// The `alertname` label, or `""`.
    pub fn name(&self) -> &str {
        self.label("alertname").unwrap_or_default()
    }

    /// One label's value.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    /// How loud it is.
    pub fn severity(&self) -> Severity {
        match self.label("severity").map(str::to_ascii_lowercase).as_deref() {
            Some("critical" | "page" | "error" | "high") => Severity::Critical,
            Some("info" | "none") => Severity::Info,
            _ => Severity::Warning,
        }
    }

    /// The moment this observation speaks of: when it ended if it did, else when it began.
    /// Observations are ordered by this, never by arrival.
    pub fn observed_at(&self) -> Timestamp {
        self.ends_at.unwrap_or(self.starts_at)
    }
}

/// An alert within a delivery that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its place in the list, from 0.
    pub index: usize,
    /// The JSON path that was wrong.
    pub path: String,
    /// What was wrong there.
    pub error: String,
}

/// One webhook body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The receiver's name (Alertmanager escapes it as a regular expression).
    pub receiver: String,
    /// Changes with routing edits: a hint, never an identity.
    pub group_key: String,
    /// Where Alertmanager is reachable, as it says.
    pub external_url: String,
    /// How many alerts the sender left out; above 0, absence means nothing.
    pub truncated: u64,
    /// The readable alerts, in the sender's order.
    pub alerts: Vec<Alert>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
}
