//! Time as a port. The daemon runs on the machine's clock, the demo on one that runs faster, tests on
//! one that moves by hand; nothing else in belay reads the time or sleeps.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

/// Where "now" comes from and how to wait for a moment.
#[async_trait]
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment on this clock.
    fn now(&self) -> Timestamp;
    /// Returns once `now() >= at`; at once if that is already so.
    async fn sleep_until(&self, at: Timestamp);

    /// Waits for `span` of this clock's own time.
    async fn sleep(&self, span: SignedDuration) {
        let at = self.now().saturating_add(span).unwrap_or(Timestamp::MAX);
        self.sleep_until(at).await;
    }
}

/// A clock shared by everything that runs in one process.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clock. Waiting is in steps of at most a minute, so that a wall clock that jumps
/// is noticed within that time.
#[derive(Debug, Default)]
pub struct SystemClock;

/// The longest that a wait relies on the monotonic clock before it looks at the wall clock again.
const RECHECK: Duration = Duration::from_secs(60);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        while let Some(left) = until(self.now(), at) {
            tokio::time::sleep(left.min(RECHECK)).await;
        }
    }
}

/// A clock that starts at `origin` and runs `speed` times as fast as life.
#[derive(Debug)]
pub struct ScaledClock {
    origin: Timestamp,
    started: Instant,
    speed: f64,
}

impl ScaledClock {
    /// `speed` is simulated seconds per real second; values below 1/1000 are taken as that.
    #[must_use]
    pub fn new(origin: Timestamp, speed: f64) -> Self {
        Self { origin, started: Instant::now(), speed: speed.max(0.001) }
    }
}

#[async_trait]
impl Clock for ScaledClock {
    fn now(&self) -> Timestamp {
        let passed = self.started.elapsed().mul_f64(self.speed);
        SignedDuration::try_from(passed)
            .ok()
            .and_then(|d| self.origin.checked_add(d).ok())
            .unwrap_or(Timestamp::MAX)
    }

    async fn sleep_until(&self, at: Timestamp) {
        while let Some(left) = until(self.now(), at) {
            // never below a millisecond: the runtime's own timer is no finer
            let real = left.div_f64(self.speed).clamp(Duration::from_millis(1), RECHECK);
            tokio::time::sleep(real).await;
        }
    }
}

/// A clock that moves only when told to; waits end when it is moved past their moment.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Timestamp>,
    moved: watch::Sender<Timestamp>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(start), moved: watch::Sender::new(start) })
    }

    /// Moves the clock forward by `span` and wakes whoever waited for a moment that has now come.
    pub fn advance(&self, span: SignedDuration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(span).unwrap_or(Timestamp::MAX);
        self.moved.send_replace(*now);
    }

    /// Puts the clock at `at`, also backwards, as a stepped machine clock would.
    pub fn set(&self, at: Timestamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = at;
        self.moved.send_replace(at);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep_until(&self, at: Timestamp) {
        let mut moved = self.moved.subscribe();
        // the sender lives as long as `self`, so that waiting cannot fail while this borrow is held
        let _ = moved.wait_for(|now| *now >= at).await;
    }
}

/// How long from `now` to `at`; `None` once it has come.
fn until(now: Timestamp, at: Timestamp) -> Option<Duration> {
    (at > now).then(|| at.duration_since(now).unsigned_abs())
}
