//! The model, its tools and the accounts that it is asked on, as the investigation sees them.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::spend::{Invocation, Usage};

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// The frame that nothing can override.
    System {
        /// The text.
        content: String,
    },
    /// What belay asks.
    User {
        /// The text.
        content: String,
    },
    /// What the model answered.
    Assistant {
        /// What it wrote.
        content: String,
        /// The tools it asked for.
        calls: Vec<ToolCall>,
    },
    /// The one result of one call.
    Tool {
        /// The call's id.
        call: String,
        /// The result, fenced.
        content: String,
    },
}

/// A tool call as the model wrote it: untrusted until it was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The call's id; unique within the conversation.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments, JSON as text.
    pub arguments: String,
}

/// A tool that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// `server__tool`.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments, as text.
    pub schema: String,
}

/// What the model is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chat {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// The tools on offer; may be empty.
    pub tools: Vec<ToolSpec>,
    /// It must call one of the tools on offer.
    pub must_call: bool,
    /// At most this many tokens in the answer.
    pub max_tokens: u32,
}

/// What the model answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// What it wrote.
    pub content: String,
    /// The tools it asks for.
    pub calls: Vec<ToolCall>,
    /// Whether the answer was cut off or withheld, and is no answer.
    pub incomplete: Option<String>,
    /// Tokens as the server counts; none where it counts none.
    pub usage: Usage,
    /// Which of several endpoints answered, from 0.
    #[serde(default)]
    pub endpoint: usize,
}

/// The model could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelError {
    /// Down, slow, out of money.
    #[error("the model is not available: {0}")]
    Unavailable(String),
    /// It asks to be left alone for a while.
    #[error("the model is not available: {why}")]
    Busy {
        /// What it said.
        why: String,
        /// For how long.
        leave: Duration,
    },
    /// It answered with something that is no answer.
    #[error("the model's answer could not be read: {0}")]
    Unreadable(String),
}

/// A language model.
#[async_trait]
pub trait Model: Send + Sync {
    /// Its name as configured.
    fn name(&self) -> &str;

    /// One turn.
    async fn chat(&self, chat: &Chat, within: Duration) -> Result<Reply, ModelError>;
}

/// What a tool gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The text, bounded.
    pub text: String,
    /// The tool said that it failed; the text says how.
    pub failed: bool,
}

/// A tool could not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolError {
    /// There is no such tool, or it is not allowed here.
    #[error("there is no tool `{0}`")]
    Unknown(String),
    /// The server did not answer in time, or went away.
    #[error("the tool did not answer: {0}")]
    NoAnswer(String),
}

/// The read-only tools of the hub.
#[async_trait]
pub trait Tools: Send + Sync {
    /// What is on offer, in a fixed order.
    async fn list(&self) -> Result<Vec<ToolSpec>, ToolError>;

    /// Calls one; `arguments` is a JSON object as text.
    async fn call(&self, name: &str, arguments: &str, within: Duration) -> Result<ToolResult, ToolError>;
}

/// Who keeps count of what models cost, durably.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Writes down that this will be asked and what it may cost at most, unless a budget would be passed.
    async fn draw(&self, most: &Invocation) -> Result<(), Undrawn>;

    /// Writes down what it did cost. Where that fails, what it may cost at most stays.
    async fn settle(&self, done: &Invocation);

    /// What is left for this caller.
    async fn left(&self, by: &str) -> Result<Left, Undrawn>;
}

/// What a budget leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Turns.
    pub turns: u64,
    /// Tokens.
    pub tokens: u64,
    /// Time spent waiting for models.
    pub waited: Duration,
}

/// A model may not be asked. The text is shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undrawn {
    /// A budget is used up, or would be.
    #[error("{0}")]
    Over(String),
    /// What it would cost cannot be written down.
    #[error("what it costs cannot be written down: {0}")]
    Unwritten(String),
}
