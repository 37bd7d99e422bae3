//! Loki, and Grafana's Enterprise Logs: ranges of streams by LogQL, over its HTTP API, version 1.

mod logql;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::logs::{Ask, Entry, Names, Page, Store, gather};
use super::monitoring::{Credentials, Incoming, Monitoring, Outgoing, SetupError, Unheard};
use crate::domain::log::read::Raw;
use crate::domain::log::{Instance, Severity, trace};
use crate::domain::{canonical, redact};
use crate::ports::logs::{Found, Logs, Query};
use crate::ports::reads::ReadError;
use logql::LogQl;

/// A page of 1,000 lines of 8 KiB, far more than usual ones have.
const BODY: usize = 8 << 20;
/// What is asked for, in messages.
const WHAT: &str = "logs of Loki";
/// Whose logs, where it keeps those of several.
const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");
/// Labels by which collectors and Loki itself say how grave a line is.
const LEVELS: [&str; 3] = ["level", "detected_level", "severity"];

/// One Loki.
#[derive(Debug)]
pub struct Loki {
    api: Monitoring,
    tenant: Option<HeaderValue>,
    names: Names,
    /// The most lines that it gives at once, as far as it said so.
    most: AtomicUsize,
}

/// A tenant that cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("`logs.tenant` holds something that no header can")]
pub struct NoTenant;

/// It cannot be asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the sources say it")]
pub enum NoLoki {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Tenant(#[from] NoTenant),
}

impl Loki {
    /// The Loki below `base` (`http://loki.example:3100/`). Nothing is sent yet.
    pub fn new(
        base: &str,
        credentials: Credentials,
        tenant: Option<&str>,
        names: Names,
    ) -> Result<Self, NoLoki> {
        let api = Monitoring::new("logs.url", base, credentials, BODY)?;
        let tenant = tenant.map(|t| HeaderValue::from_str(t).map_err(|_| NoTenant)).transpose()?;
        Ok(Self { api, tenant, names, most: AtomicUsize::new(usize::MAX) })
    }

    fn logql(&self, ask: &Ask<'_>) -> String {
        let Names { namespace, service, pod, container, severity, .. } = &self.names;
        let mut ql = LogQl::default().with(namespace, &ask.query.namespace);
        if let Some(name) = &ask.query.service {
            ql = ql.with(service, self.names.service(name));
        }
        if let Some(instance) = ask.instance {
            let known = [(pod, &instance.pod), (container, &instance.container)];
            for (label, value) in known.into_iter().filter(|(_, value)| !value.is_empty()) {
                ql = ql.with(label, value);
            }
        }
        if ask.narrowed {
            // the quicker first
            if let Some(pattern) = &ask.query.pattern {
                ql = ql.holding(pattern);
            }
            if let Some(least) = ask.query.least {
                ql = ql.at_least(least, severity.as_deref());
            }
        }
        ql.text()
    }

