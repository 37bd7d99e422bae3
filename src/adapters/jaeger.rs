//! Jaeger, and whatever else answers its query service's JSON (`/api/traces`, `/api/services`, `/api/dependencies`).
//!
//! That JSON is what Jaeger's own pages are drawn from (`ui.Trace` in its source), the same in versions 1 and 2. The
//! API that is called version 3 (`/api/v3/traces`) gives OTLP, streamed and without a count of calls: not used.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::monitoring::Monitoring;
pub use super::monitoring::{Credentials, SetupError};
use crate::domain::redact;
use crate::domain::trace::{MOST_SPANS, Span, SpanKind, Trace, TraceId, bounded};
use crate::ports::reads::ReadError;
use crate::ports::traces::{Calls, Found, TraceQuery, Traces};

/// Twenty traces of a thousand spans, each of them 800 bytes: what a search shows at most, and as much again.
const BODY: usize = 32 << 20;

/// One query service.
#[derive(Debug, Clone)]
pub struct Jaeger {
    http: Monitoring,
    /// The resource attributes that hold a span's namespace, the first that it has counts.
    namespace: Vec<String>,
}

impl Jaeger {
    /// The query service below `base` (`http://jaeger-query.example:16686/`); spans say their namespace in these
    /// attributes. Nothing is sent yet.
    pub fn new(base: &str, credentials: Credentials, namespace: Vec<String>) -> Result<Self, SetupError> {
        Ok(Self { http: Monitoring::new("traces.url", base, credentials, BODY)?, namespace })
    }

    async fn get<T: for<'a> Deserialize<'a>>(
        &self,
        what: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, ReadError> {
        // these say why in the same envelope
        let also = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::INTERNAL_SERVER_ERROR];
        let answer: Answer<T> = self.http.get(what, path, query, &also).await?;
        let errors = answer.errors.unwrap_or_default();
        let data = answer.data.unwrap_or_default();
        match errors.first() {
            Some(error) if data.is_empty() && error.is_absence() => {
                Err(ReadError::NotFound { what: what.to_owned() })
            }
            Some(error) if data.is_empty() => Err(failed(what, &format!("it answered: {}", error.msg))),
            Some(_) | None => Ok(data),
        }
    }

    fn trace(&self, id: TraceId, of: WireTrace) -> Trace {
        let mut left_out = 0;
        let mut spans = Vec::new();
        for span in of.spans {
            match span.read(&of.processes, &self.namespace) {
                Some(span) if spans.len() < MOST_SPANS => spans.push(span),
                Some(_) | None => left_out += 1,
            }
        }
        Trace { id, spans, left_out }
    }
}

fn failed(what: &str, why: &str) -> ReadError {
    ReadError::Failed { what: what.into(), why: redact::line(why, 300) }
}

/// The envelope.
#[derive(Deserialize)]
struct Answer<T> {
    data: Option<Vec<T>>,
    errors: Option<Vec<WireError>>,
}

#[derive(Deserialize)]
struct WireError {
    code: Option<u16>,
    #[serde(default)]
    msg: String,
}

impl WireError {
    fn is_absence(&self) -> bool {
        self.code == Some(404) || self.msg.contains("trace not found")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTrace {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(default)]
    spans: Vec<WireSpan>,
    #[serde(default)]
    processes: HashMap<String, Process>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSpan {
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(default)]
    operation_name: String,
    /// As old versions wrote it.
    #[serde(rename = "parentSpanID", default)]
    parent_span_id: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    /// Microseconds since 1970.
    start_time: Whole,
    /// Microseconds.
    duration: Whole,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
    #[serde(rename = "processID", default)]
    process_id: Option<String>,
    /// The process itself, where there is no table of them.
    #[serde(default)]
    process: Option<Process>,
}

/// A number, or something else where one should stand.
#[derive(Deserialize)]
#[serde(untagged)]
enum Whole {
    Number(i64),
    Other(IgnoredAny),
}

impl Whole {
    const fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Other(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "refType", default)]
    kind: String,
    #[serde(rename = "spanID")]
    span: String,
}

#[derive(Deserialize)]
struct Process {
    #[serde(rename = "serviceName", default)]
    service: String,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    value: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Flag(bool),
    Other(IgnoredAny),
}

impl Value {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Flag(_) | Self::Other(_) => None,
        }
    }
}

/// The value of a tag of this name.
fn tag<'a>(tags: Option<&'a [Tag]>, key: &str) -> Option<&'a Value> {
    tags?.iter().find(|tag| tag.key == key).map(|tag| &tag.value)
}

