//! What a pod refers to is not there: a ConfigMap, a Secret, or a key of one. Told by metadata and by the kubelet; of
//! its words only those count that speak of something that the pod itself refers to.

use super::{is_named, pods};
use crate::diagnose::evidence::{Book, Key};
use crate::domain::cluster::{ContainerState, Part, Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::surroundings::{Holder, Reference, Referred};

/// The kubelet's reason where a container cannot be made from its spec.
pub const REASON: &str = "CreateContainerConfigError";

/// The finding, about the named pod if it is affected.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let mut stuck: Vec<(Certainty, &Pod, Option<String>, Vec<Reference>)> =
        pods(snapshot).into_iter().filter_map(|pod| of(snapshot, pod)).collect();
    stuck.sort_by_key(|(sure, pod, ..)| {
        (!is_named(snapshot, pod), std::cmp::Reverse(*sure), pod.object.named.name.clone())
    });
    let affected = stuck.len();
    let (certainty, pod, container, missing) = stuck.into_iter().next()?;
    let name = &pod.object.named.name;
    let what: Vec<String> = missing.iter().map(Reference::to_string).collect();
    let what = match what.as_slice() {
        [] => "something that it is to be made with".to_owned(),
        known => known.join(", "),
    };
    Some(Finding {
        summary: format!("pod `{name}` cannot start without {what}{}", super::others(affected)),
        cause: Cause::MissingConfig { container, missing },
        subject: pod.object.clone(),
        certainty,
        evidence: book.cite(&[Key::Pod(name.clone()), Key::Refers, Key::Said, Key::Pods, Key::Workload]),
        rules_out: vec![
            "its program is not at fault: it has not begun to run".to_owned(),
            "a restart of the pod would find as little".to_owned(),
        ],
        suggests: vec![],
    })
}

fn of<'a>(snapshot: &Snapshot, pod: &'a Pod) -> Option<(Certainty, &'a Pod, Option<String>, Vec<Reference>)> {
    let waits = |reasons: &[&str]| {
        pod.containers.iter().find_map(|c| match &c.state {
            ContainerState::Waiting { reason, message } if reasons.contains(&reason.as_str()) => {
                Some((c.name.clone(), message.clone()))
            }
            ContainerState::Waiting { .. } | ContainerState::Running { .. } | ContainerState::Ended(_) => {
                None
            }
        })
    };
    let refers = pod.needs.as_deref().map(|needs| needs.refers.as_slice()).unwrap_or_default();
    let needed: Vec<&Reference> = refers.iter().filter(|one| !one.optional).collect();
    let gone: Vec<Reference> =
        needed.iter().filter(|one| absent(snapshot, one) == Some(true)).map(|one| (*one).clone()).collect();
    let refused = waits(&[REASON]);
    match (&refused, gone.is_empty()) {
        (Some((container, _)), false) => Some((Certainty::Certain, pod, Some(container.clone()), gone)),
        // a volume that cannot be mounted holds the container back before it is made
        (None, false) if waits(&["ContainerCreating", "PodInitializing"]).is_some() && pod.node.is_some() => {
            Some((Certainty::Likely, pod, None, gone))
        }
        (Some((container, message)), true) if !needed.is_empty() => {
            let said: Vec<Reference> =
                needed.iter().filter(|one| names(message, one)).map(|one| (*one).clone()).collect();
            let sure = if said.is_empty() { Certainty::Possible } else { Certainty::Likely };
            Some((sure, pod, Some(container.clone()), said))
        }
        (Some(_) | None, true | false) => None,
    }
}

/// Whether what is referred to is known not to be there.
fn absent(snapshot: &Snapshot, one: &Reference) -> Option<bool> {
    let known: &Part<Vec<Referred>> = match one.holder {
        Holder::ConfigMap => &snapshot.around.configs,
        Holder::Secret => &snapshot.around.secrets,
    };
    let found = known.as_ref().ok()?.iter().find(|known| known.name == one.name)?;
    let Some(meta) = &found.found else { return Some(true) };
    let (key, keys) = (one.key.as_ref()?, meta.keys.as_ref()?);
    Some(!keys.contains(key))
}

/// Whether the kubelet says of this very reference that it is not there.
fn names(message: &str, one: &Reference) -> bool {
    let quoted = format!("{} \"{}\" not found", one.holder.name().to_lowercase(), one.name);
    let key = one.key.as_ref().is_some_and(|key| {
        let (found, of) = (format!("couldn't find key {key} in"), format!("/{}", one.name));
        message.split_once(&found).is_some_and(|(_, rest)| rest.trim_end().ends_with(&of))
    });
    message.contains(&quoted) || key
}
