//! The scheduler: which nodes take a pod, and in its own words why the others do not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::{bytes, flag, items, millicores, text};
use super::kinds::Kind;
use super::life::Life;
use super::objects::name;
use super::pod;
use super::state::State;

/// The taint of a cordoned node, which is told as what it is.
const CORDON: &str = "node.kubernetes.io/unschedulable";

/// The node for a pod: its own where it is bound to one, as those of a DaemonSet are, which also take a
/// cordoned one; otherwise the one with the fewest pods among those that take it. Or the scheduler's words.
pub(crate) fn place(state: &State, life: &Life) -> Result<String, String> {
    let nodes: Vec<&Value> = state.objects.list(Kind::Node, "").collect();
    let total = nodes.len();
    let Some(pod) = state.objects.get(Kind::Pod, &life.namespace, &life.name) else {
        return Err(format!("0/{total} nodes are available."));
    };
    if let Some(node) = pod::bound(pod)
        && state.objects.get(Kind::Node, "", node).is_some()
    {
        return Ok(node.to_owned());
    }
    if let Some(why) = unbound(state, pod) {
        return Err(format!("0/{total} nodes are available: {why}."));
    }
    let mut loads: BTreeMap<&str, Load> = BTreeMap::new();
    for peer in state.lives.values() {
        if let Some(node) = peer.node.as_deref() {
            loads.entry(node).or_default().add(peer);
        }
    }
    let mut refused: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut best: Option<(usize, &str)> = None;
    for node in nodes {
        let load = loads.get(name(node)).copied().unwrap_or_default();
        match refusal(pod, life, node, load) {
            Some(why) => *refused.entry(why).or_default() += 1,
            None if best.is_none_or(|(pods, _)| load.pods < pods) => best = Some((load.pods, name(node))),
            None => {}
        }
    }
    best.map(|(_, node)| node.to_owned()).ok_or_else(|| told(total, &refused))
}

/// What stands on a node.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    pods: usize,
    cpu: u64,
    memory: u64,
}

impl Load {
    fn add(&mut self, life: &Life) {
        self.pods += 1;
        self.cpu = self.cpu.saturating_add(life.requests.0);
        self.memory = self.memory.saturating_add(life.requests.1);
    }
}

fn told(total: usize, refused: &BTreeMap<&'static str, usize>) -> String {
    let parts: Vec<String> = refused.iter().map(|(why, count)| format!("{count} {why}")).collect();
    let head = format!("0/{total} nodes are available: {}.", parts.join(", "));
    if refused.keys().all(|why| *why == UNSCHEDULABLE) {
        return head;
    }
    format!(
        "{head} no new claims to deallocate, preemption: 0/{total} nodes are available: {total} Preemption is not helpful for scheduling."
    )
}

const UNSCHEDULABLE: &str = "node(s) were unschedulable";

/// The first filter that a node does not pass.
fn refusal(pod: &Value, life: &Life, node: &Value, load: Load) -> Option<&'static str> {
    let mut taints = items(node, "/spec/taints").iter().filter(|taint| !tolerated(pod, taint)).peekable();
    let label =
        |key: &str| node.pointer("/metadata/labels").and_then(|all| all.get(key)).and_then(Value::as_str);
    let selector = pod.pointer("/spec/nodeSelector").and_then(Value::as_object).into_iter().flatten();
    if flag(node, "/spec/unschedulable") {
        return Some(UNSCHEDULABLE);
    }
    if taints.any(|taint| text(taint, "/key") != CORDON) {
        return Some("node(s) had untolerated taint(s)");
    }
    if selector.into_iter().any(|(key, value)| label(key) != value.as_str()) {
        return Some("node(s) didn't match Pod's node affinity/selector");
    }
    let room = |of: &str| text(node, &format!("/status/allocatable/{of}")).to_owned();
    let cpu = millicores(&room("cpu")).unwrap_or(u64::MAX);
    if load.cpu.saturating_add(life.requests.0) > cpu {
        return Some("Insufficient cpu");
    }
    let memory = bytes(&room("memory")).unwrap_or(u64::MAX);
    if load.memory.saturating_add(life.requests.1) > memory {
        return Some("Insufficient memory");
    }
    let pods = room("pods").parse::<usize>().unwrap_or(usize::MAX);
    (load.pods >= pods).then_some("Too many pods")
}

fn tolerated(pod: &Value, taint: &Value) -> bool {
    if text(taint, "/effect") == "PreferNoSchedule" {
        return true;
    }
    items(pod, "/spec/tolerations").iter().any(|toleration| {
        let (key, effect) = (text(toleration, "/key"), text(toleration, "/effect"));
        let exists = text(toleration, "/operator") == "Exists";
        (effect.is_empty() || effect == text(taint, "/effect"))
            && ((key.is_empty() && exists) || key == text(taint, "/key"))
            && (exists || text(toleration, "/value") == text(taint, "/value"))
    })
}

/// Why its volume claims keep it from any node.
fn unbound(state: &State, pod: &Value) -> Option<String> {
    let space = text(pod, "/metadata/namespace");
    items(pod, "/spec/volumes").iter().find_map(|volume| {
        let claim = text(volume, "/persistentVolumeClaim/claimName");
        if claim.is_empty() {
            return None;
        }
        let Some(found) = state.objects.get(Kind::PersistentVolumeClaim, space, claim) else {
            return Some(format!("persistentvolumeclaim \"{claim}\" not found"));
        };
        (text(found, "/status/phase") != "Bound")
            .then(|| "pod has unbound immediate PersistentVolumeClaims".to_owned())
    })
}
