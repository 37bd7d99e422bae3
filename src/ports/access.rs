//! Who calls belay's own read-only MCP servers: whose a token is, and where each call is written down.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::authority::Caller;

/// Why a token is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not good, in words that say what is wrong and nothing of the token.
    #[error("{0}")]
    Invalid(String),
    /// Whether it is good cannot be told now.
    #[error("{0}")]
    Unavailable(String),
}

/// Whose a token is.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Who shows this token to the server with this address. `None`: this is none of the tokens that are known here.
    async fn caller(&self, token: &str, resource: &str) -> Result<Option<Caller>, TokenError>;
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// The server answered that it could not.
    Failed,
    /// The caller may not have it: why.
    Denied(String),
    /// The caller calls too often.
    TooOften,
    /// It took too long.
    TooLong,
    /// The client went away or took it back.
    Abandoned,
}

impl Outcome {
    /// In one word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Denied(_) => "denied",
            Self::TooOften => "too_often",
            Self::TooLong => "too_long",
            Self::Abandoned => "abandoned",
        }
    }
}

/// One call of one of belay's servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Who.
    pub caller: String,
    /// Of which server.
    pub server: &'static str,
    /// In which environment.
    pub environment: String,
    /// The method of the protocol, as in `tools/call`.
    pub method: &'static str,
    /// Which tool, prompt or resource, bounded and on one line; empty where there is none.
    pub what: String,
    /// Which namespace, where it names one; bounded and on one line.
    pub namespace: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// How many calls of this caller came too often since the last that was written down.
    pub unwritten: u64,
}

/// Where calls are written down.
pub trait Audit: Send + Sync {
    /// One call is over.
    fn called(&self, call: &Called);
}
