//! The stream `acts`: what became of each act is noted there, and track records are folded from it. The
//! fold is kept in memory and only ever reads on.

use tokio::sync::{Mutex, MutexGuard};

use crate::domain::decision::{Fact, HistoryFacts, Question};
use crate::domain::ids::{IntentId, StreamId};
use crate::domain::record::Record;
use crate::domain::track::{ActNote, Became, PutBack, Track};
use crate::incident::{Phase, State};
use crate::policy::{self, Book};
use crate::ports::store::{Append, AppendError, StoreError};

use super::Daemon;
use super::effects::{Done, NotNow};

/// How many entries are read at once: a page that stays well under a megabyte.
const PAGE: usize = 1_000;

/// The fold, and the number of the last entry in it.
#[derive(Default)]
pub(super) struct Kept {
    seq: u64,
    book: Book,
}

/// The fold as the daemon keeps it.
pub(super) type Acts = Mutex<Kept>;

/// The stream of acts.
pub(super) fn stream() -> StreamId {
    StreamId::new("acts")
}

impl Daemon {
    /// The fold, brought up to date.
    async fn recalled(&self) -> Result<MutexGuard<'_, Kept>, StoreError> {
        let mut kept = self.inner.acts.lock().await;
        loop {
            let entries = self.ports().store.range(&stream(), kept.seq + 1, PAGE).await?;
            if entries.is_empty() {
                return Ok(kept);
            }
            for entry in &entries {
                kept.book.take(entry.at, &entry.record);
                kept.seq = entry.seq;
            }
        }
    }

    /// What the stream adds up to now.
    pub(super) async fn book(&self) -> Result<Book, StoreError> {
        Ok(self.recalled().await?.book.clone())
    }

    /// Writes down what is known of an act, unless that was written before.
    pub(super) async fn note(&self, state: &State, intent: &IntentId) -> Done {
        let Some(note) = self.note_of(state, intent) else { return Ok(None) };
        let known = self.recalled().await?.book.act(intent).cloned();
        let joined = known.clone().map(|mut known| {
            known.join(&note);
            known
        });
        if joined.is_some() && joined == known {
            return Ok(None);
        }
        self.append_acts(Record::Noted(Box::new(note))).await.map_err(|e| NotNow(e.to_string()))?;
        Ok(None)
    }

    fn note_of(&self, state: &State, intent: &IntentId) -> Option<ActNote> {
        let act = state.act(intent).filter(|act| act.intent.reverts.is_none())?;
        let over = matches!(state.phase, Phase::Escalated | Phase::Closed);
        let became = act.became(over);
        let question = state.decided.as_ref().map(|decided| &decided.question);
        let known_at = act.ended_at.unwrap_or(state.updated_at);
        Some(ActNote {
            intent: intent.clone(),
            incident: state.id.clone(),
            grant: act.intent.grant().clone(),
            environment: question.and_then(|question| policy::environment(&self.policies(), question)),
            owner: act.intent.plan.owner.clone(),
            action: act.intent.plan.action.kind(),
            cause: act.cause.clone(),
            at: act.intended_at,
            approved_by: act.approved_by.clone(),
            confirmed_by: act.confirmed_by.clone(),
            became,
            became_at: (became != Became::Open).then_some(known_at),
            put_back: act.put_back.clone().map(|(at, by)| PutBack { at, by }),
        })
    }

    /// Appends one record to the stream.
    pub(super) async fn append_acts(&self, record: Record) -> Result<(), AppendError> {
        let mut append = Append::to(stream(), None, self.now());
        append.records.push(record);
        self.ports().store.append(append).await.map(drop)
    }

    /// What the past says that bears on this question.
    pub(super) async fn past(&self, question: &Question) -> Result<HistoryFacts, NotNow> {
        let set = self.policies();
        let environment = policy::environment(&set, question);
        let kept = self.recalled().await?;
        let book = &kept.book;
        let tracks = policy::track_grants(&set, question).into_iter().map(|grant| {
            let track = book.track(&grant, environment.as_deref(), question.now);
            (grant, track)
        });
        Ok(HistoryFacts {
            acts: Fact::Known(book.on(&question.owner.owner)),
            verdicts: Fact::Known(book.verdicts()),
            missed: Fact::Known(book.missed()),
            tracks: tracks.filter(|(_, track)| *track != Track::default()).collect(),
            ..HistoryFacts::default()
        })
    }
}
