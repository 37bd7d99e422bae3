//! The metrics API: what each running container uses at this moment.

use serde_json::{Value, json};

use super::json::{put, time};
use super::kinds::Kind;
use super::life::Life;
use super::objects::{Objects, namespace, terminating, uid};
use super::state::State;

/// Millicores and bytes in use by a pod, when its container runs.
pub(crate) fn usage(state: &State, life: &Life) -> Option<(u64, u64)> {
    let (behaviour, run) = state.running(life)?;
    let serving = if life.ready { state.serving(life) } else { state.serving(life).saturating_add(1) };
    Some((behaviour.cpu(life.cpu_limit, serving), behaviour.memory(life.memory_limit, run, state.now())))
}

pub(crate) fn one(state: &State, space: &str, name: &str) -> Option<Value> {
    let pod = state.objects.get(Kind::Pod, space, name)?;
    let life = state.lives.get(uid(pod))?;
    let (cpu, memory) = usage(state, life)?;
    let labels = pod.pointer("/metadata/labels").cloned().unwrap_or_default();
    let mut metrics = json!({
        "kind": "PodMetrics",
        "apiVersion": Kind::PodMetrics.api_version(),
        "metadata": { "name": name, "namespace": space, "creationTimestamp": time(state.now()) },
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

fn pods<'a>(objects: &'a Objects, space: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let live = objects.list(Kind::Pod, space).filter(|pod| !terminating(pod));
    live.map(|pod| (namespace(pod), super::objects::name(pod)))
}
