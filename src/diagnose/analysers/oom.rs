//! A container was killed at its memory limit: the kernel says so through the kubelet.

use super::{about, first, last_end, matters, others};
use crate::diagnose::evidence::Book;
use crate::domain::action::ActionKind;
use crate::domain::cluster::{Container, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};

/// Whether this container was killed for memory, and lately enough to matter.
pub fn sure(snapshot: &Snapshot, container: &Container) -> Option<Certainty> {
    let end = last_end(container).filter(|end| end.reason == "OOMKilled")?;
    matters(snapshot, container, end)
}

/// The finding, about the named pod if it is affected.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let (pod, container, certainty, count) = first(snapshot, sure)?;
    let name = &pod.object.named.name;
    let limit = container.memory_limit.clone();
    let at = limit.as_ref().map_or_else(String::new, |l| format!(" at its limit of {l}"));
    let rules_out = vec![
        "it did not end by itself: the kernel killed it (OOMKilled)".to_owned(),
        "its image was pulled: it has run".to_owned(),
    ];
    Some(Finding {
        summary: format!(
            "container `{}` of pod `{name}` was killed for memory{at}; {} restarts{}",
            container.name,
            container.restarts,
            others(count)
        ),
        cause: Cause::OomKilled { container: container.name.clone(), limit, restarts: container.restarts },
        subject: pod.object.clone(),
        certainty,
        evidence: book.cite(&about(pod)),
        rules_out,
        suggests: vec![ActionKind::RestartPod],
    })
}
