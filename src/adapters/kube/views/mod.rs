//! From the API's objects to belay's views of them. A field that is missing reads as the API's default.

mod needs;
mod others;
mod pods;
mod surroundings;
mod workloads;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::alert::Labels;
use crate::domain::cluster::{Event, Pod, Revision, Workload};
use crate::domain::ids::Cluster;
use crate::domain::redact;
use crate::domain::target::{Kind, Named, Object};

pub(super) use others::{autoscaler, budget, event, usage};
pub(super) use pods::pod;
pub(super) use surroundings::{certificate, claim, job_run, meta, net_policy, node, quota};
pub(super) use workloads::{
    cron_job, daemon_set, deployment, job, replica_set, revision, revisions, stateful_set,
};

/// The object with this metadata. Its uid is empty only in tests' hand-made objects.
pub(super) fn object(cluster: &Cluster, kind: Kind, meta: &ObjectMeta) -> Object {
    Object {
        named: Named {
            cluster: cluster.clone(),
            kind,
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
        },
        uid: meta.uid.clone().unwrap_or_default(),
    }
}

/// The owner that controls an object, if one does.
pub(super) fn controller_ref(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.as_ref()?.iter().find(|owner| owner.controller == Some(true))
}

/// The kind of an owner; `Other` unless group and kind are one that belay knows.
pub(super) fn owner_kind(owner: &OwnerReference) -> Kind {
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = Kind::from_name(&owner.kind);
    let known = match kind {
        Kind::ReplicaSet | Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => group == "apps",
        Kind::Job | Kind::CronJob => group == "batch",
        Kind::Pod | Kind::Node => group.is_empty(),
        Kind::Namespace
        | Kind::Service
        | Kind::PersistentVolumeClaim
        | Kind::HorizontalPodAutoscaler
        | Kind::PodDisruptionBudget
        | Kind::ConfigMap
        | Kind::Other => false,
    };
    if known { kind } else { Kind::Other }
}

/// The controller as an object, one step up.
pub(super) fn controller(cluster: &Cluster, meta: &ObjectMeta) -> Option<Object> {
    let owner = controller_ref(meta)?;
    Some(Object {
        named: Named {
            cluster: cluster.clone(),
            kind: owner_kind(owner),
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: owner.name.clone(),
        },
        uid: owner.uid.clone(),
    })
}

pub(super) fn map(labels: Option<&Labels>) -> Labels {
    labels.cloned().unwrap_or_default()
}

pub(super) fn at(time: Option<&Time>) -> Option<Timestamp> {
    time.map(|t| t.0)
}

/// Counts are never negative in the API; what cannot be counted is none.
pub(super) fn count(n: Option<i32>) -> u32 {
    n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

/// Kubernetes itself cuts event messages at 1,024 characters.
const TEXT: usize = 1024;

/// Text that somebody else wrote, on one line, cleaned and redacted.
pub(super) fn text(text: Option<&String>) -> String {
    text.map(|t| redact::line(t, TEXT)).unwrap_or_default()
}

/// A recorded object is not what it is said to be.
#[derive(Debug, thiserror::Error)]
#[error("a recorded Kubernetes object cannot be read")]
pub struct NotReadable(#[from] serde_json::Error);

/// Views of recorded API objects, for replaying what a cluster said.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Pods.
    pub pods: Vec<Pod>,
    /// Deployments and other workloads but ReplicaSets.
    pub workloads: Vec<Workload>,
    /// ReplicaSets, each with the uid of its controller.
    pub revisions: Vec<(Option<Object>, Revision)>,
    /// Events.
    pub events: Vec<Event>,
}

/// Reads a recorded `List`, as `kubectl get -o json` prints it, with the same conversions as live reads.
pub fn from_json(cluster: &Cluster, bytes: &[u8]) -> Result<Recorded, NotReadable> {
    let list: Value = serde_json::from_slice(bytes)?;
    let mut out = Recorded::default();
    for item in list.get("items").and_then(Value::as_array).into_iter().flatten() {
        match item.get("kind").and_then(Value::as_str).unwrap_or_default() {
            "Pod" => out.pods.push(pod(cluster, &typed(item)?)),
            "Deployment" => out.workloads.push(deployment(cluster, &typed(item)?)),
            "StatefulSet" => out.workloads.push(stateful_set(cluster, &typed(item)?)),
            "ReplicaSet" => {
                let set: k8s_openapi::api::apps::v1::ReplicaSet = typed(item)?;
                out.revisions.push((controller(cluster, &set.metadata), revision(cluster, &set)));
            }
            "Event" => out.events.push(event(&typed(item)?)),
            _ => {}
        }
    }
    Ok(out)
}

fn typed<T: DeserializeOwned>(item: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(item)
}
