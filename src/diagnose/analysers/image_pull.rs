//! An image cannot be had: the container never began to run.

use super::{about, first, others};
use crate::diagnose::evidence::Book;
use crate::domain::cluster::{Container, ContainerState, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};

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

/// The finding, about the named pod if it is affected.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let (pod, container, certainty, count) = first(snapshot, sure)?;
    let name = &pod.object.named.name;
    Some(Finding {
        summary: format!(
            "the image `{}` of container `{}` of pod `{name}` cannot be had{}",
            container.image,
            container.name,
            others(count)
        ),
        cause: Cause::ImagePull { container: container.name.clone(), image: container.image.clone() },
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
