//! One step as a pure function over a view: everything is checked and worked out before anything is
//! written. The same code applies a step live and when a projection is rebuilt from the log.

use std::ops::ControlFlow;

use jiff::Timestamp;

use super::entries::{self, Prepared, Written};
use super::keys;
use super::kv::{Overlay, View};
use super::limits;
use crate::domain::canonical::Hash;
use crate::domain::ids::StreamId;
use crate::ports::store::{Append, AppendError, Head, Hold, HoldOp, IndexOp, StoreError, TimerOp, Work};

/// Whether limits and names are enforced, or the step was already taken and is only applied again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// A new step.
    Enforced,
    /// A step that the log holds.
    Trusted,
}

/// Takes a new step: checks it and lays its changes over `tx`. After an error `tx` is to be dropped.
pub(super) fn take(tx: &mut Overlay<'_>, prepared: &Prepared) -> Result<Vec<Written>, AppendError> {
    let Prepared { step, records } = prepared;
    let head = head(tx, &step.stream)?;
    match step.expected {
        Some(known) if known != head.entries => {
            return Err(AppendError::Moved { known, found: head.entries });
        }
        Some(_) | None => {}
    }
    if step.unless_held {
        refuse_held(tx)?;
    }
    for id in &step.done {
        if tx.get(&keys::work(id))?.is_none() {
            return Err(AppendError::AlreadyDone(id.clone()));
        }
    }
    apply(tx, step, head.entries + records.len() as u64, Rules::Enforced)?;
    let mut written = Vec::with_capacity(records.len());
    let mut prev = head.hash;
    for (seq, (_, record)) in (head.entries + 1..).zip(records) {
        let body = entries::body(step, seq, record)?;
        let digest = entries::digest(body.as_bytes());
        prev = entries::link(prev, digest.bytes());
        written.push(Written { seq, body, digest, hash: prev });
    }
    advance(tx, &step.stream, &written);
    Ok(written)
}

/// Applies a step that the log holds. The entries must continue the stream's chain.
pub(super) fn replay(tx: &mut Overlay<'_>, step: &Append, written: &[Written]) -> Result<(), AppendError> {
    let Head { entries: mut seq, hash: mut prev, .. } = head(tx, &step.stream)?;
    for entry in written {
        seq += 1;
        prev = entries::link(prev, entry.digest.bytes());
        if entry.seq != seq || entry.hash != prev {
            let text = format!("entry {} of stream `{}` does not continue its chain", entry.seq, step.stream);
            return Err(StoreError::Damaged(text).into());
        }
    }
    apply(tx, step, seq, Rules::Trusted)?;
    advance(tx, &step.stream, written);
    Ok(())
}

/// The head of a stream; entry 0 and the zero hash before there is any.
pub(super) fn head(view: &dyn View, stream: &StreamId) -> Result<Head, StoreError> {
    match view.get(&keys::head(stream))? {
        None => Ok(Head { stream: stream.clone(), entries: 0, hash: Hash::ZERO }),
        Some(value) => read_head(stream.clone(), &value),
    }
}

/// A head as the projection keeps it: 8 bytes of count, 32 of hash.
pub(super) fn read_head(stream: StreamId, value: &[u8]) -> Result<Head, StoreError> {
    let broken = || keys::unreadable("a stream's head");
    let (count, hash) = value.split_first_chunk::<8>().ok_or_else(broken)?;
    let hash = Hash::from_bytes(<[u8; 32]>::try_from(hash).map_err(|_| broken())?);
    Ok(Head { stream, entries: u64::from_be_bytes(*count), hash })
}

/// Moves the head to the last entry written.
fn advance(tx: &mut Overlay<'_>, stream: &StreamId, written: &[Written]) {
    if let Some(last) = written.last() {
        tx.put(keys::head(stream), [last.seq.to_be_bytes().as_slice(), last.hash.bytes()].concat());
    }
}

/// A piece of work in the projection.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Queued {
    pub work: Work,
    /// The stream's last entry when it was enqueued.
    pub entry: u64,
}

