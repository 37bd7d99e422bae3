//! Pods and their containers.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;

use super::needs::needs;
use super::{at, controller, controller_ref, count, map, object, text};
use crate::domain::cluster::{Condition, Container, ContainerState, Ended, Pod, Probe, Probes};
use crate::domain::ids::Cluster;
use crate::domain::quantity;
use crate::domain::target::Kind;

/// A pod. Init containers are listed as long as they have not ended well: then the pod waits for them.
pub fn pod(cluster: &Cluster, pod: &core::Pod) -> Pod {
    let meta = &pod.metadata;
    let spec = pod.spec.as_ref();
    let status = pod.status.as_ref();
    let volumes = spec.and_then(|s| s.volumes.as_deref()).unwrap_or_default();
    Pod {
        object: object(cluster, Kind::Pod, meta),
        phase: status.and_then(|s| s.phase.clone()).unwrap_or_default(),
        ready: status.is_some_and(ready),
        not_ready_since: status.and_then(not_ready_since),
        terminating: meta.deletion_timestamp.is_some(),
        created: at(meta.creation_timestamp.as_ref()),
        node: spec.and_then(|s| s.node_name.clone()),
        labels: map(meta.labels.as_ref()),
        annotations: map(meta.annotations.as_ref()),
        controller: controller(cluster, meta),
        has_claims: volumes.iter().any(|v| v.persistent_volume_claim.is_some() || v.ephemeral.is_some()),
        containers: spec.map(|spec| containers(spec, status)).unwrap_or_default(),
        reason: text(status.and_then(|s| s.reason.as_ref())),
        unscheduled: status.and_then(unscheduled),
        // a ready pod asks for what its template says
        needs: spec
            .filter(|_| !status.is_some_and(ready) || controller_ref(meta).is_none())
            .map(|spec| Box::new(needs(spec))),
    }
}

/// Its `PodScheduled` condition where it is not true.
fn unscheduled(status: &core::PodStatus) -> Option<Condition> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let not = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status != "True")?;
    Some(Condition {
        name: not.type_.clone(),
        status: not.status.clone(),
        reason: text(not.reason.as_ref()),
        message: text(not.message.as_ref()),
    })
}

fn probes(spec: &core::Container) -> Probes {
    // the API's own defaults: 10 seconds, 3 failures
    let or = |n: Option<i32>, default: u32| {
        n.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(default)
    };
    let read = |probe: &core::Probe| Probe {
        delay: count(probe.initial_delay_seconds),
        period: or(probe.period_seconds, 10),
        failures: or(probe.failure_threshold, 3),
    };
    Probes {
        readiness: spec.readiness_probe.as_ref().map(read),
        liveness: spec.liveness_probe.as_ref().map(read),
        startup: spec.startup_probe.as_ref().map(read),
    }
}

fn ready(status: &core::PodStatus) -> bool {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Since when it is not ready, as its condition says.
fn not_ready_since(status: &core::PodStatus) -> Option<jiff::Timestamp> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let not = conditions.iter().find(|c| c.type_ == "Ready" && c.status != "True")?;
    at(not.last_transition_time.as_ref())
}

fn containers(spec: &core::PodSpec, status: Option<&core::PodStatus>) -> Vec<Container> {
    let by_name = |list: Option<&Vec<core::ContainerStatus>>| -> BTreeMap<String, core::ContainerStatus> {
        list.into_iter().flatten().map(|s| (s.name.clone(), s.clone())).collect()
    };
    let init = by_name(status.and_then(|s| s.init_container_statuses.as_ref()));
    let main = by_name(status.and_then(|s| s.container_statuses.as_ref()));
    let waited_for = spec
        .init_containers
        .iter()
        .flatten()
        .map(|c| container(c, init.get(&c.name)))
        .filter(|c| !matches!(&c.state, ContainerState::Ended(end) if end.exit_code == 0));
    waited_for.chain(spec.containers.iter().map(|c| container(c, main.get(&c.name)))).collect()
}

fn container(spec: &core::Container, status: Option<&core::ContainerStatus>) -> Container {
    let limits = spec.resources.as_ref().and_then(|r| r.limits.as_ref());
    let limit = |name: &str| limits.and_then(|l| l.get(name)).map(|q| q.0.clone());
    Container {
        name: spec.name.clone(),
        image: spec.image.clone().unwrap_or_default(),
        ready: status.is_some_and(|s| s.ready),
        restarts: status.map_or(0, |s| count(Some(s.restart_count))),
        state: status.and_then(|s| s.state.as_ref()).map_or_else(not_started, state),
        last_end: status.and_then(|s| s.last_state.as_ref()?.terminated.as_ref()).map(ended),
        memory_limit: limit("memory"),
        cpu_limit_millis: limit("cpu").as_deref().and_then(quantity::millicores),
        probes: probes(spec),
    }
}

/// The API's own meaning of a container without a state: it waits.
const fn not_started() -> ContainerState {
    ContainerState::Waiting { reason: String::new(), message: String::new() }
}

fn state(state: &core::ContainerState) -> ContainerState {
    match (&state.running, &state.terminated, &state.waiting) {
        (Some(running), _, _) => ContainerState::Running { since: at(running.started_at.as_ref()) },
        (None, Some(end), _) => ContainerState::Ended(ended(end)),
        (None, None, Some(waiting)) => ContainerState::Waiting {
            reason: text(waiting.reason.as_ref()),
            message: text(waiting.message.as_ref()),
        },
        (None, None, None) => not_started(),
    }
}

fn ended(end: &core::ContainerStateTerminated) -> Ended {
    Ended {
        reason: text(end.reason.as_ref()),
        exit_code: end.exit_code,
        at: at(end.finished_at.as_ref()),
        started: at(end.started_at.as_ref()),
    }
}
