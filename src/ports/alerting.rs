//! What is known about alerts besides their list: the rules behind them, silences, who is on call and who was called.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::reads::{Listed, ReadError};
use crate::domain::alert::Labels;
use crate::domain::ids::Fingerprint;

/// An alert that a rule or Alertmanager speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// Its fingerprint; `None` where a rule speaks of it.
    pub fingerprint: Option<Fingerprint>,
    /// Its labels.
    pub labels: Labels,
    /// Text for people.
    pub annotations: Labels,
    /// Since when.
    pub since: Timestamp,
    /// The silences that keep it quiet, by their ids.
    pub silenced_by: Vec<String>,
    /// Something keeps it quiet: a silence, an inhibition, a time interval.
    pub quiet: bool,
    /// The value that its rule saw last, where a rule speaks of it.
    pub value: Option<f64>,
}

/// A rule that makes alerts.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its alerts' name.
    pub name: String,
    /// What it looks at, in PromQL.
    pub expression: String,
    /// How long that must hold.
    pub holds: SignedDuration,
    /// The labels that it adds.
    pub labels: Labels,
    /// Text for people, with places.
    pub annotations: Labels,
    /// Its alerts that fire.
    pub firing: Vec<Firing>,
}

/// The rules of a time-series database.
#[async_trait]
pub trait Rules: Send + Sync {
    /// Every rule that makes alerts. An answer in part is an error.
    async fn rules(&self) -> Result<Vec<Rule>, ReadError>;
}

/// A matcher of a silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matches {
    /// The label.
    pub name: String,
    /// The text, or an anchored regular expression.
    pub value: String,
    /// Which of both.
    pub regex: bool,
    /// It must match, or must not.
    pub equal: bool,
}

/// A silence that is in force or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// Whether it is in force now.
    pub active: bool,
    /// What it silences.
    pub matches: Vec<Matches>,
    /// From here.
    pub starts_at: Timestamp,
    /// To here.
    pub ends_at: Timestamp,
    /// Who made it, as they said.
    pub by: String,
    /// Why, as they said.
    pub comment: String,
}

/// What a router of alerts knows.
#[async_trait]
pub trait Router: Send + Sync {
    /// Every alert that it has, quiet ones included.
    async fn firing(&self) -> Result<Vec<Firing>, ReadError>;

    /// The silences that are not over.
    async fn silences(&self) -> Result<Vec<Silence>, ReadError>;
}

/// A stretch of somebody being on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Who.
    pub member: String,
    /// By which schedule; `None` where they are named in an escalation policy itself.
    pub schedule: Option<String>,
    /// Under which escalation policy.
    pub policy: String,
    /// On which of its levels, from 1.
    pub level: u32,
    /// Since when; `None`: always.
    pub from: Option<Timestamp>,
    /// Until when; `None`: for good.
    pub until: Option<Timestamp>,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// Nobody has taken it.
    Triggered,
    /// Somebody is at it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// An incident of a paging service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id there.
    pub id: String,
    /// Its number there.
    pub number: u64,
    /// What it says.
    pub title: String,
    /// The service it is about, as people call it there.
    pub service: String,
    /// What became of it.
    pub state: CallState,
    /// How urgent it is, in the service's own word.
    pub urgency: String,
    /// When it began.
    pub at: Timestamp,
    /// When it was resolved.
    pub resolved: Option<Timestamp>,
    /// Who has it now.
    pub assigned: Vec<String>,
    /// Who acknowledged it.
    pub acknowledged: Vec<String>,
    /// Where people look at it.
    pub link: String,
}

/// A person who was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Who.
    pub member: String,
    /// When.
    pub at: Timestamp,
}

/// Which calls are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    /// Of these services, by their ids; never empty.
    pub services: Vec<String>,
    /// That began from here on.
    pub since: Timestamp,
    /// And before this.
    pub until: Timestamp,
}

/// A service that calls people.
#[async_trait]
pub trait Paging: Send + Sync {
    /// Who is on call in a stretch of time by these schedules, which are never none.
    async fn on_call(
        &self,
        schedules: &[String],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Listed<Shift>, ReadError>;

    /// Its incidents, the newest first.
    async fn calls(&self, asked: &Calls) -> Result<Listed<Call>, ReadError>;

    /// Who was told of one of them, the first first.
    async fn told(&self, call: &str) -> Result<Listed<Told>, ReadError>;
}
