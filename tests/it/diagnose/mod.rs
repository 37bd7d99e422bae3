//! Diagnosis and verification: every analyser on real and made-up clusters, and what holds for all of them.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod analysers;
mod changed;
mod measured;
mod properties;
mod recorded;
mod state;
mod told;
mod verify;

use belay::domain::alert::Labels;
use belay::domain::cluster::{
    Condition, Container, ContainerState, Ended, Event, LogTail, Pod, Probes, Revision, Snapshot, Usage,
    Workload, Writer,
};
use belay::domain::recorded::Memory;
use belay::domain::surroundings::Surroundings;
use belay::domain::target::{Kind, Object, RootOwner};
use jiff::{SignedDuration, Timestamp};

use crate::given::{after, object, owner};

/// The moment of every snapshot: an hour into the story.
pub fn now() -> Timestamp {
    after(3600)
}

pub fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

pub fn labels(alert: &str) -> Labels {
    [("alertname", alert), ("namespace", "shop"), ("deployment", "web")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
}

pub fn running() -> ContainerState {
    ContainerState::Running { since: Some(ago(500)) }
}

pub fn waiting(reason: &str) -> ContainerState {
    ContainerState::Waiting { reason: reason.into(), message: "a message".into() }
}

pub fn ended(reason: &str, exit_code: i32, at: Option<Timestamp>) -> Ended {
    Ended { reason: reason.into(), exit_code, at, started: None }
}

pub fn container() -> Container {
    Container {
        name: "web".into(),
        image: "web:1".into(),
        ready: true,
        restarts: 0,
        state: running(),
        last_end: None,
        memory_limit: Some("256Mi".into()),
        cpu_limit_millis: Some(500),
        probes: Probes::default(),
    }
}

/// Pod number `n` of the newest ReplicaSet.
pub fn pod(n: usize) -> Pod {
    Pod {
        object: object(Kind::Pod, &format!("web-new-{n}")),
        phase: "Running".into(),
        ready: true,
        terminating: false,
        not_ready_since: None,
        created: Some(ago(500)),
        node: Some("node-a".into()),
        labels: [("app".to_owned(), "web".to_owned())].into(),
        annotations: Labels::new(),
        controller: Some(object(Kind::ReplicaSet, "web-new")),
        has_claims: false,
        containers: vec![container()],
        reason: String::new(),
        unscheduled: None,
        needs: None,
    }
}

pub fn revision(name: &str, number: u64, desired: u32, ready: u32) -> Revision {
    Revision {
        object: object(Kind::ReplicaSet, name),
        revision: number,
        template_hash: name.into(),
        images: vec![format!("web:{number}")],
        desired,
        ready,
        created: Some(ago(600)),
        template: None,
        change_cause: None,
        content: None,
    }
}

pub fn workload() -> Workload {
    Workload {
        object: owner().0,
        generation: 4,
        observed_generation: 4,
        desired: 3,
        current: 3,
        ready: 3,
        updated: 3,
        available: 3,
        labels: Labels::new(),
        annotations: Labels::new(),
        revision: Some(2),
        conditions: vec![Condition {
            name: "Progressing".into(),
            status: "True".into(),
            reason: "NewReplicaSetAvailable".into(),
            message: String::new(),
        }],
        template_changed: Some(ago(600)),
        writers: vec![Writer { manager: "helm".into(), at: Some(ago(600)) }],
        pod_labels: Labels::new(),
        reads: vec![],
        needs: None,
    }
}

pub fn usage(n: usize, cpu_millis: u32) -> Usage {
    Usage { pod: format!("web-new-{n}"), cpu_millis, memory_bytes: 1 << 20 }
}

/// Deployment `web` with three pods, all well; the alert names the Deployment.
pub fn healthy() -> Snapshot {
    Snapshot {
        at: now(),
        target: owner().0,
        owner: owner(),
        pod: Ok(None),
        workload: Ok(Some(workload())),
        pods: Ok((0..3).map(pod).collect()),
        revisions: Ok(vec![revision("web-new", 2, 3, 3), revision("web-old", 1, 0, 0)]),
        events: Ok(vec![Event {
            kind: Kind::Pod,
            name: "web-new-0".into(),
            severity: "Warning".into(),
            reason: "BackOff".into(),
            message: "back-off".into(),
            count: 3,
            last: Some(ago(1)),
        }]),
        budgets: Ok(vec![]),
        autoscalers: Ok(vec![]),
        usage: Ok((0..3).map(|n| usage(n, 100)).collect()),
        logs: Ok(vec![LogTail {
            pod: "web-new-0".into(),
            container: "web".into(),
            previous: false,
            lines: vec!["a line".into()],
        }]),
        neighbours: Ok(vec!["web".into(), "cart".into()]),
        recorded: Memory::default(),
        gauges: belay::domain::gauge::Gauges::default(),
        around: Surroundings::empty(),
    }
}

/// The same with pod 0 changed, and named by the alert.
pub fn with_pod(change: impl Fn(&mut Pod)) -> Snapshot {
    let mut snapshot = healthy();
    let pods = snapshot.pods.as_mut().unwrap();
    change(&mut pods[0]);
    snapshot.target = pods[0].object.clone();
    snapshot.pod = Ok(Some(pods[0].clone()));
    snapshot
}

/// Pod 0's container ended so, and is in this state.
pub fn with_end(end: Ended, state: &ContainerState, restarts: u32) -> Snapshot {
    with_pod(|pod| {
        let container = &mut pod.containers[0];
        container.last_end = Some(end.clone());
        container.state = state.clone();
        container.restarts = restarts;
        pod.ready = matches!(state, ContainerState::Running { .. });
        container.ready = pod.ready;
    })
}

pub fn other_owner(kind: Kind) -> RootOwner {
    let mut other: Object = owner().0;
    other.named.kind = kind;
    RootOwner(other)
}
