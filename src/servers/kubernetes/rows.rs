//! What the tools show of each object: chosen fields only, as data and as cells of a table.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::pages::{Row, Shown};
use crate::domain::cluster::{Container, ContainerState, Event, LogTail, Pod, Revision, Workload};

/// A pod.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PodRow {
    /// Its name.
    pub name: String,
    /// Containers that are ready, of all: `1/2`.
    pub ready: String,
    /// What it is doing: the phase, or why a container waits or ended.
    pub status: String,
    /// How often its containers restarted, together.
    pub restarts: u32,
    /// How a container of it ended last: `web: OOMKilled (exit 137) at …`.
    pub last_end: Option<String>,
    /// Its containers, by name.
    pub containers: Vec<String>,
    /// What controls it: `ReplicaSet/web-5d9f`.
    pub controller: Option<String>,
    /// The node it runs on.
    pub node: Option<String>,
    /// When it was created (RFC 3339).
    pub created: Option<String>,
}

/// A deployment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeploymentRow {
    /// Its name.
    pub name: String,
    /// Replicas it wants.
    pub desired: u32,
    /// Replicas that are ready.
    pub ready: u32,
    /// Replicas of the current template.
    pub updated: u32,
    /// Replicas that are available.
    pub available: u32,
    /// The number of its revision.
    pub revision: Option<u64>,
    /// Conditions: `Progressing=False (ProgressDeadlineExceeded)`.
    pub conditions: Vec<String>,
}

/// An event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventRow {
    /// When it was last seen (RFC 3339).
    pub last: Option<String>,
    /// `Normal` or `Warning`.
    pub severity: String,
    /// What it is about: `Pod/web-5d9f-abcde`.
    pub object: String,
    /// Its reason.
    pub reason: String,
    /// How often it was seen.
    pub count: u32,
    /// Its message: text that others wrote, redacted.
    pub message: String,
}

/// A revision of a deployment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevisionRow {
    /// Its number.
    pub revision: u64,
    /// Its ReplicaSet.
    pub replica_set: String,
    /// Its images, as written.
    pub images: Vec<String>,
    /// Replicas it wants.
    pub desired: u32,
    /// Replicas that are ready.
    pub ready: u32,
    /// When it was created (RFC 3339).
    pub created: Option<String>,
    /// Why it was made, where somebody wrote that down: text, redacted.
    pub change_cause: Option<String>,
}

/// The end of a log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Log {
    /// The pod.
    pub pod: String,
    /// The container; empty where it is the pod's only one.
    pub container: String,
    /// Of the instance before the present one.
    pub previous: bool,
    /// How many lines are shown; there may be older ones.
    pub shown: usize,
    /// The lines, the oldest first: text that others wrote, redacted.
    pub lines: Vec<String>,
}