    fn entries(&self, stream: Stream, newest: bool) -> Result<Vec<Entry>, ReadError> {
        let Stream { stream: labels, mut values } = stream;
        if newest {
            values.reverse();
        }
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let Names { service, pod, container, host, severity, trace, .. } = &self.names;
        let instance =
            Instance { pod: label(pod), container: label(container), host: label(host), previous: false };
        let mut levels = severity.as_deref().into_iter().chain(LEVELS);
        let severity = levels.find_map(|name| Severity::of_word(labels.get(name)?));
        let traced = labels.get(trace).and_then(|id| trace::id(id));
        let entry = |Value(nanoseconds, text, _): Value| {
            let at = nanoseconds.parse().ok().and_then(|n| Timestamp::from_nanosecond(n).ok());
            let at = at.ok_or_else(|| failed("a line of its answer has no time"))?;
            // it keeps no two lines of one stream with the same time and text
            let id = canonical::Hash::of(text.as_bytes()).to_string();
            let raw =
                Raw { at: Some(at), id, service: label(service), severity, trace: traced.clone(), text };
            Ok(Entry { instance: instance.clone(), raw })
        };
        values.into_iter().map(entry).collect()
    }
}

/// The envelope of its HTTP API.
#[derive(Deserialize)]
struct Answer {
    status: String,
    data: Data,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Streams(Vec<Stream>),
    Matrix(IgnoredAny),
    Vector(IgnoredAny),
}

#[derive(Deserialize)]
struct Stream {
    stream: BTreeMap<String, String>,
    values: Vec<Value>,
}

/// Nanoseconds, the line, and metadata where they are asked for.
#[derive(Deserialize)]
#[expect(dead_code, reason = "metadata is read, so that a line with it can be, and let go")]
struct Value(String, String, #[serde(default)] Option<IgnoredAny>);

fn failed(why: &str) -> ReadError {
    ReadError::Failed { what: WHAT.into(), why: redact::line(why, 300) }
}

/// The most lines that it says it gives: `… limit > max_entries_limit (5000 > 1000)`.
fn allowed(said: &str) -> Option<usize> {
    let (_, numbers) = said.split_once("max_entries_limit")?;
    let (_, allowed) = numbers.split_once('(')?.1.split_once('>')?;
    let allowed: usize = allowed.split(')').next()?.trim().parse().ok()?;
    (allowed > 0).then_some(allowed)
}

#[async_trait]
impl Store for Loki {
    async fn page(&self, ask: &Ask<'_>) -> Result<Page, Unheard> {
        let mut limit = ask.limit.min(self.most.load(Ordering::Relaxed));
        let logql = self.logql(ask);
        let nanoseconds = |at: Timestamp, more: i128| (at.as_nanosecond() + more).to_string();
        // its end is not part of the range
        let (start, end) = (nanoseconds(ask.since, 0), nanoseconds(ask.until, 1));
        let direction = if ask.newest { "backward" } else { "forward" };
        let mut answer = self.range([&logql, &start, &end, direction], limit).await?;
        if let Some(allowed) =
            (answer.status == StatusCode::BAD_REQUEST).then(|| allowed(&answer.said())).flatten()
            && allowed < limit
        {
            self.most.store(allowed, Ordering::Relaxed);
            limit = allowed;
            answer = self.range([&logql, &start, &end, direction], limit).await?;
        }
        if answer.status != StatusCode::OK {
            return Err(Unheard::Read(failed(&format!("it answered {}: {}", answer.status, answer.said()))));
        }
        let entries = self.read(&answer.body, ask.newest).map_err(Unheard::Read)?;
        Ok(Page { full: entries.len() >= limit, entries, notes: Vec::new() })
    }
}

impl Loki {
    async fn range(
        &self,
        [query, start, end, direction]: [&str; 4],
        limit: usize,
    ) -> Result<Incoming, Unheard> {
        let limit = limit.to_string();
        let mut headers = HeaderMap::new();
        headers.extend(self.tenant.clone().map(|tenant| (TENANT, tenant)));
        let query = [
            ("query", query),
            ("start", start),
            ("end", end),
            ("direction", direction),
            ("limit", limit.as_str()),
        ];
        let path = ["loki", "api", "v1", "query_range"];
        self.api.exchange(Outgoing { what: WHAT, path: &path, query: &query, headers, body: None }).await
    }

    fn read(&self, body: &[u8], newest: bool) -> Result<Vec<Entry>, ReadError> {
        let unread = |e: serde_json::Error| failed(&format!("its answer cannot be read: {e}"));
        let Answer { status, data } = serde_json::from_slice(body).map_err(unread)?;
        if status != "success" {
            return Err(failed(&format!("it says `{status}`")));
        }
        match data {
            Data::Streams(streams) => {
                let mut entries = Vec::new();
                for stream in streams {
                    entries.extend(self.entries(stream, newest)?);
                }
                Ok(entries)
            }
            Data::Matrix(_) | Data::Vector(_) => Err(failed("its answer holds numbers, and no lines")),
        }
    }
}

#[async_trait]
impl Logs for Loki {
    fn name(&self) -> &'static str {
        "Loki"
    }

    fn sees_heads_only(&self) -> bool {
        true
    }

    async fn search(&self, query: &Query) -> Result<Found, ReadError> {
        gather(self, query).await
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn its_bound_is_learned_from_its_refusal() {
        let said = "max entries limit per query exceeded, limit > max_entries_limit_per_query (1000 > 500)";
        assert_eq!(allowed(said), Some(500));
        for other in ["", "max_entries_limit", "max_entries_limit (1 > x)", "max_entries_limit (1 > 0)"] {
            assert_eq!(allowed(other), None, "{other}");
        }
    }
}