impl WireSpan {
    fn read(self, processes: &HashMap<String, Process>, namespace: &[String]) -> Option<Span> {
        let start = Timestamp::from_microsecond(self.start_time.number()?).ok()?;
        let micros = self.duration.number()?;
        let process = self.process.as_ref().or_else(|| processes.get(self.process_id.as_deref()?))?;
        let (own, of_process) = (self.tags.as_deref(), process.tags.as_deref());
        let text = |key: &str| tag(own, key).and_then(Value::text);
        let namespace = namespace.iter().find_map(|key| tag(of_process, key)?.text());
        let kind = match text("span.kind") {
            Some("client") => SpanKind::Client,
            Some("server") => SpanKind::Server,
            Some("producer") => SpanKind::Producer,
            Some("consumer") => SpanKind::Consumer,
            Some(_) | None => SpanKind::Internal,
        };
        let bad = matches!(tag(own, "error"), Some(Value::Flag(true)))
            || text("error").is_some_and(|e| e == "true")
            || text("otel.status_code") == Some("ERROR");
        let why = ["otel.status_description", "error.message", "error.type"].into_iter().find_map(text);
        let peer = ["peer.service", "db.system", "db.system.name", "messaging.system"];
        Some(Span {
            start,
            nanos: u64::try_from(micros).unwrap_or(0).saturating_mul(1_000),
            kind,
            id: bounded(&self.span_id),
            parent: self.parent().map(bounded),
            service: bounded(&process.service),
            namespace: namespace.map(bounded),
            operation: bounded(&self.operation_name),
            error: bad.then(|| bounded(why.unwrap_or_default())),
            peer: peer.into_iter().find_map(text).map(bounded),
            backwards: micros < 0,
        })
    }

    /// The span that it is part of: its first parent, else what it follows from.
    fn parent(&self) -> Option<&str> {
        let references = self.references.as_deref().unwrap_or_default();
        let of = |kind: &str| references.iter().find(|r| r.kind == kind).map(|r| r.span.as_str());
        let old = self.parent_span_id.as_deref().filter(|id| !id.is_empty());
        of("CHILD_OF").or(old).or_else(|| of("FOLLOWS_FROM"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    parent: String,
    child: String,
    #[serde(default)]
    call_count: u64,
}

#[async_trait]
impl Traces for Jaeger {
    async fn trace(&self, id: &TraceId) -> Result<Trace, ReadError> {
        let what = format!("trace {id}");
        let found: Vec<WireTrace> = self.get(&what, &["api", "traces", &id.padded()], &[]).await?;
        let found = found.into_iter().find(|trace| TraceId::read(&trace.trace_id).as_ref() == Some(id));
        found.map(|trace| self.trace(id.clone(), trace)).ok_or(ReadError::NotFound { what })
    }

    async fn search(&self, query: &TraceQuery) -> Result<Found, ReadError> {
        let (start, end) =
            (query.since.as_microsecond().to_string(), query.until.as_microsecond().to_string());
        let limit = query.limit.to_string();
        let mut parameters = vec![
            ("service", query.service.as_str()),
            ("start", start.as_str()),
            ("end", end.as_str()),
            ("limit", limit.as_str()),
        ];
        if let Some(operation) = &query.operation {
            parameters.push(("operation", operation));
        }
        let at_least = query.at_least.map(micros);
        if let Some(at_least) = &at_least {
            parameters.push(("minDuration", at_least));
        }
        let tags = self.tags(query);
        if let Some(tags) = &tags {
            parameters.push(("tags", tags));
        }
        let found: Vec<WireTrace> = self.get("traces of Jaeger", &["api", "traces"], &parameters).await?;
        let mut result = Found { traces: Vec::new(), unread: 0 };
        for trace in found.into_iter().take(query.limit as usize) {
            match TraceId::read(&trace.trace_id) {
                Some(id) => result.traces.push(self.trace(id, trace)),
                None => result.unread += 1,
            }
        }
        Ok(result)
    }

    async fn calls(&self, since: Timestamp, until: Timestamp) -> Result<Option<Vec<Calls>>, ReadError> {
        let end = until.as_millisecond().to_string();
        let back = until.duration_since(since).as_millis().max(0).to_string();
        let parameters = [("endTs", end.as_str()), ("lookback", back.as_str())];
        let path = ["api", "dependencies"];
        let found: Vec<Dependency> = self.get("the dependencies of Jaeger", &path, &parameters).await?;
        let calls = |d: Dependency| Calls { from: d.parent, to: d.child, calls: d.call_count };
        let mut calls: Vec<Calls> = found.into_iter().map(calls).collect();
        calls.sort();
        Ok(Some(calls))
    }
}

impl Jaeger {
    /// The tags of a search, as JSON. The namespace can be asked for where one attribute holds it: tags are joined by *and*.
    fn tags(&self, query: &TraceQuery) -> Option<String> {
        let mut tags = serde_json::Map::new();
        if query.failed {
            tags.insert("error".into(), "true".into());
        }
        if let ([attribute], Some(namespace)) = (self.namespace.as_slice(), &query.namespace) {
            tags.insert(attribute.clone(), namespace.as_str().into());
        }
        (!tags.is_empty()).then(|| serde_json::Value::Object(tags).to_string())
    }
}

/// As Go reads durations.
fn micros(duration: SignedDuration) -> String {
    format!("{}us", duration.as_micros().max(0))
}
