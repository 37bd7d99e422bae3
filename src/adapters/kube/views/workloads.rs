//! Workloads: what they want, what is there, and who wrote their spec.

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use super::needs::needs;
use super::{at, count, map, object, text};
use crate::domain::alert::Labels;
use crate::domain::cluster::{Condition, Revision, Workload, Writer};
use crate::domain::deploy;
use crate::domain::ids::Cluster;
use crate::domain::recorded::digest;
use crate::domain::target::Kind;
use crate::domain::template;

const REVISION: &str = "deployment.kubernetes.io/revision";

/// What is the same for every kind.
fn base(cluster: &Cluster, kind: Kind, meta: &ObjectMeta) -> Workload {
    let generation = meta.generation.unwrap_or(0);
    Workload {
        object: object(cluster, kind, meta),
        generation,
        observed_generation: generation,
        desired: 0,
        current: 0,
        ready: 0,
        updated: 0,
        available: 0,
        labels: map(meta.labels.as_ref()),
        annotations: map(meta.annotations.as_ref()),
        revision: number(meta, REVISION),
        conditions: vec![],
        template_changed: None,
        writers: writers(meta),
        pod_labels: Labels::new(),
        reads: vec![],
        needs: None,
    }
}

/// The same with what its pod template says: the labels of its pods, and the ConfigMaps that they read.
fn with_template(workload: Workload, template: Option<&core::PodTemplateSpec>) -> Workload {
    let Some(template) = template else { return workload };
    let pod_labels = map(template.metadata.as_ref().and_then(|meta| meta.labels.as_ref()));
    // the one function that reads templates takes them as JSON
    let reads = serde_json::to_value(template).map(|json| template::configs(&json)).unwrap_or_default();
    let needs = template.spec.as_ref().map(|spec| Box::new(needs(spec)));
    Workload { pod_labels, reads, needs, ..workload }
}

fn number(meta: &ObjectMeta, annotation: &str) -> Option<u64> {
    meta.annotations.as_ref()?.get(annotation)?.parse().ok()
}

/// Writers of the spec, oldest first. Who writes only status or metadata is left out; an entry that does
/// not say what it covers is kept.
fn writers(meta: &ObjectMeta) -> Vec<Writer> {
    let entries = meta.managed_fields.as_deref().unwrap_or_default();
    let mut writers: Vec<Writer> = entries
        .iter()
        .filter(|entry| writes_spec(entry))
        .map(|entry| Writer {
            manager: entry.manager.clone().unwrap_or_default(),
            at: at(entry.time.as_ref()),
        })
        .collect();
    writers.sort_by_key(|w| w.at);
    writers
}

fn writes_spec(entry: &ManagedFieldsEntry) -> bool {
    entry.subresource.as_deref() != Some("status")
        && entry.fields_v1.as_ref().is_none_or(|fields| fields.0.get("f:spec").is_some())
}

fn condition(name: &str, status: &str, reason: Option<&String>, message: Option<&String>) -> Condition {
    Condition {
        name: name.to_owned(),
        status: status.to_owned(),
        reason: text(reason),
        message: text(message),
    }
}

/// A Deployment. `template_changed` needs its ReplicaSets and is filled in by whoever read them.
pub fn deployment(cluster: &Cluster, d: &apps::Deployment) -> Workload {
    let status = d.status.clone().unwrap_or_default();
    Workload {
        observed_generation: status.observed_generation.unwrap_or(0),
        desired: d.spec.as_ref().map_or(1, |s| s.replicas.map_or(1, |n| count(Some(n)))),
        current: count(status.replicas),
        ready: count(status.ready_replicas),
        updated: count(status.updated_replicas),
        available: count(status.available_replicas),
        conditions: status
            .conditions
            .iter()
            .flatten()
            .map(|c| condition(&c.type_, &c.status, c.reason.as_ref(), c.message.as_ref()))
            .collect(),
        ..with_template(base(cluster, Kind::Deployment, &d.metadata), d.spec.as_ref().map(|s| &s.template))
    }
}

/// A StatefulSet.
pub fn stateful_set(cluster: &Cluster, s: &apps::StatefulSet) -> Workload {
    let status = s.status.clone().unwrap_or_default();
    Workload {
        observed_generation: status.observed_generation.unwrap_or(0),
        desired: s.spec.as_ref().map_or(1, |spec| spec.replicas.map_or(1, |n| count(Some(n)))),
        current: count(Some(status.replicas)),
        ready: count(status.ready_replicas),
        updated: count(status.updated_replicas),
        available: count(status.available_replicas),
        ..with_template(base(cluster, Kind::StatefulSet, &s.metadata), s.spec.as_ref().map(|s| &s.template))
    }
}

