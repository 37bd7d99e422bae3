//! The conversation as every server accepts it: after an answer with calls comes exactly one result per
//! call, in order, and nothing in between.

use super::{calls, fence};
use crate::ports::model::{Message, ToolCall};

/// Bytes of the model's own text that are sent back to it in later turns; the rest stays for people.
const ECHO: usize = 4 * 1024;

/// A conversation under way.
#[derive(Debug, Clone)]
pub struct Transcript {
    messages: Vec<Message>,
    /// Calls without a result yet, in order.
    open: Vec<String>,
}

impl Transcript {
    /// A conversation that begins with the frame and the incident.
    pub fn new(system: String, incident: String) -> Self {
        let messages = vec![Message::System { content: system }, Message::User { content: incident }];
        Self { messages, open: Vec::new() }
    }

    /// The conversation so far.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The conversation, every open call closed.
    pub fn into_messages(mut self) -> Vec<Message> {
        self.close("no result: the investigation ended");
        self.messages
    }

    /// What the model answered. An empty answer is kept as such in words: some servers refuse empty
    /// messages, others two of the same role in a row.
    pub fn assistant(&mut self, content: &str, mut calls: Vec<ToolCall>) {
        self.close("no result: the conversation went on");
        let mut content = fence::bounded(&fence::clean(content), ECHO);
        if content.trim().is_empty() {
            content = if calls.is_empty() { "(empty answer)".into() } else { String::new() };
        }
        for call in &mut calls {
            call.arguments = calls::blanked(&call.arguments);
        }
        self.open = calls.iter().map(|c| c.id.clone()).collect();
        self.messages.push(Message::Assistant { content, calls });
    }

    /// The result of the next open call, which must be `id`; any other is dropped.
    pub fn result(&mut self, id: &str, content: String) {
        if self.open.first().is_some_and(|next| next == id) {
            self.messages.push(Message::Tool { call: self.open.remove(0), content });
        }
    }

    /// Gives every open call this result.
    pub fn close(&mut self, content: &str) {
        for call in std::mem::take(&mut self.open) {
            self.messages.push(Message::Tool { call, content: content.to_owned() });
        }
    }

    /// What belay says.
    pub fn user(&mut self, content: &str) {
        self.close("no result");
        self.messages.push(Message::User { content: content.to_owned() });
    }

    /// Tokens of the turn that this answer ends: what the server counted, or, where it counted nothing, a
    /// quarter of the bytes that went to and fro (English text has about four bytes to the token).
    pub fn cost(&self, answer: &str, counted: u64) -> u64 {
        if counted > 0 {
            return counted;
        }
        let sent: usize = self.messages.iter().map(size).sum();
        ((sent + answer.len()) / 4 + 1) as u64
    }
}

fn size(message: &Message) -> usize {
    match message {
        Message::System { content } | Message::User { content } | Message::Tool { content, .. } => {
            content.len()
        }
        Message::Assistant { content, calls } => {
            content.len() + calls.iter().map(|c| c.name.len() + c.arguments.len()).sum::<usize>()
        }
    }
}
