//! Deployments: a ReplicaSet per pod template, and the rolling update between them.

use serde_json::{Value, json};

use super::owned;
use crate::sim::kube::events::{self, Note, Source};
use crate::sim::kube::json::{cut, flag, int, put, share, text};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::kubelet::owned_by;
use crate::sim::kube::objects::{hex, name, namespace, suffix};
use crate::sim::kube::state::State;

/// The annotation that numbers a rollout.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The label that tells the pods of one template from another's.
const HASH: &str = "pod-template-hash";

pub(super) fn reconcile(state: &mut State, deployment: &Value) {
    let sets = sets(state, deployment);
    let current = sets.iter().find(|set| template_of(set) == deployment.pointer("/spec/template").cloned());
    let paused = flag(deployment, "/spec/paused");
    match current {
        Some(current) => {
            adopt(state, deployment, current, &sets);
            roll(state, deployment, current, &sets);
        }
        None if paused => scale_paused(state, deployment, &sets),
        None => make(state, deployment, &sets),
    }
}

/// The deployment's ReplicaSets, oldest revision first.
pub(super) fn sets(state: &State, deployment: &Value) -> Vec<Value> {
    let mut sets: Vec<Value> = owned(state, Kind::ReplicaSet, deployment).cloned().collect();
    sets.sort_by_key(revision);
    sets
}

/// The ReplicaSet of the deployment's present template.
pub(super) fn current(state: &State, deployment: &Value) -> Option<Value> {
    let template = deployment.pointer("/spec/template").cloned();
    sets(state, deployment).into_iter().find(|set| template_of(set) == template)
}

fn template_of(set: &Value) -> Option<Value> {
    let mut template = set.pointer("/spec/template").cloned()?;
    cut(&mut template, &["metadata", "labels", HASH]);
    Some(template)
}

pub(super) fn revision(set: &Value) -> i64 {
    let annotation = set.pointer("/metadata/annotations").and_then(|all| all.get(REVISION));
    annotation.and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Makes the ReplicaSet of a new template.
fn make(state: &mut State, deployment: &Value, sets: &[Value]) {
    let template = deployment.pointer("/spec/template").cloned().unwrap_or_default();
    let digest = hex(template.to_string().as_bytes());
    let hash = suffix(&digest, 10);
    let mut labelled = template;
    put(&mut labelled, &["metadata", "labels", HASH], hash.as_str());
    let mut selector = deployment.pointer("/spec/selector").cloned().unwrap_or_default();
    put(&mut selector, &["matchLabels", HASH], hash.as_str());
    let set = json!({
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)),
            "namespace": namespace(deployment),
            "labels": labelled.pointer("/metadata/labels"),
            "ownerReferences": owned_by(deployment),
        },
        "spec": { "replicas": 0, "selector": selector, "template": labelled },
        "status": { "replicas": 0 },
    });
    let set = state.objects.insert(Kind::ReplicaSet, set);
    adopt(state, deployment, &set, sets);
    super::rollout::begun(state, deployment, name(&set));
}

/// Numbers the current ReplicaSet, also when an older template came back.
fn adopt(state: &mut State, deployment: &Value, current: &Value, sets: &[Value]) {
    let others = sets.iter().filter(|set| name(set) != name(current));
    let newest = others.map(revision).max().unwrap_or(0);
    let number = if revision(current) > newest { revision(current) } else { newest + 1 };
    let returned = revision(current) > 0 && number != revision(current);
    let desired = int(deployment, "/spec/replicas");
    let surge =
        share(deployment.pointer("/spec/strategy/rollingUpdate/maxSurge"), desired, true).unwrap_or(0);
    state.objects.modify(Kind::ReplicaSet, namespace(deployment), name(current), |set| {
        put(set, &["metadata", "annotations", REVISION], number.to_string());
        put(
            set,
            &["metadata", "annotations", "deployment.kubernetes.io/desired-replicas"],
            desired.to_string(),
        );
        put(
            set,
            &["metadata", "annotations", "deployment.kubernetes.io/max-replicas"],
            (desired + surge).to_string(),
        );
    });
    state.objects.modify(Kind::Deployment, namespace(deployment), name(deployment), |deployment| {
        put(deployment, &["metadata", "annotations", REVISION], number.to_string());
    });
    if returned {
        super::rollout::begun(state, deployment, name(current));
    }
}

fn replicas(set: &Value) -> i64 {
    int(set, "/spec/replicas")
}

fn available(set: &Value) -> i64 {
    int(set, "/status/availableReplicas")
}

/// How many pods may be missing and how many more than asked for there may be.
pub(super) fn margins(deployment: &Value) -> (i64, i64) {
    let desired = int(deployment, "/spec/replicas");
    let field =
        |key: &str| deployment.pointer("/spec/strategy/rollingUpdate").and_then(|fields| fields.get(key));
    let quarter = json!("25%");
    let surge = share(Some(field("maxSurge").unwrap_or(&quarter)), desired, true).unwrap_or(0);
    let out = share(Some(field("maxUnavailable").unwrap_or(&quarter)), desired, false).unwrap_or(0);
    // both zero would never move: the controller then lets one pod be missing
    if surge == 0 && out == 0 { (1, 0) } else { (out, surge) }
}

