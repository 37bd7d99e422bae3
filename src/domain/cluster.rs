//! The cluster as it was read: typed views of objects, with just the fields that belay decides on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert::Labels;
use super::canonical::Hash;
use super::deploy::Pieces;
use super::gauge::Gauges;
use super::recorded::Memory;
use super::surroundings::{Needs, Surroundings};
use super::target::{Kind, Object, RootOwner};

/// One container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The image as written in the spec.
    pub image: String,
    /// Whether it is ready.
    pub ready: bool,
    /// How often it restarted.
    pub restarts: u32,
    /// What it is doing.
    pub state: ContainerState,
    /// How its previous instance ended.
    pub last_end: Option<Ended>,
    /// `resources.limits.memory` as written.
    pub memory_limit: Option<String>,
    /// `resources.limits.cpu` in millicores.
    pub cpu_limit_millis: Option<u32>,
    /// The probes that it has.
    #[serde(default, skip_serializing_if = "Probes::is_none")]
    pub probes: Probes,
}

/// The probes of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Probes {
    /// Whether it may get traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Probe>,
    /// Whether it is to be started anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Probe>,
    /// Whether it has started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup: Option<Probe>,
}

impl Probes {
    /// It has none.
    pub const fn is_none(&self) -> bool {
        self.readiness.is_none() && self.liveness.is_none() && self.startup.is_none()
    }
}

/// When a probe is asked, in seconds; a failure counts only after so many in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// From the start of the container to the first time.
    pub delay: u32,
    /// Between two times.
    pub period: u32,
    /// Failures in a row that count as one.
    pub failures: u32,
}

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ContainerState {
    /// It runs.
    Running {
        /// Since when.
        since: Option<Timestamp>,
    },
    /// It waits, and why (`CrashLoopBackOff`, `ImagePullBackOff`, …).
    Waiting {
        /// `reason`.
        reason: String,
        /// `message`: text.
        message: String,
    },
    /// It ended.
    Ended(Ended),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// `OOMKilled`, `Error`, `Completed`, ….
    pub reason: String,
    /// Its exit code.
    pub exit_code: i32,
    /// When.
    pub at: Option<Timestamp>,
    /// When that instance had started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Which one.
    pub object: Object,
    /// `status.phase`.
    pub phase: String,
    /// Its `Ready` condition.
    pub ready: bool,
    /// It has a deletion timestamp.
    pub terminating: bool,
    /// Since when its `Ready` condition is not true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready_since: Option<Timestamp>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Where it runs.
    pub node: Option<String>,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// Its controller, one step up.
    pub controller: Option<Object>,
    /// It mounts persistent volume claims.
    pub has_claims: bool,
    /// Its containers.
    pub containers: Vec<Container>,
    /// `status.reason`: `Evicted`, `NodeLost`, ….
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Its `PodScheduled` condition where it is not true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unscheduled: Option<Condition>,
    /// What it asks of the cluster; left out of pods that are ready and have a template to say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Box<Needs>>,
}

impl Pod {
    /// What it does in a word, as `kubectl` says it: the phase, unless something more telling is known. Text of others.
    pub fn word(&self) -> &str {
        if self.terminating {
            return "Terminating";
        }
        let telling = self.containers.iter().find_map(|c| match &c.state {
            ContainerState::Waiting { reason, .. } if !reason.is_empty() => Some(reason.as_str()),
            ContainerState::Ended(end) if end.exit_code != 0 => Some(end.reason.as_str()),
            ContainerState::Running { .. } | ContainerState::Waiting { .. } | ContainerState::Ended(_) => {
                None
            }
        });
        telling.unwrap_or(&self.phase)
    }
}

/// A workload: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Which one.
    pub object: Object,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// Replicas it wants.
    pub desired: u32,
    /// Replicas that exist.
    pub current: u32,
    /// Replicas that are ready.
    pub ready: u32,
    /// Replicas of the current template.
    pub updated: u32,
    /// Replicas that are available.
    pub available: u32,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// `deployment.kubernetes.io/revision`.
    pub revision: Option<u64>,
    /// Conditions with status and reason: `Progressing`, `Available`.
    pub conditions: Vec<Condition>,
    /// When its template last changed (the youngest ReplicaSet's creation), where that is known.
    pub template_changed: Option<Timestamp>,
    /// Writers of its spec, newest last: `metadata.managedFields`.
    pub writers: Vec<Writer>,
    /// The labels that its template gives its pods.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub pod_labels: Labels,
    /// The ConfigMaps that its template names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<ConfigRef>,
    /// What its template asks of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Box<Needs>>,
}

/// A ConfigMap that a pod template names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRef {
    /// Its name.
    pub name: String,
    /// How its pods read it.
    pub how: How,
}

/// How pods read a ConfigMap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// As environment variables: set when a container starts.
    Environment,
    /// As files, which the kubelet brings up to date within a minute or two.
    Files,
    /// As a file that is copied when a pod starts (`subPath`): only a new pod sees another content.
    Copied,
}

