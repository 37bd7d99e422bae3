//! Where deliveries wait for the journal. Under load many wait at once, and whoever comes to the desk
//! writes all that wait down in one step: one line, one flush and one job in place of many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::domain::record::Record;
use crate::ports::store::{AppendError, StoreError};

use super::Daemon;
use super::work::Job;

/// How many write at a time: while the store flushes one step, the next is made ready.
const WRITERS: usize = 2;
/// The most deliveries of one step, so that no alert waits for many others to be routed.
const TOGETHER: usize = 64;
/// The most bytes of one step, unless a single delivery has more: what a slow disk (100 MB/s) takes in
/// 20 ms.
const BYTES: usize = 2 << 20;

/// The most deliveries that wait, and the most bytes of them unless there is only one: what the same disk
/// takes in a second. Beyond that it is better to say 503 than to let the sender time out.
const WAITING: usize = 1024;
const WAITING_BYTES: usize = 64 << 20;

/// The number of the entry, or why there is none.
type Kept = Result<u64, AppendError>;

struct Waiting {
    body: Arc<str>,
    told: oneshot::Sender<Told>,
}

/// What one that waits is told.
enum Told {
    /// Somebody wrote it down.
    Kept(Kept),
    /// It is its turn to write.
    Write(Turn),
}

/// How a delivery begins at the desk.
enum Place {
    Wait(oneshot::Receiver<Told>),
    Write(Turn),
}

/// The desk.
#[derive(Clone, Default)]
pub(super) struct Desk(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    writing: usize,
}

/// The right to write, which goes on to the next that waits when it is dropped: also when whoever had it
/// went away (its client hung up).
struct Turn(Desk);

impl Drop for Turn {
    fn drop(&mut self) {
        // one that went away between being chosen and being told hands on in its turn
        if let Some(next) = self.0.next() {
            next.told.send(Told::Write(Self(self.0.clone()))).ok();
        }
    }
}

impl Desk {
    /// The queue is whole whatever a panicking thread was doing: it is only pushed to and popped from.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, body: &Arc<str>) -> Result<Place, StoreError> {
        let mut queue = self.queue();
        if queue.writing < WRITERS {
            queue.writing += 1;
            drop(queue);
            return Ok(Place::Write(Turn(self.clone())));
        }
        let (many, bytes) = (queue.waiting.len(), queue.bytes + body.len());
        if many >= WAITING || (many > 0 && bytes > WAITING_BYTES) {
            return Err(StoreError::Unavailable(format!("{many} deliveries wait for the disk already")));
        }
        let (told, tells) = oneshot::channel();
        queue.bytes = bytes;
        queue.waiting.push_back(Waiting { body: Arc::clone(body), told });
        Ok(Place::Wait(tells))
    }

    /// Who writes next; nobody, if nobody waits any more.
    fn next(&self) -> Option<Waiting> {
        let mut queue = self.queue();
        while let Some(next) = queue.waiting.pop_front() {
            queue.bytes -= next.body.len();
            if !next.told.is_closed() {
                return Some(next);
            }
        }
        queue.writing -= 1;
        None
    }
}

impl Queue {
    /// What shares a step with a delivery of this many bytes.
    fn take(&mut self, own: usize) -> Vec<Waiting> {
        let mut bytes = own;
        let fits = |next: &&Waiting| {
            bytes += next.body.len();
            bytes <= BYTES
        };
        let count = self.waiting.iter().take(TOGETHER - 1).take_while(fits).count();
        let taken: Vec<Waiting> = self.waiting.drain(..count).collect();
        self.bytes -= taken.iter().map(|w| w.body.len()).sum::<usize>();
        taken
    }
}

impl Daemon {
    /// Makes a delivery durable, with whatever else waits; gives the number of its entry.
    pub(super) async fn keep(&self, body: Arc<str>) -> Kept {
        loop {
            let turn = match self.desk().put(&body)? {
                Place::Write(turn) => turn,
                Place::Wait(tells) => match tells.await {
                    Ok(Told::Kept(kept)) => return kept,
                    Ok(Told::Write(turn)) => turn,
                    // whoever wrote for this one went away, and nobody knows whether it was kept: it is
                    // put down again, since twice does no harm
                    Err(_) => continue,
                },
            };
            return self.write(turn, &body).await;
        }
    }

