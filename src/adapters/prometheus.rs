//! Prometheus, and whatever else answers its HTTP API (Thanos, Mimir, VictoriaMetrics): queries of a moment and of a
//! stretch of time, and the rules that make alerts.

mod rules;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::monitoring::Monitoring;
pub use super::monitoring::{Credentials, SetupError};
use crate::domain::alert::Labels;
use crate::domain::redact;
use crate::domain::series::{Point, Series, Window};
use crate::ports::probe::{Probe, Probed};
use crate::ports::reads::{MOST_STEPS, Metrics, ReadError, Sample};

/// About 1,000 series of 1 KiB, and as much again.
const BODY: usize = 2 << 20;
/// What is asked of it is one number, or one for each pod of an owner: more is a query gone wrong.
const SERIES: usize = 1_000;
/// Series of a stretch: with 300 points of 30 bytes each and 1 KiB of labels they are within the same 2 MiB.
const LONG_SERIES: usize = 200;
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
struct Answer<T> {
    status: String,
    data: Option<T>,
    #[serde(default)]
    error: String,
    /// That the result is in part only, or of a query that makes little sense.
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Instant>),
    Scalar((f64, String)),
    Matrix(Vec<Long>),
    String(IgnoredAny),
}

#[derive(Deserialize)]
struct Instant {
    metric: Labels,
    value: Option<(f64, String)>,
}

#[derive(Deserialize)]
struct Long {
    metric: Labels,
    values: Option<Vec<(f64, String)>>,
}

impl<T> Answer<T> {
    /// What an answer holds that is whole; `what` was asked for.
    fn whole(self, what: &str) -> Result<T, ReadError> {
        let failed = |why: &str| ReadError::Failed { what: what.into(), why: redact::line(why, 300) };
        let Self { status, data, error, warnings } = self;
        if status != "success" {
            return Err(failed(&format!("it refused the query: {error}")));
        }
        if let Some(warning) = warnings.first() {
            return Err(failed(&format!("its answer is not to be relied on: {warning}")));
        }
        data.ok_or_else(|| failed("its answer has no data"))
    }
}

fn failed(why: &str) -> ReadError {
    ReadError::Failed { what: WHAT.into(), why: redact::line(why, 300) }
}

fn samples(answer: Answer<Data>) -> Result<Vec<Sample>, ReadError> {
    let series = match answer.whole(WHAT)? {
        Data::Vector(series) if series.len() > SERIES => {
            return Err(failed(&format!("the query gives {} series: more than {SERIES}", series.len())));
        }
        Data::Vector(series) => series,
        Data::Scalar(value) => vec![Instant { metric: Labels::new(), value: Some(value) }],
        Data::Matrix(_) | Data::String(_) => {
            return Err(failed("its answer is no vector: ask for one moment"));
        }
    };
    let sample = |Instant { metric: labels, value }| {
        let (_, text) = value.ok_or_else(|| failed("a series of its answer has no plain value"))?;
        let value = number(&text)?;
        Ok((!value.is_nan()).then_some(Sample { labels, value }))
    };
    series.into_iter().filter_map(|series| sample(series).transpose()).collect()
}

fn number(text: &str) -> Result<f64, ReadError> {
    text.parse().map_err(|_| failed("a value of its answer is no number"))
}

fn series(answer: Answer<Data>) -> Result<Vec<Series>, ReadError> {
    let all = match answer.whole(WHAT)? {
        Data::Matrix(all) if all.len() > LONG_SERIES => {
            let why =
                format!("the query gives {} series: more than {LONG_SERIES}, aggregate them", all.len());
            return Err(failed(&why));
        }
        Data::Matrix(all) => all,
        Data::Vector(_) | Data::Scalar(_) | Data::String(_) => {
            return Err(failed("its answer is no matrix"));
        }
    };
    let point = |(at, text): (f64, String)| {
        let wrong = || failed("a time of its answer is none");
        let at = SignedDuration::try_from_secs_f64(at).map_err(|_| wrong())?;
        let at = Timestamp::UNIX_EPOCH.checked_add(at).map_err(|_| wrong())?;
        let value = number(&text)?;
        Ok::<_, ReadError>((!value.is_nan()).then_some(Point { at, value }))
    };
    let one = |Long { metric: labels, values }| {
        let values = values.ok_or_else(|| failed("a series of its answer has no plain values"))?;
        let points = values.into_iter().filter_map(|value| point(value).transpose());
        let mut points = points.collect::<Result<Vec<_>, _>>()?;
        points.sort_by_key(|point| point.at);
        points.dedup_by_key(|point| point.at);
        Ok(Series { labels, points })
    };
    let all: Result<Vec<Series>, ReadError> = all.into_iter().map(one).collect();
    Ok(all?.into_iter().filter(|series| !series.points.is_empty()).collect())
}

/// These carry why in the same envelope.
const ALSO: [StatusCode; 3] =
    [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY, StatusCode::SERVICE_UNAVAILABLE];

#[async_trait]
impl Metrics for Prometheus {
    async fn query(&self, promql: &str, at: Timestamp) -> Result<Vec<Sample>, ReadError> {
        let at = at.to_string();
        let query = [("query", promql), ("time", at.as_str()), ("timeout", TIMEOUT)];
        samples(self.0.get(WHAT, &["api", "v1", "query"], &query, &ALSO).await?)
    }

    async fn range(&self, promql: &str, window: Window) -> Result<Vec<Series>, ReadError> {
        let Window { from, to, step } = window;
        let step = step.as_secs().max(1);
        if window.length().as_secs() / step > i64::from(MOST_STEPS) {
            return Err(failed(&format!("more than {MOST_STEPS} steps are asked for")));
        }
        let (from, to, step) = (from.to_string(), to.to_string(), step.to_string());
        let query = [
            ("query", promql),
            ("start", from.as_str()),
            ("end", to.as_str()),
            ("step", step.as_str()),
            ("timeout", TIMEOUT),
        ];
        series(self.0.get(WHAT, &["api", "v1", "query_range"], &query, &ALSO).await?)
    }
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
        let build: Result<Answer<Build>, _> = self.0.get(WHAT, &status("buildinfo"), &[], &[]).await;
        let runtime: Result<Answer<Runtime>, _> = self.0.get(WHAT, &status("runtimeinfo"), &[], &[]).await;
        let short = |text: String| (!text.is_empty()).then(|| redact::line(&text, 40));
        Ok(Probed {
            version: build.and_then(|told| told.whole(WHAT)).ok().and_then(|build| short(build.version)),
            retention: runtime
                .and_then(|told| told.whole(WHAT))
                .ok()
                .and_then(|runtime| short(runtime.storage_retention)),
        })
    }
}
