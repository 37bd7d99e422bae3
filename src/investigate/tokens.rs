//! How many tokens a text has, where nobody counted: an estimate that errs high. English prose has about four
//! bytes to the token, logs and JSON about three; two and a half is on the safe side of both.

use crate::domain::spend::Usage;
use crate::ports::model::{Chat, Message, Reply, ToolCall};

/// What each message, call or tool costs besides its text: roles and separators, as chat templates have them.
const FRAME: u64 = 8;

fn of_bytes(bytes: usize) -> u64 {
    // 2 / 5 is one token for two and a half bytes
    (bytes as u64).saturating_mul(2).div_ceil(5)
}

/// The tokens of a text.
pub fn of_text(text: &str) -> u64 {
    of_bytes(text.len())
}

/// What sending this costs, and what the longest answer to it would.
pub fn most(chat: &Chat) -> Usage {
    let messages: u64 = chat.messages.iter().map(of_message).sum();
    let tools =
        chat.tools.iter().map(|t| FRAME + of_bytes(t.name.len() + t.description.len() + t.schema.len()));
    Usage {
        prompt: messages.saturating_add(tools.sum()),
        completion: u64::from(chat.max_tokens),
        cached: 0,
        estimated: true,
    }
}

/// What an answer costs.
pub fn of_reply(reply: &Reply) -> u64 {
    of_text(&reply.content) + reply.calls.iter().map(of_call).sum::<u64>()
}

fn of_call(call: &ToolCall) -> u64 {
    FRAME + of_bytes(call.id.len() + call.name.len() + call.arguments.len())
}

fn of_message(message: &Message) -> u64 {
    FRAME
        + match message {
            Message::System { content } | Message::User { content } => of_text(content),
            Message::Tool { call, content } => of_bytes(call.len() + content.len()),
            Message::Assistant { content, calls } => {
                of_text(content) + calls.iter().map(of_call).sum::<u64>()
            }
        }
}
