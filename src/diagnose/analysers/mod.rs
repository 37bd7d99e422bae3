//! One analyser per file: each a pure function from the snapshot to at most one finding, of the pods that
//! share its cause.

mod autoscaler;
mod budget;
mod certificate;
mod config_changed;
mod crash_loop;
mod declared;
mod failed_rollout;
mod image_pull;
mod job;
mod logs;
mod measured;
mod missing_config;
mod network;
mod node;
mod nothing;
mod oom;
mod probe;
mod pull_secret;
mod quota;
mod saturation;
mod scaled;
mod secret;
mod unschedulable;
mod volume;

use jiff::{SignedDuration, Timestamp};

use super::evidence::{Book, Key};
use crate::domain::cluster::{Container, ContainerState, Ended, Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};

pub use autoscaler::held as autoscaler_held;
pub use crash_loop::never_starts;
pub use declared::declared;
pub use failed_rollout::may_be_innocent;
pub use image_pull::trouble as pull_trouble;
pub use logs::{alarms, told};
pub use measured::measured;
pub use nothing::nothing_wrong;
pub use saturation::measured as saturation;
pub use scaled::to_zero as scaled_to_zero;
pub use unschedulable::waits as unplaced;

/// An analyser.
pub type Analyse = fn(&Snapshot, &Book) -> Option<Finding>;

/// All that look for something wrong.
pub const ALL: [Analyse; 16] = [
    oom::analyse,
    crash_loop::analyse,
    image_pull::analyse,
    failed_rollout::analyse,
    saturation::analyse,
    config_changed::analyse,
    // what the state of the cluster shows
    unschedulable::analyse,
    quota::analyse,
    missing_config::analyse,
    probe::analyse,
    volume::analyse,
    node::not_ready,
    node::pressure,
    pull_secret::analyse,
    job::failed,
    job::stuck,
];

/// All that look for what threatens pods that are well: that something else is wrong does not say whether what the
/// alert speaks of still is.
pub const AROUND: [Analyse; 5] =
    [autoscaler::analyse, budget::analyse, certificate::analyse, secret::analyse, network::analyse];

/// How long ago a container may have ended and still explain an alert: `for: 15m` of the usual rules, five
/// minutes of back-off, the same again for grouping and reading late, doubled.
const RECENT: SignedDuration = SignedDuration::from_mins(60);

/// The pods that the cause of a finding holds for, the named one first, then the worst.
pub fn affected<'a>(snapshot: &'a Snapshot, cause: &Cause) -> Vec<&'a Pod> {
    match cause {
        Cause::OomKilled { .. } | Cause::MemoryLeak { .. } => pods_with(snapshot, oom::sure),
        Cause::FailingProbe { .. } => probe::hanging(snapshot),
        Cause::CrashLoop { .. } => pods_with(snapshot, crash_loop::sure),
        Cause::Measured { .. } => measured::leaking(snapshot, cause),
        Cause::ImagePull { .. }
        | Cause::FailedRollout { .. }
        | Cause::Saturation { .. }
        | Cause::DeclaredJob
        | Cause::ConfigChanged { .. }
        | Cause::ScaledToZero { .. }
        | Cause::NothingWrong
        | Cause::Logged { .. }
        | Cause::MemoryLimitTooLow { .. }
        | Cause::PullSecretMissing { .. }
        | Cause::MissingConfig { .. }
        | Cause::SecretRotated { .. }
        | Cause::QuotaExhausted { .. }
        | Cause::Unschedulable { .. }
        | Cause::NodeNotReady { .. }
        | Cause::NodePressure { .. }
        | Cause::AutoscalerAtCeiling { .. }
        | Cause::BudgetDeadlock { .. }
        | Cause::VolumePending { .. }
        | Cause::JobFailed { .. }
        | Cause::JobStuck { .. }
        | Cause::NetworkPolicyBlocks { .. }
        | Cause::CertificateExpiring { .. } => vec![],
    }
}

/// How sure it is that this container suffers from a cause, if it does.
type Test = fn(&Snapshot, &Container) -> Option<Certainty>;

