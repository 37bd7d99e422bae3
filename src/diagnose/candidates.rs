//! The closed set of remedies, from findings and the owner's chain alone: no text from the cluster is an
//! argument here, and nothing that is read later adds to it.

use super::analysers;
use crate::domain::action::job::Templates;
use crate::domain::action::resources::MOST_PERCENT;
use crate::domain::action::{Action, Candidate, HpaBounds, Resource, ResourceStep, Restore, TemplateHash};
use crate::domain::alert::Labels;
use crate::domain::cause::CauseWord;
use crate::domain::cluster::{Pod, Revision, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding, PullTrouble};
use crate::domain::ids::CandidateId;
use crate::domain::recorded;
use crate::domain::target::{Kind, Object};

/// How far an alert can steer: more choices than this and the one who chooses decides more than the
/// diagnosis did.
const AT_MOST: usize = 3;
/// Half as many replicas again, and never more than this at once: the next look shows whether it helped.
const MOST_MORE: u32 = 2;
/// What use should come down to: under the 90 % that count as full, with room for one pod of ten to fail.
const AIM_PERCENT: u32 = 70;

/// The first three of the [`remedies`] and then of the declared jobs, which are for the first finding.
pub fn candidates(snapshot: &Snapshot, findings: &[Finding], offers: Vec<Action>) -> Vec<Candidate> {
    let mut all = remedies(snapshot, findings);
    for (action, finding) in offers.into_iter().filter_map(|action| Some((action, findings.first()?))) {
        all.push(candidate(all.len() + 1, action, snapshot, finding));
    }
    all.truncate(AT_MOST);
    all
}

/// The jobs that are declared for this alert. None where nothing is wrong any more.
pub fn offers(snapshot: &Snapshot, labels: &Labels, findings: &[Finding], jobs: &Templates) -> Vec<Action> {
    if findings.iter().any(|finding| finding.cause == Cause::NothingWrong) {
        return vec![];
    }
    jobs.offers(labels, &snapshot.target, &snapshot.owner)
}

/// Remedies for these findings, in their order; none twice. What cannot be read only ever takes some away.
pub fn remedies(snapshot: &Snapshot, findings: &[Finding]) -> Vec<Candidate> {
    let new_template_fails =
        rollout_unread(snapshot) || findings.iter().any(|f| matches!(f.cause, Cause::FailedRollout { .. }));
    // what a program refuses it refuses again
    let refused = findings
        .iter()
        .any(|f| matches!(f.cause, Cause::ConfigChanged { .. }) && f.certainty == Certainty::Certain);
    let innocent = analysers::may_be_innocent(snapshot) || unpullable(snapshot);
    let mut all: Vec<Candidate> = vec![];
    for finding in findings {
        let actions = match &finding.cause {
            // a restart starts the same failing template, or what may be one
            Cause::OomKilled { .. }
            | Cause::MemoryLeak { .. }
            | Cause::FailingProbe { .. }
            | Cause::CrashLoop { .. }
            | Cause::Measured { word: CauseWord::MemoryLeak, .. }
                if new_template_fails =>
            {
                vec![]
            }
            Cause::CrashLoop { .. } if refused => vec![],
            Cause::CrashLoop { exit_code, .. } if analysers::never_starts(*exit_code) => vec![],
            Cause::OomKilled { .. }
            | Cause::MemoryLeak { .. }
            | Cause::FailingProbe { .. }
            | Cause::CrashLoop { .. }
            | Cause::Measured { word: CauseWord::MemoryLeak, .. } => restarts(snapshot, &finding.cause),
            Cause::Saturation { percent, .. } => scale(snapshot, *percent).into_iter().collect(),
            // the template before would want the same room, or be pulled from the same registry
            Cause::FailedRollout { .. } | Cause::ImagePull { .. } if innocent => vec![],
            // the template before reads the same
            Cause::FailedRollout { .. } if refused => pause(snapshot).into_iter().collect(),
            Cause::FailedRollout { .. } => back(snapshot).into_iter().chain(pause(snapshot)).collect(),
            Cause::ImagePull { .. } | Cause::Measured { word: CauseWord::ErrorBudgetBurn, .. } => {
                back(snapshot).into_iter().collect()
            }
            Cause::ConfigChanged { config, version, .. } if finding.certainty > Certainty::Possible => {
                restore(snapshot, config, *version).into_iter().collect()
            }
            Cause::ScaledToZero { before, .. } => {
                let workload = finding.subject.clone();
                vec![Action::ScaleWorkload { workload, replicas: *before }]
            }
            // what the state of the cluster shows
            Cause::MemoryLimitTooLow { .. } if new_template_fails => vec![],
            Cause::MemoryLimitTooLow { container, limit, .. } => {
                raise(snapshot, container, limit).into_iter().collect()
            }
            Cause::SecretRotated { .. } if new_template_fails || finding.certainty < Certainty::Likely => {
                vec![]
            }
            Cause::SecretRotated { .. } => renew(snapshot).into_iter().collect(),
            Cause::AutoscalerAtCeiling { .. } => widen(snapshot).into_iter().collect(),
            Cause::NodeNotReady { .. } | Cause::NodePressure { .. } => {
                cordon(snapshot, &finding.subject).into_iter().collect()
            }
            // a person's part: what is missing, too small or in the way is nobody's to remove by reflex
            Cause::PullSecretMissing { .. }
            | Cause::MissingConfig { .. }
            | Cause::QuotaExhausted { .. }
            | Cause::Unschedulable { .. }
            | Cause::BudgetDeadlock { .. }
            | Cause::VolumePending { .. }
            | Cause::JobFailed { .. }
            | Cause::JobStuck { .. }
            | Cause::NetworkPolicyBlocks { .. }
            | Cause::CertificateExpiring { .. }
            | Cause::ConfigChanged { .. }
            | Cause::DeclaredJob
            | Cause::NothingWrong
            | Cause::Measured { .. }
            // among them what only text says: a remedy for that would be one that a stranger can ask for
            | Cause::Logged { .. } => vec![],
        };
        for action in actions {
            if all.iter().all(|c| c.action != action) {
                all.push(candidate(all.len() + 1, action, snapshot, finding));
            }
        }
    }
    all
}

