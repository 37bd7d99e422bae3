//! A volume claim that a pod needs has no volume.

use super::pods;
use crate::diagnose::evidence::{Book, Key};
use crate::domain::cluster::{Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::surroundings::{Claim, ClaimPhase};

/// The finding, about the claim's pod. A claim that waits for its pod to be placed explains little.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let claims = snapshot.around.claims.as_ref().ok()?;
    let mut found: Vec<(&Pod, &Claim, Certainty)> = pods(snapshot)
        .into_iter()
        .filter(|pod| !pod.ready)
        .flat_map(|pod| claims.iter().filter_map(move |claim| Some((pod, claim, sure(pod, claim)?))))
        .collect();
    found.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.1.name.cmp(&b.1.name)));
    let (pod, claim, certainty) = *found.first()?;
    let no_class = claim.class.clone().filter(|_| claim.class_exists == Some(false));
    let why = match (claim.phase, &no_class) {
        (ClaimPhase::Missing, _) => "there is no such claim".to_owned(),
        (ClaimPhase::Lost, _) => "its volume is gone".to_owned(),
        (ClaimPhase::Pending | ClaimPhase::Bound, Some(class)) => {
            format!("it is not bound: there is no storage class `{class}`")
        }
        (ClaimPhase::Pending | ClaimPhase::Bound, None) => "it is not bound".to_owned(),
    };
    let name = &pod.object.named.name;
    Some(Finding {
        summary: format!("pod `{name}` waits for volume claim `{}`: {why}", claim.name),
        cause: Cause::VolumePending { claim: claim.name.clone(), phase: claim.phase, no_class },
        subject: pod.object.clone(),
        certainty,
        evidence: book.cite(&[Key::Claims, Key::Pod(name.clone()), Key::Pods, Key::Workload]),
        rules_out: vec!["its program is not at fault: it waits for its volume".to_owned()],
        suggests: vec![],
    })
}

fn sure(pod: &Pod, claim: &Claim) -> Option<Certainty> {
    let names = pod.needs.as_ref().is_some_and(|needs| needs.claims.contains(&claim.name));
    if !names {
        return None;
    }
    match claim.phase {
        ClaimPhase::Bound => None,
        ClaimPhase::Missing | ClaimPhase::Lost => Some(Certainty::Certain),
        ClaimPhase::Pending if claim.class.is_none() || claim.class_exists == Some(false) => {
            Some(Certainty::Certain)
        }
        ClaimPhase::Pending if claim.waits_for_pod == Some(false) => Some(Certainty::Certain),
        ClaimPhase::Pending => Some(Certainty::Possible),
    }
}
