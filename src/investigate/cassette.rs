//! Recorded answers in the place of a model: to a request that was recorded it says what was said then, to any other
//! nothing. The fence's tag, which is another each time, is no part of what tells requests apart.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::endpoints;
use super::fence::Fence;
use super::tape::{Answer, Tape};
use crate::domain::canonical::Hash;
use crate::ports::model::{Chat, Message, Model, ModelError, Reply};

/// What stands for the tag of every fence.
const TAG: &str = "fence";
/// What each fence begins with, at the beginning of a line.
const BEGIN: &str = "<<<data ";

/// The answers of some tapes.
pub struct Cassette {
    name: String,
    answers: BTreeMap<Hash, Vec<Answer>>,
    /// How many of each were given.
    given: Mutex<BTreeMap<Hash, usize>>,
}

/// A tape that cannot be played from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tape of `{by}` cannot be played: its nonce `{nonce}` is no number of hexadecimal digits")]
pub struct NoNonce {
    by: String,
    nonce: String,
}

impl Cassette {
    /// The answers of these tapes, as a model of this name.
    pub fn of<'a>(name: &str, tapes: impl IntoIterator<Item = &'a Tape>) -> Result<Self, NoNonce> {
        let mut answers: BTreeMap<Hash, Vec<Answer>> = BTreeMap::new();
        for tape in tapes {
            let nonce = u128::from_str_radix(&tape.nonce, 16)
                .map_err(|_| NoNonce { by: tape.by.clone(), nonce: tape.nonce.clone() })?;
            let fence = Fence::new(nonce);
            for (exchange, request) in tape.exchanges.iter().zip(tape.requests()) {
                let request = key(request, Some(fence.tag()));
                answers.entry(request).or_default().push(exchange.answer.clone());
            }
        }
        Ok(Self { name: name.to_owned(), answers, given: Mutex::default() })
    }
}

#[async_trait]
impl Model for Cassette {
    fn name(&self) -> &str {
        &self.name
    }

    async fn chat(&self, chat: &Chat, _: Duration) -> Result<Reply, ModelError> {
        let tag = tag(chat);
        let request = key(chat.clone(), tag.as_deref());
        let nth = {
            let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
            let nth = given.entry(request).or_default();
            *nth += 1;
            *nth - 1
        };
        let nothing = |why: &str| Err(ModelError::Unavailable(why.to_owned()));
        match self.answers.get(&request).and_then(|answers| answers.get(nth)) {
            Some(Answer::Reply(reply)) => Ok(reply.clone()),
            Some(Answer::Failed(error)) => Err(error.clone()),
            Some(Answer::Late | Answer::Cancelled) => {
                nothing("nobody waited for this answer when it was recorded")
            }
            None => nothing("the cassette holds no answer to this request"),
        }
    }
}

/// What tells requests apart: everything but the tag.
fn key(mut chat: Chat, tag: Option<&str>) -> Hash {
    if let Some(tag) = tag {
        for message in &mut chat.messages {
            let content = match message {
                Message::System { content }
                | Message::User { content }
                | Message::Assistant { content, .. }
                | Message::Tool { content, .. } => content,
            };
            *content = content.replace(tag, TAG);
        }
    }
    endpoints::request(&chat)
}

/// The tag of the first fence. What stands within a fence never begins a line with such a mark.
fn tag(chat: &Chat) -> Option<String> {
    let texts = chat.messages.iter().filter_map(|message| match message {
        Message::User { content } | Message::Tool { content, .. } => Some(content),
        Message::System { .. } | Message::Assistant { .. } => None,
    });
    let first = texts.flat_map(|text| text.lines()).find_map(|line| line.strip_prefix(BEGIN))?;
    first.split(' ').next().map(str::to_owned)
}
