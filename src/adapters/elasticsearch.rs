//! Elasticsearch and OpenSearch: pages of documents by `_search`, with the fields of the Elastic Common Schema unless
//! others are named.

mod body;

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use super::logs::{Ask, Entry, Names, Page, Store, gather};
use super::monitoring::{Credentials, Monitoring, Outgoing, SetupError, Unheard};
use crate::domain::log::read::Raw;
use crate::domain::log::{Instance, Severity, trace};
use crate::domain::redact;
use crate::ports::logs::{Found, Logs, Query};
use crate::ports::reads::ReadError;

/// A page of 1,000 documents of 8 KiB, far more than usual ones have.
const BODY: usize = 8 << 20;
/// What is asked for, in messages.
const WHAT: &str = "logs of Elasticsearch";

/// One cluster of it, and the indices that hold the logs.
#[derive(Debug)]
pub struct Elasticsearch {
    api: Monitoring,
    index: String,
    names: Names,
}

impl Elasticsearch {
    /// The server below `base`, and the index, data stream or pattern (`logs-*`) there. Nothing is sent yet.
    pub fn new(base: &str, credentials: Credentials, index: &str, names: Names) -> Result<Self, SetupError> {
        let api = Monitoring::new("logs.url", base, credentials, BODY)?;
        Ok(Self { api, index: index.to_owned(), names })
    }

    fn entry(&self, hit: &Hit) -> Entry {
        let field =
            |name: &str| hit.fields.get(name).and_then(|values| text(values.first()?)).unwrap_or_default();
        let Names { service, pod, container, host, severity, trace, text, time, .. } = &self.names;
        let instance =
            Instance { pod: field(pod), container: field(container), host: field(host), previous: false };
        let said = field(text);
        let stack = field(body::STACK);
        let known = stack.lines().next().is_some_and(|first| said.contains(first));
        let text = match (stack.is_empty(), known) {
            (true, _) | (_, true) => said,
            (false, false) => format!("{said}\n{stack}"),
        };
        let raw = Raw {
            at: field(time).parse::<Timestamp>().ok(),
            id: format!("{}/{}", hit.index, hit.id),
            service: field(service),
            severity: severity.as_deref().and_then(|name| Severity::of_word(&field(name))),
            trace: trace::id(&field(trace)),
            text,
        };
        Entry { instance, raw }
    }
}

/// An answer of `_search`.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    timed_out: bool,
    #[serde(default, rename = "_shards")]
    shards: Shards,
    hits: Hits,
}

#[derive(Default, Deserialize)]
struct Shards {
    #[serde(default)]
    total: u64,
    #[serde(default)]
    failed: u64,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_index")]
    index: String,
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    fields: BTreeMap<String, Vec<Value>>,
}

/// An error: `{"error":{"type":…,"reason":…,"root_cause":[…]},"status":400}`.
#[derive(Deserialize)]
struct Refusal {
    error: Problem,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Problem {
    Whole {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        reason: Option<String>,
        #[serde(default)]
        root_cause: Vec<Cause>,
    },
    Words(String),
}

#[derive(Deserialize)]
struct Cause {
    #[serde(default)]
    reason: Option<String>,
}

fn failed(why: &str) -> ReadError {
    ReadError::Failed { what: WHAT.into(), why: redact::line(why, 300) }
}

/// A value of a field as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Why it refused, in its own words.
fn refused(status: StatusCode, body: &[u8]) -> ReadError {
    let why = match serde_json::from_slice(body).map(|Refusal { error }| error) {
        Ok(Problem::Whole { kind, reason, root_cause }) => {
            let cause = root_cause.into_iter().find_map(|cause| cause.reason).or(reason);
            format!("it answered {status}: {kind}: {}", cause.unwrap_or_default())
        }
        Ok(Problem::Words(words)) => format!("it answered {status}: {words}"),
        Err(_) => format!("it answered {status}"),
    };
    failed(&why)
}

#[async_trait]
impl Store for Elasticsearch {
    async fn page(&self, ask: &Ask<'_>) -> Result<Page, Unheard> {
        let body = body::search(&self.names, ask).to_string().into_bytes();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let path = [self.index.as_str(), "_search"];
        let query = [("ignore_unavailable", "true"), ("allow_no_indices", "false")];
        let out = Outgoing { what: WHAT, path: &path, query: &query, headers, body: Some(body) };
        let answer = self.api.exchange(out).await?;
        if answer.status != StatusCode::OK {
            return Err(Unheard::Read(refused(answer.status, &answer.body)));
        }
        let unread = |e: serde_json::Error| Unheard::Read(failed(&format!("its answer cannot be read: {e}")));
        let Answer { timed_out, shards, hits } = serde_json::from_slice(&answer.body).map_err(unread)?;
        let mut notes = Vec::new();
        if timed_out {
            notes.push("Elasticsearch had not looked everywhere when its time was up".to_owned());
        }
        if shards.failed > 0 {
            notes.push(format!("{} of {} shards of Elasticsearch failed", shards.failed, shards.total));
        }
        let mut entries: Vec<Entry> = hits.hits.iter().map(|hit| self.entry(hit)).collect();
        let full = entries.len() >= ask.limit;
        if ask.newest {
            entries.reverse();
        }
        Ok(Page { entries, full, notes })
    }
}

#[async_trait]
impl Logs for Elasticsearch {
    fn name(&self) -> &'static str {
        "Elasticsearch"
    }

    async fn search(&self, query: &Query) -> Result<Found, ReadError> {
        gather(self, query).await
    }
}
