//! The question that policy is asked: facts of this moment, read anew each of the three times.

use std::collections::BTreeSet;

use crate::diagnose;
use crate::domain::cluster::{ActiveAlert, Part, Snapshot};
use crate::domain::decision::{
    AlertFacts, ApprovalFacts, Asked, ClusterFacts, Fact, FindingFacts, HistoryFacts, IncidentFacts, Question,
};
use crate::domain::evidence::Preserved;
use crate::domain::finding::{Certainty, Finding};
use crate::domain::ids::{CandidateId, IntentId};
use crate::domain::plan::{INTENT_ANNOTATION, Plan};
use crate::domain::record::{Answer, Diagnosis, Investigator};
use crate::incident::State;
use crate::policy;
use crate::ports::reads::{Located, ReadError};

use super::Daemon;
use super::effects::NotNow;
use super::incidents::FeedError;
use super::sites::Kept;
use super::watch::Sensed;

/// What is asked about.
pub(super) struct Asking<'a> {
    /// Which of the three times.
    pub asked: Asked,
    /// About which candidate.
    pub candidate: &'a CandidateId,
    /// About which plan.
    pub plan: Option<&'a Plan>,
    /// By which policy set: the one that will decide, so that the limits looked up are those it judges by.
    pub set: &'a policy::PolicySet,
    /// The intent whose own draws do not count against it.
    pub but: Option<&'a IntentId>,
}

impl Daemon {
    /// The cluster around the incident, now.
    pub(super) async fn snapshot(&self, state: &State) -> Result<Option<Snapshot>, NotNow> {
        let Some(named) = state.target.named() else { return Ok(None) };
        let site = self.site(&state.cluster)?;
        let located = match (site.reads.locate(named).await, &state.owner) {
            (Ok(located), _) => located,
            // the pod that the alert named is gone; its owner still answers for it
            (Err(ReadError::NotFound { .. }), Some(owner)) => {
                Located { target: owner.0.clone(), owner: owner.clone() }
            }
            (Err(e), _) => return Err(e.into()),
        };
        let mut snapshot = site.reads.snapshot(&located).await?;
        if let (Some(recorder), Ok(Some(workload))) = (&site.recorder, &snapshot.workload) {
            snapshot.recorded = recorder.memory(workload, snapshot.at);
        }
        Ok(Some(snapshot))
    }

    /// The whole question.
    pub(super) async fn question(&self, state: &State, asking: Asking<'_>) -> Result<Question, NotNow> {
        let missing = |what: &str| NotNow(format!("there is no {what} to ask policy about"));
        let snapshot = self.snapshot(state).await?.ok_or_else(|| missing("target"))?;
        let lead = state.lead().ok_or_else(|| missing("alert"))?;
        let diagnosis = state.diagnosis.as_ref().ok_or_else(|| missing("diagnosis"))?;
        let candidate = state.candidate(asking.candidate).ok_or_else(|| missing("candidate"))?;
        let stated = |f: &&Finding| !f.cause.is_told() && f.cause.name() == candidate.cause;
        let finding = diagnosis.findings.iter().find(stated);
        let now = self.now();
        let (target, owner) = diagnose::facts(&snapshot, &lead.labels, &candidate.action);
        let kept = self.kept(&state.cluster)?;
        let (cluster, active) = self.cluster_facts(kept, &snapshot, asking.but).await?;
        let mut question = Question {
            asked: asking.asked,
            incident: state.id.clone(),
            // an undo is another action than the one that was chosen
            action: asking.plan.map_or(&candidate.action, |plan| &plan.action).clone(),
            plan: asking.plan.cloned(),
            chosen_by_model: chosen_by_model(state),
            outside: state.outside().is_some(),
            alert: AlertFacts {
                labels: lead.labels.clone(),
                severity: lead.severity(),
                starts_at: lead.starts_at,
                flaps: state.flaps,
            },
            finding: FindingFacts {
                cause: candidate.cause.clone(),
                certainty: finding.map_or(Certainty::Possible, |f| f.certainty),
                // an analyser looks at one root owner
                services: Fact::Known(1),
                beside: beside(diagnosis, &snapshot),
            },
            incident_facts: IncidentFacts {
                acknowledged_elsewhere: silenced(state, active.as_ref()),
                severity: Fact::Known(lead.severity()),
                flagged: flagged(state),
            },
            target,
            owner,
            history: HistoryFacts::default(),
            cluster,
            approval: approval(state),
            // nobody looks them up: such groups are nobody
            people: std::collections::BTreeMap::new(),
            undoes: None,
            now,
        };
        question.target.kept = preserved(state, &question);
        question.history = self.history(asking.set, &question, asking.but).await?;
        Ok(question)
    }

