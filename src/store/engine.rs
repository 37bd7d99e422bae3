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
            let staged = stage(&group, end, prepared, &mut lines).map(|mut staged| {
                group.absorb(std::mem::take(&mut staged.changes));
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

/// Works one step out, over what the group did before it, and adds its line to `lines`.
fn stage(
    group: &Overlay<'_>,
    start: Position,
    prepared: Prepared,
    lines: &mut Vec<u8>,
) -> Result<Staged, AppendError> {
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
    let before = lines.len();
    let hash = Line::of(start.lines + 1, step, written).render(start.hash, lines)?;
    let offset = start.offset + (lines.len() - before) as u64;
    let end = Position { lines: start.lines + 1, offset, hash };
    note_place(&mut tx, &stream, first, start, end);
    Ok(Staged { changes: tx.into_changes(), start, end, entries, done, stirs })
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt as _;
    use std::sync::Mutex;

    use jiff::Timestamp;
    use tokio::sync::mpsc;

    use super::*;
    use crate::domain::record::Record;
    use crate::ports::store::Work;
    use crate::store::entries::prepare;
    use crate::store::log::Medium;
    use crate::store::lookup;

    /// A file whose next write or flush fails.
    struct Failing {
        file: File,
        next: Mutex<Option<io::ErrorKind>>,
        flush: Mutex<bool>,
    }

    impl Medium for Failing {
        fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            match self.next.lock().unwrap().take() {
                None => self.file.write_all_at(bytes, offset),
                Some(kind) => {
                    self.file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
                    Err(kind.into())
                }
            }
        }

        fn flush(&self) -> io::Result<()> {
            if *self.flush.lock().unwrap() { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
        }

        fn cut(&self, length: u64) -> io::Result<()> {
            self.file.set_len(length)
        }

        fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            self.file.read_exact_at(buffer, offset)
        }
    }

    fn engine(dir: &std::path::Path) -> (Engine, Arc<Failing>) {
        let file = File::options().read(true).write(true).create_new(true).open(dir.join("log")).unwrap();
        let medium = Arc::new(Failing { file, next: Mutex::default(), flush: Mutex::default() });
        let engine = Engine {
            log: Log::ending_at(Arc::clone(&medium) as _, Position::START),
            projection: SledProjection::open(&dir.join("projection"), 1 << 20).unwrap(),
            leases: Leases::default(),
            stirred: Arc::new(Notify::new()),
        };
        (engine, medium)
    }

    /// A step that takes stream `a` from `known` on.
    fn step(known: u64) -> Prepared {
        let stream = StreamId::new("a");
        let mut step = Append::to(stream.clone(), Some(known), Timestamp::UNIX_EPOCH);
        step.records = vec![Record::Oversize { bytes: known }];
        step.enqueue = vec![Work { id: format!("w{known}"), stream, due: step.at, what: String::new() }];
        prepare(step).unwrap()
    }

    /// The answers to these steps, taken as one group.
    fn commit(engine: &mut Engine, known: &[u64]) -> Vec<Result<usize, AppendError>> {
        let (steps, answers): (Vec<_>, Vec<_>) = known
            .iter()
            .map(|known| {
                let (answer, answered) = oneshot::channel();
                ((step(*known), answer), answered)
            })
            .unzip();
        engine.commit(steps);
        answers.into_iter().map(|mut a| a.try_recv().unwrap().map(|entries| entries.len())).collect()
    }

    #[test]
    fn after_a_full_disk_nothing_of_the_group_is_there_and_the_next_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (mut engine, medium) = engine(dir.path());
        assert_eq!(commit(&mut engine, &[0]), [Ok(1)]);
        let before = (engine.log.end(), lookup::heads(&engine.projection).unwrap());
        *medium.next.lock().unwrap() = Some(io::ErrorKind::StorageFull);
        // the last is refused because of the second, which is not to be: it must not be told "moved"
        let answers = commit(&mut engine, &[1, 2, 2]);
        assert!(answers.iter().all(|a| matches!(a, Err(AppendError::Store(StoreError::Unavailable(_))))));
        assert_eq!((engine.log.end(), lookup::heads(&engine.projection).unwrap()), before);
        assert_eq!(medium.file.metadata().unwrap().len(), before.0.offset);
        assert_eq!(
            commit(&mut engine, &[1, 2, 2]),
            [Ok(1), Ok(1), Err(AppendError::Moved { known: 2, found: 3 })]
        );
    }

    #[test]
    fn after_a_failed_flush_nothing_is_taken_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let (mut engine, medium) = engine(dir.path());
        *medium.flush.lock().unwrap() = true;
        assert!(matches!(commit(&mut engine, &[0])[..], [Err(AppendError::Store(_))]));
        *medium.flush.lock().unwrap() = false;
        for known in [0, 7] {
            // not even a refusal is told: what it would rest on is not known
            assert!(matches!(commit(&mut engine, &[known])[..], [Err(AppendError::Store(_))]));
        }
        assert_eq!(lookup::heads(&engine.projection).unwrap(), []);
    }

    #[test]
    fn what_is_asked_for_before_the_end_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, _) = engine(dir.path());
        let (jobs, asked) = mpsc::channel(8);
        let (answer, mut answered) = oneshot::channel();
        jobs.try_send(Job::Append(Box::new(step(0)), answer)).ok().unwrap();
        drop(jobs);
        engine.run(asked);
        assert_eq!(answered.try_recv().unwrap().unwrap().len(), 1);
    }
}
