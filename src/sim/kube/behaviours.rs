//! What the containers of a workload do: a closed set, and pure functions for the memory and processor
//! time they use.

use jiff::{SignedDuration, Timestamp};

/// What a container does once it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Serves quietly.
    Healthy,
    /// Memory climbs to the limit within `oom_after`, then the kernel kills it (exit 137). A restart in
    /// place finds the same spool and is killed again within seconds; a new pod starts afresh.
    Leak {
        /// From the start of the container (or of the behaviour) to the kill.
        oom_after: SignedDuration,
    },
    /// Writes `log` and exits at once.
    CrashAtStart {
        /// Exit code of the container.
        exit_code: i32,
        /// Its last words; one log line for each line.
        log: String,
    },
    /// Its image cannot be pulled.
    BadImage,
    /// Runs, and its readiness probe fails for ever.
    NeverReady,
    /// Reads a key of a ConfigMap when it starts: serves quietly with this value, and exits at once with any
    /// other, or with none.
    Reads {
        /// The ConfigMap, in the workload's namespace.
        config: String,
        /// Its key.
        key: String,
        /// What the program takes.
        good: String,
    },
    /// The workload as a whole needs this much processor time, shared by its ready pods.
    Busy {
        /// Total demand in thousandths of a core.
        demand_millicores: u64,
    },
}

/// How soon a leaking container is killed again after a restart in place: it loads the same spool.
const RELAPSE: SignedDuration = SignedDuration::from_secs(3);
/// How long a container that crashes at its start takes to do so.
const CRASH_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// Share of the limit that a quiet container uses: processor time, memory (percent).
const QUIET: (u64, u64) = (12, 42);

/// The circumstances of one running container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Running {
    /// Start of this instance.
    pub started: Timestamp,
    /// Since when the behaviour holds.
    pub since: Timestamp,
    /// Restarts in place before this instance.
    pub restarts: u32,
}

impl Behaviour {
    /// When the container ends by itself, if it does.
    pub(crate) fn ends_at(&self, run: Running) -> Option<Timestamp> {
        let after = |from: Timestamp, span: SignedDuration| from.checked_add(span).ok();
        match self {
            Self::Leak { oom_after } if run.started < run.since => after(run.since, *oom_after),
            Self::Leak { oom_after } if run.restarts == 0 => after(run.started, *oom_after),
            Self::Leak { oom_after } => after(run.started, RELAPSE.min(*oom_after)),
            Self::CrashAtStart { .. } => after(run.started.max(run.since), CRASH_AFTER),
            Self::Healthy | Self::BadImage | Self::NeverReady | Self::Reads { .. } | Self::Busy { .. } => {
                None
            }
        }
    }

    /// Exit code and reason with which it ends.
    pub(crate) fn ending(&self) -> (i32, &'static str) {
        match self {
            Self::Leak { .. } => (137, "OOMKilled"),
            Self::CrashAtStart { exit_code, .. } if *exit_code != 0 => (*exit_code, "Error"),
            Self::CrashAtStart { .. }
            | Self::Healthy
            | Self::BadImage
            | Self::NeverReady
            | Self::Reads { .. }
            | Self::Busy { .. } => (0, "Completed"),
        }
    }

    /// Whether its readiness probe can ever succeed.
    pub(crate) fn becomes_ready(&self) -> bool {
        match self {
            Self::NeverReady | Self::BadImage => false,
            Self::Healthy
            | Self::Leak { .. }
            | Self::CrashAtStart { .. }
            | Self::Reads { .. }
            | Self::Busy { .. } => true,
        }
    }

    /// Millicores in use by one pod, of `limit`, when `ready` pods share the work.
    pub(crate) fn cpu(&self, limit: u64, ready: u64) -> u64 {
        match self {
            Self::Busy { demand_millicores } => (demand_millicores / ready.max(1)).min(limit),
            Self::Healthy
            | Self::Leak { .. }
            | Self::CrashAtStart { .. }
            | Self::BadImage
            | Self::Reads { .. }
            | Self::NeverReady => limit.saturating_mul(QUIET.0) / 100,
        }
    }

    /// Bytes of memory in use, of `limit`, at `now`.
    pub(crate) fn memory(&self, limit: u64, run: Running, now: Timestamp) -> u64 {
        let quiet = (limit / 100).saturating_mul(QUIET.1);
        match self {
            Self::Leak { .. } => {
                quiet.saturating_add(climbed(limit.saturating_sub(quiet), self.ends_at(run), run, now))
            }
            Self::Healthy
            | Self::CrashAtStart { .. }
            | Self::BadImage
            | Self::NeverReady
            | Self::Reads { .. }
            | Self::Busy { .. } => quiet,
        }
    }
}

/// How much of `room` a leak has filled by `now`, in a straight line from its start to its end.
fn climbed(room: u64, end: Option<Timestamp>, run: Running, now: Timestamp) -> u64 {
    let from = run.started.max(run.since);
    let whole = end.map_or(0, |end| end.duration_since(from).as_millis()).max(1);
    let gone = now.duration_since(from).as_millis().clamp(0, whole);
    u64::try_from(i128::from(room).saturating_mul(gone) / whole).unwrap_or(room)
}
