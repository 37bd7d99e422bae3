//! DaemonSets: a pod on every node, also on a cordoned one, and old pods replaced as `maxUnavailable` lets.

use serde_json::{Value, json};

use super::{owned, revisions};
use crate::sim::kube::defaults::TEMPLATE_NUMBER;
use crate::sim::kube::events::{self, Note, Source};
use crate::sim::kube::json::{put, share, text};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::kubelet;
use crate::sim::kube::objects::{generation, name, namespace, terminating, uid};
use crate::sim::kube::pod;
use crate::sim::kube::state::State;

pub(super) fn reconcile(state: &mut State, set: &Value) {
    let update = revisions::sync(state, set, revisions::HASH);
    let nodes: Vec<String> = state.objects.list(Kind::Node, "").map(|node| name(node).to_owned()).collect();
    for node in &nodes {
        if on(state, set, node).is_empty() {
            create(state, set, &update, node);
        }
    }
    roll(state, set, &update, &nodes);
    report(state, set, &update, &nodes);
    let used: Vec<String> = owned(state, Kind::Pod, set).map(|pod| hash_of(pod).to_owned()).collect();
    let update = hash_of(&update).to_owned();
    revisions::trim(state, set, |one| hash_of(one) == update || used.iter().any(|used| used == hash_of(one)));
}

/// The pods on a node, those that are ending included.
fn on(state: &State, set: &Value, node: &str) -> Vec<Value> {
    owned(state, Kind::Pod, set).filter(|pod| pod::bound(pod) == Some(node)).cloned().collect()
}

fn hash_of(object: &Value) -> &str {
    let labels = object.pointer("/metadata/labels");
    labels.and_then(|all| all.get(revisions::HASH)).and_then(Value::as_str).unwrap_or_default()
}

fn create(state: &mut State, set: &Value, update: &Value, node: &str) {
    let mut template = revisions::template(update);
    let number = set.pointer("/metadata/annotations").and_then(|all| all.get(TEMPLATE_NUMBER)).cloned();
    put(&mut template, &["metadata", "labels", revisions::HASH], hash_of(update));
    put(&mut template, &["metadata", "labels", "pod-template-generation"], number.unwrap_or_default());
    pod::bind(&mut template, node);
    let made = pod::create(state, set, template);
    tell(state, set, "SuccessfulCreate", &format!("Created pod: {made}"));
}

/// Old pods that do not serve go at once; those that do, as long as few enough nodes are without one.
fn roll(state: &mut State, set: &Value, update: &Value, nodes: &[String]) {
    if text(set, "/spec/updateStrategy/type") == "OnDelete" {
        return;
    }
    let desired = i64::try_from(nodes.len()).unwrap_or(i64::MAX);
    let limit = share(set.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable"), desired, true);
    let serves = |pod: &Value| pod::is_ready(pod) && !terminating(pod);
    let without = nodes.iter().filter(|node| !on(state, set, node).iter().any(serves)).count();
    let mut spare = limit.unwrap_or(1).max(1).saturating_sub(i64::try_from(without).unwrap_or(i64::MAX));
    let old: Vec<Value> = nodes.iter().flat_map(|node| on(state, set, node)).collect();
    for pod in old.iter().filter(|pod| hash_of(pod) != hash_of(update) && !terminating(pod)) {
        if pod::is_ready(pod) {
            if spare <= 0 {
                continue;
            }
            spare -= 1;
        }
        kubelet::stop(state, uid(pod));
        tell(state, set, "SuccessfulDelete", &format!("Deleted pod: {}", name(pod)));
    }
}

fn tell(state: &mut State, set: &Value, reason: &'static str, message: &str) {
    let source = Source::Controller("daemonset-controller");
    events::emit(&mut state.objects, set, Note { source, warning: false, reason, message });
}

fn report(state: &mut State, set: &Value, update: &Value, nodes: &[String]) {
    let pods: Vec<&Value> = owned(state, Kind::Pod, set).filter(|pod| !terminating(pod)).collect();
    let count = |is: &dyn Fn(&Value) -> bool| pods.iter().filter(|pod| is(pod)).count();
    let ready = count(&|pod| pod::is_ready(pod));
    let mut status = json!({
        "currentNumberScheduled": count(&|_| true),
        "desiredNumberScheduled": nodes.len(),
        "numberMisscheduled": 0,
        "numberReady": ready,
        "observedGeneration": generation(set),
    });
    for (field, count) in [
        ("updatedNumberScheduled", count(&|pod| hash_of(pod) == hash_of(update))),
        ("numberAvailable", ready),
        ("numberUnavailable", nodes.len().saturating_sub(ready)),
    ] {
        if count > 0 {
            put(&mut status, &[field], count);
        }
    }
    state.objects.modify(Kind::DaemonSet, namespace(set), name(set), |set| put(set, &["status"], status));
}
