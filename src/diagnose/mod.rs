//! Diagnosis: from one snapshot to findings, evidence and the closed set of candidates. Pure; text from the
//! cluster (logs, event messages, annotations) is shown as evidence. What a log says is a finding for people, and at most
//! makes the outcome stricter: it has no candidate and moves none.

mod analysers;
mod around;
pub mod brief;
mod candidates;
mod evidence;
mod facts;
pub mod recall;
pub mod runbooks;

pub use candidates::remedies;
pub use facts::{NOBODY_MINUTES, facts};

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::domain::action::job::Templates;
use crate::domain::alert::Labels;
use crate::domain::brief::Brief;
use crate::domain::cause::CauseWord;
use crate::domain::cluster::Snapshot;
use crate::domain::finding::{Cause, Finding};
use crate::domain::record::Diagnosis;

/// What the snapshot says about the object of an alert with these labels (authenticated by the webhook).
///
/// `jobs` are those that somebody declared: they are candidates by the labels and the name of what the alert is
/// about, behind whatever an analyser suggests.
pub fn diagnose(snapshot: &Snapshot, labels: &Labels, jobs: &Templates) -> Diagnosis {
    let mut book = evidence::gather(snapshot);
    let mut findings: Vec<Finding> =
        analysers::ALL.iter().filter_map(|analyse| analyse(snapshot, &book)).collect();
    findings.extend(analysers::measured(snapshot, labels, &book));
    findings.extend(analysers::scaled_to_zero(snapshot, labels, &book));
    if findings.is_empty() {
        findings.extend(analysers::nothing_wrong(snapshot, labels, &book));
    }
    findings.extend(analysers::AROUND.iter().filter_map(|analyse| analyse(snapshot, &book)));
    findings.sort_by_key(|f| (Reverse(f.certainty), Reverse(severity(&f.cause))));
    let offers = candidates::offers(snapshot, labels, &findings, jobs);
    if findings.is_empty() {
        findings.extend(analysers::declared(snapshot, &offers, &book));
    }
    let candidates = candidates::candidates(snapshot, &findings, offers);
    // what text says comes after the candidates are made, and behind whatever is stated: it can add nothing to them
    let well = findings.iter().any(|finding| finding.cause == Cause::NothingWrong);
    let told = analysers::told(snapshot, &mut book);
    findings.extend(told.into_iter().filter(|finding| !well || finding.is_for_a_person()));
    let brief = Brief::default(); // looked up by whoever can wait for it
    Diagnosis { evidence: book.pages(), findings, candidates, missing: missing(snapshot), brief }
}

/// The causes that always go to a person, as this snapshot shows them: asked again whenever policy is.
pub fn alarms(snapshot: &Snapshot) -> BTreeSet<CauseWord> {
    analysers::alarms(snapshot)
}

/// Which of two equally certain causes people should read first: the one that explains the other.
const fn severity(cause: &Cause) -> u8 {
    match cause {
        Cause::NodeNotReady { .. } => 24,
        Cause::QuotaExhausted { .. } => 23,
        Cause::VolumePending { .. } => 22,
        Cause::PullSecretMissing { .. } => 21,
        Cause::ScaledToZero { .. } => 20,
        Cause::ConfigChanged { .. } => 19,
        Cause::FailedRollout { .. } => 18,
        Cause::MissingConfig { .. } => 17,
        Cause::Unschedulable { .. } => 16,
        Cause::NodePressure { .. } => 15,
        Cause::ImagePull { .. } => 14,
        Cause::MemoryLimitTooLow { .. } => 13,
        Cause::MemoryLeak { .. } => 12,
        Cause::OomKilled { .. } => 11,
        Cause::CrashLoop { .. } => 10,
        Cause::JobFailed { .. } => 9,
        Cause::JobStuck { .. } => 8,
        Cause::FailingProbe { .. } => 7,
        Cause::AutoscalerAtCeiling { .. } => 6,
        Cause::Saturation { .. } | Cause::Measured { .. } => 5,
        Cause::SecretRotated { .. } => 4,
        Cause::CertificateExpiring { .. } => 3,
        Cause::BudgetDeadlock { .. } => 2,
        Cause::NetworkPolicyBlocks { .. } => 1,
        Cause::DeclaredJob | Cause::NothingWrong | Cause::Logged { .. } => 0,
    }
}

/// What could not be read, one sentence each.
fn missing(snapshot: &Snapshot) -> Vec<String> {
    let Snapshot {
        at: _,
        target: _,
        owner: _,
        pod,
        workload,
        pods,
        revisions,
        events,
        budgets,
        autoscalers,
        usage,
        logs,
        neighbours,
        recorded,
        gauges,
        around,
    } = snapshot;
    let parts = [
        ("the pod", pod.as_ref().err()),
        ("the workload", workload.as_ref().err()),
        ("its pods", pods.as_ref().err()),
        ("its revisions", revisions.as_ref().err()),
        ("its events", events.as_ref().err()),
        ("its disruption budgets", budgets.as_ref().err()),
        ("its autoscalers", autoscalers.as_ref().err()),
        ("its measured use", usage.as_ref().err()),
        ("its logs", logs.as_ref().err()),
        ("the names beside it", neighbours.as_ref().err()),
    ];
    let sentence = |(part, why): (&str, Option<&String>)| {
        why.map(|why| format!("{part} could not be read: {}", crate::domain::redact::line(why, 300)))
    };
    let unwatched = recorded
        .unwatched
        .iter()
        .map(|why| format!("what changed before is not known: {}", crate::domain::redact::line(why, 300)));
    let unmeasured = gauges
        .unread
        .iter()
        .map(|why| format!("a measurement could not be read: {}", crate::domain::redact::line(why, 300)));
    let parts = parts.into_iter().filter_map(sentence).chain(unwatched).chain(unmeasured);
    parts.chain(around::missing(around).into_iter().filter_map(sentence)).collect()
}
