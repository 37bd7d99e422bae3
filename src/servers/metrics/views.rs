//! What the tools answer, as structure. Labels are text of others: cleaned, cut, and of few.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::alert::Labels;
use crate::domain::redact;
use crate::domain::series::{Aggregation, Series, Window, binned, sparkline};
use crate::servers::kit::Extent;

/// Labels of a series that are shown.
const LABELS: usize = 12;
/// A label's value: a name of Kubernetes and some.
const VALUE: usize = 120;
/// Blocks of a sparkline: half a line.
const WIDTH: usize = 40;

/// The labels that are shown.
pub fn labels(labels: &Labels) -> BTreeMap<String, String> {
    let shown = labels.iter().take(LABELS);
    shown.map(|(name, value)| (redact::line(name, 80), redact::line(value, VALUE))).collect()
}

/// A number that JSON can write, to six significant digits.
pub fn number(value: f64) -> Option<f64> {
    if !value.is_finite() {
        return None;
    }
    // through its own text: what it is rounded to has no longer one
    format!("{value:.5e}").parse().ok()
}

/// One series of a stretch, in figures and in a line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SeriesRow {
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The one number of the stretch, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The least.
    pub min: Option<f64>,
    /// The mean.
    pub avg: Option<f64>,
    /// The greatest.
    pub max: Option<f64>,
    /// The newest.
    pub last: Option<f64>,
    /// When that was.
    pub last_at: Option<String>,
    /// How many points there are.
    pub points: u64,
    /// The stretch as a line of blocks.
    pub shape: String,
    /// The means of equal parts of the stretch, null where a part has no points.
    pub values: Vec<Option<f64>>,
}

impl SeriesRow {
    /// The figures of a series within this window.
    pub fn of(series: &Series, window: Window, aggregation: Option<Aggregation>) -> Self {
        let bins = binned(&series.points, window.from, window.to, WIDTH);
        let figure = |how: Aggregation| how.of(&series.points).and_then(number);
        Self {
            labels: labels(&series.labels),
            value: aggregation.and_then(figure),
            min: figure(Aggregation::Min),
            avg: figure(Aggregation::Avg),
            max: figure(Aggregation::Max),
            last: figure(Aggregation::Last),
            last_at: series.points.last().map(|point| when(point.at)),
            points: series.points.len() as u64,
            shape: sparkline(&bins),
            values: bins.into_iter().map(|value| value.and_then(number)).collect(),
        }
    }
}

/// A moment, to the second.
pub fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A metric of a service over a period.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceMetric {
    /// The namespace.
    pub namespace: String,
    /// The workload.
    pub service: String,
    /// The metric.
    pub metric: String,
    /// What its numbers count, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How `value` was made.
    pub aggregation: String,
    /// From here.
    pub since: String,
    /// To here.
    pub until: String,
    /// Seconds from point to point.
    pub step_seconds: u64,
    /// What was asked of Prometheus.
    pub promql: String,
    /// How much of the answer is shown.
    pub extent: Extent,
    /// Its series.
    pub series: Vec<SeriesRow>,
}

/// A query over a stretch of time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ranged {
    /// From here.
    pub since: String,
    /// To here.
    pub until: String,
    /// Seconds from point to point.
    pub step_seconds: u64,
    /// Set where that is more than was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How much of the answer is shown.
    pub extent: Extent,
    /// Its series.
    pub series: Vec<SeriesRow>,
}

/// A query of a moment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Queried {
    /// When.
    pub at: String,
    /// How much of the answer is shown.
    pub extent: Extent,
    /// Its samples, the greatest first.
    pub samples: Vec<SampleRow>,
}

/// A sample.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SampleRow {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value; null where it is infinite.
    pub value: Option<f64>,
}

/// What changed of a metric.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changes {
    /// The namespace.
    pub namespace: String,
    /// The workload.
    pub service: String,
    /// The metric.
    pub metric: String,
    /// What its numbers count, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// From here.
    pub since: String,
    /// To here.
    pub until: String,
    /// How much of the answer is shown.
    pub extent: Extent,
    /// Its series.
    pub series: Vec<ChangeRow>,
}

/// What changed of one series.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangeRow {
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How many points there are; fewer than 8 say nothing.
    pub points: u64,
    /// The newest value.
    pub last: Option<f64>,
    /// A new level, where there is one.
    pub shift: Option<ShiftRow>,
    /// Its trend, since the new level where there is one.
    pub trend: Option<TrendRow>,
    /// Its limit, where one is known.
    pub limit: Option<LimitRow>,
    /// The stretch as a line of blocks.
    pub shape: String,
}

/// A new level.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShiftRow {
    /// Since when.
    pub at: String,
    /// The median before.
    pub before: Option<f64>,
    /// The median after.
    pub after: Option<f64>,
    /// How many standard deviations they are apart; null where nothing wavers.
    pub deviations: Option<f64>,
}

/// A trend.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TrendRow {
    /// rising, falling or flat.
    pub direction: String,
    /// How much it changes in an hour.
    pub per_hour: Option<f64>,
    /// Kendall's tau, -1 to 1.
    pub fit: Option<f64>,
    /// From when on.
    pub since: String,
}

/// A limit, and when it is met.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LimitRow {
    /// How much.
    pub value: Option<f64>,
    /// Who says so.
    pub source: String,
    /// When it is met, if it goes on like this.
    pub met_at: Option<String>,
    /// The same in words.
    pub says: String,
}

/// A picture of a series.
pub fn shape(series: &Series, window: Window) -> String {
    sparkline(&binned(&series.points, window.from, window.to, WIDTH))
}
