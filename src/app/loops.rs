//! The loops of the daemon: carry out what is due. Each incident is worked on by one task at a time;
//! different ones side by side. When a loop ends, the daemon ends with its reason.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::{IncidentId, StreamId};
use crate::incident::{Input, TimerName};
use crate::ports::store::{Append, AppendError, Claimed, StoreError, Timer};

use super::Daemon;
use super::incidents::FeedError;
use super::work::Job;

/// Incidents worked on side by side. Each holds a few reads of the API server in flight; more would only
/// queue there.
const WORKERS: usize = 16;
/// How long a worker may hold a piece of work before another takes it over: longer than the longest
/// investigation (two minutes) with its reads.
const LEASE: SignedDuration = SignedDuration::from_mins(5);
/// How many pieces of work are claimed at once.
const CLAIM: usize = 4 * WORKERS;
/// The first pause before a failed piece of work is tried again; doubled each time.
const RETRY: SignedDuration = SignedDuration::from_secs(1);
/// How often a piece of work is tried again before a person is told: 1 + 2 + 4 + 8 seconds of pauses, so
/// that routing and the first look together stay under the minute of promise 3.
pub(super) const GIVE_UP: u32 = 4;
/// How long the loop waits before it tries again what is due and could not be taken.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest that the loop sleeps without looking, should a wake-up be lost.
const IDLE: Duration = Duration::from_secs(5);

/// Why the daemon stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The store found itself damaged.
    #[error("acting stopped: {0}")]
    Store(StoreError),
    /// A task panicked: a defect, never to be carried on with.
    #[error("a task of the daemon died: {0}")]
    Died(String),
}

/// How a piece of work ended.
pub(super) enum Ended {
    /// It is complete, in the store too.
    Complete,
    /// It is complete; the store has to be told.
    Done,
    /// It could not be done now.
    Failed(String),
}

