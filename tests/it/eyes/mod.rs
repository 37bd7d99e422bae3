//! What looks: the facts that policy is asked with, every subset of unreadable parts, Alertmanager's list, and
//! reads from an API server that is busy, slow or says no.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod alerts;
mod facts;
pub mod metrics;
mod reads;
mod unread;

use belay::adapters::kube::from_json;
use belay::diagnose::diagnose;
use belay::domain::action::job::Templates;
use belay::domain::alert::Labels;
use belay::domain::cluster::*;
use belay::domain::record::Diagnosis;
use belay::domain::recorded::Memory;
use belay::domain::surroundings::Surroundings;
use belay::domain::target::{Kind, RootOwner};
use jiff::Timestamp;

use crate::given::{after, cluster, object, owner, t0};

/// When the recorded cluster was recorded.
fn recorded_at() -> Timestamp {
    "2026-11-21T02:28:59Z".parse().unwrap()
}

/// The labels of an alert.
fn labels(name: &str) -> Labels {
    Labels::from([("alertname".to_owned(), name.to_owned()), ("namespace".to_owned(), "shop".to_owned())])
}

fn diagnosed(snapshot: &Snapshot) -> Diagnosis {
    diagnose(snapshot, &labels("KubePodCrashLooping"), &Templates::default())
}

/// A Deployment of the recorded cluster as a snapshot, made by the same conversions as a live one.
fn recorded(deployment: &str, pods: &[u8]) -> Snapshot {
    let all =
        from_json(&cluster(), include_bytes!("../../data/kubernetes/deploy-rs-stuck-rollout.json")).unwrap();
    let events = from_json(&cluster(), include_bytes!("../../data/kubernetes/events.json")).unwrap().events;
    let pods = from_json(&cluster(), pods).unwrap().pods;
    let workload = all.workloads.into_iter().find(|w| w.object.named.name == deployment).unwrap();
    let mut revisions: Vec<Revision> = all
        .revisions
        .into_iter()
        .filter(|(controller, _)| controller.as_ref() == Some(&workload.object))
        .map(|(_, revision)| revision)
        .collect();
    revisions.sort_by_key(|r| std::cmp::Reverse(r.revision));
    let pod = pods[0].clone();
    Snapshot {
        at: recorded_at(),
        target: pod.object.clone(),
        owner: RootOwner(workload.object.clone()),
        pod: Ok(Some(pod)),
        neighbours: Ok(vec![deployment.to_owned()]),
        workload: Ok(Some(workload)),
        pods: Ok(pods),
        revisions: Ok(revisions),
        events: Ok(events),
        ..healthy()
    }
}

fn container(restarts: u32) -> Container {
    Container {
        name: "web".into(),
        image: "shop/web:1".into(),
        ready: true,
        restarts,
        state: ContainerState::Running { since: Some(after(-86_400)) },
        last_end: None,
        memory_limit: Some("256Mi".into()),
        cpu_limit_millis: Some(500),
        probes: Probes::default(),
    }
}

fn ended(reason: &str, exit_code: i32, at: i64) -> Ended {
    Ended { reason: reason.into(), exit_code, at: Some(after(at)), started: None }
}

fn pod(name: &str) -> Pod {
    Pod {
        object: object(Kind::Pod, name),
        phase: "Running".into(),
        ready: true,
        terminating: false,
        not_ready_since: None,
        created: Some(after(-86_400)),
        node: Some("n1".into()),
        labels: Labels::new(),
        annotations: Labels::new(),
        controller: Some(object(Kind::ReplicaSet, "web-5d9f")),
        has_claims: false,
        containers: vec![container(0)],
        reason: String::new(),
        unscheduled: None,
        needs: None,
    }
}

/// A pod in its back-off after it ended so.
fn down(name: &str, reason: &str, exit_code: i32) -> Pod {
    let waiting = ContainerState::Waiting { reason: "CrashLoopBackOff".into(), message: "back-off".into() };
    let last_end = Some(ended(reason, exit_code, -30));
    let containers = vec![Container { ready: false, state: waiting, last_end, ..container(4) }];
    Pod { ready: false, containers, ..pod(name) }
}

