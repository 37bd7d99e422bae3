//! What the tools answer, as structure. Whatever others wrote is cleaned, redacted and cut.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::alert::Labels;
use crate::domain::redact;
use crate::servers::kit::Extent;

/// Labels of an alert that are shown.
const LABELS: usize = 16;
/// A name.
const NAME: usize = 120;
/// A summary: two lines of a screen.
const TEXT: usize = 240;
/// An expression, and a link.
const LONG: usize = 400;

/// The labels that are shown.
pub fn labels(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().take(LABELS).map(|(label, value)| (redact::line(label, 80), name(value))).collect()
}

/// A name that somebody gave.
pub fn name(text: &str) -> String {
    redact::line(text, NAME)
}

/// A sentence that somebody wrote.
pub fn sentence(text: &str) -> String {
    redact::line(text, TEXT)
}

/// An expression, or a link.
pub fn long(text: &str) -> String {
    redact::line(text, LONG)
}

/// A moment, to the second.
pub fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A number that JSON can write, to six significant digits.
pub fn number(value: f64) -> Option<f64> {
    if value.is_finite() { format!("{value:.5e}").parse().ok() } else { None }
}

/// Alerts that fire in a namespace.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Active {
    /// The namespace.
    pub namespace: String,
    /// How many of them are shown.
    pub extent: Extent,
    /// What could not be had, in a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The alerts.
    pub alerts: Vec<AlertRow>,
}

/// An alert that fires.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AlertRow {
    /// Its name.
    pub alert: String,
    /// Its `severity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Since when.
    pub since: String,
    /// Something keeps it quiet.
    pub quiet: bool,
    /// The silences that do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silences: Vec<String>,
    /// Its value now, or when its rule looked last.
    pub value: Option<f64>,
    /// What its rule compares that with: `> 0.05`.
    pub threshold: Option<String>,
    /// Where the value goes, over the last hour.
    pub trend: Option<String>,
    /// The same as a line of blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// What its rule looks at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// What to do, as its annotations say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
}

/// What fired in a namespace.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    /// The namespace.
    pub namespace: String,
    /// From here.
    pub since: String,
    /// To here.
    pub until: String,
    /// As many seconds a beginning or an end may be off.
    pub precision_seconds: u64,
    /// How many are shown.
    pub extent: Extent,
    /// What could not be had, in a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The newest first.
    pub episodes: Vec<EpisodeRow>,
}

/// An alert that fired once.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EpisodeRow {
    /// Its name.
    pub alert: String,
    /// Its `severity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// What it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// From here.
    pub from: String,
    /// To here; null: it still fires.
    pub until: Option<String>,
    /// How long, in seconds.
    pub seconds: u64,
    /// Who was called, where that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paged: Vec<String>,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
}

/// Silences that speak of a namespace.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Silences {
    /// The namespace.
    pub namespace: String,
    /// How many there are.
    pub extent: Extent,
    /// What is not shown.
    pub left_out: String,
    /// Those that end soon come first.
    pub silences: Vec<SilenceRow>,
}

/// A silence.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SilenceRow {
    /// Its id.
    pub id: String,
    /// Whether it is in force now.
    pub active: bool,
    /// What it silences.
    pub matchers: Vec<String>,
    /// The alerts of the namespace that it keeps quiet now.
    pub quiets: Vec<String>,
    /// From here.
    pub from: String,
    /// To here.
    pub until: String,
    /// Who made it, as they said.
    pub by: String,
    /// Why.
    pub comment: String,
}

/// Who is on call for a namespace.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OnCall {
    /// The namespace.
    pub namespace: String,
    /// When.
    pub at: String,
    /// What could not be had, in a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// On call at that moment, who is called first on top.
    pub now: Vec<ShiftRow>,
    /// After it.
    pub next: Vec<ShiftRow>,
}

/// A stretch on call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ShiftRow {
    /// Who.
    pub member: String,
    /// By which team and layer, or policy and level.
    pub rotation: String,
    /// Since when; null: always.
    pub from: Option<String>,
    /// Until when; null: for good.
    pub until: Option<String>,
    /// They stand in for somebody.
    pub stands_in: bool,
    /// `file` or `pagerduty`.
    pub source: String,
}

/// Calls about a namespace.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Pages {
    /// The namespace.
    pub namespace: String,
    /// From here.
    pub since: String,
    /// How many are shown.
    pub extent: Extent,
    /// The newest first.
    pub pages: Vec<PageRow>,
}

/// A call.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PageRow {
    /// Its number.
    pub number: u64,
    /// triggered, acknowledged or resolved.
    pub state: String,
    /// What it says.
    pub title: String,
    /// The service, as people call it there.
    pub service: String,
    /// How urgent.
    pub urgency: String,
    /// When it began.
    pub at: String,
    /// When it was resolved.
    pub resolved: Option<String>,
    /// Who has it.
    pub assigned: Vec<String>,
    /// Who acknowledged it.
    pub acknowledged: Vec<String>,
    /// Where people look at it.
    pub link: String,
}

/// Alerts like one.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Similar {
    /// The namespace.
    pub namespace: String,
    /// The alert.
    pub alert: String,
    /// From here.
    pub since: String,
    /// How many are shown.
    pub extent: Extent,
    /// What could not be had, in a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The most alike first, then the newest.
    pub similar: Vec<SimilarRow>,
}

/// An alert like it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SimilarRow {
    /// How it is alike.
    pub how: String,
    /// Its name.
    pub alert: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How often it fired.
    pub times: u64,
    /// When it began last.
    pub last: String,
    /// Whether it fires now.
    pub active: bool,
}