/// The registry gives no image to these pods, whatever its tag, as the kubelet says.
fn unpullable(snapshot: &Snapshot) -> bool {
    let pods = snapshot.pod.iter().flatten().chain(snapshot.pods.iter().flatten());
    let mut troubles = pods.flat_map(|pod| &pod.containers).map(analysers::pull_trouble);
    troubles.any(|trouble| matches!(trouble, PullTrouble::Denied | PullTrouble::Unreachable))
}

/// Half as much memory again for a container that is killed at its limit from the start.
fn raise(snapshot: &Snapshot, container: &str, limit: &str) -> Option<Action> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?.object.clone();
    if !matches!(workload.named.kind, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet) {
        return None;
    }
    let from = Resource::Memory.read(limit)?;
    let to = from.checked_mul(100 + MOST_PERCENT)?.checked_div(100)?;
    let step = ResourceStep::new(Resource::Memory, from, to)?;
    Some(Action::SetResources { workload, container: container.to_owned(), step })
}

/// New pods, which read what is there now. None where pods are not well enough to be replaced one after the other.
fn renew(snapshot: &Snapshot) -> Option<Action> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    let kind = workload.object.named.kind;
    matches!(kind, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet)
        .then(|| Action::RestartWorkload { workload: workload.object.clone() })
}

/// A higher ceiling, by as much as replicas would be added.
fn widen(snapshot: &Snapshot) -> Option<Action> {
    let (scaler, autoscaler) = analysers::autoscaler_held(snapshot)?;
    let max = scaler.max.checked_add(more(scaler.max, 0))?;
    let bounds = HpaBounds::new(scaler.min, max)?;
    (!autoscaler.uid.is_empty()).then_some(Action::SetHpaBounds { autoscaler, bounds })
}

/// No further pods onto the node that the alert is about.
fn cordon(snapshot: &Snapshot, node: &Object) -> Option<Action> {
    let known = snapshot.around.nodes.iter().flatten().find(|known| known.object == *node)?;
    let named = snapshot.target == *node && node.named.kind == Kind::Node;
    (named && !known.cordoned).then(|| Action::CordonNode { node: node.clone() })
}

/// A Deployment whose template may be failing, for all that was read.
fn rollout_unread(snapshot: &Snapshot) -> bool {
    let unread = snapshot.revisions.is_err() || snapshot.workload.is_err() || snapshot.pods.is_err();
    // a template that no node can take is known by the nodes alone
    let pods = snapshot.pod.iter().flatten().chain(snapshot.pods.iter().flatten());
    let unplaced = snapshot.around.nodes.is_err() && pods.into_iter().any(analysers::unplaced);
    snapshot.owner.0.named.kind == Kind::Deployment && (unread || unplaced)
}

