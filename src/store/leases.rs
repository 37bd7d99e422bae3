//! Who works on what, in memory: an embedded store has exactly one process, and what it forgets when it
//! dies is done again, as work is done at least once.

use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};

use super::keys;
use super::kv::View;
use super::lookup;
use super::projection::{Queued, from_json};
use crate::ports::store::{Claimed, StoreError, WorkId};

/// What is known of work that was claimed at least once.
struct Lease {
    /// Nobody else gets it before this moment.
    until: Timestamp,
    /// How often it was claimed.
    claims: u32,
}

/// The leases of this process.
#[derive(Default)]
pub(super) struct Leases(HashMap<WorkId, Lease>);

impl Leases {
    /// Up to `max` pieces of work that are due and that nobody holds, oldest first.
    pub(super) fn claim(
        &mut self,
        view: &dyn View,
        now: Timestamp,
        lease: SignedDuration,
        max: usize,
    ) -> Result<Vec<Claimed>, StoreError> {
        let mut free = Vec::new();
        view.scan(keys::QUEUE, &mut |key, _| {
            let (due, id) = keys::split_moment(keys::QUEUE, key)?;
            if due > now || free.len() >= max {
                return Ok(ControlFlow::Break(()));
            }
            let id = keys::text(id)?;
            if self.0.get(&id).is_none_or(|lease| lease.until <= now) {
                free.push(id);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
        let mut claimed = Vec::with_capacity(free.len());
        for id in free {
            let value = view.get(&keys::work(&id))?.ok_or_else(|| keys::unreadable("a queue"))?;
            let Queued { work, entry } = from_json(&value, "a piece of work")?;
            let lease = self.0.entry(id).or_insert(Lease { until, claims: 0 });
            let attempts = lease.claims;
            *lease = Lease { until, claims: attempts.saturating_add(1) };
            claimed.push(Claimed { work, entry, attempts, until });
        }
        Ok(claimed)
    }

    /// Gives work back, to be tried again from `due`. Nothing happens if it was never claimed.
    pub(super) fn postpone(&mut self, id: &str, due: Timestamp) {
        if let Some(lease) = self.0.get_mut(id) {
            lease.until = due;
        }
    }

    /// Work that is done needs no lease.
    pub(super) fn forget(&mut self, done: &[WorkId]) {
        for id in done {
            self.0.remove(id);
        }
    }

    /// The next moment at which work can be claimed or a timer is due.
    pub(super) fn next_due(&self, view: &dyn View) -> Result<Option<Timestamp>, StoreError> {
        let mut first = lookup::first_timer(view)?;
        view.scan(keys::QUEUE, &mut |key, _| {
            let (due, id) = keys::split_moment(keys::QUEUE, key)?;
            if first.is_some_and(|first| first <= due) {
                return Ok(ControlFlow::Break(()));
            }
            let free = self.0.get(&keys::text(id)?).map_or(due, |lease| lease.until.max(due));
            first = Some(first.map_or(free, |first| first.min(free)));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(first)
    }
}
