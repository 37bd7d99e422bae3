//! Nodes: a cordoned one is tainted as long as it is.

use serde_json::{Value, json};

use crate::sim::kube::json::{cut, flag, items, put, text, time};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::kubelet;
use crate::sim::kube::objects::name;
use crate::sim::kube::state::State;

/// The pods of a node that is not ready are not ready: nobody hears of them any more.
fn unwell(state: &mut State, node: &Value) {
    let ready = items(node, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True");
    if ready {
        return;
    }
    let now = state.now();
    let on_it: Vec<String> = state
        .lives
        .values()
        .filter(|life| life.ready && life.node.as_deref() == Some(name(node)))
        .map(|life| life.uid.clone())
        .collect();
    for id in on_it {
        if let Some(life) = state.lives.get_mut(&id) {
            life.set_ready(false, now);
        }
        kubelet::show(state, &id);
    }
}

const TAINT: &str = "node.kubernetes.io/unschedulable";

pub(super) fn reconcile(state: &mut State, node: &Value) {
    unwell(state, node);
    let cordoned = flag(node, "/spec/unschedulable");
    let tainted = items(node, "/spec/taints").iter().any(|taint| text(taint, "/key") == TAINT);
    if cordoned == tainted {
        return;
    }
    let mut taints: Vec<Value> = items(node, "/spec/taints").to_vec();
    taints.retain(|taint| text(taint, "/key") != TAINT);
    if cordoned {
        taints.push(json!({ "effect": "NoSchedule", "key": TAINT, "timeAdded": time(state.now()) }));
    }
    state.objects.modify(Kind::Node, "", name(node), |node| {
        if taints.is_empty() {
            cut(node, &["spec", "taints"]);
        } else {
            put(node, &["spec", "taints"], taints);
        }
    });
}
