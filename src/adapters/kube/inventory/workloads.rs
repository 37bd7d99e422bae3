//! Rows of what runs: pods, what makes them, and what runs to its end.

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};

use super::super::views;
use super::{named, owner};
use crate::domain::cluster::{Condition, Workload};
use crate::domain::ids::Cluster;
use crate::domain::inventory::{Column as C, Row};

/// A pod.
pub(super) fn pod(cluster: &Cluster, raw: &core::Pod) -> Row {
    let pod = views::pod(cluster, raw);
    let (ready, all) = (pod.containers.iter().filter(|c| c.ready).count(), pod.containers.len());
    let unwell = !pod.ready && !pod.terminating && pod.phase != "Succeeded";
    let trouble = unwell.then(|| match pod.word() {
        "Running" => "not ready".to_owned(),
        "Pending" => pod
            .unscheduled
            .as_ref()
            .map_or_else(|| "Pending".to_owned(), |c| format!("{}: {}", c.reason, c.message)),
        word => word.to_owned(),
    });
    named(&raw.metadata)
        .with(C::Status, pod.word().to_owned())
        .with(C::Ready, pod.ready)
        .with(C::Containers, format!("{ready}/{all}"))
        .with(C::Restarts, pod.containers.iter().fold(0u32, |sum, c| sum.saturating_add(c.restarts)))
        .maybe(C::Node, pod.node.clone())
        .maybe(C::Owner, owner(&raw.metadata))
        .maybe(C::Created, pod.created)
        .wrong(trouble)
}

/// What every controller of pods says.
fn workload(
    raw: &kube::api::ObjectMeta,
    workload: &Workload,
    template: Option<&core::PodTemplateSpec>,
) -> Row {
    let spec = template.and_then(|t| t.spec.as_ref());
    let images: Vec<String> =
        spec.into_iter().flat_map(|s| &s.containers).filter_map(|c| c.image.clone()).collect();
    let short = workload.ready < workload.desired;
    named(raw)
        .with(C::Ready, workload.ready)
        .with(C::Desired, workload.desired)
        .with(C::Updated, workload.updated)
        .with(C::Available, workload.available)
        .with(C::Images, images)
        .maybe(C::Created, views::at(raw.creation_timestamp.as_ref()))
        .wrong(short.then(|| format!("{} of {} ready", workload.ready, workload.desired)))
}

/// `Progressing=False (ProgressDeadlineExceeded) message`: the message where it is not as it should be.
pub(super) fn conditions(all: &[Condition]) -> Vec<String> {
    let words = |c: &Condition| {
        let why = if c.status == "True" { "" } else { c.message.as_str() };
        format!("{}={} ({}) {why}", c.name, c.status, c.reason).trim_end().to_owned()
    };
    all.iter().map(words).collect()
}

/// A Deployment.
pub(super) fn deployment(cluster: &Cluster, raw: &apps::Deployment) -> Row {
    let view = views::deployment(cluster, raw);
    let stuck = |c: &&Condition| {
        (c.name == "Progressing" && c.status == "False") || (c.name == "ReplicaFailure" && c.status == "True")
    };
    let stuck = view.conditions.iter().find(stuck).map(|c| c.reason.clone());
    workload(&raw.metadata, &view, raw.spec.as_ref().map(|s| &s.template))
        .with(C::Conditions, conditions(&view.conditions))
        .maybe(C::Revision, view.revision)
        .wrong(stuck)
}

/// A StatefulSet.
pub(super) fn stateful_set(cluster: &Cluster, raw: &apps::StatefulSet) -> Row {
    let spec = raw.spec.as_ref();
    workload(&raw.metadata, &views::stateful_set(cluster, raw), spec.map(|s| &s.template))
        .maybe(C::Service, spec.and_then(|s| s.service_name.clone()).filter(|name| !name.is_empty()))
}

/// A DaemonSet.
pub(super) fn daemon_set(cluster: &Cluster, raw: &apps::DaemonSet) -> Row {
    let misplaced = raw.status.as_ref().map_or(0, |s| views::count(Some(s.number_misscheduled)));
    workload(&raw.metadata, &views::daemon_set(cluster, raw), raw.spec.as_ref().map(|s| &s.template))
        .with(C::Misplaced, misplaced)
}

/// A ReplicaSet.
pub(super) fn replica_set(cluster: &Cluster, raw: &apps::ReplicaSet) -> Row {
    let template = raw.spec.as_ref().and_then(|s| s.template.as_ref());
    let revision = views::revision(cluster, raw).revision;
    workload(&raw.metadata, &views::replica_set(cluster, raw), template)
        .maybe(C::Revision, (revision > 0).then_some(revision))
        .maybe(C::Owner, owner(&raw.metadata))
}

/// A Job.
pub(super) fn job(cluster: &Cluster, raw: &batch::Job) -> Row {
    let run = views::job_run(cluster, raw);
    let succeeded = raw.status.as_ref().map_or(0, |s| views::count(s.succeeded));
    let complete = raw
        .status
        .iter()
        .flat_map(|s| s.conditions.iter().flatten())
        .any(|c| c.type_ == "Complete" && c.status == "True");
    let status = match (&run.failed, complete || run.completed.is_some(), run.suspended) {
        (Some(_), _, _) => "Failed",
        (None, true, _) => "Complete",
        (None, false, true) => "Suspended",
        (None, false, false) => "Running",
    };
    named(&raw.metadata)
        .with(C::Status, status.to_owned())
        .maybe(C::Reason, run.failed.clone())
        .with(C::Active, run.active)
        .with(C::Succeeded, succeeded)
        .with(C::Failed, run.failures)
        .maybe(C::Owner, owner(&raw.metadata))
        .maybe(C::Started, run.started)
        .maybe(C::Completed, run.completed)
        .maybe(C::DeadlineSeconds, run.deadline_seconds)
        .wrong(run.failed.map(|reason| format!("failed: {reason}")))
}

/// A CronJob. Its last run failed, or was never begun, where none succeeded since it was due and none is at work.
pub(super) fn cron_job(raw: &batch::CronJob) -> Row {
    let spec = raw.spec.as_ref();
    let status = raw.status.clone().unwrap_or_default();
    let active = status.active.map_or(0, |all| all.len()) as u64;
    let (due, well) =
        (views::at(status.last_schedule_time.as_ref()), views::at(status.last_successful_time.as_ref()));
    let missed = active == 0 && due.is_some() && well < due;
    named(&raw.metadata)
        .maybe(C::Schedule, spec.map(|s| s.schedule.clone()))
        .maybe(C::TimeZone, spec.and_then(|s| s.time_zone.clone()))
        .with(C::Suspended, spec.and_then(|s| s.suspend).unwrap_or(false))
        .with(C::Active, active)
        .maybe(C::LastScheduled, due)
        .maybe(C::LastSucceeded, well)
        .wrong(missed.then(|| "its last run did not succeed".to_owned()))
}
