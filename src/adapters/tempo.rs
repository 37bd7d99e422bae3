//! Grafana Tempo: a trace by its id (`/api/traces/{id}`, OTLP as JSON) and searches in TraceQL (`/api/search`).
//!
//! Tempo writes ids as protobuf's JSON does, in base64; OTLP says hexadecimal. Both are read.

mod otlp;
mod traceql;

use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde::Deserialize;

use super::monitoring::Monitoring;
pub use super::monitoring::{Credentials, SetupError};
use crate::domain::redact;
use crate::domain::trace::{Trace, TraceId};
use crate::ports::reads::ReadError;
use crate::ports::traces::{Calls, Found, TraceQuery, Traces};
use otlp::Document;
pub use traceql::quoted;

/// Forty thousand spans of 800 bytes: as of Jaeger's.
const BODY: usize = 32 << 20;
/// Traces that are read at once after a search: what a browser opens to one host.
const AT_ONCE: usize = 6;
/// How long a search may take with all that it found: as one request.
const WITHIN: Duration = Duration::from_secs(10);

/// One query frontend.
#[derive(Debug, Clone)]
pub struct Tempo {
    http: Monitoring,
    /// The resource attributes that hold a span's namespace, the first that it has counts.
    namespace: Vec<String>,
}

/// What a search gives of each trace.
#[derive(Deserialize)]
struct Searched {
    #[serde(default)]
    traces: Option<Vec<Summary>>,
}

#[derive(Deserialize)]
struct Summary {
    #[serde(rename = "traceID")]
    trace_id: String,
}

impl Tempo {
    /// The query frontend below `base` (`http://tempo.example:3200/`); spans say their namespace in these attributes.
    /// Nothing is sent yet.
    pub fn new(base: &str, credentials: Credentials, namespace: Vec<String>) -> Result<Self, SetupError> {
        Ok(Self { http: Monitoring::new("traces.url", base, credentials, BODY)?, namespace })
    }

    async fn found(&self, query: &TraceQuery) -> Result<Found, ReadError> {
        let text = traceql::search(query, &self.namespace);
        // whole seconds, with the last one in it
        let start = query.since.as_second().to_string();
        let end = query.until.as_second().saturating_add(1).to_string();
        let limit = query.limit.to_string();
        let parameters =
            [("q", text.as_str()), ("start", &start), ("end", &end), ("limit", &limit), ("spss", "1")];
        let searched: Searched =
            self.http.get("traces of Tempo", &["api", "search"], &parameters, &[]).await?;
        let ids: Vec<Option<TraceId>> = searched
            .traces
            .unwrap_or_default()
            .iter()
            .take(query.limit as usize)
            .map(|t| TraceId::read(&t.trace_id))
            .collect();
        let all = ids.len();
        let read = stream::iter(ids.into_iter().flatten())
            .map(|id| async move { self.trace(&id).await })
            .buffered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let mut failed = None;
        let mut traces = Vec::new();
        for trace in read {
            match trace {
                Ok(trace) => traces.push(trace),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if traces.is_empty() => Err(error),
            Some(_) | None => Ok(Found { unread: (all - traces.len()) as u64, traces }),
        }
    }
}

#[async_trait]
impl Traces for Tempo {
    async fn trace(&self, id: &TraceId) -> Result<Trace, ReadError> {
        let what = format!("trace {id}");
        let path = ["api", "traces", &id.padded()];
        let read: Result<Document, ReadError> =
            self.http.get(&what, &path, &[], &[StatusCode::NOT_FOUND]).await;
        match read {
            Ok(document) => Some(document.trace(id, &self.namespace))
                .filter(|trace| !trace.spans.is_empty() || trace.left_out > 0)
                .ok_or(ReadError::NotFound { what }),
            // the answer about a trace that is not there is plain text
            Err(ReadError::Failed { what, why }) if why.starts_with("it answered 404") => {
                Err(ReadError::NotFound { what })
            }
            Err(error) => Err(error),
        }
    }

    async fn search(&self, query: &TraceQuery) -> Result<Found, ReadError> {
        let late = |_| ReadError::Failed {
            what: "traces of Tempo".into(),
            why: redact::line(&format!("no answer within {} seconds", WITHIN.as_secs()), 100),
        };
        tokio::time::timeout(WITHIN, self.found(query)).await.map_err(late)?
    }

    /// What Tempo's metrics generator counts goes to a Prometheus: nothing of it is asked here.
    async fn calls(&self, _: Timestamp, _: Timestamp) -> Result<Option<Vec<Calls>>, ReadError> {
        Ok(None)
    }
}
