//! The store of one machine: a handle to the thread that owns it.

use std::fs::File;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::Sender;
use tokio::sync::{Notify, mpsc, oneshot};

use super::blobs::Blobs;
use super::durable::Durable;
use super::engine::{Engine, GROUP_STEPS, Job};
use super::entries::{self, prepare};
use super::kv::View as _;
use super::line::Line;
use super::log::Medium;
use super::{keys, limits, lookup, projection};
use crate::domain::canonical::Hash;
use crate::domain::ids::{IntentId, StreamId};
use crate::ports::store::{
    Append, AppendError, Claimed, Entry, Head, Hold, Store, StoreError, Timer, WorkId,
};

/// The most jobs that wait: four groups. At 13 ms a group (`engine::GROUP_STEPS`) the last one waits
/// 50 ms; beyond that it is better to say 503 than to let the sender time out.
const QUEUE: usize = 4 * GROUP_STEPS;

/// The store of one machine. Dropping it waits until what was asked for is done.
pub struct LogStore {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    medium: Arc<dyn Medium>,
    blobs: Blobs,
    stirred: Arc<Notify>,
    /// Held until the thread has ended: fields are dropped after `drop`.
    _lock: File,
}

/// Where entries lie in the log, up to a head.
struct Places {
    head: Head,
    ranges: Vec<(u64, u64)>,
}

impl LogStore {
    /// Starts the thread.
    pub(super) fn start(
        engine: Engine,
        medium: Arc<dyn Medium>,
        blobs: Blobs,
        lock: File,
    ) -> std::io::Result<Self> {
        let stirred = Arc::clone(&engine.stirred);
        let (jobs, asked) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().name("belay-store".to_owned());
        let thread = thread.spawn(move || engine.run(asked))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), medium, blobs, stirred, _lock: lock })
    }

    /// Looks at what the thread owns.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Engine) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Look(Box::new(move |engine| {
            // whoever asked may be gone
            answer.send(look(engine)).ok();
        }));
        self.jobs.as_ref().ok_or_else(ended)?.send(job).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // a panic of the thread was answered to whoever waited for it
            thread.join().ok();
        }
    }
}

#[async_trait]
impl Store for LogStore {
    async fn append(&self, step: Append) -> Result<Vec<Durable<Entry>>, AppendError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Append(Box::new(prepare(step)?), answer);
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                StoreError::Unavailable(format!("{QUEUE} requests wait for the disk already"))
            }
            mpsc::error::TrySendError::Closed(_) => ended(),
        })?;
        answered.await.map_err(|_| ended())?
    }

    async fn load(&self, stream: &StreamId) -> Result<Vec<Durable<Entry>>, StoreError> {
        let name = stream.clone();
        let places = self.look(move |engine| places(engine, &name)).await?;
        if places.ranges.is_empty() {
            return Ok(Vec::new());
        }
        let medium = Arc::clone(&self.medium);
        blocking(move || read(&*medium, &places)).await
    }

    async fn range(
        &self,
        stream: &StreamId,
        from: u64,
        max: usize,
    ) -> Result<Vec<Durable<Entry>>, StoreError> {
        let name = stream.clone();
        let ranges = self.look(move |engine| steps_from(engine, &name, from, max)).await?;
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let (medium, stream) = (Arc::clone(&self.medium), stream.clone());
        let entries = blocking(move || read_part(&*medium, &stream, &ranges)).await?;
        Ok(entries.into_iter().filter(|e| e.seq >= from).take(max).collect())
    }

    async fn find(&self, prefix: &str) -> Result<Vec<(String, StreamId)>, StoreError> {
        let prefix = prefix.to_owned();
        self.look(move |engine| lookup::find(&engine.projection, &prefix)).await
    }

    async fn claim(
        &self,
        now: Timestamp,
        lease: SignedDuration,
        max: usize,
    ) -> Result<Vec<Claimed>, StoreError> {
        self.look(move |engine| engine.leases.claim(&engine.projection, now, lease, max)).await
    }

    async fn postpone(&self, work: &WorkId, due: Timestamp) -> Result<(), StoreError> {
        let work = work.clone();
        self.look(move |engine| {
            engine.leases.postpone(&work, due);
            engine.stirred.notify_one();
            Ok(())
        })
        .await
    }

    async fn due(&self, now: Timestamp, max: usize) -> Result<Vec<Timer>, StoreError> {
        self.look(move |engine| lookup::due(&engine.projection, now, max)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.look(|engine| engine.leases.next_due(&engine.projection)).await
    }

    async fn taken(
        &self,
        keys: &[String],
        but: Option<&IntentId>,
    ) -> Result<Vec<(String, Vec<Timestamp>)>, StoreError> {
        let (keys, but) = (keys.to_vec(), but.cloned());
        self.look(move |engine| {
            keys.into_iter()
                .map(|key| {
                    let taken = limits::taken(&engine.projection, &key, but.as_ref())?;
                    Ok((key, taken))
                })
                .collect()
        })
        .await
    }

    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        self.look(|engine| lookup::holds(&engine.projection)).await
    }

    async fn put_blob(&self, bytes: Vec<u8>) -> Result<Hash, StoreError> {
        let blobs = self.blobs.clone();
        blocking(move || blobs.put(&bytes)).await
    }

    async fn blob(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let blobs = self.blobs.clone();
        blocking(move || blobs.get(hash)).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.look(|engine| lookup::heads(&engine.projection)).await
    }

    async fn stirred(&self) {
        self.stirred.notified().await;
    }
}

