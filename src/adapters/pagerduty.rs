//! PagerDuty's REST API, version 2, read only: who is on call, its incidents, and who was told of one.

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use super::monitoring::SetupError;
use super::monitoring::{Credentials, Monitoring};
use crate::ports::alerting::{Call, CallState, Calls, Paging, Shift, Told};
use crate::ports::reads::{Listed, ReadError};

/// A page has at most a hundred entries, of some 2 KiB each; and as much again, four times.
const BODY: usize = 1 << 20;
/// The most of a page that it gives.
const PAGE: usize = 100;
/// Pages of one question: more than 300 entries nobody reads, and each page costs the account's rate limit.
const PAGES: usize = 3;

/// One account.
#[derive(Debug, Clone)]
pub struct PagerDuty(Monitoring);

impl PagerDuty {
    /// The account whose API is below `base` and takes this key. Nothing is sent yet.
    pub fn new(base: &str, key: SecretString) -> Result<Self, SetupError> {
        Ok(Self(Monitoring::new("pagerduty.url", base, Credentials::PagerDuty(key), BODY)?))
    }

    /// The pages of a list, as far as they are read.
    async fn list<T: Page>(
        &self,
        what: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Listed<T::Item>, ReadError> {
        let mut items = Vec::new();
        let limit = PAGE.to_string();
        for page in 0..PAGES {
            let offset = (page * PAGE).to_string();
            let mut query = query.to_vec();
            query.extend([("limit", limit.as_str()), ("offset", offset.as_str())]);
            let read: Paged<T> = self.0.get(what, path, &query, &[]).await?;
            let more = read.more;
            items.extend(read.page.items());
            if !more {
                return Ok(Listed { items, left_out: Some(0) });
            }
        }
        Ok(Listed { items, left_out: None })
    }
}

/// The part that all lists have.
#[derive(Deserialize)]
struct Paged<T> {
    #[serde(flatten)]
    page: T,
    more: bool,
}

/// A page, by the name that its entries have.
trait Page: DeserializeOwned {
    /// An entry.
    type Item;

    fn items(self) -> Vec<Self::Item>;
}

#[derive(Deserialize)]
struct OnCalls {
    oncalls: Vec<OnCall>,
}

#[derive(Deserialize)]
struct OnCall {
    user: Reference,
    schedule: Option<Reference>,
    escalation_policy: Reference,
    escalation_level: u32,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

/// What it names other things by; `summary` is the name that people gave.
#[derive(Deserialize)]
struct Reference {
    id: String,
    summary: Option<String>,
}

impl Reference {
    fn name(self) -> String {
        self.summary.unwrap_or(self.id)
    }
}

impl Page for OnCalls {
    type Item = Shift;

    fn items(self) -> Vec<Shift> {
        let one = |on: OnCall| Shift {
            member: on.user.name(),
            schedule: on.schedule.map(Reference::name),
            policy: on.escalation_policy.name(),
            level: on.escalation_level,
            from: on.start,
            until: on.end,
        };
        self.oncalls.into_iter().map(one).collect()
    }
}

#[derive(Deserialize)]
struct Incidents {
    incidents: Vec<Incident>,
}

#[derive(Deserialize)]
struct Incident {
    id: String,
    #[serde(rename = "incident_number")]
    number: u64,
    #[serde(default)]
    title: String,
    created_at: Timestamp,
    status: Status,
    service: Reference,
    #[serde(default)]
    urgency: String,
    resolved_at: Option<Timestamp>,
    #[serde(default)]
    assignments: Vec<Assignment>,
    #[serde(default)]
    acknowledgements: Vec<Acknowledgement>,
    #[serde(default)]
    html_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Triggered,
    Acknowledged,
    Resolved,
}

#[derive(Deserialize)]
struct Assignment {
    assignee: Reference,
}

#[derive(Deserialize)]
struct Acknowledgement {
    acknowledger: Reference,
}

impl Page for Incidents {
    type Item = Call;

    fn items(self) -> Vec<Call> {
        let one = |of: Incident| Call {
            id: of.id,
            number: of.number,
            title: of.title,
            service: of.service.name(),
            state: match of.status {
                Status::Triggered => CallState::Triggered,
                Status::Acknowledged => CallState::Acknowledged,
                Status::Resolved => CallState::Resolved,
            },
            urgency: of.urgency,
            at: of.created_at,
            resolved: of.resolved_at,
            assigned: of.assignments.into_iter().map(|a| a.assignee.name()).collect(),
            acknowledged: of.acknowledgements.into_iter().map(|a| a.acknowledger.name()).collect(),
            link: of.html_url.unwrap_or_default(),
        };
        self.incidents.into_iter().map(one).collect()
    }
}

#[derive(Deserialize)]
struct LogEntries {
    log_entries: Vec<LogEntry>,
}

#[derive(Deserialize)]
struct LogEntry {
    #[serde(rename = "type")]
    kind: String,
    created_at: Timestamp,
    user: Option<Reference>,
}

/// The entry that says that a person was told, by whichever channel.
const NOTIFIED: &str = "notify_log_entry";

impl Page for LogEntries {
    type Item = Told;

    fn items(self) -> Vec<Told> {
        let told = self.log_entries.into_iter().filter(|entry| entry.kind == NOTIFIED);
        told.filter_map(|entry| Some(Told { member: entry.user?.name(), at: entry.created_at })).collect()
    }
}

#[async_trait]
impl Paging for PagerDuty {
    async fn on_call(
        &self,
        schedules: &[String],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Listed<Shift>, ReadError> {
        let (from, until) = (from.to_string(), until.to_string());
        let mut query = vec![("since", from.as_str()), ("until", until.as_str())];
        query.extend(schedules.iter().map(|id| ("schedule_ids[]", id.as_str())));
        self.list::<OnCalls>("who is on call in PagerDuty", &["oncalls"], &query).await
    }

    async fn calls(&self, asked: &Calls) -> Result<Listed<Call>, ReadError> {
        let (since, until) = (asked.since.to_string(), asked.until.to_string());
        let mut query =
            vec![("since", since.as_str()), ("until", until.as_str()), ("sort_by", "created_at:desc")];
        query.extend(asked.services.iter().map(|id| ("service_ids[]", id.as_str())));
        self.list::<Incidents>("the incidents of PagerDuty", &["incidents"], &query).await
    }

    async fn told(&self, call: &str) -> Result<Listed<Told>, ReadError> {
        let what = "the log of an incident of PagerDuty";
        if !call.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(ReadError::Failed { what: what.into(), why: "its id is none of PagerDuty's".into() });
        }
        let path = ["incidents", call, "log_entries"];
        let mut told = self.list::<LogEntries>(what, &path, &[]).await?;
        told.items.sort_by_key(|told| told.at);
        Ok(told)
    }
}
