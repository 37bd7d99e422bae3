//! Nodes: a cordoned one is tainted as long as it is.

use serde_json::{Value, json};

use crate::sim::kube::json::{cut, flag, items, put, text, time};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::objects::name;
use crate::sim::kube::state::State;

const TAINT: &str = "node.kubernetes.io/unschedulable";

pub(super) fn reconcile(state: &mut State, node: &Value) {
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
    state.objects.modify(Kind::Node, "", name(node), |node| match taints.is_empty() {
        true => cut(node, &["spec", "taints"]),
        false => put(node, &["spec", "taints"], taints),
    });
}
