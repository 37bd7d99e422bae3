//! CloudWatch Logs Insights: a query is started, looked after until it is complete or its time is up, and stopped then.
//! Requests are signed (Signature Version 4) by AWS' own library, which is a pure function of request, key and time.

mod insights;
mod sign;

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::address::is_private;
use super::logs::{Ask, Entry, Names, Page, Store, gather};
use super::monitoring::{Credentials, Monitoring, Outgoing, SetupError, Unheard};
use crate::domain::log::read::Raw;
use crate::domain::log::{Instance, trace};
use crate::domain::redact;
use crate::ports::clock::SharedClock;
use crate::ports::logs::{Found, Logs, Query};
use crate::ports::reads::ReadError;
use sign::Keys;

/// As of the other stores; the service itself gives 10,000 lines at most.
const BODY: usize = 8 << 20;
/// What is asked for, in messages.
const WHAT: &str = "logs of CloudWatch";
/// Lines of one query: each is paid by what it looks through, so that it is asked once.
const LINES: usize = 2_000;
/// How long a query is waited for: a little less than all that an answer may take, so that it can be stopped.
const WITHIN: Duration = Duration::from_secs(8);
/// Between two looks at it: small queries take about a second, and five looks a second are allowed.
const PAUSE: SignedDuration = SignedDuration::from_millis(300);

/// Who asks, and where.
#[derive(Debug, Clone)]
pub struct Account {
    /// The region, as in `eu-central-1`.
    pub region: String,
    /// The access key's id.
    pub key: SecretString,
    /// The secret access key.
    pub secret: SecretString,
    /// The session's token, where the key is a temporary one.
    pub session: Option<SecretString>,
}

/// The log groups of one account in one region.
#[derive(Debug)]
pub struct CloudWatch {
    api: Monitoring,
    keys: Keys,
    groups: Vec<String>,
    names: Names,
    clock: SharedClock,
}

impl CloudWatch {
    /// These log groups. `base` is the region's own endpoint unless given. Nothing is sent yet.
    pub fn new(
        base: Option<&str>,
        account: Account,
        groups: Vec<String>,
        names: Names,
        clock: SharedClock,
    ) -> Result<Self, SetupError> {
        let own = format!("https://logs.{}.amazonaws.com/", account.region);
        let base = base.unwrap_or(&own);
        let api = Monitoring::new("logs.url", base, Credentials::None, BODY)?;
        let url = api.url(&[], &[]).ok_or(SetupError::Address { key: "logs.url" })?;
        // what is signed holds no secret, but what is answered may
        if !is_private(url.scheme(), url.host_str().unwrap_or_default()) {
            return Err(SetupError::Unprotected { key: "logs.url" });
        }
        Ok(Self { api, keys: Keys::new(account), groups, names, clock })
    }

    async fn call<T: DeserializeOwned>(
        &self,
        action: &'static str,
        body: &impl Serialize,
    ) -> Result<T, Unheard> {
        let body = serde_json::to_vec(body).map_err(|e| Unheard::Read(failed(&e.to_string())))?;
        let cannot = |why: &str| Unheard::Read(failed(&format!("the request cannot be signed: {why}")));
        let url = self.api.url(&[], &[]).ok_or_else(|| cannot("it has no address"))?;
        let headers = self.keys.sign(&url, action, &body, self.clock.now()).map_err(|e| cannot(&e))?;
        let out = Outgoing { what: WHAT, path: &[], query: &[], headers, body: Some(body) };
        let answer = self.api.exchange(out).await?;
        if answer.status != StatusCode::OK {
            return Err(Unheard::Read(refused(answer.status, &answer.body)));
        }
        let unread = |e: serde_json::Error| Unheard::Read(failed(&format!("its answer cannot be read: {e}")));
        serde_json::from_slice(&answer.body).map_err(unread)
    }

