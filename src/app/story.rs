//! An incident as people read it: its state and records, arranged for `notify`.

use crate::domain::message::View;
use crate::domain::record::{Entry, Record};
use crate::incident::State;
use crate::notify::{self, Act, Closed, Escalation, Open, Story};
use crate::store::Durable;

use super::Daemon;

impl Daemon {
    /// The incident's message as it stands now.
    pub(super) async fn view(&self, entries: &[Durable<Entry>], state: &State) -> View {
        let holds = self.ports().store.holds().await.unwrap_or_default();
        let holds = holds.into_iter().map(|h| format!("{}: {}", h.hold, h.reason)).collect();
        notify::view(&story(entries, state, holds, self.now()))
    }
}

fn story(entries: &[Durable<Entry>], state: &State, holds: Vec<String>, now: jiff::Timestamp) -> Story {
    let mut story = Story {
        incident: state.id.clone(),
        version: state.news,
        cluster: state.cluster.clone(),
        alerts: state.lead().into_iter().cloned().collect(),
        target: state.target.clone(),
        owner: state.owner.clone(),
        diagnosis: state.diagnosis.clone(),
        choice: state.choice.clone(),
        suggestions: state.suggestions.clone(),
        decisions: Vec::new(),
        plan: state.plan.clone(),
        kept: state.kept.clone(),
        not_planned: None,
        acts: state.acts.iter().map(act).collect(),
        open: state.question.as_ref().map(open),
        answers: Vec::new(),
        escalations: Vec::new(),
        closed: None,
        holds,
        now,
    };
    let lead = state.lead().map(|a| a.fingerprint.clone());
    story.alerts.extend(state.alerts.values().filter(|a| Some(&a.fingerprint) != lead.as_ref()).cloned());
    for entry in entries {
        tell(&mut story, &entry.record);
    }
    story.closed = state
        .closed
        .as_ref()
        .map(|(outcome, summary, _)| Closed { outcome: *outcome, summary: summary.clone() });
    story
}

/// What only the records tell.
fn tell(story: &mut Story, record: &Record) {
    match record {
        // the cluster was looked at anew: what came before is history
        Record::Diagnosed(_) => {
            story.decisions.clear();
            story.not_planned = None;
        }
        Record::Decided(decided) => story.decisions.push(decided.decision.clone()),
        Record::NotPlanned { refusal, .. } => story.not_planned = Some(refusal.clone()),
        Record::Answered { answer, by, .. } => story.answers.push((by.clone(), answer.clone())),
        Record::Escalated { why, hands_off } => {
            story.escalations.push(Escalation { why: why.clone(), hands_off: *hands_off });
        }
        // an incident that is over and comes back is not in a person's hands because of its past
        Record::Closed { .. } => story.escalations.clear(),
        _ => {}
    }
}

fn act(act: &crate::incident::Act) -> Act {
    Act {
        intent: act.intent.clone(),
        applied: act.applied.clone(),
        verdict: act.verdict.clone(),
        came_again: act.recurred.then(|| act.seen.clone()),
    }
}

fn open(open: &crate::incident::OpenQuestion) -> Open {
    let asks_first = open.question.ask == crate::domain::record::Ask::Approve;
    let from = if asks_first { Some(open.asked_at) } else { open.accepted_at };
    let until = from.and_then(|t| t.saturating_add(open.question.within).ok());
    Open { question: open.question.clone(), until }
}
