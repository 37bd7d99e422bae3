//! The metrics API: what each running container, and each node, uses at this moment.

use serde_json::{Value, json};

use super::json::{put, time};
use super::kinds::Kind;
use super::life::Life;
use super::objects::{Objects, name, namespace, terminating, uid};
use super::state::State;

/// Millicores and bytes in use by a pod, when its container runs.
pub(crate) fn usage(state: &State, life: &Life) -> Option<(u64, u64)> {
    let (behaviour, run) = state.running(life)?;
    let serving = if life.ready { state.serving(life) } else { state.serving(life).saturating_add(1) };
    Some((behaviour.cpu(life.cpu_limit, serving), behaviour.memory(life.memory_limit, run, state.now())))
}

fn one(state: &State, space: &str, pod: &str) -> Option<Value> {
    let pod = state.objects.get(Kind::Pod, space, pod)?;
    let life = state.lives.get(uid(pod))?;
    let (cpu, memory) = usage(state, life)?;
    let labels = pod.pointer("/metadata/labels").cloned().unwrap_or_default();
    let mut metrics = json!({
        "kind": "PodMetrics",
        "apiVersion": Kind::PodMetrics.api_version(),
        "metadata": { "name": name(pod), "namespace": space, "creationTimestamp": time(state.now()) },
        "timestamp": time(state.now()),
        "window": "15s",
        "containers": [{
            "name": life.container,
            "usage": { "cpu": format!("{}n", cpu.saturating_mul(1_000_000)), "memory": format!("{}Ki", memory / 1024) },
        }],
    });
    put(&mut metrics, &["metadata", "labels"], labels);
    Some(metrics)
}

pub(crate) fn all(state: &State, space: &str) -> Vec<Value> {
    pods(&state.objects, space).filter_map(|(space, name)| one(state, space, name)).collect()
}

/// What is used of each node: by its pods, and nothing else.
pub(crate) fn nodes(state: &State) -> Vec<Value> {
    let one = |node: &Value| {
        let own = state.lives.values().filter(|life| life.node.as_deref() == Some(name(node)));
        let used = own.filter_map(|life| usage(state, life));
        let (cpu, memory) = used.fold((0u64, 0u64), |(cpu, memory), (c, m)| (cpu + c, memory + m));
        json!({
            "kind": "NodeMetrics",
            "apiVersion": Kind::NodeMetrics.api_version(),
            "metadata": {
                "name": name(node),
                "creationTimestamp": time(state.now()),
                "labels": node.pointer("/metadata/labels").cloned().unwrap_or_default(),
            },
            "timestamp": time(state.now()),
            "window": "15s",
            "usage": { "cpu": format!("{}n", cpu.saturating_mul(1_000_000)), "memory": format!("{}Ki", memory / 1024) },
        })
    };
    state.objects.list(Kind::Node, "").map(one).collect()
}

fn pods<'a>(objects: &'a Objects, space: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let live = objects.list(Kind::Pod, space).filter(|pod| !terminating(pod));
    live.map(|pod| (namespace(pod), name(pod)))
}