    /// What was drawn upon the limits that could matter for this question.
    async fn history(
        &self,
        set: &policy::PolicySet,
        question: &Question,
        but: Option<&IntentId>,
    ) -> Result<HistoryFacts, NotNow> {
        let keys = policy::history_keys(set, question);
        let taken = self.ports().store.taken(&keys, but).await?;
        let taken = taken.into_iter().filter(|(_, at)| !at.is_empty()).collect();
        Ok(HistoryFacts { taken, ..self.past(question).await? })
    }

    async fn cluster_facts(
        &self,
        kept: &Kept,
        snapshot: &Snapshot,
        but: Option<&IntentId>,
    ) -> Result<(ClusterFacts, Option<Part<Vec<ActiveAlert>>>), NotNow> {
        let store = &self.ports().store;
        let holds = store.holds().await?;
        let in_flight = store.taken(&[policy::IN_FLIGHT.to_owned()], but).await?;
        let in_flight: usize = in_flight.iter().map(|(_, at)| at.len()).sum();
        let Sensed { facts, active } = self.sense(kept).await?;
        let facts = ClusterFacts {
            actions_in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
            holds: holds.into_iter().map(|h| format!("{}: {}", h.hold, h.reason)).collect(),
            strange_intents: self.strange(snapshot).await?,
            ..facts
        };
        Ok((facts, active))
    }

    /// Whether an object carries an intent that the journal does not know: the journal was lost, or
    /// somebody else runs belay here.
    async fn strange(&self, snapshot: &Snapshot) -> Result<bool, NotNow> {
        for intent in carried(snapshot) {
            let known = match intent.incident() {
                None => false,
                Some(incident) => match self.incident(&incident).await {
                    Ok(state) => state.act(&intent).is_some(),
                    Err(FeedError::NoIncident(_)) => false,
                    Err(e) => return Err(NotNow(e.to_string())),
                },
            };
            if !known {
                tracing::warn!(%intent, owner = %snapshot.owner, "an object carries an intent that the journal does not know");
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The intents that the owner and its pods carry.
fn carried(snapshot: &Snapshot) -> BTreeSet<IntentId> {
    let workload = snapshot.workload.iter().flatten().map(|w| &w.annotations);
    let pods = snapshot.pods.iter().flatten().map(|p| &p.annotations);
    let marks = workload.chain(pods).filter_map(|a| a.get(INTENT_ANNOTATION));
    marks.filter(|mark| !mark.is_empty()).map(|mark| IntentId::new(mark.clone())).collect()
}

/// What always goes to a person: as it was found then, and as it shows now.
fn beside(diagnosis: &Diagnosis, snapshot: &Snapshot) -> BTreeSet<String> {
    let then = diagnosis.findings.iter().filter(|f| f.is_for_a_person()).map(|f| f.cause.word());
    then.chain(diagnose::alarms(snapshot)).map(|word| word.name().to_owned()).collect()
}

fn chosen_by_model(state: &State) -> bool {
    // an outside agent is a model to belay, and a person is asked
    matches!(
        state.choice.as_ref().map(|c| &c.by),
        Some(Investigator::Model { .. } | Investigator::Outside { .. })
    )
}

/// Whether text that was read speaks to its reader: what the analysers read, or what the model did.
fn flagged(state: &State) -> Fact<bool> {
    let Some(choice) = &state.choice else { return Fact::NotApplicable };
    let evidence = state.diagnosis.iter().flat_map(|diagnosis| &diagnosis.evidence);
    Fact::Known(!choice.flags.is_empty() || evidence.into_iter().any(|e| !e.flags.is_empty()))
}

/// Whether somebody has the incident in hand elsewhere: so far, by having silenced an alert of it in
/// Alertmanager. No other tool is connected that could know.
fn silenced(state: &State, active: Option<&Part<Vec<ActiveAlert>>>) -> Fact<bool> {
    let ours = |alert: &ActiveAlert| alert.silenced && state.alerts.contains_key(&alert.fingerprint);
    match active {
        None => Fact::NotApplicable,
        Some(Err(why)) => Fact::Unknown(why.clone()),
        Some(Ok(active)) => Fact::Known(active.iter().any(ours)),
    }
}

/// The approvals given to the open question.
fn approval(state: &State) -> Option<ApprovalFacts> {
    let open = state.question.as_ref()?;
    let given: Vec<_> = open.answers.iter().filter(|(_, answer, _)| *answer == Answer::Approve).collect();
    let at = given.iter().map(|(_, _, at)| *at).max()?;
    let by = given.into_iter().map(|(by, _, _)| by.clone()).collect();
    Some(ApprovalFacts { plan: open.question.plan, by, at })
}

/// What was kept of what the planned act takes away.
fn preserved(state: &State, question: &Question) -> Fact<bool> {
    let takes_away = question.plan.is_some() && question.action.removes_pods();
    match &state.kept {
        _ if !takes_away => Fact::NotApplicable,
        Some(Preserved::Blob(_)) => Fact::Known(true),
        Some(Preserved::Not(why)) => Fact::Unknown(why.clone()),
        None => Fact::Unknown("nothing was kept".to_owned()),
    }
}