    /// What the query gives by the time that it is waited for, and what is not right with that.
    async fn results(&self, id: &QueryId) -> Result<(Results, Option<String>), Unheard> {
        let deadline = Instant::now() + WITHIN;
        loop {
            let results: Results = self.call("GetQueryResults", id).await?;
            match results.status.as_str() {
                "Complete" => return Ok((results, None)),
                "Scheduled" | "Running" | "Unknown" if Instant::now() < deadline => {
                    self.clock.sleep(PAUSE).await;
                }
                "Scheduled" | "Running" | "Unknown" => {
                    // what it has by now is what there is; that it goes on costs money and helps nobody
                    let _stopped: Result<Stopped, Unheard> = self.call("StopQuery", id).await;
                    let note = format!("CloudWatch was not done after {} seconds", WITHIN.as_secs());
                    return Ok((results, Some(note)));
                }
                status => {
                    return Err(Unheard::Read(failed(&format!("the query ended as `{status}`"))));
                }
            }
        }
    }

    fn entry(row: &[Cell]) -> Entry {
        let field = |name: &str| {
            let cell = row.iter().find(|cell| cell.field == name);
            cell.map_or_else(String::new, |cell| cell.value.clone())
        };
        let instance = Instance {
            pod: field(insights::POD),
            container: field(insights::CONTAINER),
            host: field(insights::HOST),
            previous: false,
        };
        let said = [field(insights::TEXT), field("@message")].into_iter().find(|text| !text.is_empty());
        let raw = Raw {
            at: moment(&field("@timestamp")),
            id: field("@ptr"),
            service: field(insights::SERVICE),
            severity: None,
            trace: trace::id(&field(insights::TRACE)),
            text: said.unwrap_or_default().trim_end_matches('\n').to_owned(),
        };
        Entry { instance, raw }
    }
}

/// `2026-11-21 02:00:00.123`, in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    format!("{}Z", text.trim().replacen(' ', "T", 1)).parse().ok()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartQuery<'a> {
    log_group_names: &'a [String],
    start_time: i64,
    end_time: i64,
    query_string: String,
    limit: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryId {
    query_id: String,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    results: Vec<Vec<Cell>>,
    status: String,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(default)]
    field: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Stopped {}

/// An error of the JSON protocol.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(default, alias = "Message")]
    message: String,
}

fn failed(why: &str) -> ReadError {
    ReadError::Failed { what: WHAT.into(), why: redact::line(why, 300) }
}

fn refused(status: StatusCode, body: &[u8]) -> ReadError {
    let Ok(Refusal { kind, message }) = serde_json::from_slice(body) else {
        return failed(&format!("it answered {status}"));
    };
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let why = redact::line(&format!("{kind}: {message}"), 300);
    match kind {
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException"
        | "MissingAuthenticationTokenException"
        | "InvalidClientTokenId" => ReadError::Refused { what: WHAT.into(), why },
        "ThrottlingException" | "LimitExceededException" => {
            failed(&format!("it is asked too often, or by too many queries at once: {why}; ask again later"))
        }
        _ => failed(&why),
    }
}

#[async_trait]
impl Store for CloudWatch {
    async fn page(&self, ask: &Ask<'_>) -> Result<Page, Unheard> {
        let query_string =
            insights::query(&self.names, ask).map_err(|e| Unheard::Read(failed(&e.to_string())))?;
        let limit = if ask.narrowed { LINES } else { ask.limit };
        let start = StartQuery {
            log_group_names: &self.groups,
            start_time: ask.since.as_second(),
            end_time: ask.until.as_second(),
            query_string,
            limit,
        };
        let id: QueryId = self.call("StartQuery", &start).await?;
        let (results, note) = self.results(&id).await?;
        let mut entries: Vec<Entry> = results.results.iter().map(|row| Self::entry(row)).collect();
        let mut notes: Vec<String> = note.into_iter().collect();
        if entries.len() >= limit && ask.narrowed {
            notes.push(format!(
                "only {limit} lines were looked through; ask for a shorter stretch to see others"
            ));
        }
        if ask.newest {
            entries.reverse();
        }
        // one query for one answer: each costs
        Ok(Page { entries, full: false, notes })
    }

    fn around(&self) -> usize {
        2
    }
}

#[async_trait]
impl Logs for CloudWatch {
    fn name(&self) -> &'static str {
        "CloudWatch"
    }

    async fn search(&self, query: &Query) -> Result<Found, ReadError> {
        gather(self, query).await
    }
}