    /// Writes a delivery down, and what waits with it.
    async fn write(&self, turn: Turn, own: &str) -> Kept {
        let others = turn.0.queue().take(own.len());
        let bodies = std::iter::once(own).chain(others.iter().map(|w| &*w.body));
        let records = bodies.map(|body| Record::Received { body: body.to_owned() }).collect();
        let kept = self.keep_deliveries(records, &Job::Route { deliveries: 1 + others.len() }).await;
        for (seq, other) in (1..).zip(others) {
            // whoever waited may be gone; the delivery stands all the same
            other.told.send(Told::Kept(kept.clone().map(|first| first + seq))).ok();
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(len: usize) -> Arc<str> {
        "x".repeat(len).into()
    }

    /// Its turn, if it is at once.
    fn turn(desk: &Desk) -> Option<Turn> {
        match desk.put(&body(1)).unwrap() {
            Place::Write(turn) => Some(turn),
            Place::Wait(_) => None,
        }
    }

    fn waits(desk: &Desk, len: usize) -> oneshot::Receiver<Told> {
        match desk.put(&body(len)).unwrap() {
            Place::Wait(tells) => tells,
            Place::Write(_) => panic!("nobody writes"),
        }
    }

    #[test]
    fn a_turn_goes_to_the_next_that_still_waits_and_ends_when_none_does() {
        let desk = Desk::default();
        let (first, second) = (turn(&desk).unwrap(), turn(&desk).unwrap());
        let (gone, mut next, mut last) = (waits(&desk, 3), waits(&desk, 4), waits(&desk, 5));
        drop(gone);
        drop(first);
        let Ok(Told::Write(third)) = next.try_recv() else { panic!("it is the next one's turn") };
        assert!(last.try_recv().is_err());
        // it goes away before it writes
        drop(third);
        let Ok(Told::Write(fourth)) = last.try_recv() else { panic!("it is the last one's turn") };
        let Queue { bytes, writing, .. } = *desk.queue();
        assert_eq!((bytes, writing), (0, 2));
        drop((second, fourth));
        assert_eq!(desk.queue().writing, 0);
        assert!(turn(&desk).is_some());
    }

    #[test]
    fn what_was_told_to_nobody_is_handed_on() {
        let desk = Desk::default();
        let (first, _second) = (turn(&desk).unwrap(), turn(&desk).unwrap());
        let (told, mut next) = (waits(&desk, 1), waits(&desk, 1));
        drop(first);
        // told, and gone before it looked
        drop(told);
        assert!(matches!(next.try_recv(), Ok(Told::Write(_))));
    }

    #[test]
    fn a_step_holds_so_many_and_so_much_and_the_desk_too() {
        let desk = Desk::default();
        let _writing = (turn(&desk).unwrap(), turn(&desk).unwrap());
        let waiting: Vec<_> = (0..TOGETHER + 5).map(|_| waits(&desk, 10)).collect();
        assert_eq!(desk.queue().take(1).len(), TOGETHER - 1);
        assert_eq!(desk.queue().take(BYTES - 25).len(), 2);
        assert_eq!(desk.queue().take(2 * BYTES).len(), 0);
        assert_eq!(desk.queue().take(1).len(), 4);
        assert_eq!(desk.queue().bytes, 0);
        drop(waiting);

        let desk = Desk::default();
        let _writing = (turn(&desk).unwrap(), turn(&desk).unwrap());
        let most: Vec<_> = (0..=WAITING).map_while(|_| desk.put(&body(1)).ok()).collect();
        assert_eq!(most.len(), WAITING);
    }

    #[test]
    fn one_of_any_size_waits_and_no_other_beside_it() {
        let desk = Desk::default();
        let _writing = (turn(&desk).unwrap(), turn(&desk).unwrap());
        let _huge = waits(&desk, WAITING_BYTES + 1);
        assert!(matches!(desk.put(&body(1)), Err(StoreError::Unavailable(_))));
    }
}
