//! The store in memory, for simulation and tests: the same steps as on disk, and faults on demand.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::blobs;
use super::durable::Durable;
use super::entries::prepare;
use super::kv::Overlay;
use super::leases::Leases;
use super::{limits, lookup, projection};
use crate::domain::canonical::Hash;
use crate::domain::ids::{IntentId, StreamId};
use crate::ports::store::{
    Append, AppendError, Claimed, Entry, Head, Hold, Store, StoreError, Timer, WorkId,
};

/// What can go wrong with the next append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not taken, and says so.
    Unavailable,
    /// It is taken, and the writer does not learn of it.
    AnswerLost,
}

/// A store that lives as long as this value.
#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
    stirred: Notify,
}

#[derive(Default)]
struct Inner {
    kept: Kept,
    leases: Leases,
    faults: VecDeque<Fault>,
}

/// What a disk would keep.
#[derive(Default, Clone)]
struct Kept {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    streams: BTreeMap<StreamId, Vec<Entry>>,
    blobs: HashMap<Hash, Vec<u8>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The appends to come meet these faults, one each, in order.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.inner().faults.extend(faults);
    }

    /// The store as a process finds it that starts after this one died: what was appended is there,
    /// leases and faults are not.
    #[must_use]
    pub fn restarted(&self) -> Self {
        let inner = Inner { kept: self.inner().kept.clone(), ..Inner::default() };
        Self { inner: Mutex::new(inner), stirred: Notify::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // every change is made in one go at the end of a step, so that a panic elsewhere leaves none half done
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, step: Append) -> Result<Vec<Durable<Entry>>, AppendError> {
        let prepared = prepare(step)?;
        let mut inner = self.inner();
        let fault = inner.faults.pop_front();
        if fault == Some(Fault::Unavailable) {
            return Err(StoreError::Unavailable("a fault was injected".to_owned()).into());
        }
        let mut tx = Overlay::over(&inner.kept.pairs);
        let written = projection::take(&mut tx, &prepared)?;
        for (key, value) in tx.into_changes() {
            match value {
                Some(value) => inner.kept.pairs.insert(key, value),
                None => inner.kept.pairs.remove(&key),
            };
        }
        let step = prepared.step;
        let entries = prepared.records.into_iter().zip(written).map(|((record, _), w)| Entry {
            stream: step.stream.clone(),
            seq: w.seq,
            at: step.at,
            record,
            hash: w.hash,
        });
        let entries: Vec<Entry> = entries.collect();
        if !entries.is_empty() {
            inner.kept.streams.entry(step.stream).or_default().extend_from_slice(&entries);
        }
        inner.leases.forget(&step.done);
        drop(inner);
        if !step.enqueue.is_empty() || !step.timers.is_empty() {
            self.stirred.notify_one();
        }
        if fault == Some(Fault::AnswerLost) {
            return Err(StoreError::Unavailable("the answer was lost (injected)".to_owned()).into());
        }
        Ok(entries.into_iter().map(Durable::attest).collect())
    }

    async fn load(&self, stream: &StreamId) -> Result<Vec<Durable<Entry>>, StoreError> {
        let entries = self.inner().kept.streams.get(stream).cloned().unwrap_or_default();
        Ok(entries.into_iter().map(Durable::attest).collect())
    }

    async fn range(
        &self,
        stream: &StreamId,
        from: u64,
        max: usize,
    ) -> Result<Vec<Durable<Entry>>, StoreError> {
        let entries = self.load(stream).await?;
        Ok(entries.into_iter().filter(|e| e.seq >= from).take(max).collect())
    }

    async fn find(&self, prefix: &str) -> Result<Vec<(String, StreamId)>, StoreError> {
        lookup::find(&self.inner().kept.pairs, prefix)
    }

    async fn claim(
        &self,
        now: Timestamp,
        lease: SignedDuration,
        max: usize,
    ) -> Result<Vec<Claimed>, StoreError> {
        let Inner { kept, leases, .. } = &mut *self.inner();
        leases.claim(&kept.pairs, now, lease, max)
    }

    async fn postpone(&self, work: &WorkId, due: Timestamp) -> Result<(), StoreError> {
        self.inner().leases.postpone(work, due);
        self.stirred.notify_one();
        Ok(())
    }

    async fn due(&self, now: Timestamp, max: usize) -> Result<Vec<Timer>, StoreError> {
        lookup::due(&self.inner().kept.pairs, now, max)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let inner = self.inner();
        inner.leases.next_due(&inner.kept.pairs)
    }

    async fn taken(
        &self,
        keys: &[String],
        but: Option<&IntentId>,
    ) -> Result<Vec<(String, Vec<Timestamp>)>, StoreError> {
        let inner = self.inner();
        keys.iter().map(|key| Ok((key.clone(), limits::taken(&inner.kept.pairs, key, but)?))).collect()
    }

    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        lookup::holds(&self.inner().kept.pairs)
    }

    async fn put_blob(&self, bytes: Vec<u8>) -> Result<Hash, StoreError> {
        blobs::check_size(&bytes)?;
        let hash = Hash::of(&bytes);
        self.inner().kept.blobs.insert(hash, bytes);
        Ok(hash)
    }

    async fn blob(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.inner().kept.blobs.get(&hash).cloned())
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        lookup::heads(&self.inner().kept.pairs)
    }

    async fn stirred(&self) {
        self.stirred.notified().await;
    }
}
