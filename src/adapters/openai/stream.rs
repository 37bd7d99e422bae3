//! An answer that came in pieces, put together again. The events are parsed by the client crate; what is in
//! them is read as leniently as a whole answer.

use futures::{Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::Value;

use super::wire::{self, IncomingCall, Totals};
use crate::ports::model::{ModelError, Reply};

/// Pieces of calls that one answer may have; the machine reads 32 calls.
const CALLS: usize = 64;

/// One event.
#[derive(Debug, Deserialize)]
pub struct Chunk {
    #[serde(default, deserialize_with = "wire::null_is_default")]
    choices: Vec<Piece>,
    #[serde(default)]
    usage: Value,
    #[serde(default)]
    error: Value,
}

#[derive(Debug, Deserialize)]
struct Piece {
    /// A server that does not stream sends a whole `message`.
    #[serde(default, alias = "message", deserialize_with = "wire::null_is_default")]
    delta: Delta,
    #[serde(default)]
    finish_reason: Value,
    #[serde(default)]
    index: u64,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Value,
    #[serde(default)]
    refusal: Value,
    #[serde(default, deserialize_with = "wire::null_is_default")]
    tool_calls: Vec<PieceOfCall>,
}

#[derive(Debug, Deserialize)]
struct PieceOfCall {
    #[serde(default)]
    index: Option<usize>,
    #[serde(flatten)]
    call: IncomingCall,
}

/// What was put together so far.
#[derive(Debug, Default)]
struct Whole {
    content: String,
    refusal: String,
    calls: Vec<(Option<usize>, Pieces)>,
    finish: Value,
    usage: Totals,
    error: Option<String>,
    events: usize,
}

#[derive(Debug, Default)]
struct Pieces {
    id: String,
    name: String,
    arguments: String,
}

/// Reads the events to their end. One that cannot be read, or an end before the server said that it was the
/// end, makes the answer incomplete: what came until then is no answer.
pub async fn collect<E>(
    mut events: impl Stream<Item = Result<Chunk, E>> + Unpin,
    make_id: &mut (dyn FnMut() -> String + Send),
) -> Result<Reply, ModelError> {
    let mut whole = Whole::default();
    while let Some(Ok(chunk)) = events.next().await {
        whole.take(chunk);
    }
    whole.into_reply(make_id)
}

impl Whole {
    fn take(&mut self, Chunk { choices, usage, error }: Chunk) {
        self.events += 1;
        self.error = self.error.take().or_else(|| wire::error_message(&error).filter(|_| !error.is_null()));
        let usage = Totals::of(&usage);
        if usage != Totals::default() {
            self.usage = usage;
        }
        // of several alternatives the first is read, as of a whole answer
        for piece in choices.into_iter().filter(|piece| piece.index == 0) {
            self.content.push_str(&wire::text(piece.delta.content));
            self.refusal.push_str(&wire::text(piece.delta.refusal));
            piece.delta.tool_calls.into_iter().for_each(|piece| self.call(piece));
            if !piece.finish_reason.is_null() {
                self.finish = piece.finish_reason;
            }
        }
    }

    /// Without an index, a piece with an id begins a new call and one without belongs to the last.
    fn call(&mut self, PieceOfCall { index, call }: PieceOfCall) {
        let (id, name, arguments) = call.texts();
        let known = match index {
            Some(_) => self.calls.iter().position(|(known, _)| *known == index),
            None if id.is_empty() && name.is_empty() => self.calls.len().checked_sub(1),
            None => None,
        };
        let at = known.unwrap_or(self.calls.len());
        if known.is_none() && self.calls.len() < CALLS {
            self.calls.push((index, Pieces::default()));
        }
        let Some((_, pieces)) = self.calls.get_mut(at) else { return };
        // some servers repeat id and name in every piece
        if pieces.id.is_empty() {
            pieces.id = id;
        }
        if pieces.name != name {
            pieces.name.push_str(&name);
        }
        pieces.arguments.push_str(&arguments);
    }

    fn into_reply(self, make_id: &mut dyn FnMut() -> String) -> Result<Reply, ModelError> {
        if let Some(said) = self.error {
            return Err(ModelError::Unavailable(said.chars().take(200).collect()));
        }
        if self.events == 0 {
            return Err(ModelError::Unreadable("the answer holds no event".into()));
        }
        let incomplete = match self.finish {
            Value::Null => Some("the stream was cut off".to_owned()),
            finish => wire::incomplete(&finish),
        };
        let content = [self.content, self.refusal];
        let content = content.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n");
        let calls = self
            .calls
            .into_iter()
            .map(|(_, Pieces { id, name, arguments })| wire::tool_call(id, name, arguments, &mut *make_id));
        Ok(Reply { content, calls: calls.collect(), incomplete, usage: self.usage.usage(), endpoint: 0 })
    }
}