fn when(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

impl From<&Pod> for PodRow {
    fn from(pod: &Pod) -> Self {
        let ready = pod.containers.iter().filter(|c| c.ready).count();
        Self {
            name: pod.object.named.name.clone(),
            ready: format!("{ready}/{}", pod.containers.len()),
            status: status(pod),
            restarts: pod.containers.iter().map(|c| c.restarts).sum(),
            last_end: pod.containers.iter().filter_map(last_end).next(),
            containers: pod.containers.iter().map(|c| c.name.clone()).collect(),
            controller: pod.controller.as_ref().map(|c| format!("{}/{}", c.named.kind, c.named.name)),
            node: pod.node.clone(),
            created: when(pod.created),
        }
    }
}

fn status(pod: &Pod) -> String {
    if pod.terminating {
        return "Terminating".into();
    }
    let reason = pod.containers.iter().find_map(|c| match &c.state {
        ContainerState::Waiting { reason, .. } if !reason.is_empty() => Some(reason.clone()),
        ContainerState::Ended(end) if end.exit_code != 0 => Some(end.reason.clone()),
        ContainerState::Running { .. } | ContainerState::Waiting { .. } | ContainerState::Ended(_) => None,
    });
    reason.unwrap_or_else(|| pod.phase.clone())
}

fn last_end(container: &Container) -> Option<String> {
    let end = container.last_end.as_ref()?;
    let at = when(end.at).map_or_else(String::new, |at| format!(" at {at}"));
    Some(format!("{}: {} (exit {}){at}", container.name, end.reason, end.exit_code))
}

impl From<&Workload> for DeploymentRow {
    fn from(w: &Workload) -> Self {
        Self {
            name: w.object.named.name.clone(),
            desired: w.desired,
            ready: w.ready,
            updated: w.updated,
            available: w.available,
            revision: w.revision,
            conditions: w
                .conditions
                .iter()
                .map(|c| format!("{}={} ({})", c.name, c.status, c.reason))
                .collect(),
        }
    }
}

impl From<&Event> for EventRow {
    fn from(e: &Event) -> Self {
        Self {
            last: when(e.last),
            severity: e.severity.clone(),
            object: format!("{}/{}", e.kind, e.name),
            reason: e.reason.clone(),
            count: e.count,
            message: e.message.clone(),
        }
    }
}

impl From<&Revision> for RevisionRow {
    fn from(r: &Revision) -> Self {
        Self {
            revision: r.revision,
            replica_set: r.object.named.name.clone(),
            images: r.images.clone(),
            desired: r.desired,
            ready: r.ready,
            created: when(r.created),
            change_cause: r.change_cause.clone(),
        }
    }
}

impl From<LogTail> for Log {
    fn from(LogTail { pod, container, previous, lines }: LogTail) -> Self {
        Self { pod, container, previous, shown: lines.len(), lines }
    }
}

impl Row for PodRow {
    const HEAD: &'static [&'static str] = &["NAME", "READY", "STATUS", "RESTARTS", "LAST END", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        vec![
            self.name.clone(),
            self.ready.clone(),
            self.status.clone(),
            self.restarts.to_string(),
            or_dash(&self.last_end),
            or_dash(&self.created),
        ]
    }
}

impl Row for DeploymentRow {
    const HEAD: &'static [&'static str] =
        &["NAME", "READY", "UPDATED", "AVAILABLE", "REVISION", "CONDITIONS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            format!("{}/{}", self.ready, self.desired),
            self.updated.to_string(),
            self.available.to_string(),
            self.revision.map_or_else(|| "-".into(), |r| r.to_string()),
            self.conditions.join(", "),
        ]
    }
}

impl Row for EventRow {
    const HEAD: &'static [&'static str] = &["LAST", "TYPE", "OBJECT", "REASON", "COUNT", "MESSAGE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.last.clone().unwrap_or_else(|| "-".into()),
            self.severity.clone(),
            self.object.clone(),
            self.reason.clone(),
            self.count.to_string(),
            self.message.clone(),
        ]
    }
}

impl Row for RevisionRow {
    const HEAD: &'static [&'static str] = &["REVISION", "REPLICASET", "READY", "IMAGES", "CREATED", "CAUSE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.revision.to_string(),
            self.replica_set.clone(),
            format!("{}/{}", self.ready, self.desired),
            self.images.join(", "),
            self.created.clone().unwrap_or_else(|| "-".into()),
            self.change_cause.clone().unwrap_or_else(|| "-".into()),
        ]
    }
}

impl Shown for Log {
    fn text(&self) -> String {
        let which = if self.previous { "the previous instance" } else { "the present instance" };
        let container = if self.container.is_empty() {
            String::new()
        } else {
            format!(", container `{}`", self.container)
        };
        let head = format!("the last {} lines of {which} of pod `{}`{container}", self.shown, self.pod);
        if self.lines.is_empty() {
            head + ": it has written nothing"
        } else {
            format!("{head}\n\n{}", self.lines.join("\n"))
        }
    }
}