fn workload(desired: u32, ready: u32) -> Workload {
    Workload {
        object: owner().0,
        generation: 3,
        observed_generation: 3,
        desired,
        current: desired,
        ready,
        updated: desired,
        available: ready,
        labels: Labels::new(),
        annotations: Labels::new(),
        revision: Some(1),
        conditions: vec![],
        template_changed: Some(after(-86_400)),
        writers: vec![Writer { manager: "helm".into(), at: Some(after(-86_400)) }],
        pod_labels: Labels::new(),
        reads: vec![],
        needs: None,
    }
}

/// Three pods of `web`, all well, the first of them named by the alert.
fn healthy() -> Snapshot {
    let pods: Vec<Pod> = ["web-5d9f-abcde", "web-5d9f-fghij", "web-5d9f-klmno"].map(pod).into();
    let usage = |p: &Pod| Usage { pod: p.object.named.name.clone(), cpu_millis: 100, memory_bytes: 1 << 20 };
    Snapshot {
        at: t0(),
        target: pods[0].object.clone(),
        owner: owner(),
        pod: Ok(Some(pods[0].clone())),
        workload: Ok(Some(workload(3, 3))),
        usage: Ok(pods.iter().map(usage).collect()),
        pods: Ok(pods),
        revisions: Ok(vec![Revision {
            object: object(Kind::ReplicaSet, "web-5d9f"),
            revision: 1,
            template_hash: "5d9f".into(),
            images: vec!["shop/web:1".into()],
            desired: 3,
            ready: 3,
            created: Some(after(-86_400)),
            template: None,
            change_cause: None,
            content: None,
        }]),
        events: Ok(vec![]),
        budgets: Ok(vec![]),
        autoscalers: Ok(vec![]),
        logs: Ok(vec![]),
        neighbours: Ok(vec!["web".into(), "checkout".into()]),
        recorded: Memory::default(),
        gauges: belay::domain::gauge::Gauges::default(),
        around: Surroundings::empty(),
    }
}

/// As it is with these pods instead, the first of them named by the alert.
fn with_pods(pods: Vec<Pod>) -> Snapshot {
    let ready = u32::try_from(pods.iter().filter(|p| p.ready).count()).unwrap();
    let workload = workload(u32::try_from(pods.len()).unwrap(), ready);
    Snapshot {
        target: pods[0].object.clone(),
        pod: Ok(Some(pods[0].clone())),
        pods: Ok(pods),
        workload: Ok(Some(workload)),
        ..healthy()
    }
}

/// All ready pods use this much of their 500m.
fn saturated(cpu_millis: u32) -> Snapshot {
    let mut snapshot = healthy();
    snapshot.usage.as_mut().unwrap().iter_mut().for_each(|u| u.cpu_millis = cpu_millis);
    snapshot.target = owner().0;
    snapshot.pod = Ok(None);
    snapshot
}

/// One snapshot of every kind of trouble, and of none.
fn stories() -> Vec<(&'static str, Snapshot)> {
    vec![
        ("healthy", healthy()),
        ("oom", with_pods(vec![down("web-5d9f-abcde", "OOMKilled", 137), pod("web-5d9f-fghij")])),
        (
            "crash",
            with_pods(vec![down("web-5d9f-abcde", "Error", 3), down("web-5d9f-fghij", "OOMKilled", 137)]),
        ),
        ("saturated", saturated(490)),
        ("recorded oom", recorded("hog", include_bytes!("../../data/kubernetes/pods-oomkilled.json"))),
        ("recorded crash", recorded("crash", include_bytes!("../../data/kubernetes/pods-crashloop.json"))),
        (
            "recorded rollout",
            recorded("web", include_bytes!("../../data/kubernetes/pods-web-errimageneverpull.json")),
        ),
    ]
}
