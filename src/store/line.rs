//! One line of the log: one step with all that is needed to rebuild the projection, under a hash that
//! runs from line to line. The form is exact, so that there is no byte that could change unnoticed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entries::{MAX_STEP, Written, link};
use crate::domain::canonical::Hash;
use crate::domain::ids::{IntentId, StreamId};
use crate::ports::store::{Append, AppendError, HoldOp, IndexOp, Reserve, TimerOp, Work, WorkId};

/// The version of the line's form that this program writes.
const FORM: u32 = 1;

/// The most bytes of a line: the records of a step, and a quarter of that for its effects, which are
/// names and short orders.
pub(super) const MAX_LINE: usize = MAX_STEP + MAX_STEP / 4;

/// What stands before the line's hash.
const BEFORE_HASH: &str = r#"{"hash":""#;
/// What stands between the hash and the step.
const BEFORE_STEP: &str = r#"","step":"#;
/// What stands after the step.
const AFTER_STEP: &str = "}\n";

/// A step as the log keeps it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    v: u32,
    /// Its number in the log, from 1.
    #[serde(rename = "line")]
    pub(super) number: u64,
    stream: StreamId,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<EntryText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    enqueue: Vec<Work>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    done: Vec<WorkId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timers: Vec<TimerOp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reserve: Vec<Reserve>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    release: Vec<IntentId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    index: Vec<IndexOp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holds: Vec<HoldOp>,
}

/// An entry within a line: the body's exact bytes, and their place in the stream's chain.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryText {
    seq: u64,
    hash: Hash,
    body: Box<RawValue>,
}

impl Line {
    /// The line of a step that was taken.
    pub(super) fn of(number: u64, step: Append, written: Vec<Written>) -> Result<Self, AppendError> {
        let Append { stream, at, enqueue, done, timers, reserve, release, index, holds, .. } = step;
        let entries = written
            .into_iter()
            .map(|Written { seq, body, hash }| {
                let body = RawValue::from_string(body).map_err(|e| AppendError::Unwritable(e.to_string()))?;
                Ok(EntryText { seq, hash, body })
            })
            .collect::<Result<_, AppendError>>()?;
        Ok(Self {
            v: FORM,
            number,
            stream,
            at,
            entries,
            enqueue,
            done,
            timers,
            reserve,
            release,
            index,
            holds,
        })
    }

    /// The step and its entries.
    pub(super) fn into_step(self) -> (Append, Vec<Written>) {
        let Self { stream, at, entries, enqueue, done, timers, reserve, release, index, holds, .. } = self;
        let mut step = Append::to(stream, None, at);
        step.enqueue = enqueue;
        step.done = done;
        step.timers = timers;
        step.reserve = reserve;
        step.release = release;
        step.index = index;
        step.holds = holds;
        let written = entries.into_iter().map(|EntryText { seq, hash, body }| {
            let body: Box<str> = body.into();
            Written { seq, body: body.into(), hash }
        });
        (step, written.collect())
    }

    /// Adds the line, which follows one with the hash `prev`, to `lines`; gives its own hash. After an
    /// error `lines` is as it was.
    pub(super) fn render(&self, prev: Hash, lines: &mut Vec<u8>) -> Result<Hash, AppendError> {
        let start = lines.len();
        let rendered = self.add(prev, lines);
        if rendered.is_err() {
            lines.truncate(start);
        }
        rendered
    }

    fn add(&self, prev: Hash, lines: &mut Vec<u8>) -> Result<Hash, AppendError> {
        let start = lines.len();
        let bodies: usize = self.entries.iter().map(|entry| entry.body.get().len()).sum();
        // the rest of a usual line is a job, a timer or two, and 200 bytes around each entry
        lines.reserve(bodies + 256 * (self.entries.len() + 4));
        lines.extend_from_slice(BEFORE_HASH.as_bytes());
        let told = lines.len()..lines.len() + 64;
        lines.extend_from_slice(Hash::ZERO.to_string().as_bytes());
        lines.extend_from_slice(BEFORE_STEP.as_bytes());
        let step = lines.len()..;
        serde_json::to_writer(&mut *lines, self).map_err(|e| AppendError::Unwritable(e.to_string()))?;
        let hash = link(prev, lines.get(step).unwrap_or_default());
        lines.splice(told, hash.to_string().into_bytes());
        lines.extend_from_slice(AFTER_STEP.as_bytes());
        let size = lines.len() - start;
        if size > MAX_LINE {
            return Err(AppendError::Unwritable(format!("it has {size} bytes of {MAX_LINE}")));
        }
        Ok(hash)
    }

    /// Reads a line (with its line feed) that must follow one with the hash `prev`, as number `line`.
    pub(super) fn read(bytes: &[u8], prev: Hash, line: u64) -> Result<(Self, Hash), String> {
        let (step, hash) = check(bytes, prev)?;
        let read: Self = serde_json::from_slice(step).map_err(|e| format!("the step cannot be read: {e}"))?;
        if read.v != FORM {
            return Err(format!("the line has form {}, this program knows {FORM}", read.v));
        }
        if read.number != line {
            return Err(format!("the line says that it is number {}", read.number));
        }
        Ok((read, hash))
    }

    /// Reads a line whose chain was checked before.
    pub(super) fn read_again(bytes: &[u8]) -> Result<Self, String> {
        let step = frame(bytes).ok_or("the line has not the form of one")?.1;
        serde_json::from_slice(step).map_err(|e| format!("the step cannot be read: {e}"))
    }
}

/// The step's bytes and the line's hash, if the line is whole and follows `prev`.
pub(super) fn check(bytes: &[u8], prev: Hash) -> Result<(&[u8], Hash), String> {
    let (told, step) = frame(bytes).ok_or("the line has not the form of one")?;
    let hash = link(prev, step);
    if told != hash.to_string().as_bytes() {
        return Err("the hash does not follow from the line before and this line's bytes".to_owned());
    }
    Ok((step, hash))
}

/// The text of the hash and the step.
fn frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(BEFORE_HASH.as_bytes())?;
    let (hash, rest) = rest.split_at_checked(64)?;
    let step = rest.strip_prefix(BEFORE_STEP.as_bytes())?.strip_suffix(AFTER_STEP.as_bytes())?;
    Some((hash, step))
}
