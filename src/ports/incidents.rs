//! belay's own incidents, as whoever looks from outside may ask about them: always about one namespace.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reads::ReadError;
use crate::domain::action::ActionKind;
use crate::domain::target::Kind;

/// What can be asked. An incident of another namespace does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case", deny_unknown_fields)]
pub enum IncidentAsk {
    /// The incidents, the newest first.
    List {
        /// Whose namespace.
        namespace: String,
        /// Closed ones too.
        all: bool,
    },
    /// One, with all that was written down about it.
    Show {
        /// Whose namespace.
        namespace: String,
        /// Its name, or the beginning of it.
        incident: String,
    },
    /// What is remembered that is like it.
    Similar {
        /// Whose namespace.
        namespace: String,
        /// Its name, or the beginning of it.
        incident: String,
    },
    /// The draft of its post-mortem.
    PostMortem {
        /// Whose namespace.
        namespace: String,
        /// Its name, or the beginning of it.
        incident: String,
    },
    /// Propose something for it. Nothing is carried out by that.
    Propose(Proposal),
}

/// What is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Whose namespace: also that of the object.
    pub namespace: String,
    /// The open incident's name, or the beginning of it.
    pub incident: String,
    /// What kind of action.
    pub action: ActionKind,
    /// The object's kind.
    pub kind: Kind,
    /// The object's name.
    pub name: String,
    /// Why: shown to people, read by nothing.
    pub why: String,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "with", rename_all = "snake_case")]
pub enum IncidentAnswer {
    /// The incidents, and how many more there are.
    List(Vec<IncidentLine>, u64),
    /// One of them.
    Show(Box<IncidentStory>),
    /// Sentences of what is remembered.
    Similar(Vec<String>),
    /// Markdown.
    PostMortem(String),
    /// What became of a proposal.
    Proposed(Proposed),
}

/// One line about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentLine {
    /// Its name.
    pub incident: String,
    /// Where it is, in a word.
    pub phase: String,
    /// What it is about.
    pub about: String,
    /// The alert that speaks for it.
    pub alert: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// How it ended, or what is asked.
    pub note: String,
}

/// An incident with its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentStory {
    /// One line.
    pub line: IncidentLine,
    /// What was written down, in order.
    pub timeline: Vec<Happening>,
    /// The candidates, as they may be proposed: their kind of action and their object.
    pub candidates: Vec<String>,
    /// Whether a proposal of one of them would be decided now.
    pub takes_proposals: bool,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// What, in a sentence of belay's; names and reasons of others in it are cleaned and bounded.
    pub says: String,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    /// It was written down.
    pub noted: bool,
    /// It is put to policy and, if that allows it, to a person.
    pub queued: bool,
    /// In a sentence.
    pub says: String,
}

/// The daemon's incidents.
#[async_trait]
pub trait Incidents: Send + Sync {
    /// Answers; `caller` is whoever asks, as the door that they came through knows them.
    async fn ask(&self, ask: IncidentAsk, caller: &str) -> Result<IncidentAnswer, ReadError>;
}