impl Daemon {
    /// Carries out work and timers until `stop`, and records what changes meanwhile; then finishes what is
    /// under way.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), Stopped> {
        // whatever ends by itself ends the other
        let own = stop.child_token();
        let working = async {
            let ended = self.work(own.clone()).await;
            own.cancel();
            ended
        };
        let recording = async {
            let ended = self.record(&own).await;
            own.cancel();
            ended
        };
        let (worked, recorded, ()) = tokio::join!(working, recording, self.mind_strangers(&own));
        worked.and(recorded)
    }

    async fn work(&self, stop: CancellationToken) -> Result<(), Stopped> {
        let mut lanes = Lanes::default();
        let mut tasks: JoinSet<StreamId> = JoinSet::new();
        while !stop.is_cancelled() {
            while let Some(ended) = tasks.try_join_next() {
                lanes.free(&ended.map_err(|e| Stopped::Died(e.to_string()))?);
            }
            let moved = self.fire_timers().await? | self.fill(&mut lanes).await?;
            self.start(&mut lanes, &mut tasks);
            if moved && tasks.len() < WORKERS {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake() => {}
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    lanes.free(&ended.map_err(|e| Stopped::Died(e.to_string()))?);
                }
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|e| Stopped::Died(e.to_string()))?;
        }
        Ok(())
    }

    /// Returns when something may be due.
    async fn wake(&self) {
        let ports = self.ports();
        let next = ports.store.next_due().await.ok().flatten();
        let due = async {
            match next {
                // what is due and was not taken just now is not asked for in a circle
                Some(at) if at <= ports.clock.now() => tokio::time::sleep(PAUSE).await,
                Some(at) => ports.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = ports.store.stirred() => {}
            () = tokio::time::sleep(IDLE) => {}
        }
    }

    async fn fill(&self, lanes: &mut Lanes) -> Result<bool, Stopped> {
        if lanes.waiting() >= CLAIM {
            return Ok(false);
        }
        match self.ports().store.claim(self.now(), LEASE, CLAIM).await {
            Ok(claimed) => {
                let any = !claimed.is_empty();
                for work in claimed {
                    lanes.queue(work);
                }
                Ok(any)
            }
            Err(e @ StoreError::Damaged(_)) => Err(Stopped::Store(e)),
            Err(StoreError::Unavailable(_)) => Ok(false),
        }
    }

    fn start(&self, lanes: &mut Lanes, tasks: &mut JoinSet<StreamId>) {
        while tasks.len() < WORKERS {
            let Some(claimed) = lanes.next() else { return };
            let daemon = self.clone();
            tasks.spawn(async move {
                let stream = claimed.work.stream.clone();
                daemon.carry_out(claimed).await;
                stream
            });
        }
    }

    async fn carry_out(&self, claimed: Claimed) {
        let ended = match Job::read(&claimed.work) {
            Ok(job) => self.perform(&job, &claimed).await,
            Err(e) => {
                tracing::error!(work = %claimed.work.id, error = %e, "work cannot be read, so it is dropped");
                Ended::Done
            }
        };
        match ended {
            Ended::Complete => {}
            Ended::Done => self.complete(&claimed).await,
            Ended::Failed(why) => self.retry_or_give_up(&claimed, &why).await,
        }
    }

    async fn perform(&self, job: &Job, claimed: &Claimed) -> Ended {
        let done = match job {
            // reading for it is the largest thing that a worker ever holds
            Job::Route { deliveries } => {
                Box::pin(self.route(claimed, *deliveries)).await.map(|()| Ended::Done)
            }
            Job::Reconcile => self.reconcile().await.map(|()| Ended::Done),
            Job::Remember => self.remember_incident(&IncidentId::new(claimed.work.stream.as_str())).await,
            Job::Incident { effect } => {
                let incident = IncidentId::new(claimed.work.stream.as_str());
                self.effect(&incident, effect, claimed).await
            }
        };
        done.unwrap_or_else(|e| Ended::Failed(e.to_string()))
    }

    async fn complete(&self, claimed: &Claimed) {
        let mut append = Append::to(claimed.work.stream.clone(), None, self.now());
        append.done.push(claimed.work.id.clone());
        match self.ports().store.append(append).await {
            Ok(_) | Err(AppendError::AlreadyDone(_)) => {}
            // its lease ends and it is done again: every piece of work is safe to repeat
            Err(e) => tracing::warn!(work = %claimed.work.id, error = %e, "work could not be completed"),
        }
    }

    async fn retry_or_give_up(&self, claimed: &Claimed, why: &str) {
        let now = self.now();
        tracing::warn!(work = %claimed.work.id, attempt = claimed.attempts, error = %why, "work failed");
        self.metrics().failures.inc();
        let job = Job::read(&claimed.work).ok();
        let tried_enough = claimed.attempts >= GIVE_UP;
        // a page is never given up: somebody must hear; nor is a note, from which levels are earned
        if let (Some(Job::Incident { effect }), true) = (job.filter(Job::may_be_given_up), tried_enough) {
            let incident = IncidentId::new(claimed.work.stream.as_str());
            let input = Input::Failed { effect, why: why.to_owned() };
            match self.feed(&incident, input, Some(&claimed.work.id)).await {
                Ok(_) => return,
                Err(e) => tracing::error!(%incident, error = %e, "a failure could not be recorded"),
            }
        }
        let pause = RETRY.as_secs() << claimed.attempts.min(4);
        let due = now.saturating_add(SignedDuration::from_secs(pause)).unwrap_or(Timestamp::MAX);
        if let Err(e) = self.ports().store.postpone(&claimed.work.id, due).await {
            tracing::warn!(work = %claimed.work.id, error = %e, "work could not be postponed");
        }
    }

    async fn fire_timers(&self) -> Result<bool, Stopped> {
        let timers = match self.ports().store.due(self.now(), CLAIM).await {
            Ok(timers) => timers,
            Err(e @ StoreError::Damaged(_)) => return Err(Stopped::Store(e)),
            Err(StoreError::Unavailable(_)) => return Ok(false),
        };
        let mut fired = false;
        for Timer { stream, name, .. } in timers {
            let Ok(timer) = name.parse::<TimerName>() else {
                tracing::error!(%stream, timer = %name, "an unknown timer is due");
                continue;
            };
            let incident = IncidentId::new(stream.as_str());
            match self.feed(&incident, Input::Timer(timer), None).await {
                Ok(_) => fired = true,
                Err(FeedError::Busy) => {}
                Err(e) => tracing::error!(%incident, timer = %name, error = %e, "a timer could not be taken"),
            }
        }
        Ok(fired)
    }
}

/// Work by stream, so that one incident is never worked on twice at a time.
#[derive(Default)]
struct Lanes {
    waiting: HashMap<StreamId, VecDeque<Claimed>>,
    order: VecDeque<StreamId>,
    busy: HashSet<StreamId>,
}

impl Lanes {
    fn queue(&mut self, claimed: Claimed) {
        let stream = claimed.work.stream.clone();
        let lane = self.waiting.entry(stream.clone()).or_default();
        if lane.is_empty() {
            self.order.push_back(stream);
        }
        lane.push_back(claimed);
    }

    fn waiting(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// The next piece of work of a stream that nobody works on.
    fn next(&mut self) -> Option<Claimed> {
        let free = self.order.iter().position(|stream| !self.busy.contains(stream))?;
        let stream = self.order.remove(free)?;
        let lane = self.waiting.get_mut(&stream)?;
        let claimed = lane.pop_front()?;
        if lane.is_empty() {
            self.waiting.remove(&stream);
        } else {
            self.order.push_back(stream.clone());
        }
        self.busy.insert(stream);
        Some(claimed)
    }

    fn free(&mut self, stream: &StreamId) {
        self.busy.remove(stream);
    }
}
