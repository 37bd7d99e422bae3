//! The one thread that owns log and projection. It takes the steps that wait, works each out over what
//! came before it, writes them with one write and one flush, and only then answers.

use std::sync::Arc;

use tokio::sync::mpsc::Receiver;
use tokio::sync::{Notify, oneshot};

use super::durable::Durable;
use super::entries::Prepared;
use super::keys;
use super::kv::{Changes, Overlay};
use super::leases::Leases;
use super::line::Line;
use super::log::Log;
use super::projection;
use super::scan::Position;
use super::sled_projection::{Mark, SledProjection};
use crate::domain::ids::StreamId;
use crate::ports::store::{Append, AppendError, Entry, StoreError};

/// The most steps that share one flush: from there on the flush is a small part of the work (at 5 ms a
/// flush on a cloud disk and 50 µs a step, 256 steps take 13 ms).
pub(super) const GROUP_STEPS: usize = 256;

/// The most bytes of records that share one flush: what a slow disk (100 MB/s) takes in 40 ms.
const GROUP_BYTES: usize = 4 << 20;

/// Where the answer to a step goes.
type Answer = oneshot::Sender<Result<Vec<Durable<Entry>>, AppendError>>;

/// What the thread is asked for.
pub(super) enum Job {
    /// A step.
    Append(Box<Prepared>, Answer),
    /// Anything that only looks, or that is kept in memory.
    Look(Box<dyn FnOnce(&mut Engine) + Send>),
}

/// What the thread owns.
pub(super) struct Engine {
    /// The truth.
    pub(super) log: Log,
    /// What is looked up.
    pub(super) projection: SledProjection,
    /// Who works on what.
    pub(super) leases: Leases,
    /// Whoever waits for work.
    pub(super) stirred: Arc<Notify>,
}

/// A step that waits for its line to be flushed.
struct Staged {
    line: Vec<u8>,
    changes: Changes,
    start: Position,
    end: Position,
    entries: Vec<Entry>,
    done: Vec<String>,
    stirs: bool,
}

impl Engine {
    /// Serves until nobody can ask any more.
    pub(super) fn run(mut self, mut jobs: Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let (mut steps, mut bytes, mut job) = (Vec::new(), 0usize, Some(first));
            while let Some(next) = job.take() {
                match next {
                    // what is asked while steps wait sees the store before them: they are not durable yet
                    Job::Look(look) => look(&mut self),
                    Job::Append(prepared, answer) => {
                        bytes = bytes.saturating_add(prepared.size());
                        steps.push((*prepared, answer));
                    }
                }
                if steps.len() < GROUP_STEPS && bytes < GROUP_BYTES {
                    job = jobs.try_recv().ok();
                }
            }
            self.commit(steps);
        }
        // a projection that is not flushed is brought up from the log: nothing is lost by an error here
        self.projection.flush().ok();
    }

    /// Takes steps in order, all durable at once, then answers. A refusal, too, may rest on a step of
    /// the group, so that it is not told before the group is durable.
    fn commit(&mut self, steps: Vec<(Prepared, Answer)>) {
        if steps.is_empty() {
            return;
        }
        let mut group = Overlay::over(&self.projection);
        let (mut end, mut lines, mut answers, mut mark) = (self.log.end(), Vec::new(), Vec::new(), None);
        for (prepared, answer) in steps {
            let staged = stage(&group, end, prepared).map(|mut staged| {
                group.absorb(std::mem::take(&mut staged.changes));
                lines.append(&mut staged.line);
                end = staged.end;
                mark = Some(Mark::of(staged.start, staged.end));
                staged
            });
            answers.push((staged, answer));
        }
        let changes = group.into_changes();
        let kept = match mark {
            Some(mark) => self.keep(&lines, end, changes, mark),
            None => self.log.stopped().cloned().map_or(Ok(()), Err),
        };
        for (staged, answer) in answers {
            let result = match (&kept, staged) {
                (Err(error), _) => Err(error.clone().into()),
                (Ok(()), Err(refused)) => Err(refused),
                (Ok(()), Ok(staged)) => Ok(self.finish(staged)),
            };
            // whoever asked may be gone; the step stands all the same
            answer.send(result).ok();
        }
    }

    /// Writes the lines, then applies them. Once they are on disk the steps are taken, whatever becomes
    /// of the projection: the next start brings it up.
    fn keep(&mut self, lines: &[u8], end: Position, changes: Changes, mark: Mark) -> Result<(), StoreError> {
        self.log.append(lines, end)?;
        if let Err(error) = self.projection.apply(changes, mark) {
            self.log.stop(error);
        }
        Ok(())
    }

    /// What follows from a step that is durable.
    fn finish(&mut self, staged: Staged) -> Vec<Durable<Entry>> {
        self.leases.forget(&staged.done);
        if staged.stirs {
            self.stirred.notify_one();
        }
        staged.entries.into_iter().map(Durable::attest).collect()
    }
}

/// Works one step out, over what the group did before it.
fn stage(group: &Overlay<'_>, start: Position, prepared: Prepared) -> Result<Staged, AppendError> {
    let mut tx = Overlay::over(group);
    let written = projection::take(&mut tx, &prepared)?;
    let Prepared { step, records } = prepared;
    let (done, stirs) = (step.done.clone(), !step.enqueue.is_empty() || !step.timers.is_empty());
    let entries = records
        .into_iter()
        .zip(&written)
        .map(|((record, _), w)| {
            let stream = step.stream.clone();
            Entry { stream, seq: w.seq, at: step.at, record, hash: w.hash }
        })
        .collect();
    let (stream, first) = (step.stream.clone(), written.first().map(|w| w.seq));
    let (line, hash) = Line::of(start.lines + 1, step, written)?.render(start.hash)?;
    let end = Position { lines: start.lines + 1, offset: start.offset + line.len() as u64, hash };
    note_place(&mut tx, &stream, first, start, end);
    Ok(Staged { line, changes: tx.into_changes(), start, end, entries, done, stirs })
}

/// Applies a line that the log holds.
pub(super) fn replay(
    tx: &mut Overlay<'_>,
    line: Line,
    start: Position,
    end: Position,
) -> Result<(), AppendError> {
    let (step, written): (Append, _) = line.into_step();
    projection::replay(tx, &step, &written)?;
    note_place(tx, &step.stream, written.first().map(|w| w.seq), start, end);
    Ok(())
}

/// Notes where the entries from `first` on are found.
fn note_place(tx: &mut Overlay<'_>, stream: &StreamId, first: Option<u64>, start: Position, end: Position) {
    if let Some(first) = first {
        let place = [start.offset, end.offset].map(u64::to_be_bytes).concat();
        tx.put(keys::place(stream, first), place);
    }
}