/// Where a stream's entries lie.
fn places(engine: &Engine, stream: &StreamId) -> Result<Places, StoreError> {
    let mut ranges = Vec::new();
    engine.projection.scan(&keys::places(stream), &mut |_, value| {
        ranges.push(place(value)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Places { head: projection::head(&engine.projection, stream)?, ranges })
}

/// Where the steps lie that hold at most `max` entries from number `from` on.
fn steps_from(
    engine: &Engine,
    stream: &StreamId,
    from: u64,
    max: usize,
) -> Result<Vec<(u64, u64)>, StoreError> {
    // a step is found by the number of its first entry, which may be before the one asked for
    let view = &engine.projection;
    let head = projection::head(view, stream)?;
    let mut first = from.clamp(1, head.entries.max(1));
    while first > 1 && view.get(&keys::place(stream, first))?.is_none() {
        first -= 1;
    }
    let mut ranges = Vec::new();
    let last = from.saturating_add(max as u64).saturating_sub(1).min(head.entries);
    for seq in first..=last {
        if let Some(value) = view.get(&keys::place(stream, seq))? {
            ranges.push(place(&value)?);
        }
    }
    Ok(ranges)
}

/// Reads the entries of some steps; each line answers for itself.
fn read_part(
    medium: &dyn Medium,
    stream: &StreamId,
    ranges: &[(u64, u64)],
) -> Result<Vec<Durable<Entry>>, StoreError> {
    let damaged =
        |what: String| StoreError::Damaged(format!("stream `{stream}`: {what}; run `belay audit verify`"));
    let mut entries = Vec::new();
    for (start, end) in ranges {
        for text in line_at(medium, *start, *end)?.map_err(damaged)?.into_step().1 {
            let entry = entries::decode(&text).map_err(damaged)?;
            if entry.stream != *stream {
                return Err(damaged(format!("entry {} is not what was written", entry.seq)));
            }
            entries.push(Durable::attest(entry));
        }
    }
    Ok(entries)
}

/// The line between these bytes of the log.
fn line_at(medium: &dyn Medium, start: u64, end: u64) -> Result<Result<Line, String>, StoreError> {
    let size = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
    let mut bytes = vec![0; size];
    medium.read(&mut bytes, start).map_err(|e| {
        StoreError::Unavailable(format!("the journal could not be read at byte {start}: {e}"))
    })?;
    Ok(Line::read_again(&bytes))
}

/// A place as the projection keeps it: the first byte and the byte after the last.
fn place(value: &[u8]) -> Result<(u64, u64), StoreError> {
    let (start, end) = value
        .split_first_chunk::<8>()
        .and_then(|(start, end)| Some((*start, <[u8; 8]>::try_from(end).ok()?)))
        .ok_or_else(|| keys::unreadable("a place"))?;
    Ok((u64::from_be_bytes(start), u64::from_be_bytes(end)))
}

/// Reads entries from the log; together they must be the chain that ends in the head.
fn read(medium: &dyn Medium, places: &Places) -> Result<Vec<Durable<Entry>>, StoreError> {
    let Places { head, ranges } = places;
    let damaged = |what: String| {
        StoreError::Damaged(format!("stream `{}`: {what}; run `belay audit verify`", head.stream))
    };
    let (mut entries, mut prev) = (Vec::new(), Hash::ZERO);
    for (start, end) in ranges {
        let (_, written) = line_at(medium, *start, *end)?.map_err(damaged)?.into_step();
        for text in written {
            prev = entries::link(prev, text.digest.bytes());
            let entry = entries::decode(&text).map_err(damaged)?;
            if entry.hash != prev || entry.stream != head.stream {
                return Err(damaged(format!("entry {} is not what was written", entry.seq)));
            }
            entries.push(Durable::attest(entry));
        }
    }
    if prev != head.hash || entries.len() as u64 != head.entries {
        return Err(damaged("its entries do not lead to its head".to_owned()));
    }
    Ok(entries)
}

/// Work on files, off the runtime's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| StoreError::Unavailable(format!("reading or writing a file was cut short: {e}")))?
}

fn ended() -> StoreError {
    StoreError::Unavailable("the store's thread has ended: restart belay".to_owned())
}
