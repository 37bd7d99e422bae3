//! What can be looked up in a projection.

use std::ops::ControlFlow;

use jiff::Timestamp;

use super::keys;
use super::kv::View;
use super::projection::{from_json, read_head};
use crate::domain::ids::StreamId;
use crate::ports::store::{Head, Hold, StoreError, Timer};

/// The streams named by keys with this prefix, in the order of the keys.
pub(super) fn find(view: &dyn View, prefix: &str) -> Result<Vec<(String, StreamId)>, StoreError> {
    let all = keys::name("");
    let mut found = Vec::new();
    view.scan(&keys::name(prefix), &mut |key, value| {
        let name = keys::text(key.strip_prefix(all.as_slice()).unwrap_or_default())?;
        found.push((name, StreamId::new(keys::text(value)?)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Up to `max` timers due at `now`, the longest due first.
pub(super) fn due(view: &dyn View, now: Timestamp, max: usize) -> Result<Vec<Timer>, StoreError> {
    let mut timers = Vec::new();
    view.scan(keys::ALARMS, &mut |key, _| {
        let (due, rest) = keys::split_moment(keys::ALARMS, key)?;
        if due > now || timers.len() >= max {
            return Ok(ControlFlow::Break(()));
        }
        let (stream, name) = keys::split_alarm(rest)?;
        timers.push(Timer { stream, name, due });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(timers)
}

/// The moment of the timer that is due first.
pub(super) fn first_timer(view: &dyn View) -> Result<Option<Timestamp>, StoreError> {
    let mut first = None;
    view.scan(keys::ALARMS, &mut |key, _| {
        first = Some(keys::split_moment(keys::ALARMS, key)?.0);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(first)
}

/// The holds in force, by name.
pub(super) fn holds(view: &dyn View) -> Result<Vec<Hold>, StoreError> {
    let mut holds = Vec::new();
    view.scan(keys::HOLDS, &mut |_, value| {
        holds.push(from_json(value, "a hold")?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(holds)
}

/// The heads of all streams, by stream.
pub(super) fn heads(view: &dyn View) -> Result<Vec<Head>, StoreError> {
    let mut heads = Vec::new();
    view.scan(keys::HEADS, &mut |key, value| {
        let stream = keys::text(key.strip_prefix(keys::HEADS).unwrap_or_default())?;
        heads.push(read_head(StreamId::new(stream), value)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(heads)
}
