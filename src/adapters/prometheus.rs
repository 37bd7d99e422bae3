//! Prometheus, and whatever else answers its HTTP API (Thanos, Mimir, VictoriaMetrics): instant queries.

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::monitoring::Monitoring;
pub use super::monitoring::{Credentials, SetupError};
use crate::domain::alert::Labels;
use crate::domain::redact;
use crate::ports::probe::{Probe, Probed};
use crate::ports::reads::{Metrics, ReadError, Sample};

/// About 1,000 series of 1 KiB, and as much again.
const BODY: usize = 2 << 20;
/// What is asked of it is one number, or one for each pod of an owner: more is a query gone wrong.
const SERIES: usize = 1_000;
/// A little below what the client waits, so that the server says itself that it was too much.
const TIMEOUT: &str = "8s";
/// What is asked for, in messages.
const WHAT: &str = "a measurement of Prometheus";

/// One server.
#[derive(Debug, Clone)]
pub struct Prometheus(Monitoring);

impl Prometheus {
    /// The server below `base` (`http://prometheus.example:9090/`). Nothing is sent yet.
    pub fn new(base: &str, credentials: Credentials) -> Result<Self, SetupError> {
        Ok(Self(Monitoring::new("prometheus.url", base, credentials, BODY)?))
    }
}

/// The envelope of its HTTP API, version 1.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: String,
    data: Option<Data>,
    #[serde(default)]
    error: String,
    /// That the result is in part only, or of a query that makes little sense.
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Series>),
    Scalar((f64, String)),
    Matrix(IgnoredAny),
    String(IgnoredAny),
}

#[derive(Deserialize)]
struct Series {
    metric: Labels,
    value: Option<(f64, String)>,
}

fn failed(why: &str) -> ReadError {
    ReadError::Failed { what: WHAT.into(), why: redact::line(why, 300) }
}

fn samples(answer: Answer) -> Result<Vec<Sample>, ReadError> {
    let Answer { status, data, error, warnings } = answer;
    if status != "success" {
        return Err(failed(&format!("it refused the query: {error}")));
    }
    if let Some(warning) = warnings.first() {
        return Err(failed(&format!("its answer is not to be relied on: {warning}")));
    }
    let series = match data {
        Some(Data::Vector(series)) if series.len() > SERIES => {
            return Err(failed(&format!("the query gives {} series: more than {SERIES}", series.len())));
        }
        Some(Data::Vector(series)) => series,
        Some(Data::Scalar(value)) => vec![Series { metric: Labels::new(), value: Some(value) }],
        Some(Data::Matrix(_) | Data::String(_)) | None => {
            return Err(failed("its answer is no vector: ask for one moment"));
        }
    };
    let sample = |Series { metric: labels, value }| {
        let (_, text) = value.ok_or_else(|| failed("a series of its answer has no plain value"))?;
        let value: f64 = text.parse().map_err(|_| failed("a value of its answer is no number"))?;
        Ok((!value.is_nan()).then_some(Sample { labels, value }))
    };
    series.into_iter().filter_map(|series| sample(series).transpose()).collect()
}

#[async_trait]
impl Metrics for Prometheus {
    async fn query(&self, promql: &str, at: Timestamp) -> Result<Vec<Sample>, ReadError> {
        let at = at.to_string();
        let query = [("query", promql), ("time", at.as_str()), ("timeout", TIMEOUT)];
        // these carry why in the same envelope
        let also =
            [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY, StatusCode::SERVICE_UNAVAILABLE];
        samples(self.0.get(WHAT, &["api", "v1", "query"], &query, &also).await?)
    }
}

/// The envelope around what a server says of itself.
#[derive(Deserialize)]
struct Told<T> {
    data: T,
}

#[derive(Deserialize)]
struct Build {
    version: String,
}

/// Only Prometheus itself says this.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runtime {
    #[serde(default)]
    storage_retention: String,
}

#[async_trait]
impl Probe for Prometheus {
    async fn probe(&self) -> Result<Probed, ReadError> {
        let status = |what: &'static str| ["api", "v1", "status", what];
        // that it answers queries is what counts; what it says of itself is not the same everywhere
        self.query("vector(1)", Timestamp::UNIX_EPOCH).await?;
        let build: Result<Told<Build>, _> = self.0.get(WHAT, &status("buildinfo"), &[], &[]).await;
        let runtime: Result<Told<Runtime>, _> = self.0.get(WHAT, &status("runtimeinfo"), &[], &[]).await;
        let short = |text: String| (!text.is_empty()).then(|| redact::line(&text, 40));
        Ok(Probed {
            version: build.ok().and_then(|told| short(told.data.version)),
            retention: runtime.ok().and_then(|told| short(told.data.storage_retention)),
        })
    }
}
