//! The controllers: each looks at the whole world and moves it one step towards what its objects ask for.

mod autoscaler;
mod budget;
mod daemonset;
mod deployment;
pub(crate) mod jobs;
mod node;
pub(crate) mod quota;
mod replicaset;
mod revisions;
mod rollout;
mod statefulset;

use serde_json::Value;

use super::json::text;
use super::kinds::Kind;
use super::kubelet;
use super::life::Step;
use super::objects::{controller, uid};
use super::references;
use super::state::State;

/// One round of every controller.
pub(crate) fn reconcile(state: &mut State) {
    let unscheduled: Vec<String> =
        state.lives.values().filter(|life| life.node.is_none()).map(|life| life.uid.clone()).collect();
    for id in unscheduled {
        kubelet::schedule(state, &id);
        kubelet::show(state, &id);
    }
    let refused: Vec<String> = state
        .lives
        .values()
        .filter(|life| {
            life.step == Step::Refused && !life.stopping && references::missing(state, life).is_none()
        })
        .map(|life| life.uid.clone())
        .collect();
    for id in refused {
        kubelet::step(state, &id);
    }
    for object in all(state, Kind::Node) {
        node::reconcile(state, &object);
    }
    for object in all(state, Kind::HorizontalPodAutoscaler) {
        autoscaler::reconcile(state, &object);
    }
    // replica sets first: a rollout must judge by the pods of this moment
    for object in all(state, Kind::ReplicaSet) {
        replicaset::reconcile(state, &object);
    }
    for object in all(state, Kind::Deployment) {
        deployment::reconcile(state, &object);
    }
    for object in all(state, Kind::StatefulSet) {
        statefulset::reconcile(state, &object);
    }
    for object in all(state, Kind::DaemonSet) {
        daemonset::reconcile(state, &object);
    }
    state.deadline = None;
    for object in all(state, Kind::Deployment) {
        rollout::report(state, &object);
    }
    jobs::reconcile(state);
    for object in all(state, Kind::ResourceQuota) {
        quota::reconcile(state, &object);
    }
    for object in all(state, Kind::PodDisruptionBudget) {
        budget::reconcile(state, &object);
    }
}

fn all(state: &State, kind: Kind) -> Vec<Value> {
    state.objects.list(kind, "").cloned().collect()
}

/// The objects of a kind that `owner` controls, in its namespace.
pub(crate) fn owned<'a>(state: &'a State, kind: Kind, owner: &'a Value) -> impl Iterator<Item = &'a Value> {
    state
        .objects
        .list(kind, text(owner, "/metadata/namespace"))
        .filter(move |object| controller(object).is_some_and(|(_, _, above)| above == uid(owner)))
}
