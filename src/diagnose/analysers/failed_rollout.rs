//! A new template does not come up, while the one before still serves, or not.

use super::{image_pull, worst};
use crate::diagnose::evidence::{Book, Key};
use crate::domain::cluster::{Container, ContainerState, Pod, Revision, Snapshot, Workload};
use crate::domain::finding::{Cause, Certainty, Finding};

/// Certain once the Deployment's own deadline passed; likely where a pod of the new revision is stuck.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    let revisions = snapshot.revisions.as_ref().ok()?;
    let (newest, older) = revisions.split_first()?;
    let certainty = certainty(snapshot, workload, newest, older)?;
    let old_ready: u32 = older.iter().map(|r| r.ready).sum();
    let serving = if old_ready > 0 {
        format!("{old_ready} pods of the revision before still serve")
    } else {
        "no pod of a revision before serves".to_owned()
    };
    Some(Finding {
        summary: format!(
            "revision {} of `{}` does not come up: {} of {} pods are ready; {serving}",
            newest.revision, workload.object.named.name, newest.ready, newest.desired
        ),
        cause: Cause::FailedRollout { revision: newest.revision, old_ready },
        subject: workload.object.clone(),
        certainty,
        evidence: book.cite(&[Key::Workload, Key::Revisions, Key::Pods]),
        rules_out: vec!["a restart of its pods would start the same template".to_owned()],
        suggests: vec![],
    })
}

fn certainty(
    snapshot: &Snapshot,
    workload: &Workload,
    newest: &Revision,
    older: &[Revision],
) -> Option<Certainty> {
    let late = workload
        .conditions
        .iter()
        .any(|c| c.name == "Progressing" && c.status == "False" && c.reason == "ProgressDeadlineExceeded");
    if late {
        return Some(Certainty::Certain);
    }
    let under_way = older.iter().any(|r| r.desired > 0) && newest.ready < newest.desired;
    let stuck = snapshot.pods.iter().flatten().any(|pod| of(newest, pod) && is_stuck(snapshot, pod));
    (under_way && stuck).then_some(Certainty::Likely)
}

fn of(revision: &Revision, pod: &Pod) -> bool {
    pod.controller.as_ref().is_some_and(|c| c.uid == revision.object.uid)
}

fn is_stuck(snapshot: &Snapshot, pod: &Pod) -> bool {
    let container =
        [image_pull::sure, super::oom::sure, super::crash_loop::sure, super::probe::sure, refused]
            .iter()
            .any(|test| worst(snapshot, pod, *test).is_some());
    container || (super::unschedulable::waits(pod) && super::unschedulable::asks_too_much(snapshot, pod))
}

/// The kubelet cannot make the container from its template.
fn refused(_: &Snapshot, container: &Container) -> Option<Certainty> {
    match &container.state {
        ContainerState::Waiting { reason, .. } => {
            (reason == super::missing_config::REASON).then_some(Certainty::Certain)
        }
        ContainerState::Running { .. } | ContainerState::Ended(_) => None,
    }
}

/// Whether the new template may be innocent: pods of it lack what no template gives them back, be it a quota or room
/// on the nodes, or it cannot be told.
pub fn may_be_innocent(snapshot: &Snapshot) -> bool {
    let Ok(Some(workload)) = &snapshot.workload else { return false };
    let not_created = super::quota::refused(workload);
    let unplaced = super::pods(snapshot)
        .into_iter()
        .any(|pod| super::unschedulable::waits(pod) && !super::unschedulable::asks_too_much(snapshot, pod));
    not_created || unplaced
}
