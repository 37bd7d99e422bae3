//! What goes over the wire. Strict in what is sent, lenient in what is read: servers differ in everything
//! but the outline.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::TokenField;
use crate::domain::spend::Usage;
use crate::ports::model::{Chat, Message, ModelError, Reply, ToolCall, ToolSpec};

#[derive(Serialize)]
pub struct Request<'a> {
    model: &'a str,
    messages: Vec<Outgoing<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

/// Without it, a stream ends without having said what it cost.
#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Outgoing<'a> {
    System {
        content: &'a str,
    },
    User {
        content: &'a str,
    },
    Assistant {
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Calling<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
}

#[derive(Serialize)]
struct Calling<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Called<'a>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: Box<RawValue>,
}

impl<'a> Request<'a> {
    pub fn new(model: &'a str, field: TokenField, stream: bool, chat: &'a Chat) -> Self {
        let Chat { messages, tools, must_call, max_tokens } = chat;
        let tools: Vec<Tool<'a>> = tools.iter().filter_map(tool).collect();
        let (max_tokens, max_completion_tokens) = match field {
            TokenField::MaxTokens => (Some(*max_tokens), None),
            TokenField::MaxCompletionTokens => (None, Some(*max_tokens)),
        };
        Self {
            model,
            messages: messages.iter().map(outgoing).collect(),
            tool_choice: (*must_call && !tools.is_empty()).then_some("required"),
            tools,
            max_tokens,
            max_completion_tokens,
            stream,
            stream_options: stream.then_some(StreamOptions { include_usage: true }),
        }
    }
}

fn outgoing(message: &Message) -> Outgoing<'_> {
    match message {
        Message::System { content } => Outgoing::System { content },
        Message::User { content } => Outgoing::User { content },
        Message::Tool { call, content } => Outgoing::Tool { tool_call_id: call, content },
        Message::Assistant { content, calls } => Outgoing::Assistant {
            content: (!content.is_empty()).then_some(content),
            tool_calls: calls.iter().map(calling).collect(),
        },
    }
}

fn calling(call: &ToolCall) -> Calling<'_> {
    let function = Called { name: &call.name, arguments: &call.arguments };
    Calling { id: &call.id, r#type: "function", function }
}

/// A tool whose name no server takes, or whose schema is no JSON object, is not sent: it would make the
/// server refuse the whole request.
fn tool(spec: &ToolSpec) -> Option<Tool<'_>> {
    let named = (1..=64).contains(&spec.name.len())
        && spec.name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let parameters: Box<RawValue> = serde_json::from_str(&spec.schema).ok()?;
    (named && parameters.get().starts_with('{')).then(|| Tool {
        r#type: "function",
        function: Function { name: &spec.name, description: &spec.description, parameters },
    })
}

#[derive(Debug, Deserialize)]
pub struct Answer {
    #[serde(default, deserialize_with = "null_is_default")]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Value,
    #[serde(default)]
    error: Value,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Incoming,
    #[serde(default)]
    finish_reason: Value,
}

#[derive(Debug, Deserialize)]
struct Incoming {
    #[serde(default)]
    content: Value,
    #[serde(default)]
    refusal: Value,
    #[serde(default, deserialize_with = "null_is_default")]
    tool_calls: Vec<IncomingCall>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IncomingCall {
    #[serde(default)]
    id: Value,
    #[serde(default, deserialize_with = "null_is_default")]
    function: IncomingFunction,
}

#[derive(Debug, Default, Deserialize)]
struct IncomingFunction {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    arguments: Value,
}

impl Answer {
    /// The first choice; `make_id` gives an id to a call that came without one.
    pub fn into_reply(self, make_id: &mut dyn FnMut() -> String) -> Result<Reply, ModelError> {
        let usage = Totals::of(&self.usage).usage();
        let Some(Choice { message, finish_reason }) = self.choices.into_iter().next() else {
            return Err(match error_message(&self.error) {
                // some gateways answer 200 and put the failure inside
                Some(said) => ModelError::Unavailable(said.chars().take(200).collect()),
                None => ModelError::Unreadable("the answer holds no choice".into()),
            });
        };
        let content = [text(message.content), text(message.refusal)];
        let content = content.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n");
        let calls = message
            .tool_calls
            .into_iter()
            .map(|call| {
                let (id, name, arguments) = call.texts();
                tool_call(id, name, arguments, &mut *make_id)
            })
            .collect();
        Ok(Reply { content, calls, incomplete: incomplete(&finish_reason), usage, endpoint: 0 })
    }
}

/// `Some` if the answer was cut off or withheld. Any reason that is not known counts as a full answer:
/// servers have invented many names for that.
pub(super) fn incomplete(reason: &Value) -> Option<String> {
    let reason = reason.as_str()?.to_ascii_lowercase();
    matches!(reason.as_str(), "length" | "max_tokens" | "content_filter" | "error").then_some(reason)
}

/// Text as servers give it: a string, nothing, or a list of parts.
pub(super) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(parts) => {
            let part = |p: &Value| p.get("text").and_then(Value::as_str).map(str::to_owned);
            parts.iter().filter_map(part).collect()
        }
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Object(_) => String::new(),
    }
}

/// By the standard a string that holds JSON; some servers send the JSON itself.
fn arguments(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

impl IncomingCall {
    /// Id, name and arguments, each empty where it is not there.
    pub(super) fn texts(self) -> (String, String, String) {
        (text(self.id), text(self.function.name), arguments(self.function.arguments))
    }
}

/// A call; without an id it gets one.
pub(super) fn tool_call(
    id: String,
    name: String,
    arguments: String,
    make_id: &mut dyn FnMut() -> String,
) -> ToolCall {
    let id = if id.is_empty() { make_id() } else { id };
    ToolCall { id, name, arguments }
}

/// What a server says of the tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    prompt: u64,
    completion: u64,
    total: u64,
    cached: u64,
}

impl Totals {
    pub(super) fn of(usage: &Value) -> Self {
        let count = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or_default();
        let details = usage.get("prompt_tokens_details").and_then(|d| d.get("cached_tokens"));
        Self {
            prompt: count("prompt_tokens"),
            completion: count("completion_tokens"),
            total: count("total_tokens"),
            // DeepSeek's name for it
            cached: details.and_then(Value::as_u64).unwrap_or_else(|| count("prompt_cache_hit_tokens")),
        }
    }

    /// Whatever is in the total and in neither part counts as the dearer part.
    pub(super) fn usage(self) -> Usage {
        let Self { prompt, completion, total, cached } = self;
        let rest = total.saturating_sub(prompt.saturating_add(completion));
        Usage { prompt, completion: completion.saturating_add(rest), cached, estimated: false }
    }
}

pub(super) fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    d: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

/// What an error body says.
pub struct ErrorText {
    pub message: String,
    kind: String,
}

impl ErrorText {
    /// Whether the money is gone: no later try helps.
    pub fn is_quota(&self) -> bool {
        self.kind.contains("insufficient_quota")
    }
}

/// The message of an error body of any known shape.
pub fn error_text(body: &[u8]) -> Option<ErrorText> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error").filter(|e| e.is_object()).unwrap_or(&body);
    let field = |name| error.get(name).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
    let kind = format!("{} {}", field("type").unwrap_or_default(), field("code").unwrap_or_default());
    Some(ErrorText { message: error_message(&body)?, kind })
}

pub(super) fn error_message(body: &Value) -> Option<String> {
    let inner = body.get("error").filter(|e| !e.is_null()).unwrap_or(body);
    let said = ["message", "detail"].iter().find_map(|name| inner.get(name));
    match said.unwrap_or(inner) {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}