/// One step of the rolling update, or of scaling when only one ReplicaSet is left.
fn roll(state: &mut State, deployment: &Value, current: &Value, sets: &[Value]) {
    let desired = int(deployment, "/spec/replicas");
    let old: Vec<&Value> =
        sets.iter().filter(|set| name(set) != name(current) && replicas(set) > 0).collect();
    if old.is_empty() {
        scale(state, deployment, current, desired);
    } else if text(deployment, "/spec/strategy/type") == "Recreate" {
        recreate(state, deployment, current, &old);
    } else if flag(deployment, "/spec/paused") {
        scale_paused(state, deployment, sets);
    } else {
        let grown = grow(state, deployment, current, &old);
        if !grown {
            shrink(state, deployment, current, &old);
        }
    }
}

fn recreate(state: &mut State, deployment: &Value, current: &Value, old: &[&Value]) {
    for set in old {
        scale(state, deployment, set, 0);
    }
    let left = old.iter().map(|set| int(set, "/status/replicas") + int(set, "/status/terminatingReplicas"));
    if left.sum::<i64>() == 0 {
        scale(state, deployment, current, int(deployment, "/spec/replicas"));
    }
}

/// Raises the new ReplicaSet as far as the surge allows.
fn grow(state: &mut State, deployment: &Value, current: &Value, old: &[&Value]) -> bool {
    let desired = int(deployment, "/spec/replicas");
    let (_, surge) = margins(deployment);
    let total = replicas(current) + old.iter().map(|set| replicas(set)).sum::<i64>();
    let room = (desired + surge - total).max(0);
    let missing = desired - replicas(current);
    let step = if missing < 0 { missing } else { missing.min(room) };
    scale(state, deployment, current, replicas(current) + step)
}

/// Lowers the old ReplicaSets as far as availability allows: pods that do not serve first.
fn shrink(state: &mut State, deployment: &Value, current: &Value, old: &[&Value]) {
    let desired = int(deployment, "/spec/replicas");
    let (out, _) = margins(deployment);
    let total = replicas(current) + old.iter().map(|set| replicas(set)).sum::<i64>();
    let not_yet = replicas(current) - available(current);
    let mut may_go = (total - (desired - out) - not_yet).max(0);
    let mut left: Vec<(&Value, i64)> = old.iter().map(|set| (*set, replicas(set))).collect();
    for (set, count) in &mut left {
        let idle = (*count - available(set)).clamp(0, may_go);
        *count -= idle;
        may_go -= idle;
    }
    let serving = available(current) + old.iter().map(|set| available(set)).sum::<i64>();
    let mut spare = (serving - (desired - out)).clamp(0, may_go);
    for (_, count) in &mut left {
        let step = spare.min(*count);
        *count -= step;
        spare -= step;
    }
    for (set, count) in left {
        scale(state, deployment, set, count);
    }
}

/// A paused deployment keeps its templates. One ReplicaSet alone gets what is asked for; where several have
/// pods, they and the pods of the surge stay, and what is added or taken is shared in proportion.
fn scale_paused(state: &mut State, deployment: &Value, sets: &[Value]) {
    let desired = int(deployment, "/spec/replicas");
    let active: Vec<&Value> = sets.iter().filter(|set| replicas(set) > 0).collect();
    let Some(newest) = active.last().copied().or(sets.last()) else { return };
    if active.len() < 2 {
        scale(state, deployment, newest, desired);
        return;
    }
    let allowed = if desired > 0 { desired + margins(deployment).1 } else { 0 };
    let total: i64 = active.iter().map(|set| replicas(set)).sum();
    let mut left = allowed - total;
    let mut sizes: Vec<(&Value, i64)> = active.into_iter().map(|set| (set, replicas(set))).collect();
    sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    for (_, size) in &mut sizes {
        let share = (*size * (allowed - total) / total).clamp(-*size, i64::MAX);
        let share = if left < 0 { share.max(left) } else { share.min(left) };
        *size += share;
        left -= share;
    }
    if let Some((_, largest)) = sizes.first_mut() {
        *largest = (*largest + left).max(0);
    }
    for (set, size) in sizes {
        scale(state, deployment, set, size);
    }
}

/// Sets a ReplicaSet's size and records it; whether it changed.
fn scale(state: &mut State, deployment: &Value, set: &Value, wanted: i64) -> bool {
    let before = replicas(set);
    if before == wanted {
        return false;
    }
    state
        .objects
        .modify(Kind::ReplicaSet, namespace(set), name(set), |set| put(set, &["spec", "replicas"], wanted));
    let way = if wanted > before { "up" } else { "down" };
    let message = format!("Scaled {way} replica set {} from {before} to {wanted}", name(set));
    let source = Source::Controller("deployment-controller");
    let note = Note { source, warning: false, reason: "ScalingReplicaSet", message: &message };
    events::emit(&mut state.objects, deployment, note);
    true
}
