//! Limits as draws that are kept: sliding windows by key, and locks until they are released.
//!
//! Windowed draws are never deleted: a clock that jumps far ahead and back, or a policy with a longer
//! window, must not find them gone. A check reads only those within its window.

use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::keys;
use super::kv::{Overlay, View};
use super::projection::{Rules, from_json, to_json};
use crate::domain::decision::Draw;
use crate::domain::ids::IntentId;
use crate::ports::store::{AppendError, Reserve, StoreError};

/// How long past its window a draw is still told to policy: promise 16 speaks of clocks that jump by a
/// day either way, so that two moments of one true instant can lie two days apart.
const JUMPS: SignedDuration = SignedDuration::from_hours(48);

/// How far back the draws upon a limit can matter to policy.
#[derive(Serialize, Deserialize)]
struct Span {
    latest: Timestamp,
    window: SignedDuration,
}

/// Draws upon a limit, unless this intent already did.
pub(super) fn draw(
    tx: &mut Overlay<'_>,
    at: Timestamp,
    reserve: &Reserve,
    rules: Rules,
) -> Result<(), AppendError> {
    let Reserve { intent, draw } = reserve;
    let own = match draw.window {
        Some(_) => keys::drawn_by(&draw.key, intent),
        None => keys::open(&draw.key, intent),
    };
    if tx.get(&own)?.is_some() {
        return Ok(());
    }
    if rules == Rules::Enforced {
        refuse_over(tx, at, draw)?;
    }
    tx.put(own, keys::moment(at).to_vec());
    match draw.window {
        Some(window) => {
            tx.put(keys::draw(&draw.key, at, intent), Vec::new());
            widen(tx, at, &draw.key, window)?;
        }
        None => tx.put(keys::open_of(intent, &draw.key), Vec::new()),
    }
    Ok(())
}

/// Ends the unwindowed draws of an intent.
pub(super) fn release(tx: &mut Overlay<'_>, intent: &IntentId) -> Result<(), StoreError> {
    let prefix = keys::opens_of(intent);
    let mut limits = Vec::new();
    tx.scan(&prefix, &mut |key, _| {
        limits.push(keys::text(key.strip_prefix(prefix.as_slice()).unwrap_or_default())?);
        Ok(ControlFlow::Continue(()))
    })?;
    for limit in limits {
        tx.delete(keys::open(&limit, intent));
        tx.delete(keys::open_of(intent, &limit));
    }
    Ok(())
}

/// The moments of the draws upon a limit that still stand, in order, except by `but`.
pub(super) fn taken(
    view: &dyn View,
    limit: &str,
    but: Option<&IntentId>,
) -> Result<Vec<Timestamp>, StoreError> {
    let mut moments = Vec::new();
    let but = but.map(|intent| intent.as_str().as_bytes());
    if let Some(value) = view.get(&keys::span(limit))? {
        let Span { latest, window } = from_json(&value, "a limit's span")?;
        let since = before(latest, window.saturating_add(JUMPS));
        let prefix = keys::draws(limit);
        view.walk(&prefix, &keys::draws_after(limit, since), &mut |key, _| {
            let (at, intent) = keys::split_moment(&prefix, key)?;
            if but != Some(intent) {
                moments.push(at);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    let prefix = keys::opens(limit);
    view.scan(&prefix, &mut |key, value| {
        if but != key.strip_prefix(prefix.as_slice()) {
            moments.push(keys::read_moment(value)?);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    moments.sort_unstable();
    Ok(moments)
}

/// Refuses the draw that would be one too many.
fn refuse_over(view: &dyn View, at: Timestamp, draw: &Draw) -> Result<(), AppendError> {
    let (prefix, from) = match draw.window {
        Some(window) => (keys::draws(&draw.key), keys::draws_after(&draw.key, before(at, window))),
        None => (keys::opens(&draw.key), keys::opens(&draw.key)),
    };
    let mut taken = 0u32;
    view.walk(&prefix, &from, &mut |_, _| {
        taken = taken.saturating_add(1);
        Ok(ControlFlow::Continue(()))
    })?;
    if taken < draw.max {
        return Ok(());
    }
    let Draw { key, code, max, .. } = draw.clone();
    Err(AppendError::Limit { code, key, taken, max })
}

/// Notes the latest draw and the longest window of a limit.
fn widen(tx: &mut Overlay<'_>, at: Timestamp, limit: &str, window: SignedDuration) -> Result<(), StoreError> {
    let key = keys::span(limit);
    let span = match tx.get(&key)? {
        None => Span { latest: at, window },
        Some(value) => {
            let known: Span = from_json(&value, "a limit's span")?;
            Span { latest: known.latest.max(at), window: known.window.max(window) }
        }
    };
    tx.put(key, to_json(&span)?);
    Ok(())
}

/// `at − window`; a window too long to subtract reaches back to the beginning.
fn before(at: Timestamp, window: SignedDuration) -> Timestamp {
    at.checked_sub(window).unwrap_or(Timestamp::MIN)
}
