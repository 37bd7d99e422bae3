//! An image cannot be had: the container never began to run.

use super::{about, first, others};
use crate::diagnose::evidence::Book;
use crate::domain::cluster::{Container, ContainerState, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding, PullTrouble};

/// The kubelet's reasons (`pkg/kubelet/images/types.go`).
const REASONS: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
];

/// The kubelet says so.
pub fn sure(_: &Snapshot, container: &Container) -> Option<Certainty> {
    match &container.state {
        ContainerState::Waiting { reason, .. } => {
            REASONS.contains(&reason.as_str()).then_some(Certainty::Certain)
        }
        ContainerState::Running { .. } | ContainerState::Ended(_) => None,
    }
}

/// What the kubelet says stands in the way. Its words explain, and can only take remedies away.
pub fn trouble(container: &Container) -> PullTrouble {
    let ContainerState::Waiting { reason, message } = &container.state else { return PullTrouble::Unsaid };
    match reason.as_str() {
        "InvalidImageName" => return PullTrouble::BadName,
        "ErrImageNeverPull" => return PullTrouble::NeverPulled,
        "RegistryUnavailable" => return PullTrouble::Unreachable,
        _ => {}
    }
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&DENIED) {
        PullTrouble::Denied
    } else if says(&UNREACHABLE) {
        PullTrouble::Unreachable
    } else if says(&NOT_FOUND) {
        PullTrouble::NotFound
    } else {
        PullTrouble::Unsaid
    }
}

/// The words of registries and of containerd, by what they mean.
const DENIED: [&str; 6] = [
    "401 unauthorized",
    "403 forbidden",
    "authorization failed",
    "unauthorized:",
    "no basic auth credentials",
    "pull access denied",
];
const UNREACHABLE: [&str; 6] = [
    "no such host",
    "i/o timeout",
    "connection refused",
    "tls handshake timeout",
    "network is unreachable",
    "server misbehaving",
];
const NOT_FOUND: [&str; 3] = ["not found", "manifest unknown", "code = notfound"];

/// The finding, about the named pod if it is affected.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let (pod, container, certainty, count) = first(snapshot, sure)?;
    let name = &pod.object.named.name;
    let trouble = trouble(container);
    Some(Finding {
        summary: format!(
            "the image `{}` of container `{}` of pod `{name}` cannot be had{}{}",
            container.image,
            container.name,
            trouble.words(),
            others(count)
        ),
        cause: Cause::ImagePull {
            container: container.name.clone(),
            image: container.image.clone(),
            trouble,
        },
        subject: pod.object.clone(),
        certainty,
        evidence: book.cite(&about(pod)),
        rules_out: vec![
            "the program in it is not at fault: it has not begun to run".to_owned(),
            "a restart of the pod would ask for the same image".to_owned(),
        ],
        suggests: vec![],
    })
}
