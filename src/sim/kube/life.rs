//! The life of one pod as the kubelet knows it; the pod object only shows it.

use jiff::{SignedDuration, Timestamp};

use super::behaviours::Behaviour;

/// Where a pod's container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// No node would have it.
    Unscheduled,
    /// The image is being fetched.
    Creating,
    /// The container runs.
    Up,
    /// It has just ended.
    Crashed,
    /// It cannot be made: something that it refers to is missing.
    Refused,
    /// It waits for its next start.
    BackOff,
    /// The image could not be pulled.
    PullFailed,
    /// It waits for the next pull.
    PullBackOff,
}

/// A running instance of the container.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub id: String,
    pub started: Timestamp,
}

/// An instance that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub id: String,
    pub started: Timestamp,
    pub finished: Timestamp,
    pub exit_code: i32,
    pub reason: &'static str,
    /// What it did, for its log.
    pub behaviour: Behaviour,
    /// Restarts in place before it.
    pub restarts: u32,
    /// Since when it behaved so.
    pub since: Timestamp,
}

/// One pod's life.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub container: String,
    pub image: String,
    /// Name of the root controller in the same namespace.
    pub workload: Option<String>,
    /// Millicores.
    pub cpu_limit: u64,
    /// Bytes.
    pub memory_limit: u64,
    /// Millicores and bytes that it asks of its node.
    pub requests: (u64, u64),
    /// This pod's own behaviour, when it differs from its workload's.
    pub own: Option<(Behaviour, Timestamp)>,
    /// What the running instance made of what it read when it started.
    pub read: Option<Behaviour>,
    /// Why its container cannot be made, in the kubelet's words.
    pub refused: Option<String>,
    /// The registry wants a credential that it does not have.
    pub denied: bool,
    pub step: Step,
    pub due: Option<Timestamp>,
    pub stopping: bool,
    pub restarts: u32,
    /// Ends in a row, for the back-off.
    pub crashes: u32,
    pub pulls: u32,
    pub current: Option<Instance>,
    pub ended: Option<Ended>,
    pub previous: Option<Ended>,
    pub ready: bool,
    pub ready_changed: Timestamp,
    pub born: Timestamp,
    pub node: Option<String>,
    /// Why no node would have it, as it was last told.
    pub unplaced: Option<String>,
    pub ip: String,
    /// Lines that a test made it say.
    pub said: Vec<(Timestamp, String)>,
}

/// First back-off after a container ended twice, and its ceiling: the kubelet's own figures.
const BACK_OFF: (i64, i64) = (10, 300);

impl Life {
    /// The back-off that the present number of ends in a row earns: none, 10 s, 20 s, 40 s … 5 min.
    pub(crate) fn back_off(&self) -> SignedDuration {
        delay(self.crashes.saturating_sub(2))
    }

    /// The back-off before the next pull.
    pub(crate) fn pull_back_off(&self) -> SignedDuration {
        delay(self.pulls.saturating_sub(1))
    }

    pub(crate) fn set_ready(&mut self, ready: bool, now: Timestamp) {
        if self.ready != ready {
            self.ready = ready;
            self.ready_changed = now;
        }
    }
}

fn delay(doublings: u32) -> SignedDuration {
    let factor = 1_i64.checked_shl(doublings.min(16)).unwrap_or(i64::MAX);
    SignedDuration::from_secs(BACK_OFF.0.saturating_mul(factor).min(BACK_OFF.1))
}
