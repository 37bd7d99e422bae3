//! An image needs a credential that is missing or no longer good.

use super::{image_pull, is_named, pods};
use crate::diagnose::evidence::{Book, Key};
use crate::domain::cluster::{Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding, PullTrouble};

/// The finding, about the named pod if it is affected. Certain where a Secret that it names is known not to be there.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let mut found: Vec<(bool, &Pod, String, Vec<String>)> =
        pods(snapshot).into_iter().filter_map(|pod| of(snapshot, pod)).collect();
    found.sort_by_key(|(_, pod, ..)| (!is_named(snapshot, pod), pod.object.named.name.clone()));
    let affected = found.len();
    let (_, pod, container, secrets) = found.into_iter().next()?;
    let name = &pod.object.named.name;
    let what = if secrets.is_empty() {
        "the registry refuses the credential, or wants one".to_owned()
    } else {
        format!(
            "there is no Secret {}",
            secrets.iter().map(|s| format!("`{s}`")).collect::<Vec<_>>().join(", ")
        )
    };
    let certainty = if secrets.is_empty() { Certainty::Likely } else { Certainty::Certain };
    Some(Finding {
        summary: format!(
            "the image of container `{container}` of pod `{name}` cannot be pulled: {what}{}",
            super::others(affected)
        ),
        cause: Cause::PullSecretMissing { container, secrets },
        subject: pod.object.clone(),
        certainty,
        evidence: book.cite(&[Key::Pod(name.clone()), Key::Refers, Key::Said, Key::Pods]),
        rules_out: vec![
            "the program in it is not at fault: it has not begun to run".to_owned(),
            "another template would be pulled with the same credential".to_owned(),
        ],
        suggests: vec![],
    })
}

fn of<'a>(snapshot: &Snapshot, pod: &'a Pod) -> Option<(bool, &'a Pod, String, Vec<String>)> {
    let container = pod.containers.iter().find(|c| image_pull::sure(snapshot, c).is_some())?;
    let denied = image_pull::trouble(container) == PullTrouble::Denied;
    let known = snapshot.around.secrets.iter().flatten();
    let named = pod.needs.as_deref().map(|needs| needs.pull_secrets.as_slice()).unwrap_or_default();
    let gone: Vec<String> = known
        .filter(|secret| secret.found.is_none() && named.contains(&secret.name))
        .map(|secret| secret.name.clone())
        .collect();
    (denied || !gone.is_empty()).then(|| (denied, pod, container.name.clone(), gone))
}