fn candidate(number: usize, action: Action, snapshot: &Snapshot, finding: &Finding) -> Candidate {
    Candidate {
        id: CandidateId::new(format!("c{number}")),
        action,
        owner: snapshot.owner.clone(),
        cause: finding.cause.name().to_owned(),
        evidence: finding.evidence.clone(),
    }
}

/// The pod that the alert names if the cause holds for it, else the affected pods. Only where a controller
/// that belay knows brings the pod back: evicting a Job's pod or a bare one only loses it.
fn restarts(snapshot: &Snapshot, cause: &Cause) -> Vec<Action> {
    let comes_back = matches!(
        snapshot.owner.0.named.kind,
        Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::DaemonSet
    );
    if !comes_back {
        return vec![];
    }
    let affected = analysers::affected(snapshot, cause);
    let named = affected.iter().find(|p| p.object.uid == snapshot.target.uid);
    let chosen: Vec<&Pod> = named.map_or_else(|| affected.clone(), |pod| vec![*pod]);
    chosen
        .into_iter()
        .filter(|p| p.controller.is_some())
        .map(|p| Action::RestartPod { pod: p.object.clone() })
        .collect()
}

/// Back to the newest earlier template that was seen to work for a while; where none was, to one of which pods
/// serve right now, unless it was watched from its beginning and never did.
fn back(snapshot: &Snapshot) -> Option<Action> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    let (_, older) = snapshot.revisions.as_ref().ok()?.split_first()?;
    let template = recorded::back(snapshot.recorded.workload.as_ref(), older)?.template_hash.clone();
    let template = TemplateHash::try_from(template).ok()?;
    let workload = workload.object.clone();
    (workload.named.kind == Kind::Deployment).then_some(Action::RollbackWorkload { workload, template })
}

/// The content that a ConfigMap or Service had before, as it was recorded.
fn restore(snapshot: &Snapshot, config: &Object, version: u64) -> Option<Action> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?.object.clone();
    if !matches!(workload.named.kind, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet) {
        return None;
    }
    let known = snapshot.recorded.configs.iter().find(|known| known.object == *config)?;
    let change = known.changes.iter().find(|change| change.version == version)?;
    let differs = !change.fields.is_empty() || change.withheld.iter().any(|field| field.changed);
    let restore = Restore {
        workload: Some(workload),
        seen: Some(change.seen),
        fields: change.fields.clone(),
        withheld: change.withheld.clone(),
    };
    differs.then(|| Action::RestoreConfig { config: config.clone(), version, restore })
}

/// No further with the new template, while pods of the one before serve.
fn pause(snapshot: &Snapshot) -> Option<Action> {
    let (workload, _) = rolling(snapshot)?;
    Some(Action::PauseRollout { workload })
}

/// A Deployment between two templates, and the newest earlier one of which pods serve.
fn rolling(snapshot: &Snapshot) -> Option<(Object, &Revision)> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    let (_, older) = snapshot.revisions.as_ref().ok()?.split_first()?;
    let serves = older.iter().find(|revision| revision.ready > 0)?;
    (workload.object.named.kind == Kind::Deployment).then(|| (workload.object.clone(), serves))
}

/// More replicas of a Deployment. None where an autoscaler sets the number, or might: it would set it back.
fn scale(snapshot: &Snapshot, percent: u32) -> Option<Action> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    let autoscaled = !snapshot.autoscalers.as_ref().is_ok_and(Vec::is_empty);
    if workload.object.named.kind != Kind::Deployment || workload.desired == 0 || autoscaled {
        return None;
    }
    let replicas = workload.desired.checked_add(more(workload.desired, percent))?;
    Some(Action::ScaleWorkload { workload: workload.object.clone(), replicas })
}

/// Use at the limit says nothing of how much more is wanted (the kernel cuts it off there), so: half as many
/// again, or what the measured use alone asks for if that is more, within 1 and 2.
fn more(desired: u32, percent: u32) -> u32 {
    let half = desired.div_ceil(2);
    let enough = desired.saturating_mul(percent).div_ceil(AIM_PERCENT).saturating_sub(desired);
    half.max(enough).clamp(1, MOST_MORE)
}

#[cfg(test)]
mod tests {
    use super::more;

    #[test]
    fn three_saturated_replicas_become_five_and_never_more_than_two_are_added() {
        for (desired, percent, expected) in [
            (3, 98, 2),
            (3, 90, 2),
            (1, 90, 1),
            (1, 300, 2),
            (2, 90, 1),
            (40, 95, 2),
            (u32::MAX, u32::MAX, 2),
        ] {
            assert_eq!(more(desired, percent), expected, "{desired} at {percent} %");
        }
    }
}
