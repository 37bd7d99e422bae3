//! ReplicaSets: as many pods as asked for; pods that are ending do not count.

use serde_json::{Value, json};

use super::{owned, quota};
use crate::sim::kube::events::{self, Note, Source};
use crate::sim::kube::json::{int, put, text, time};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::kubelet;
use crate::sim::kube::objects::{generation, name, namespace, terminating, uid};
use crate::sim::kube::pod;
use crate::sim::kube::state::State;

const CONTROLLER: Source<'static> = Source::Controller("replicaset-controller");

pub(super) fn reconcile(state: &mut State, set: &Value) {
    let active: Vec<Value> = owned(state, Kind::Pod, set).filter(|pod| !terminating(pod)).cloned().collect();
    let wanted = usize::try_from(int(set, "/spec/replicas")).unwrap_or(0);
    let template = set.pointer("/spec/template").cloned().unwrap_or_default();
    let mut refused = None;
    for _ in active.len()..wanted {
        let name = format!("{}-", name(set));
        refused = quota::forbids(state, namespace(set), &template, &name);
        if refused.is_some() {
            break;
        }
        let pod = pod::create(state, set, template.clone());
        let message = format!("Created pod: {pod}");
        let note = Note { source: CONTROLLER, warning: false, reason: "SuccessfulCreate", message: &message };
        events::emit(&mut state.objects, set, note);
    }
    for victim in surplus(active, wanted) {
        let message = format!("Deleted pod: {}", name(&victim));
        kubelet::stop(state, uid(&victim));
        let note = Note { source: CONTROLLER, warning: false, reason: "SuccessfulDelete", message: &message };
        events::emit(&mut state.objects, set, note);
    }
    let mut status = status(state, set);
    if let Some(why) = refused {
        fail(state, set, &why);
        put(&mut status, &["conditions"], json!([failure(state, set, &why)]));
    }
    state.objects.modify(Kind::ReplicaSet, namespace(set), name(set), |set| put(set, &["status"], status));
}

/// Tells once that pods cannot be created.
fn fail(state: &mut State, set: &Value, why: &str) {
    if text(set, "/status/conditions/0/message") != why {
        let message = format!("Error creating: {why}");
        let note = Note { source: CONTROLLER, warning: true, reason: "FailedCreate", message: &message };
        events::emit(&mut state.objects, set, note);
    }
}

fn failure(state: &State, set: &Value, why: &str) -> Value {
    let since = text(set, "/status/conditions/0/lastTransitionTime");
    let since = if since.is_empty() { time(state.now()) } else { since.to_owned() };
    json!({
        "lastTransitionTime": since, "message": why, "reason": "FailedCreate", "status": "True", "type": "ReplicaFailure",
    })
}

/// The pods that go first when there are too many: those that are not ready, then the youngest.
fn surplus(mut active: Vec<Value>, wanted: usize) -> Vec<Value> {
    active.sort_by(|a, b| {
        let born = |pod: &Value| text(pod, "/metadata/creationTimestamp").to_owned();
        pod::is_ready(a)
            .cmp(&pod::is_ready(b))
            .then_with(|| born(b).cmp(&born(a)))
            .then_with(|| name(b).cmp(name(a)))
    });
    active.truncate(active.len().saturating_sub(wanted));
    active
}

fn status(state: &State, set: &Value) -> Value {
    let (mut replicas, mut ready, mut ending) = (0_i64, 0_i64, 0_i64);
    for pod in owned(state, Kind::Pod, set) {
        if terminating(pod) {
            ending += 1;
            continue;
        }
        replicas += 1;
        ready += i64::from(pod::is_ready(pod));
    }
    let mut status = json!({
        "fullyLabeledReplicas": replicas,
        "observedGeneration": generation(set),
        "replicas": replicas,
        "terminatingReplicas": ending,
    });
    if ready > 0 {
        put(&mut status, &["readyReplicas"], ready);
        put(&mut status, &["availableReplicas"], ready);
    }
    status
}
