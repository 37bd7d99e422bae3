//! One line of the log: one step with all that is needed to rebuild the projection, under a hash that
//! runs from line to line. The form is exact, so that there is no byte that could change unnoticed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entries::{MAX_STEP, Written, digest, link};
use crate::domain::canonical::Hash;
use crate::domain::ids::{IntentId, StreamId};
use crate::ports::store::{Append, AppendError, HoldOp, IndexOp, Reserve, TimerOp, Work, WorkId};

/// The version of the line's form that this program writes.
const FORM: u32 = 1;

/// The most bytes of a line: the records of a step, and a quarter of that for its effects, which are
/// names and short orders.
pub(super) const MAX_LINE: usize = MAX_STEP + MAX_STEP / 4;

/// Digits of a hash.
const HASH: usize = 64;

/// What stands before the line's hash.
const BEFORE_HASH: &str = r#"{"hash":""#;
/// What stands between the hash and the step.
const BEFORE_STEP: &str = r#"","step":"#;
/// What stands between the step and the bodies of its entries, if there are any.
const BEFORE_BODIES: &str = r#","bodies":["#;
/// What stands after the last body.
const AFTER_BODIES: &str = "]";
/// What stands at the end.
const END: &str = "}\n";

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
    entries: Vec<EntryMark>,
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
    /// The exact bytes of the entries' bodies. They stand beside the step, whose marks name them by their
    /// digests: so each is hashed once, for its stream and for its line.
    #[serde(skip)]
    bodies: Vec<String>,
}

/// An entry within a step: its place in the stream's chain, and which body it has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryMark {
    seq: u64,
    hash: Hash,
    digest: Hash,
}

/// A line's parts, as they stand in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts<'a> {
    hash: &'a str,
    #[serde(borrow)]
    step: &'a RawValue,
    #[serde(borrow, default)]
    bodies: Vec<&'a RawValue>,
}

impl Line {
    /// The line of a step that was taken.
    pub(super) fn of(number: u64, step: Append, written: Vec<Written>) -> Self {
        let Append { stream, at, enqueue, done, timers, reserve, release, index, holds, .. } = step;
        let entries = written.iter().map(|w| EntryMark { seq: w.seq, hash: w.hash, digest: w.digest });
        let entries = entries.collect();
        let bodies = written.into_iter().map(|w| w.body).collect();
        Self {
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
            bodies,
        }
    }

    /// The step and its entries.
    pub(super) fn into_step(self) -> (Append, Vec<Written>) {
        let Self {
            stream, at, entries, enqueue, done, timers, reserve, release, index, holds, bodies, ..
        } = self;
        let mut step = Append::to(stream, None, at);
        step.enqueue = enqueue;
        step.done = done;
        step.timers = timers;
        step.reserve = reserve;
        step.release = release;
        step.index = index;
        step.holds = holds;
        let written = entries.into_iter().zip(bodies);
        let written =
            written.map(|(EntryMark { seq, hash, digest }, body)| Written { seq, body, digest, hash });
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
        let bodies: usize = self.bodies.iter().map(String::len).sum();
        // the rest of a usual line is a job, a timer or two, and 160 bytes for the mark of each entry
        lines.reserve(bodies + 256 * (self.entries.len() + 4));
        lines.extend_from_slice(BEFORE_HASH.as_bytes());
        let told = lines.len()..lines.len() + HASH;
        lines.extend_from_slice(Hash::ZERO.to_string().as_bytes());
        lines.extend_from_slice(BEFORE_STEP.as_bytes());
        let step = lines.len()..;
        serde_json::to_writer(&mut *lines, self).map_err(|e| AppendError::Unwritable(e.to_string()))?;
        let hash = link(prev, lines.get(step).unwrap_or_default());
        lines.splice(told, hash.to_string().into_bytes());
        for (i, body) in self.bodies.iter().enumerate() {
            lines.extend_from_slice(if i == 0 { BEFORE_BODIES.as_bytes() } else { b"," });
            lines.extend_from_slice(body.as_bytes());
        }
        if !self.bodies.is_empty() {
            lines.extend_from_slice(AFTER_BODIES.as_bytes());
        }
        lines.extend_from_slice(END.as_bytes());
        let size = lines.len() - start;
        if size > MAX_LINE {
            return Err(AppendError::Unwritable(format!("it has {size} bytes of {MAX_LINE}")));
        }
        Ok(hash)
    }

    /// Reads a line (with its line feed) that must follow one with the hash `prev`, as number `line`.
    pub(super) fn read(bytes: &[u8], prev: Hash, line: u64) -> Result<(Self, Hash), String> {
        let (read, hash) = Self::check(bytes, prev)?;
        if read.v != FORM {
            return Err(format!("the line has form {}, this program knows {FORM}", read.v));
        }
        if read.number != line {
            return Err(format!("the line says that it is number {}", read.number));
        }
        Ok((read, hash))
    }

    /// Reads a line that must follow one with the hash `prev`.
    pub(super) fn check(bytes: &[u8], prev: Hash) -> Result<(Self, Hash), String> {
        let parts = parts(bytes)?;
        let hash = link(prev, parts.step.get().as_bytes());
        if parts.hash != hash.to_string() {
            return Err("the hash does not follow from the line before and this line's step".to_owned());
        }
        Ok((Self::from(parts)?, hash))
    }

    /// Reads a line whose chain was checked before.
    pub(super) fn read_again(bytes: &[u8]) -> Result<Self, String> {
        Self::from(parts(bytes)?)
    }

    fn from(parts: Parts<'_>) -> Result<Self, String> {
        let mut read: Self =
            serde_json::from_str(parts.step.get()).map_err(|e| format!("the step cannot be read: {e}"))?;
        read.bodies = parts.bodies.into_iter().map(|body| body.get().to_owned()).collect();
        let named = read.entries.iter().map(|entry| entry.digest);
        if !named.eq(read.bodies.iter().map(|body| digest(body.as_bytes()))) {
            return Err("the bodies are not those that the step names".to_owned());
        }
        Ok(read)
    }
}

/// The parts of a line that has exactly the form of one: nothing stands between them.
fn parts(bytes: &[u8]) -> Result<Parts<'_>, String> {
    let form = || "the line has not the form of one".to_owned();
    if !bytes.starts_with(BEFORE_HASH.as_bytes()) || !bytes.ends_with(END.as_bytes()) {
        return Err(form());
    }
    let parts: Parts<'_> = serde_json::from_slice(bytes).map_err(|_| form())?;
    let bodies: usize = parts.bodies.iter().map(|body| body.get().len() + 1).sum();
    let around = if bodies == 0 { 0 } else { BEFORE_BODIES.len() + AFTER_BODIES.len() - 1 };
    let fixed = BEFORE_HASH.len() + HASH + BEFORE_STEP.len() + END.len();
    if bytes.len() != fixed + parts.step.get().len() + around + bodies {
        return Err(form());
    }
    Ok(parts)
}
