//! A Deployment was set to no replicas, and an alert says that it is down. Whether that was meant, only people know.

use jiff::{SignedDuration, Timestamp};

use crate::diagnose::evidence::{Book, Key};
use crate::domain::action::ActionKind;
use crate::domain::alert::Labels;
use crate::domain::cluster::Snapshot;
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::target::Kind;

/// Alerts that say that nothing answers: those of the usual rules for targets and probes. Any other alert about a
/// workload that is off is no reason to turn it on.
const DOWN: [&str; 8] = [
    "TargetDown",
    "EndpointDown",
    "ServiceDown",
    "InstanceDown",
    "DeploymentDown",
    "ProbeFailed",
    "BlackboxProbeFailed",
    "HTTPProbeFailed",
];

/// Who turned it off for longer than this did not forget it by accident a moment ago.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// The finding; likely at best. None where an autoscaler might have done it.
pub fn to_zero(snapshot: &Snapshot, labels: &Labels, book: &Book) -> Option<Finding> {
    let down = labels.get("alertname").is_some_and(|alert| DOWN.contains(&alert.as_str()));
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    let alone = snapshot.autoscalers.as_ref().is_ok_and(Vec::is_empty);
    if !down || !alone || workload.object.named.kind != Kind::Deployment || workload.desired > 0 {
        return None;
    }
    let known = snapshot.recorded.workload.as_ref()?;
    let (before, at): (u32, Timestamp) = (known.last_above_zero?, known.zero_since?);
    // what was found at zero after a gap may have been off for days
    let watched = known.since < at;
    (watched && snapshot.at.duration_since(at) <= LATELY).then(|| Finding {
        cause: Cause::ScaledToZero { before, at },
        subject: workload.object.clone(),
        certainty: Certainty::Likely,
        summary: format!(
            "`{}` was scaled from {before} replicas to none {} minutes ago",
            workload.object.named.name,
            snapshot.at.duration_since(at).as_mins()
        ),
        evidence: book.cite(&[Key::Workload, Key::Pods]),
        rules_out: vec!["no autoscaler sets its replicas".to_owned()],
        suggests: vec![ActionKind::ScaleWorkload],
    })
}
