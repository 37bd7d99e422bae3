//! What people read about an incident, before any channel gives it its form. Everything here is plain
//! text: escaping is the channel's duty, and nothing in it is markup.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{IncidentId, QuestionId};

/// The one living message of an incident, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Which incident.
    pub incident: IncidentId,
    /// How many records it was made from: a later view has more.
    pub version: u64,
    /// How it stands, in one word for colour and sorting.
    pub state: Standing,
    /// One sentence that stands alone (notifications, screen readers):
    /// "I restarted pod `api-7f4b9` (OOMKilled). Confirm or hand over?"
    pub headline: String,
    /// Titled paragraphs, in reading order.
    pub sections: Vec<Section>,
    /// The open question, with its buttons.
    pub question: Option<Buttons>,
}

/// Something about belay itself that belongs to no incident. Plain text, like a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// One sentence that stands alone.
    pub headline: String,
    /// What there is to know besides.
    pub lines: Vec<String>,
}

/// How an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Being looked at.
    Working,
    /// People are asked.
    Asking,
    /// A person has to look now.
    Escalated,
    /// Over.
    Closed,
}

/// A titled paragraph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// `What happened`, `What belay found`, `What changed`, …
    pub title: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// A line, with how far its text is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", content = "text", rename_all = "snake_case")]
pub enum Line {
    /// belay's own words.
    Belay(String),
    /// A field before and after: shown as a diff.
    Diff(String),
    /// Text from the cluster or the alert: shown verbatim, never as markup.
    Quoted(String),
    /// The model's words: marked as such.
    Model(String),
}

/// An open question and what can be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buttons {
    /// The question: the only thing a button carries.
    pub question: QuestionId,
    /// What can be pressed, in order.
    pub buttons: Vec<Button>,
    /// Who may answer, in words.
    pub who: String,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// One button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is named as it reads")]
pub enum Button {
    Approve,
    Reject,
    Confirm,
    Revert,
    HandOver,
}

impl Button {
    /// Every button.
    pub const ALL: [Self; 5] = [Self::Approve, Self::Reject, Self::Confirm, Self::Revert, Self::HandOver];

    /// The name on the wire (Slack's `action_id`, the CLI's verb).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Confirm => "confirm",
            Self::Revert => "revert",
            Self::HandOver => "hand-over",
        }
    }

    /// The word on the button.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Reject => "Reject",
            Self::Confirm => "Confirm",
            Self::Revert => "Revert",
            Self::HandOver => "Hand over",
        }
    }

    /// The button with this wire name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|b| b.name() == name)
    }
}
