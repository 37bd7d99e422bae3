//! Nothing is wrong any more: said only of alerts whose condition the snapshot shows, and only if everything
//! that shows it was read.

use jiff::{SignedDuration, Timestamp};

use super::last_end;
use crate::diagnose::evidence::{Book, Key};
use crate::domain::alert::Labels;
use crate::domain::cluster::{Pod, Snapshot, Workload};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::gauge::Gauge;

/// The alerts of the Kubernetes mixin about pods and workloads, and the usual names of memory and CPU
/// alerts. What another alert speaks of cannot be judged from the snapshot.
const SEEN_HERE: [&str; 18] = [
    "KubePodCrashLooping",
    "KubePodNotReady",
    "KubeContainerWaiting",
    "KubeDeploymentReplicasMismatch",
    "KubeDeploymentGenerationMismatch",
    "KubeDeploymentRolloutStuck",
    "KubeStatefulSetReplicasMismatch",
    "KubeStatefulSetGenerationMismatch",
    "KubeStatefulSetUpdateNotRolledOut",
    "KubeDaemonSetRolloutStuck",
    "KubeDaemonSetNotScheduled",
    "KubeContainerOOMKilled",
    "ContainerOOMKilled",
    "PodOOMKilled",
    "OOMKilled",
    "CPUSaturation",
    "HighCPU",
    "HighCPUUsage",
];

/// Alerts whose condition only a measurement shows, of every ready pod.
const MEASURED_HERE: [(&str, Gauge); 2] =
    [("CPUThrottlingHigh", Gauge::CpuThrottled), ("CPUThrottling", Gauge::CpuThrottled)];

/// The kubelet forgets its back-off after a container ran for 10 minutes (twice the longest back-off):
/// whatever ended since may still be in a loop.
const QUIET: SignedDuration = SignedDuration::from_mins(10);

/// The finding. To be asked only when nothing else was found.
pub fn nothing_wrong(snapshot: &Snapshot, labels: &Labels, book: &Book) -> Option<Finding> {
    let alert = labels.get("alertname")?;
    let seen = SEEN_HERE.contains(&alert.as_str()) || is_measured(snapshot, alert);
    if !seen || !all_read(snapshot) {
        return None;
    }
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    let pods = snapshot.pods.as_ref().ok()?;
    let well = settled(workload) && pods.iter().all(|p| is_well(p, snapshot.at));
    let measured = super::saturation(snapshot).is_none_or(|m| m.complete);
    (well && measured).then(|| Finding {
        cause: Cause::NothingWrong,
        subject: workload.object.clone(),
        certainty: Certainty::Certain,
        summary: format!(
            "nothing is wrong any more: all {} replicas of `{}` are ready and none ended in the last 10 minutes",
            workload.ready, workload.object.named.name
        ),
        evidence: book.cite(&[Key::Workload, Key::Pods, Key::Usage]),
        rules_out: vec![
            "no container was killed, is in a loop or waits for its image".to_owned(),
            "no rollout is under way".to_owned(),
        ],
        suggests: vec![],
    })
}

/// Whether what this alert speaks of was measured for every pod. That it is not so any more, the absence of a finding
/// says.
fn is_measured(snapshot: &Snapshot, alert: &str) -> bool {
    let gauge = MEASURED_HERE.iter().find(|(name, _)| *name == alert).map(|(_, gauge)| *gauge);
    let measured = |pod: &Pod, gauge| snapshot.gauges.about(gauge, &pod.object.named.name).is_some();
    gauge.is_some_and(|gauge| snapshot.pods.iter().flatten().all(|pod| measured(pod, gauge)))
}

/// Every part that any analyser looks at.
const fn all_read(snapshot: &Snapshot) -> bool {
    snapshot.gauges.unread.is_empty()
        && snapshot.pod.is_ok()
        && snapshot.workload.is_ok()
        && snapshot.pods.is_ok()
        && snapshot.revisions.is_ok()
        && snapshot.usage.is_ok()
}

const fn settled(w: &Workload) -> bool {
    w.desired > 0
        && w.observed_generation >= w.generation
        && w.ready == w.desired
        && w.updated == w.desired
        && w.current == w.desired
}

fn is_well(pod: &Pod, now: Timestamp) -> bool {
    let quiet = |at: Option<Timestamp>| at.is_some_and(|at| now.duration_since(at) > QUIET);
    pod.ready
        && !pod.terminating
        && pod.containers.iter().all(|c| last_end(c).is_none_or(|end| quiet(end.at)))
}
