//! Where deliveries wait for the journal. Under load many wait at once, and whoever comes to the desk
//! writes all that wait down in one step: one line, one flush and one job in place of many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

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
    answer: oneshot::Sender<Kept>,
}

/// The desk.
pub(super) struct Desk {
    waiting: Mutex<VecDeque<Waiting>>,
    writers: Semaphore,
}

impl Default for Desk {
    fn default() -> Self {
        Self { waiting: Mutex::default(), writers: Semaphore::new(WRITERS) }
    }
}

impl Desk {
    fn put(&self, body: Arc<str>) -> Result<oneshot::Receiver<Kept>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.waiting();
        let bytes: usize = waiting.iter().map(|w| w.body.len()).sum();
        if waiting.len() >= WAITING || (bytes > 0 && bytes + body.len() > WAITING_BYTES) {
            let many = waiting.len();
            return Err(StoreError::Unavailable(format!("{many} deliveries wait for the disk already")));
        }
        waiting.push_back(Waiting { body, answer });
        Ok(answered)
    }

    /// The queue is whole whatever a panicking thread was doing: it is only pushed to and popped from.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next step holds.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting();
        let mut bytes = 0;
        let fits = |next: &&Waiting| {
            bytes += next.body.len();
            bytes <= BYTES
        };
        let count = waiting.iter().take(TOGETHER).take_while(fits).count().max(1);
        let count = count.min(waiting.len());
        waiting.drain(..count).collect()
    }
}

impl Daemon {
    /// Makes a delivery durable, with whatever else waits; gives the number of its entry.
    pub(super) async fn keep(&self, body: Arc<str>) -> Kept {
        let desk = self.desk();
        loop {
            // whoever writes for this one may go away (its client hangs up), and then nobody knows whether
            // it was kept: it is put down again, since twice does no harm
            if let Some(kept) = self.answered(desk.put(Arc::clone(&body))?).await {
                return kept;
            }
        }
    }

    /// The answer for a delivery that waits; nothing if whoever wrote for it went away.
    async fn answered(&self, mut answered: oneshot::Receiver<Kept>) -> Option<Kept> {
        loop {
            let writer = tokio::select! {
                biased;
                kept = &mut answered => return kept.ok(),
                writer = self.desk().writers.acquire() => writer,
            };
            let together = self.desk().take();
            if together.is_empty() {
                drop(writer); // somebody writes for this one already
                return answered.await.ok();
            }
            self.write(together).await;
        }
    }

    async fn write(&self, together: Vec<Waiting>) {
        let records = together.iter().map(|w| Record::Received { body: (*w.body).to_owned() }).collect();
        let kept = self.keep_deliveries(records, &Job::Route { deliveries: together.len() }).await;
        for (seq, Waiting { answer, .. }) in (0..).zip(together) {
            // whoever waited may be gone; the delivery stands all the same
            answer.send(kept.clone().map(|first| first + seq)).ok();
        }
    }
}
