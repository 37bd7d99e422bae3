//! The stream `memory`: what is remembered of each incident is noted there once it is over or a person has it. The
//! fold over the newest notes is kept in memory and only ever reads on.

use tokio::sync::{Mutex, MutexGuard};

use crate::diagnose::recall::{self, Recall};
use crate::domain::ids::{IncidentId, StreamId};
use crate::domain::past::{Did, IncidentNote};
use crate::domain::record::{Outcome, Record};
use crate::incident::{Phase, State};
use crate::ports::store::{Append, StoreError};

use super::Daemon;
use super::incidents::FeedError;
use super::loops::Ended;

/// How many entries are read at once: a page that stays well under two megabytes.
const PAGE: usize = 1_000;
/// Of so many entries back it is read anew at a start: what is kept in mind, twice noted each.
const BACK: u64 = 2 * recall::KEPT as u64;

/// The fold, and the number of the last entry in it.
#[derive(Default)]
pub(super) struct Kept {
    seq: Option<u64>,
    recall: Recall,
}

/// The fold as the daemon keeps it.
pub(super) type Memory = Mutex<Kept>;

fn stream() -> StreamId {
    StreamId::new("memory")
}

impl Kept {
    pub(super) const fn recall(&self) -> &Recall {
        &self.recall
    }
}

impl Daemon {
    /// What is remembered, brought up to date.
    pub(super) async fn remembered(&self) -> Result<MutexGuard<'_, Kept>, StoreError> {
        let store = &self.ports().store;
        let mut kept = self.inner.memory.lock().await;
        let mut seq = if let Some(seq) = kept.seq {
            seq
        } else {
            let heads = store.heads().await?;
            let own = heads.into_iter().find(|head| head.stream == stream());
            own.map_or(0, |head| head.entries).saturating_sub(BACK)
        };
        loop {
            let entries = store.range(&stream(), seq + 1, PAGE).await?;
            for entry in &entries {
                if let Record::Remembered(note) = &entry.record {
                    kept.recall.take((**note).clone());
                }
                seq = entry.seq;
            }
            kept.seq = Some(seq);
            if entries.len() < PAGE {
                return Ok(kept);
            }
        }
    }

    /// Writes down what is to be remembered of this incident, unless that was written before.
    pub(super) async fn remember_incident(&self, incident: &IncidentId) -> Result<Ended, FeedError> {
        let (_, state) = self.load(incident).await?;
        let Some(note) = note(&state) else { return Ok(Ended::Done) };
        if self.remembered().await?.recall.of(incident) == Some(&note) {
            return Ok(Ended::Done);
        }
        let mut append = Append::to(stream(), None, self.now());
        append.records.push(Record::Remembered(Box::new(note)));
        Ok(match self.ports().store.append(append).await {
            Ok(_) => Ended::Done,
            Err(e) => Ended::Failed(e.to_string()),
        })
    }
}

/// What is remembered of an incident; nothing of one that another one goes on for.
fn note(state: &State) -> Option<IncidentNote> {
    let lead = state.lead()?;
    let findings = state.diagnosis.as_ref().map(|d| d.findings.as_slice()).unwrap_or_default();
    let over = matches!(state.phase, Phase::Escalated | Phase::Closed);
    let outcome = state.closed.as_ref().map(|(outcome, _, _)| *outcome);
    let did = state.acts.iter().filter(|act| act.intent.reverts.is_none()).map(|act| Did {
        action: act.intent.plan.action.kind(),
        became: act.became(over),
        reverted: act.put_back.is_some(),
    });
    (outcome != Some(Outcome::Merged)).then(|| IncidentNote {
        incident: state.id.clone(),
        cluster: state.cluster.clone(),
        alert: crate::domain::redact::line(lead.name(), 200),
        owner: state.owner.clone(),
        causes: recall::causes(findings),
        labels: recall::labels(lead),
        text: recall::text(lead, findings),
        opened_at: state.opened_at,
        outcome,
        false_alarm: outcome == Some(Outcome::Notified) && state.quiet_until.is_some(),
        escalated: !state.escalations.is_empty(),
        did: did.collect(),
    })
}
