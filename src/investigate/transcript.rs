//! The conversation as every server accepts it: after an answer with calls comes exactly one result per
//! call, in order, and nothing in between.

use std::collections::BTreeMap;

use super::{calls, fence};
use crate::ports::model::{Message, ToolCall};

/// Bytes of the model's own text that are sent back to it in later turns; the rest stays for people.
const ECHO: usize = 4 * 1024;

/// A line that may stand for a result.
#[derive(Debug, Clone)]
struct Brief {
    text: String,
    taken: bool,
}

/// A conversation under way.
#[derive(Debug, Clone)]
pub struct Transcript {
    messages: Vec<Message>,
    /// What is sent in place of a tool result, by its place in `messages`: a line where there was a page.
    briefs: BTreeMap<usize, Brief>,
    /// Calls without a result yet, in order.
    open: Vec<String>,
}

impl Transcript {
    /// A conversation that begins with the frame and the incident.
    pub fn new(system: String, incident: String) -> Self {
        let messages = vec![Message::System { content: system }, Message::User { content: incident }];
        Self { messages, briefs: BTreeMap::new(), open: Vec::new() }
    }

    /// The conversation so far, as it is sent: with the oldest results in brief, if it became too long.
    pub fn sent(&self) -> Vec<Message> {
        let one = |(n, message): (usize, &Message)| match (self.briefs.get(&n), message) {
            (Some(Brief { text, taken: true }), Message::Tool { call, .. }) => {
                Message::Tool { call: call.clone(), content: text.clone() }
            }
            _ => message.clone(),
        };
        self.messages.iter().enumerate().map(one).collect()
    }

    /// Where more than `max` bytes of results are sent, the oldest are from now on sent in brief until there is
    /// half of that: rarely, since a server's prompt cache knows nothing beyond the first change. The results
    /// that the model has not seen yet stay, and so does everything that is no result.
    pub fn compact(&mut self, max: usize) {
        let seen = self.messages.iter().rposition(|m| matches!(m, Message::Assistant { .. })).unwrap_or(0);
        let mut bytes: usize = self.sent().iter().map(size_of_result).sum();
        if bytes <= max {
            return;
        }
        for (n, brief) in self.briefs.range_mut(..seen) {
            let whole = self.messages.get(*n).map_or(0, size_of_result);
            if bytes <= max / 2 {
                return;
            }
            if !brief.taken && brief.text.len() < whole {
                brief.taken = true;
                bytes -= whole - brief.text.len();
            }
        }
    }

    /// The whole conversation, every open call closed.
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

    /// The result of the next open call, which must be `id`; any other is dropped. `brief` may stand for it later.
    pub fn result(&mut self, id: &str, content: String, brief: Option<String>) {
        if self.open.first().is_some_and(|next| next == id) {
            let taken = false;
            self.briefs.extend(brief.map(|text| (self.messages.len(), Brief { text, taken })));
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
}

const fn size_of_result(message: &Message) -> usize {
    match message {
        Message::Tool { content, .. } => content.len(),
        Message::System { .. } | Message::User { .. } | Message::Assistant { .. } => 0,
    }
}
