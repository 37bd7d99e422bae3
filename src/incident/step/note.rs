//! Whenever more is known of an act than before, the track records are to hear of it.

use crate::domain::ids::IntentId;
use crate::domain::record::{Answer, Record};

use super::super::act::Act;
use super::super::effect::Effect;
use super::Writer;

impl Writer<'_> {
    /// Has a note written about every act of which this step says something. An undo says something of the
    /// act that it puts back.
    pub(super) fn note(&mut self) {
        let mut about: Vec<IntentId> = Vec::new();
        for record in &self.step.records {
            match record {
                Record::Intended(intent) => about.push(intent.reverts.clone().unwrap_or(intent.id.clone())),
                Record::Acted { intent, .. }
                | Record::Verified { intent, .. }
                | Record::Recurred { intent, .. } => about.push(self.original(intent)),
                Record::Answered { answer: Answer::Confirm, .. } => {
                    let open = self.state.question.as_ref();
                    about.extend(open.and_then(|q| q.question.intent.as_ref()).map(|i| self.original(i)));
                }
                Record::Escalated { .. } | Record::Closed { .. } => {
                    let unjudged = |act: &&Act| act.ended_at.is_none() && act.intent.reverts.is_none();
                    about.extend(self.state.acts.iter().filter(unjudged).map(|act| act.intent.id.clone()));
                }
                _ => {}
            }
        }
        about.sort();
        about.dedup();
        for intent in about {
            self.effect(Effect::Note { intent });
        }
    }

    fn original(&self, intent: &IntentId) -> IntentId {
        let reverts = self.state.act(intent).and_then(|act| act.intent.reverts.clone());
        reverts.unwrap_or_else(|| intent.clone())
    }
}