/// A DaemonSet.
pub fn daemon_set(cluster: &Cluster, d: &apps::DaemonSet) -> Workload {
    let status = d.status.clone().unwrap_or_default();
    Workload {
        observed_generation: status.observed_generation.unwrap_or(0),
        desired: count(Some(status.desired_number_scheduled)),
        current: count(Some(status.current_number_scheduled)),
        ready: count(Some(status.number_ready)),
        updated: count(status.updated_number_scheduled),
        available: count(status.number_available),
        ..with_template(base(cluster, Kind::DaemonSet, &d.metadata), d.spec.as_ref().map(|s| &s.template))
    }
}

/// A ReplicaSet that nothing controls.
pub fn replica_set(cluster: &Cluster, r: &apps::ReplicaSet) -> Workload {
    let status = r.status.clone().unwrap_or_default();
    Workload {
        observed_generation: status.observed_generation.unwrap_or(0),
        desired: r.spec.as_ref().map_or(1, |s| s.replicas.map_or(1, |n| count(Some(n)))),
        current: count(Some(status.replicas)),
        ready: count(status.ready_replicas),
        updated: count(Some(status.replicas)),
        available: count(status.available_replicas),
        conditions: status
            .conditions
            .iter()
            .flatten()
            .map(|c| condition(&c.type_, &c.status, c.reason.as_ref(), c.message.as_ref()))
            .collect(),
        ..with_template(
            base(cluster, Kind::ReplicaSet, &r.metadata),
            r.spec.as_ref().and_then(|s| s.template.as_ref()),
        )
    }
}

/// A Job: `current` are its running pods, so that above 0 it is at work.
pub fn job(cluster: &Cluster, j: &batch::Job) -> Workload {
    let status = j.status.clone().unwrap_or_default();
    Workload {
        desired: j.spec.as_ref().map_or(1, |s| s.parallelism.map_or(1, |n| count(Some(n)))),
        current: count(status.active),
        ready: count(status.ready),
        updated: count(status.active),
        available: count(status.ready),
        conditions: status
            .conditions
            .iter()
            .flatten()
            .map(|c| condition(&c.type_, &c.status, c.reason.as_ref(), c.message.as_ref()))
            .collect(),
        ..with_template(base(cluster, Kind::Job, &j.metadata), j.spec.as_ref().map(|s| &s.template))
    }
}

/// A CronJob: `current` are its running Jobs.
pub fn cron_job(cluster: &Cluster, c: &batch::CronJob) -> Workload {
    let active = c.status.as_ref().and_then(|s| s.active.as_ref()).map_or(0, Vec::len);
    Workload {
        current: u32::try_from(active).unwrap_or(u32::MAX),
        ..with_template(
            base(cluster, Kind::CronJob, &c.metadata),
            c.spec.as_ref().and_then(|s| s.job_template.spec.as_ref()).map(|s| &s.template),
        )
    }
}

/// A ReplicaSet as a revision of its Deployment.
pub fn revision(cluster: &Cluster, r: &apps::ReplicaSet) -> Revision {
    let meta = &r.metadata;
    let template = r.spec.as_ref().and_then(|s| s.template.as_ref()?.spec.as_ref());
    let annotation = |name: &str| meta.annotations.as_ref().and_then(|a| a.get(name).cloned());
    Revision {
        object: object(cluster, Kind::ReplicaSet, meta),
        revision: number(meta, REVISION).unwrap_or(0),
        template_hash: meta
            .labels
            .as_ref()
            .and_then(|l| l.get("pod-template-hash").cloned())
            .unwrap_or_default(),
        images: template
            .map(|s| s.containers.iter().filter_map(|c| c.image.clone()).collect())
            .unwrap_or_default(),
        desired: r.spec.as_ref().map_or(0, |s| count(s.replicas)),
        ready: r.status.as_ref().map_or(0, |s| count(s.ready_replicas)),
        created: at(meta.creation_timestamp.as_ref()),
        content: template.and_then(|spec| serde_json::to_value(spec).ok()).map(|spec| digest(&spec)),
        change_cause: annotation("kubernetes.io/change-cause").map(|cause| text(Some(&cause))),
        template: None,
    }
}

/// ReplicaSets as revisions that can be held against each other.
pub fn revisions(cluster: &Cluster, sets: &[apps::ReplicaSet]) -> Vec<Revision> {
    let template = |set: &apps::ReplicaSet| {
        let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
        template.and_then(|template| serde_json::to_value(template).ok()).unwrap_or_default()
    };
    let templates: Vec<serde_json::Value> = sets.iter().map(template).collect();
    let pieces = deploy::pieces(&templates.iter().collect::<Vec<_>>());
    let with = |(set, pieces)| Revision { template: Some(Box::new(pieces)), ..revision(cluster, set) };
    sets.iter().zip(pieces).map(with).collect()
}
