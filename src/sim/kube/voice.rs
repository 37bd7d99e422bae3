//! What is said about a pod: the kubelet's events, the scheduler's, and the kernel's on its node.

use super::events::{self, Note, Source};
use super::kinds::Kind;
use super::state::State;

/// An event of the kubelet about the pod's container.
pub(crate) fn say(state: &mut State, id: &str, warning: bool, reason: &'static str, message: &str) {
    let Some(life) = state.lives.get(id) else { return };
    let (node, container) = (life.node.clone().unwrap_or_default(), life.container.clone());
    let source = Source::Kubelet { node: &node, container: &container };
    tell(state, id, Note { source, warning, reason, message });
}

/// An event about the pod.
pub(crate) fn tell(state: &mut State, id: &str, note: Note<'_>) {
    let Some(life) = state.lives.get(id) else { return };
    let Some(pod) = state.objects.get(Kind::Pod, &life.namespace, &life.name).cloned() else { return };
    events::emit(&mut state.objects, &pod, note);
}

/// The kernel's word on an out-of-memory kill, as node-problem-detector records it on the node.
pub(crate) fn report_kill(state: &mut State, id: &str) {
    let Some(life) = state.lives.get(id) else { return };
    let kilobytes = life.memory_limit / 1024;
    let message = format!(
        "Memory cgroup out of memory: Killed process 4711 ({}) total-vm:{}kB, anon-rss:{kilobytes}kB, file-rss:0kB",
        life.container,
        kilobytes.saturating_mul(2),
    );
    let Some(name) = life.node.clone() else { return };
    let Some(node) = state.objects.get(Kind::Node, "", &name).cloned() else { return };
    let source = Source::Kernel { node: &name };
    events::emit(
        &mut state.objects,
        &node,
        Note { source, warning: true, reason: "OOMKilling", message: &message },
    );
}
