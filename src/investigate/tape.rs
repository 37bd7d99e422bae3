//! Everything that passed between belay and a model in one conversation, as it is kept: each request (by what
//! is new in it), each answer, each endpoint's part, each tool call. Redacted; enough to play it again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::calls::blanked;
use super::endpoints::egress::Reach;
use super::endpoints::{self, Try, Turn};
use super::fence;
use super::limits::Limits;
use crate::domain::canonical::Hash;
use crate::domain::spend::{Money, Usage};
use crate::ports::model::{Chat, Message, ModelError, Reply, ToolCall, ToolError, ToolResult, ToolSpec};

/// The form of tapes that this program writes.
pub const VERSION: u32 = 1;

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tape {
    /// Its form.
    pub version: u32,
    /// Who started it: the incident, or whatever else asked.
    pub by: String,
    /// What the fence was made from, in hexadecimal digits: of no use to anybody once the conversation is over.
    pub nonce: String,
    /// The prompts in force.
    pub prompts: Hash,
    /// The bounds.
    pub limits: Limits,
    /// What might leave for which endpoint.
    pub reach: Reach,
    /// When it began.
    pub started: Timestamp,
    /// Each turn, in order.
    pub exchanges: Vec<Exchange>,
    /// Each tool call that was carried out, in order.
    pub calls: Vec<Called>,
    /// When it was over.
    pub ended: Timestamp,
    /// How, in words.
    pub end: String,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// What names the request.
    pub request: Hash,
    /// How many messages are those of the request before, from the first on.
    pub keep: usize,
    /// The messages after those.
    pub messages: Vec<Message>,
    /// The tools on offer, where they are not those of the request before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<ToolSpec>>,
    /// Whether a call was demanded.
    pub must_call: bool,
    /// The longest answer that was asked for.
    pub max_tokens: u32,
    /// When it was sent.
    pub at: Timestamp,
    /// When it was over.
    pub until: Timestamp,
    /// Each endpoint's part.
    pub tries: Vec<Try>,
    /// What came back.
    pub answer: Answer,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// An answer.
    Reply(Reply),
    /// None.
    Failed(ModelError),
    /// Nobody waited for it any longer.
    Late,
    /// It was broken off, since there was nothing to investigate any more.
    Cancelled,
}

/// One tool call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    /// Its id in the conversation.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: String,
    /// When.
    pub at: Timestamp,
    /// How long it took.
    pub took: SignedDuration,
    /// What it gave.
    pub gave: Gave,
}

/// What a tool gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gave {
    /// A result, kept under this hash.
    Output(Hash),
    /// A failure, whose text is kept under this hash.
    Failure(Hash),
    /// No answer.
    Nothing(ToolError),
}

impl Tape {
    /// A tape that begins now.
    pub fn new(
        by: String,
        nonce: String,
        prompts: Hash,
        bounds: (Limits, Reach),
        started: Timestamp,
    ) -> Self {
        let (limits, reach) = bounds;
        Self {
            version: VERSION,
            by,
            nonce,
            prompts,
            limits,
            reach,
            started,
            exchanges: Vec::new(),
            calls: Vec::new(),
            ended: started,
            end: String::new(),
        }
    }

    /// The requests as they were sent, in order.
    pub fn requests(&self) -> Vec<Chat> {
        let mut chats: Vec<Chat> = Vec::with_capacity(self.exchanges.len());
        for exchange in &self.exchanges {
            let before = chats.last();
            let mut messages: Vec<Message> = before
                .map(|chat| chat.messages.iter().take(exchange.keep).cloned().collect())
                .unwrap_or_default();
            messages.extend(exchange.messages.iter().cloned());
            let tools = match &exchange.tools {
                Some(tools) => tools.clone(),
                None => before.map(|chat| chat.tools.clone()).unwrap_or_default(),
            };
            chats.push(Chat {
                messages,
                tools,
                must_call: exchange.must_call,
                max_tokens: exchange.max_tokens,
            });
        }
        chats
    }

    /// What each endpoint's part adds up to, and the time spent waiting.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for part in self.exchanges.iter().flat_map(|e| &e.tries) {
            totals.usage = totals.usage.and(part.usage);
            totals.waited = totals.waited.saturating_add(part.took);
            if let Some(cost) = part.cost {
                totals.cost = Some(totals.cost.unwrap_or_default().and(cost));
            }
            if part.failed.is_none() && !totals.endpoints.contains(&part.endpoint) {
                totals.endpoints.push(part.endpoint.clone());
            }
        }
        totals
    }
}

/// What a conversation cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// The endpoints that answered, in order.
    pub endpoints: Vec<String>,
    /// Tokens.
    pub usage: Usage,
    /// Money, where any endpoint has a price.
    pub cost: Option<Money>,
    /// Time spent waiting for them.
    pub waited: SignedDuration,
}

