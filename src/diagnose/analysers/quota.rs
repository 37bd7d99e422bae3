//! A quota leaves no room for one more pod of a workload that lacks some.

use crate::diagnose::evidence::{Book, Key};
use crate::domain::cluster::{Snapshot, Workload};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::quantity;
use crate::domain::surroundings::Quota;

/// One pod, in thousandths.
const ONE: u64 = 1_000;

/// Certain where the controller says that it could not create a pod, and one more does not fit the quota.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    let refused = refused(workload);
    if !refused && workload.current >= workload.desired {
        return None;
    }
    let quotas = snapshot.around.quotas.as_ref().ok()?;
    let full = |quota: &Quota| {
        Some((quota.clone(), quota.hard.keys().find(|r| exceeded(workload, quota, r))?.clone()))
    };
    let (quota, resource) =
        quotas.iter().filter(|q| !q.scoped).chain(quotas.iter().filter(|q| q.scoped)).find_map(full)?;
    let certainty = match (quota.scoped, refused) {
        (true, _) => Certainty::Possible,
        (false, true) => Certainty::Certain,
        (false, false) => Certainty::Likely,
    };
    let amount =
        |all: &std::collections::BTreeMap<String, String>| all.get(&resource).cloned().unwrap_or_default();
    let (used, hard) = (amount(&quota.used), amount(&quota.hard));
    let name = &workload.object.named.name;
    Some(Finding {
        summary: format!(
            "quota `{}` leaves no room for another pod of `{name}`: {used} of {hard} {resource} are used; {} of {} pods exist",
            quota.name, workload.current, workload.desired
        ),
        cause: Cause::QuotaExhausted { quota: quota.name, resource, used, hard },
        subject: workload.object.clone(),
        certainty,
        evidence: book.cite(&[Key::Quotas, Key::Workload, Key::Pods]),
        rules_out: vec![
            "the pods that are missing were never created: their program is not at fault".to_owned(),
        ],
        suggests: vec![],
    })
}

/// The controller says that pods could not be created. It does not say by whom they were refused.
pub fn refused(workload: &Workload) -> bool {
    workload
        .conditions
        .iter()
        .any(|c| c.name == "ReplicaFailure" && c.status == "True" && c.reason == "FailedCreate")
}

/// Whether one more pod of the workload would go beyond the quota.
fn exceeded(workload: &Workload, quota: &Quota, resource: &str) -> bool {
    let read = |all: &std::collections::BTreeMap<String, String>| {
        all.get(resource).and_then(|text| quantity::thousandths(text))
    };
    let Some(hard) = read(&quota.hard) else { return false };
    let used = read(&quota.used).unwrap_or(0);
    let needs = workload.needs.as_deref();
    let more = match resource.split_once('.') {
        Some(("limits", of)) => needs.and_then(|n| n.limits.get(of).copied()),
        Some(("requests", of)) => needs.and_then(|n| n.requests.get(of).copied()),
        None if matches!(resource, "pods" | "count/pods") => Some(ONE),
        None if matches!(resource, "cpu" | "memory" | "ephemeral-storage") => {
            needs.and_then(|n| n.requests.get(resource).copied())
        }
        Some(_) | None => None,
    };
    more.is_some_and(|more| more > 0 && used.saturating_add(more) > hard)
}
