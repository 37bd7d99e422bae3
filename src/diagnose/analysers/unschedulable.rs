//! No node takes a pod: the scheduler says so, and the nodes say why.

use std::collections::BTreeMap;

use super::pods;
use crate::diagnose::evidence::{Book, Key};
use crate::domain::cluster::{Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding, NodeRefuses};
use crate::domain::surroundings::{Needs, Node, Requirement, Taint};

/// Taints of this domain are the node's own condition, and no choice of whoever wrote the pod.
const LIFECYCLE: &str = "node.kubernetes.io/";
/// The taint of a cordoned node.
const CORDON: &str = "node.kubernetes.io/unschedulable";

/// The finding, about the first pod that waits.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let waiting: Vec<&Pod> = pods(snapshot).into_iter().filter(|pod| waits(pod)).collect();
    let pod = waiting.first()?;
    let nodes = snapshot.around.nodes.as_ref().map(|all| refusals(pod, all)).unwrap_or_default();
    let count = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
    let name = &pod.object.named.name;
    let why = told(&nodes);
    let rules_out = vec![
        "its program is not at fault: it has no node to run on".to_owned(),
        "a restart would wait as well".to_owned(),
    ];
    Some(Finding {
        summary: format!("no node takes pod `{name}`{}{why}", super::others(waiting.len())),
        cause: Cause::Unschedulable { pods: count, nodes },
        subject: pod.object.clone(),
        certainty: Certainty::Certain,
        evidence: book.cite(&[Key::Pod(name.clone()), Key::Nodes, Key::Pods, Key::Workload]),
        rules_out,
        suggests: vec![],
    })
}

/// The scheduler looked for a node and found none. One that waits for a gate was not looked at.
pub fn waits(pod: &Pod) -> bool {
    pod.unscheduled.as_ref().is_some_and(|condition| condition.reason == "Unschedulable")
}

/// Whether what the pod asks for is at fault, as far as the nodes show: no node would take it if it was empty.
pub fn asks_too_much(snapshot: &Snapshot, pod: &Pod) -> bool {
    let Ok(nodes) = &snapshot.around.nodes else { return false };
    let why = refusals(pod, nodes);
    let own = [NodeRefuses::Selector, NodeRefuses::Taint, NodeRefuses::TooLarge];
    !why.is_empty() && why.keys().all(|reason| own.contains(reason))
}

fn told(nodes: &BTreeMap<NodeRefuses, u32>) -> String {
    if nodes.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = nodes.iter().map(|(why, count)| format!("{count} {}", why.words())).collect();
    let total: u32 = nodes.values().sum();
    format!(": of {total} nodes, {}", parts.join(", "))
}

fn refusals(pod: &Pod, nodes: &[Node]) -> BTreeMap<NodeRefuses, u32> {
    let mut why = BTreeMap::new();
    let Some(needs) = pod.needs.as_deref() else { return why };
    for node in nodes {
        *why.entry(refusal(needs, node)).or_insert(0) += 1;
    }
    why
}

/// The first reason in the scheduler's own order of filters.
fn refusal(needs: &Needs, node: &Node) -> NodeRefuses {
    if !selected(needs, node) {
        return NodeRefuses::Selector;
    }
    let untolerated = |taint: &&Taint| {
        let keeps_off = taint.effect == "NoSchedule" || taint.effect == "NoExecute";
        keeps_off && !needs.tolerations.iter().any(|toleration| toleration.covers(taint))
    };
    let taints: Vec<&Taint> = node.taints.iter().filter(untolerated).collect();
    if taints.iter().any(|taint| !taint.key.starts_with(LIFECYCLE)) {
        return NodeRefuses::Taint;
    }
    if taints.iter().any(|taint| taint.key != CORDON) {
        return NodeRefuses::Unwell;
    }
    if !taints.is_empty() || node.cordoned {
        return NodeRefuses::Cordoned;
    }
    let short = needs.requests.iter().any(|(resource, amount)| {
        *amount > 0 && node.allocatable.get(resource).copied().unwrap_or(0) < *amount
    });
    if short { NodeRefuses::TooLarge } else { NodeRefuses::Full }
}

fn selected(needs: &Needs, node: &Node) -> bool {
    let labels = needs.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
    let terms = &needs.affinity;
    labels
        && (terms.is_empty()
            || terms.iter().any(|term| !term.is_empty() && term.iter().all(|r| meets(r, node))))
}

fn meets(requirement: &Requirement, node: &Node) -> bool {
    let Requirement { key, operator, values, field } = requirement;
    let found = if *field {
        (key == "metadata.name").then_some(node.object.named.name.as_str())
    } else {
        node.labels.get(key).map(String::as_str)
    };
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let first = number(values.first().map(String::as_str));
    match operator.as_str() {
        "In" => found.is_some_and(|found| values.iter().any(|value| value == found)),
        "NotIn" => found.is_none_or(|found| values.iter().all(|value| value != found)),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => number(found).zip(first).is_some_and(|(found, bound)| found > bound),
        "Lt" => number(found).zip(first).is_some_and(|(found, bound)| found < bound),
        _ => false,
    }
}