/// A tape under way.
#[derive(Debug, Clone)]
pub struct Recorder {
    tape: Tape,
    last: Option<Chat>,
}

impl Recorder {
    /// Goes on from this tape.
    pub const fn new(tape: Tape) -> Self {
        Self { tape, last: None }
    }

    /// How many turns were had.
    pub const fn turns(&self) -> usize {
        self.tape.exchanges.len()
    }

    /// One turn was had.
    pub fn turn(&mut self, chat: Chat, (at, until): (Timestamp, Timestamp), turn: &Turn) {
        let answer = match &turn.result {
            Ok(reply) => Answer::Reply(redacted(reply)),
            Err(error) => Answer::Failed(redacted_error(error)),
        };
        self.exchange(chat, (at, until), turn.tries.clone(), answer);
    }

    /// One turn was begun and not waited for.
    pub fn broken_off(&mut self, chat: Chat, (at, until): (Timestamp, Timestamp), answer: Answer) {
        self.exchange(chat, (at, until), Vec::new(), answer);
    }

    fn exchange(&mut self, chat: Chat, (at, until): (Timestamp, Timestamp), tries: Vec<Try>, answer: Answer) {
        let before = self.last.as_ref();
        let same = |last: &Chat| last.messages.iter().zip(&chat.messages).take_while(|(a, b)| a == b).count();
        let keep = before.map_or(0, same);
        let tools = before.is_none_or(|last| last.tools != chat.tools).then(|| chat.tools.clone());
        self.tape.exchanges.push(Exchange {
            request: endpoints::request(&chat),
            keep,
            messages: chat.messages.iter().skip(keep).cloned().collect(),
            tools,
            must_call: chat.must_call,
            max_tokens: chat.max_tokens,
            at,
            until,
            tries,
            answer,
        });
        self.last = Some(chat);
    }

    /// One tool was called.
    pub fn called(&mut self, called: Called) {
        self.tape.calls.push(called);
    }

    /// It is over.
    pub fn end(mut self, at: Timestamp, end: String) -> Tape {
        self.tape.ended = at;
        self.tape.end = end;
        self.tape
    }
}

/// A call with what it gave; the text is clean.
pub fn called(
    call: &super::desk::Call,
    at: Timestamp,
    took: SignedDuration,
    result: &Result<ToolResult, ToolError>,
) -> Called {
    let gave = match result {
        Ok(ToolResult { text, failed }) => {
            let hash = Hash::of(text.as_bytes());
            if *failed { Gave::Failure(hash) } else { Gave::Output(hash) }
        }
        Err(ToolError::Unknown(name)) => Gave::Nothing(ToolError::Unknown(fence::one_line(name, 80))),
        Err(ToolError::NoAnswer(why)) => Gave::Nothing(ToolError::NoAnswer(fence::one_line(why, 300))),
    };
    Called {
        id: call.id.clone(),
        tool: call.tool.clone(),
        arguments: blanked(&call.arguments),
        at,
        took,
        gave,
    }
}

/// An answer without secrets and hidden text.
fn redacted(reply: &Reply) -> Reply {
    let call = |call: &ToolCall| ToolCall {
        id: fence::one_line(&call.id, 64),
        name: fence::one_line(&call.name, 80),
        arguments: match serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments) {
            // of an object what holds a secret is blanked, and it stays one; anything else is no call anyway
            Ok(_) if call.arguments.trim_start().starts_with('{') => blanked(&call.arguments),
            Ok(_) | Err(_) => fence::bounded(&fence::clean(&call.arguments), ARGUMENTS),
        },
    };
    Reply {
        content: fence::bounded(&fence::clean(&reply.content), CONTENT),
        // as many as are ever read
        calls: reply.calls.iter().take(super::limits::CALLS_IN_ANSWER + 1).map(call).collect(),
        incomplete: reply.incomplete.as_deref().map(|why| fence::one_line(why, 80)),
        usage: reply.usage,
        endpoint: reply.endpoint,
    }
}

/// Bytes of the model's text that a tape keeps of one answer: four times the longest that is asked for.
const CONTENT: usize = 64 * 1024;
/// Bytes of arguments that could not be read: as many as those of a call that could.
const ARGUMENTS: usize = 4 * 1024;

fn redacted_error(error: &ModelError) -> ModelError {
    let clean = |why: &str| fence::one_line(why, 300);
    match error {
        ModelError::Unavailable(why) => ModelError::Unavailable(clean(why)),
        ModelError::Unreadable(why) => ModelError::Unreadable(clean(why)),
        ModelError::Busy { why, leave } => {
            ModelError::Busy { why: clean(why), leave: (*leave).min(Duration::from_secs(86_400)) }
        }
    }
}
