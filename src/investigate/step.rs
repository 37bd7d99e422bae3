//! What goes into the machine and what comes out of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::desk::Call;
use super::endpoints::egress::{Place, Reach};
use super::fence::Fence;
use super::outcome::End;
use crate::ports::model::{Chat, ModelError, Reply, ToolError, ToolResult, ToolSpec};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Begin.
    Start,
    /// The model answered, or could not be asked.
    Replied(Result<Reply, ModelError>),
    /// The tools answered, by call id. What is missing counts as no answer.
    Answered(Vec<(String, Result<ToolResult, ToolError>)>),
    /// What was asked for did not come in time.
    Late,
    /// There is nothing to investigate any more.
    Cancelled,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask the model.
    Ask {
        /// This.
        chat: Chat,
        /// Its text was read there.
        places: BTreeSet<Place>,
        /// It has so long.
        within: Duration,
    },
    /// Call these tools, side by side.
    CallTools {
        /// Each once.
        calls: Vec<Call>,
        /// Each has so long.
        within: Duration,
    },
    /// It is over; every later event gives the same.
    End(End),
}

/// What was fixed before the first turn.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The system message, whole.
    pub system: String,
    /// The first user message: the incident.
    pub incident: String,
    /// The read-only tools of the hub.
    pub tools: Vec<ToolSpec>,
    /// How data is fenced.
    pub fence: Fence,
    /// Where what it is about was read.
    pub place: Place,
    /// What may leave for which endpoint.
    pub reach: Reach,
}

/// What can be wrong with an answer.
#[derive(Debug, Clone, Copy)]
pub enum Flaw {
    /// Cut off or withheld.
    CutOff,
    /// More calls than anyone needs.
    TooMany,
    /// Only text, or nothing.
    NoCall,
    /// An ending beside other calls.
    Mixed,
    /// An ending that names what does not exist.
    Ending,
    /// A call of no known tool, or with unreadable arguments.
    Call,
}

impl Flaw {
    /// In words for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::CutOff => "an answer that was cut off or withheld",
            Self::TooMany => "far too many calls in one answer",
            Self::NoCall => "an answer without a call",
            Self::Mixed => "an ending beside other calls",
            Self::Ending => "an ending that names what does not exist",
            Self::Call => "a call of no known tool, or with unreadable arguments",
        }
    }
}