/// All pods that were read, each once, the named one first; those on their way out are left out.
fn pods(snapshot: &Snapshot) -> Vec<&Pod> {
    let named = snapshot.pod.as_ref().ok().and_then(Option::as_ref);
    let others =
        snapshot.pods.iter().flatten().filter(|p| named.is_none_or(|n| n.object.uid != p.object.uid));
    named.into_iter().chain(others).filter(|p| !p.terminating).collect()
}

fn is_named(snapshot: &Snapshot, pod: &Pod) -> bool {
    pod.object.uid == snapshot.target.uid
}

fn pods_with(snapshot: &Snapshot, test: Test) -> Vec<&Pod> {
    let mut found: Vec<(&Pod, Certainty, u32)> = pods(snapshot)
        .into_iter()
        .filter_map(|pod| worst(snapshot, pod, test).map(|(c, sure)| (pod, sure, c.restarts)))
        .collect();
    // names last, so that equal pods come in the same order each time
    found.sort_by(|(a, sure_a, restarts_a), (b, sure_b, restarts_b)| {
        let rank = |pod: &Pod, sure: Certainty, restarts: u32| {
            (std::cmp::Reverse((is_named(snapshot, pod), sure, restarts)), pod.object.named.name.clone())
        };
        rank(a, *sure_a, *restarts_a).cmp(&rank(b, *sure_b, *restarts_b))
    });
    found.into_iter().map(|(pod, _, _)| pod).collect()
}

/// The container of a pod that suffers most surely from a cause.
fn worst<'a>(snapshot: &Snapshot, pod: &'a Pod, test: Test) -> Option<(&'a Container, Certainty)> {
    let suffering = pod.containers.iter().filter_map(|c| test(snapshot, c).map(|sure| (c, sure)));
    suffering.max_by_key(|(c, sure)| (*sure, c.restarts))
}

/// The first affected pod with its worst container: what a finding is told about.
fn first(snapshot: &Snapshot, test: Test) -> Option<(&Pod, &Container, Certainty, usize)> {
    let pods = pods_with(snapshot, test);
    let pod = pods.first().copied()?;
    let (container, sure) = worst(snapshot, pod, test)?;
    Some((pod, container, sure, pods.len()))
}

/// How a container ended last, be it that it is down now or that it is running again.
fn last_end(container: &Container) -> Option<&Ended> {
    match &container.state {
        ContainerState::Ended(end) => Some(end),
        ContainerState::Running { .. } | ContainerState::Waiting { .. } => container.last_end.as_ref(),
    }
}

/// How sure it is that an end matters now: certain while the container is down or if it was lately, likely
/// if nobody says when; an old end of a container that runs since explains nothing.
fn matters(snapshot: &Snapshot, container: &Container, end: &Ended) -> Option<Certainty> {
    if !matches!(container.state, ContainerState::Running { .. }) {
        return Some(Certainty::Certain);
    }
    match end.at {
        Some(at) if snapshot.at.duration_since(at) <= RECENT => Some(Certainty::Certain),
        Some(_) => None,
        None => Some(Certainty::Likely),
    }
}

/// Evidence about one pod and its owner.
fn about(pod: &Pod) -> [Key; 3] {
    [Key::Pod(pod.object.named.name.clone()), Key::Pods, Key::Workload]
}

/// `and 2 other pods`, or nothing.
fn others(affected: usize) -> String {
    match affected {
        0 | 1 => String::new(),
        2 => " (and one other pod)".into(),
        n => format!(" (and {} other pods)", n - 1),
    }
}

/// The kubelet's back-off between two starts, from the second on, and its ceiling, in seconds.
const BACK_OFF: (i64, i64) = (10, 300);

/// When a container that ended then for the last time ended for the first time, had all its restarts been
/// of one loop: at the latest, as its back-off alone takes that long.
fn earlier(last: Timestamp, restarts: u32) -> Timestamp {
    let waits = (0..restarts.saturating_sub(1).min(1_000)).map(|n| {
        let doubled = BACK_OFF.0.checked_shl(n.min(16)).unwrap_or(i64::MAX);
        doubled.min(BACK_OFF.1)
    });
    last.saturating_sub(SignedDuration::from_secs(waits.sum())).unwrap_or(Timestamp::MIN)
}
