//! What the tools answer, as structure. Made field by field from typed views: no labels, no annotations
//! (an applied configuration with its environment may stand in one), no environment, no Secret.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::cluster::{Container, ContainerState, Ended, Event, Pod, Revision, Workload};
use crate::domain::inventory::KeptTemplate;
use crate::domain::redact;
use crate::servers::kit::Extent;

/// The longest name that Kubernetes allows.
const NAME: usize = 253;
/// A message of two lines on a screen: its beginning says what it is.
pub(super) const MESSAGE: usize = 240;

/// Pods of a namespace.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Pods {
    /// The namespace.
    pub namespace: String,
    /// How much of the list is shown.
    pub extent: Extent,
    /// The pods.
    pub pods: Vec<PodRow>,
}

/// A pod.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PodRow {
    /// Its name.
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
    /// In a word, as `kubectl` says it.
    pub status: String,
    /// Restarts of its containers, added up.
    pub restarts: u32,
    /// When it was created.
    pub created: Option<String>,
    /// Where it runs.
    pub node: Option<String>,
    /// What controls it.
    pub controller: Option<String>,
    /// Its containers.
    pub containers: Vec<ContainerRow>,
}

/// A container of a pod.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ContainerRow {
    /// Its name.
    pub name: String,
    /// Its image as written.
    pub image: String,
    /// Whether it is ready.
    pub ready: bool,
    /// How often it restarted.
    pub restarts: u32,
    /// What it is doing.
    pub state: String,
    /// How its previous instance ended.
    pub last_end: Option<String>,
    /// Its memory limit as written.
    pub memory_limit: Option<String>,
}

/// Deployments of a namespace.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Deployments {
    /// The namespace.
    pub namespace: String,
    /// How much of the list is shown.
    pub extent: Extent,
    /// The Deployments.
    pub deployments: Vec<DeploymentRow>,
}

/// A Deployment.
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
    /// Its revision.
    pub revision: Option<u64>,
    /// Conditions, as `Available=True (MinimumReplicasAvailable)`.
    pub conditions: Vec<String>,
}

/// Events of a namespace.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Events {
    /// The namespace.
    pub namespace: String,
    /// How much of the list is shown.
    pub extent: Extent,
    /// The events, newest first.
    pub events: Vec<EventRow>,
}

/// An event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventRow {
    /// When it was last seen.
    pub last: Option<String>,
    /// `Normal` or `Warning`.
    pub severity: String,
    /// What it is about.
    pub object: String,
    /// Its reason.
    pub reason: String,
    /// How often.
    pub count: u32,
    /// Its message: text.
    pub message: String,
}

/// Revisions of a workload.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    /// The namespace.
    pub namespace: String,
    /// Its kind, in words.
    pub kind: String,
    /// The workload.
    pub name: String,
    /// How much of the list is shown.
    pub extent: Extent,
    /// The revisions, newest first.
    pub revisions: Vec<RevisionRow>,
}

/// A revision.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevisionRow {
    /// Its number.
    pub revision: u64,
    /// The ReplicaSet or ControllerRevision that holds it.
    pub name: String,
    /// Pods of it that are wanted, or that its controller counts.
    pub pods: Option<u32>,
    /// Pods of it that are ready, where that is counted.
    pub ready: Option<u32>,
    /// When it was created.
    pub created: Option<String>,
    /// Its images as written.
    pub images: Vec<String>,
    /// Why, where somebody said so: text.
    pub change_cause: Option<String>,
}

/// The end of a log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Log {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container; absent where the pod has only one and none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Whether of the instance before the present one.
    pub previous: bool,
    /// The lines, oldest first: text.
    pub lines: Vec<String>,
    /// Whether the log may have earlier lines.
    pub may_have_more: bool,
}

pub(super) fn name(text: &str) -> String {
    redact::line(text, NAME)
}

pub(super) fn when(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn ended(end: &Ended) -> String {
    let at = when(end.at).map_or_else(String::new, |at| format!(" at {at}"));
    format!("{} (exit {}){at}", name(&end.reason), end.exit_code)
}

impl From<&Pod> for PodRow {
    fn from(pod: &Pod) -> Self {
        Self {
            name: name(&pod.object.named.name),
            ready: pod.ready,
            status: name(pod.word()),
            restarts: pod.containers.iter().fold(0, |sum, c| c.restarts.saturating_add(sum)),
            created: when(pod.created),
            node: pod.node.as_deref().map(name),
            controller: pod.controller.as_ref().map(|c| format!("{}/{}", c.named.kind, name(&c.named.name))),
            containers: pod.containers.iter().map(ContainerRow::from).collect(),
        }
    }
}

impl From<&Container> for ContainerRow {
    fn from(c: &Container) -> Self {
        let state = match &c.state {
            ContainerState::Running { since } => {
                when(*since).map_or_else(|| "running".to_owned(), |at| format!("running since {at}"))
            }
            ContainerState::Waiting { reason, message } => {
                redact::line(&format!("waiting: {reason} {message}"), MESSAGE)
            }
            ContainerState::Ended(end) => format!("ended: {}", ended(end)),
        };
        Self {
            name: name(&c.name),
            image: name(&c.image),
            ready: c.ready,
            restarts: c.restarts,
            state,
            last_end: c.last_end.as_ref().map(ended),
            memory_limit: c.memory_limit.as_deref().map(name),
        }
    }
}

impl From<&Workload> for DeploymentRow {
    fn from(w: &Workload) -> Self {
        let conditions = w.conditions.iter().map(|c| {
            let why = if c.status == "True" { "" } else { c.message.as_str() };
            redact::line(&format!("{}={} ({}) {why}", c.name, c.status, c.reason), MESSAGE)
        });
        Self {
            name: name(&w.object.named.name),
            desired: w.desired,
            ready: w.ready,
            updated: w.updated,
            available: w.available,
            revision: w.revision,
            conditions: conditions.collect(),
        }
    }
}

impl From<&Event> for EventRow {
    fn from(e: &Event) -> Self {
        Self {
            last: when(e.last),
            severity: name(&e.severity),
            object: format!("{}/{}", e.kind, name(&e.name)),
            reason: name(&e.reason),
            count: e.count,
            message: redact::line(&e.message, MESSAGE),
        }
    }
}

impl From<&Revision> for RevisionRow {
    fn from(r: &Revision) -> Self {
        Self {
            revision: r.revision,
            name: name(&r.object.named.name),
            pods: Some(r.desired),
            ready: Some(r.ready),
            created: when(r.created),
            images: r.images.iter().map(|i| name(i)).collect(),
            change_cause: r.change_cause.as_deref().map(|c| redact::line(c, MESSAGE)),
        }
    }
}

impl From<&KeptTemplate> for RevisionRow {
    fn from(t: &KeptTemplate) -> Self {
        Self {
            revision: t.revision,
            name: name(&t.name),
            pods: t.pods,
            ready: None,
            created: when(t.created),
            images: t.images.iter().map(|i| name(i)).collect(),
            change_cause: t.change_cause.as_deref().map(|c| redact::line(c, MESSAGE)),
        }
    }
}