/// A condition of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// `type`.
    pub name: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// `reason`.
    pub reason: String,
    /// `message`: text.
    pub message: String,
}

/// Somebody who wrote an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The field manager's name.
    pub manager: String,
    /// When.
    pub at: Option<Timestamp>,
}

/// A ReplicaSet of a Deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The ReplicaSet.
    pub object: Object,
    /// Its number.
    pub revision: u64,
    /// `pod-template-hash`.
    pub template_hash: String,
    /// Its images, as written.
    pub images: Vec<String>,
    /// Replicas it wants.
    pub desired: u32,
    /// Replicas that are ready.
    pub ready: u32,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// `kubernetes.io/change-cause`, where it is set.
    pub change_cause: Option<String>,
    /// What its pods are made from, without labels and annotations: a restart leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Hash>,
    /// Its template in pieces, to be held against those of the same list; read only where a list was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<Pieces>>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What it is about.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// `Normal` or `Warning`.
    pub severity: String,
    /// `reason`.
    pub reason: String,
    /// `message`: text.
    pub message: String,
    /// How often.
    pub count: u32,
    /// Last seen.
    pub last: Option<Timestamp>,
}

/// A disruption budget that selects pods of the owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Its name.
    pub name: String,
    /// `status.disruptionsAllowed`.
    pub allowed: u32,
    /// Pods that it wants to be well.
    #[serde(default)]
    pub desired: u32,
    /// Those that are.
    #[serde(default)]
    pub healthy: u32,
}

/// An autoscaler over the owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autoscaler {
    /// Its name.
    pub name: String,
    /// Its bounds.
    pub min: u32,
    /// Its bounds.
    pub max: u32,
    /// Its uid.
    #[serde(default)]
    pub uid: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// Replicas that it found.
    #[serde(default)]
    pub current: u32,
    /// Replicas that it wants within its bounds.
    #[serde(default)]
    pub desired: u32,
    /// `ScalingLimited`, `ScalingActive`, `AbleToScale`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Measured use of one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The pod's name.
    pub pod: String,
    /// CPU in millicores, summed over its containers.
    pub cpu_millis: u32,
    /// Memory in bytes, summed over its containers.
    pub memory_bytes: u64,
}

/// A part of the cluster that was read, or why it could not be.
pub type Part<T> = Result<T, String>;

/// Everything that diagnosis and the facts are computed from: one moment, one root owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was read.
    pub at: Timestamp,
    /// The object that the alert names, as it was found.
    pub target: Object,
    /// Its root owner.
    pub owner: RootOwner,
    /// The pod that the alert names, if it names one; `Ok(None)`: it is gone.
    pub pod: Part<Option<Pod>>,
    /// The root owner as a workload; `Ok(None)`: it is gone, or no workload.
    pub workload: Part<Option<Workload>>,
    /// All pods of the root owner.
    pub pods: Part<Vec<Pod>>,
    /// Its revisions, newest first (Deployments only).
    pub revisions: Part<Vec<Revision>>,
    /// Events about the owner and its pods, newest first, at most 100.
    pub events: Part<Vec<Event>>,
    /// Budgets that select its pods.
    pub budgets: Part<Vec<Budget>>,
    /// Autoscalers over it.
    pub autoscalers: Part<Vec<Autoscaler>>,
    /// Measured use of its pods.
    pub usage: Part<Vec<Usage>>,
    /// The last lines of the previous and current instance of the worst container: text, redacted.
    pub logs: Part<Vec<LogTail>>,
    /// Names of all workloads of the owner's kind in its namespace, to find look-alikes.
    pub neighbours: Part<Vec<String>>,
    /// What was recorded before this moment.
    #[serde(default, skip_serializing_if = "Memory::is_empty")]
    pub recorded: Memory,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Gauges::is_empty")]
    pub gauges: Gauges,
    /// What surrounds the owner.
    #[serde(default, skip_serializing_if = "Surroundings::unasked")]
    pub around: Surroundings,
}

/// The end of one container's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTail {
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// Whether of the instance before the present one.
    pub previous: bool,
    /// The lines, oldest first.
    pub lines: Vec<String>,
}

/// How the pods of several namespaces are, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// Pods that should be at work.
    pub pods: u32,
    /// Those of them that are not ready.
    pub unwell: u32,
}

impl Fleet {
    /// The share of pods that are not well, in thousandths; where there is no pod, none is unwell.
    pub fn unwell_permille(self) -> u32 {
        let share = u64::from(self.unwell) * 1_000 / u64::from(self.pods.max(1));
        u32::try_from(share).unwrap_or(u32::MAX)
    }
}

/// An alert as Alertmanager's own list has it (`GET /api/v2/alerts`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveAlert {
    /// Its fingerprint.
    pub fingerprint: super::ids::Fingerprint,
    /// Its labels.
    pub labels: Labels,
    /// Since when.
    pub starts_at: Timestamp,
    /// It is silenced or inhibited: it fires all the same.
    pub suppressed: bool,
    /// Somebody silenced it.
    #[serde(default)]
    pub silenced: bool,
}
