//! An incident as it is remembered: what it was about, what was done, and what came of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::action::ActionKind;
use super::alert::Labels;
use super::cause::CauseWord;
use super::ids::{Cluster, IncidentId};
use super::record::Outcome;
use super::target::{Kind, RootOwner};
use super::track::Became;

/// One thing that was done, as a note about an act has it when the incident is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Did {
    /// What.
    pub action: ActionKind,
    /// What became of it.
    pub became: Became,
    /// It was put back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reverted: bool,
}

/// What is remembered of one incident. A later note about the same one takes this one's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentNote {
    /// Which one.
    pub incident: IncidentId,
    /// Where.
    pub cluster: Cluster,
    /// The alert's name.
    pub alert: String,
    /// Who answered for it, where that was known.
    pub owner: Option<RootOwner>,
    /// The causes that were found, the surest first.
    pub causes: Vec<CauseWord>,
    /// The alert's labels without those that say where it happened rather than what.
    pub labels: Labels,
    /// What was said about it: the alert's summary and what was found. Text.
    pub text: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// How it ended; nothing while a person has it.
    pub outcome: Option<Outcome>,
    /// Nothing had to be done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub false_alarm: bool,
    /// A person was called.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalated: bool,
    /// What was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub did: Vec<Did>,
}

impl IncidentNote {
    /// What makes two incidents the same trouble: alert, kind of owner, surest cause.
    pub fn signature(&self) -> (&str, Option<Kind>, Option<CauseWord>) {
        (&self.alert, self.owner.as_ref().map(|owner| owner.0.named.kind), self.causes.first().copied())
    }
}