/// Everything of a step but its entries, the last of which has the number `entry`. What ends comes
/// before what begins.
fn apply(tx: &mut Overlay<'_>, step: &Append, entry: u64, rules: Rules) -> Result<(), AppendError> {
    for id in &step.done {
        complete(tx, id)?;
    }
    for work in &step.enqueue {
        enqueue(tx, work, entry)?;
    }
    for op in &step.timers {
        turn(tx, &step.stream, op)?;
    }
    for op in &step.index {
        rename(tx, &step.stream, op, rules)?;
    }
    for op in &step.holds {
        hold(tx, step.at, op)?;
    }
    for intent in &step.release {
        limits::release(tx, intent)?;
    }
    for reserve in &step.reserve {
        limits::draw(tx, step.at, reserve, rules)?;
    }
    Ok(())
}

/// Takes work out of the outbox.
fn complete(tx: &mut Overlay<'_>, id: &str) -> Result<(), StoreError> {
    if let Some(value) = tx.get(&keys::work(id))? {
        let Queued { work, .. } = from_json(&value, "a piece of work")?;
        tx.delete(keys::queue(work.due, id));
        tx.delete(keys::work(id));
    }
    Ok(())
}

/// Puts work into the outbox, in place of an earlier one of its name.
fn enqueue(tx: &mut Overlay<'_>, work: &Work, entry: u64) -> Result<(), StoreError> {
    complete(tx, &work.id)?;
    tx.put(keys::queue(work.due, &work.id), Vec::new());
    tx.put(keys::work(&work.id), to_json(&Queued { work: work.clone(), entry })?);
    Ok(())
}

/// Sets or clears a timer.
fn turn(tx: &mut Overlay<'_>, stream: &StreamId, op: &TimerOp) -> Result<(), StoreError> {
    let (TimerOp::Set { name, .. } | TimerOp::Clear { name }) = op;
    let key = keys::timer(stream, name);
    if let Some(value) = tx.get(&key)? {
        tx.delete(keys::alarm(keys::read_moment(&value)?, stream, name));
    }
    match op {
        TimerOp::Set { due, .. } => {
            tx.put(keys::alarm(*due, stream, name), Vec::new());
            tx.put(key, keys::moment(*due).to_vec());
        }
        TimerOp::Clear { .. } => tx.delete(key),
    }
    Ok(())
}

/// Binds or unbinds a name.
fn rename(tx: &mut Overlay<'_>, stream: &StreamId, op: &IndexOp, rules: Rules) -> Result<(), AppendError> {
    let (IndexOp::Bind { key } | IndexOp::Unbind { key }) = op;
    let named = tx.get(&keys::name(key))?.map(|value| keys::text(&value)).transpose()?;
    let ours = named.as_deref().is_none_or(|named| named == stream.as_str());
    match (op, named) {
        (IndexOp::Bind { .. }, Some(other)) if !ours && rules == Rules::Enforced => {
            return Err(AppendError::Taken { key: key.clone(), stream: StreamId::new(other) });
        }
        (IndexOp::Bind { .. }, _) => tx.put(keys::name(key), stream.as_str().as_bytes().to_vec()),
        (IndexOp::Unbind { .. }, Some(_)) if ours => tx.delete(keys::name(key)),
        (IndexOp::Unbind { .. }, _) => {}
    }
    Ok(())
}

/// Places or lifts a hold. Placed again it keeps the moment of the first time.
fn hold(tx: &mut Overlay<'_>, at: Timestamp, op: &HoldOp) -> Result<(), StoreError> {
    match op {
        HoldOp::Place { hold, reason } => {
            let key = keys::hold(hold);
            let since = match tx.get(&key)? {
                Some(value) => from_json::<Hold>(&value, "a hold")?.since,
                None => at,
            };
            tx.put(key, to_json(&Hold { hold: hold.clone(), reason: reason.clone(), since })?);
        }
        HoldOp::Lift { hold } => tx.delete(keys::hold(hold)),
    }
    Ok(())
}

/// Refuses while any hold is in force; names the first.
fn refuse_held(view: &dyn View) -> Result<(), AppendError> {
    let mut first = None;
    view.scan(keys::HOLDS, &mut |_, value| {
        first = Some(from_json::<Hold>(value, "a hold")?);
        Ok(ControlFlow::Break(()))
    })?;
    first.map_or(Ok(()), |Hold { hold, reason, .. }| Err(AppendError::Held(format!("`{hold}`: {reason}"))))
}

/// A value of the projection, as JSON.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(value: &[u8], what: &str) -> Result<T, StoreError> {
    serde_json::from_slice(value).map_err(|_| keys::unreadable(what))
}

/// A value for the projection, as JSON.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|e| StoreError::Damaged(format!("a value cannot be kept: {e}")))
}
