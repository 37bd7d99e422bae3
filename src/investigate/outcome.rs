//! How an investigation ended, in closed enums with belay's own words; the model's words are apart.

use std::collections::BTreeSet;

use crate::domain::evidence::Evidence;
use crate::domain::record::{Conclusion, Said};
use crate::domain::suspicion::Flag;
use crate::ports::model::{Message, ModelError};

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The model's conclusion, or the escalation that its behaviour led to.
    Concluded {
        /// The conclusion.
        conclusion: Conclusion,
        /// Why it is not what the model said, where it is not.
        note: Option<Note>,
    },
    /// What the model says to a question.
    Said(Said),
    /// The model had no part in the end: the playbook path carries on.
    Degraded(Degraded),
}

/// Why the investigation went on without the model. The text is shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Degraded {
    /// Down, or refusing.
    #[error("the model was not available: {0}")]
    Unavailable(String),
    /// What it sent was no answer.
    #[error("the model's answer could not be read: {0}")]
    Unreadable(String),
    /// Out of time.
    #[error("the investigation took longer than it may")]
    Slow,
    /// Out of tokens.
    #[error("the investigation used {spent} of {limit} tokens without an end")]
    Tokens {
        /// Used.
        spent: u64,
        /// Allowed.
        limit: u64,
    },
    /// Out of turns.
    #[error("the model found no end in {limit} turns")]
    Turns {
        /// Allowed.
        limit: u32,
    },
    /// A budget is used up.
    #[error("{0}")]
    Budget(String),
    /// Its alerts ended meanwhile.
    #[error("there is nothing to investigate any more")]
    Cancelled,
    /// The prompts cannot be rendered.
    #[error("the prompts cannot be used: {0}")]
    Prompts(String),
    /// The steps came in the wrong order: belay's own fault, and no reason to act.
    #[error("the investigation's steps came in the wrong order")]
    OutOfStep,
}

impl From<ModelError> for Degraded {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Unavailable(why) | ModelError::Busy { why, .. } => Self::Unavailable(why),
            ModelError::Unreadable(why) => Self::Unreadable(why),
        }
    }
}

/// Why a person is called although the model did not say so. The text is shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// A certain cause with a remedy was called nothing.
    #[error("the model would do nothing, while `{cause}` is certain and has a remedy")]
    Overruled {
        /// The cause's name.
        cause: &'static str,
    },
    /// It erred again after it had been corrected.
    #[error("the model erred again after a correction: {0}")]
    Malformed(&'static str),
    /// It escalated and something else at once: the stricter counts.
    #[error("the model ended in more than one way at once")]
    Mixed,
    /// It asked again and again for what is not allowed.
    #[error("the model asked {0} times for what it may not have")]
    Denied(u32),
    /// It called the same again and again.
    #[error("the model went round in circles")]
    Looped,
}

/// What an investigation leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// The tool results that may be cited: `t1`, `t2`, …
    pub evidence: Vec<Evidence>,
    /// The model's words, cleaned and bounded.
    pub said: String,
    /// The whole conversation; each call has exactly one result.
    pub transcript: Vec<Message>,
    /// What tools gave, whole, each once.
    pub outputs: Vec<String>,
    /// Which endpoint answered last, if any did.
    pub endpoint: Option<usize>,
    /// Tokens used.
    pub tokens: u64,
    /// Turns taken.
    pub turns: u32,
    /// What the results of tools do that data does not.
    pub flags: BTreeSet<Flag>,
}
