//! A Secret changed after the pods that hold it had started. Told by times in metadata; nobody looked at a value.

use jiff::{SignedDuration, Timestamp};

use super::pods;
use crate::diagnose::evidence::{Book, Key};
use crate::domain::action::ActionKind;
use crate::domain::cluster::{ContainerState, How, Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::surroundings::{Holder, Reference};
use crate::domain::target::Kind;

/// What was changed within the hour is likely what an alert of now is about.
const LATELY: SignedDuration = SignedDuration::from_hours(1);
/// What runs with the old one for a day does not mind.
const EVER: SignedDuration = SignedDuration::from_hours(24);

/// The finding, about the owner.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    let needs = workload.needs.as_deref()?;
    let secrets = snapshot.around.secrets.as_ref().ok()?;
    let kept = |one: &&Reference| {
        // files are brought up to date by the kubelet
        one.holder == Holder::Secret && matches!(one.how, How::Environment | How::Copied)
    };
    let names = needs.refers.iter().filter(kept).map(|one| &one.name);
    let changed = names.filter_map(|name| {
        let at = secrets.iter().find(|known| known.name == *name)?.found.as_ref()?.changed?;
        Some((at, name.clone()))
    });
    let (at, secret) = changed.max()?;
    let age = snapshot.at.duration_since(at);
    let old = pods(snapshot).into_iter().filter(|pod| started_before(pod, at)).count();
    if old == 0 || age > EVER {
        return None;
    }
    let comes_back =
        matches!(workload.object.named.kind, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet);
    let certainty = if age <= LATELY { Certainty::Likely } else { Certainty::Possible };
    let count = u32::try_from(old).unwrap_or(u32::MAX);
    Some(Finding {
        summary: format!(
            "Secret `{secret}` changed {} minutes ago, and {count} pods of `{}` started before that with the old one",
            age.as_mins(),
            workload.object.named.name
        ),
        cause: Cause::SecretRotated { secret, at, pods: count },
        subject: workload.object.clone(),
        certainty,
        evidence: book.cite(&[Key::Refers, Key::Workload, Key::Pods]),
        rules_out: vec!["its pods do not take it up by themselves: they read it when they start".to_owned()],
        suggests: if comes_back && certainty > Certainty::Possible {
            vec![ActionKind::RestartWorkload]
        } else {
            vec![]
        },
    })
}

/// A container of it runs since before.
fn started_before(pod: &Pod, at: Timestamp) -> bool {
    pod.containers
        .iter()
        .any(|c| matches!(c.state, ContainerState::Running { since: Some(since) } if since < at))
}
