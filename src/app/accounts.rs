//! What models cost, in the journal: each asking is written down before it is sent, with what it may cost at
//! most, and again with what it did cost. Budgets are held against the stream, never against memory alone, so
//! that they survive restarts and crashes.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::ids::StreamId;
use crate::domain::record::Record;
use crate::domain::spend::{Became, Invocation};
use crate::investigate::budget::{Book, Budgets, DAY};
use crate::ports::clock::SharedClock;
use crate::ports::model::{self, Left, Undrawn};
use crate::ports::store::{Append, AppendError, Store, StoreError};
use crate::telemetry::{Asked, ModelMetrics};

/// How many entries are read at once: a page that stays well under a megabyte.
const PAGE: u64 = 1_000;
/// How often a draw is written anew because another daemon was faster. More means that something spins.
const TRIES: usize = 16;

/// The accounts of one daemon.
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: SharedClock,
    budgets: Budgets,
    kept: Mutex<Kept>,
    metrics: OnceLock<ModelMetrics>,
}

/// The fold, and the number of the last entry in it.
#[derive(Default)]
struct Kept {
    seq: Option<u64>,
    book: Book,
}

/// The stream of what models cost.
pub(super) fn stream() -> StreamId {
    StreamId::new("models")
}

impl Accounts {
    /// Accounts in this journal, held to these budgets.
    pub fn new(store: Arc<dyn Store>, clock: SharedClock, budgets: Budgets) -> Self {
        Self { store, clock, budgets, kept: Mutex::default(), metrics: OnceLock::new() }
    }

    /// From now on what is asked is counted there, too.
    pub(super) fn counted_by(&self, metrics: ModelMetrics) {
        // a daemon has one set of counters: whoever came first stays
        let _ = self.metrics.set(metrics);
    }

    /// The fold, brought up to date.
    async fn recalled(&self) -> Result<MutexGuard<'_, Kept>, StoreError> {
        let mut kept = self.kept.lock().await;
        let mut seq = match kept.seq {
            Some(seq) => seq,
            None => self.a_day_ago().await?,
        };
        loop {
            let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
            let entries = self.store.range(&stream(), seq + 1, page).await?;
            if entries.is_empty() {
                break;
            }
            for entry in &entries {
                if let Record::Invoked(invocation) = &entry.record {
                    kept.book.take(entry.at, invocation);
                }
                seq = entry.seq;
            }
        }
        kept.seq = Some(seq);
        kept.book.forget(self.clock.now());
        Ok(kept)
    }

    /// The number of an entry before which nothing matters any more: two days, so that a clock that jumps back
    /// by one forgets nothing.
    async fn a_day_ago(&self) -> Result<u64, StoreError> {
        let heads = self.store.heads().await?;
        let mut before = heads.iter().find(|head| head.stream == stream()).map_or(0, |head| head.entries);
        let since = self.clock.now().checked_sub(DAY.saturating_add(DAY)).unwrap_or(jiff::Timestamp::MIN);
        while before > 0 {
            before = before.saturating_sub(PAGE);
            let oldest = self.store.range(&stream(), before + 1, 1).await?;
            if oldest.first().is_some_and(|entry| entry.at < since) {
                break;
            }
        }
        Ok(before)
    }

    fn append(&self, expected: Option<u64>, invocation: &Invocation) -> Append {
        let mut append = Append::to(stream(), expected, self.clock.now());
        append.records.push(Record::Invoked(Box::new(invocation.clone())));
        append
    }

    async fn try_draw(&self, most: &Invocation) -> Result<(), Undrawn> {
        for _ in 0..TRIES {
            let kept = self.recalled().await.map_err(|e| unwritten(&e))?;
            kept.book
                .allows(&self.budgets, most, self.clock.now())
                .map_err(|over| Undrawn::Over(over.to_string()))?;
            match self.store.append(self.append(kept.seq, most)).await {
                Ok(_) => return Ok(()),
                Err(AppendError::Moved { .. }) => {}
                Err(e) => return Err(Undrawn::Unwritten(e.to_string())),
            }
        }
        Err(Undrawn::Unwritten("others were always faster".to_owned()))
    }

    /// The one place where an asking is logged and counted.
    fn tell(&self, done: &Invocation) {
        let Invocation { by, endpoint, model, usage, cost, took, became, .. } = done;
        let error = match became {
            Became::Failed { why } => Some(why.as_str()),
            Became::Answered | Became::Underway => None,
        };
        tracing::info!(
            gen_ai.operation.name = "chat",
            gen_ai.request.model = %model,
            gen_ai.conversation.id = %by,
            gen_ai.usage.input_tokens = usage.prompt,
            gen_ai.usage.output_tokens = usage.completion,
            gen_ai.usage.cache_read.input_tokens = usage.cached,
            %endpoint,
            cost = cost.map(tracing::field::display),
            seconds = took.as_secs_f64(),
            error,
            "a model was asked"
        );
        if let Some(metrics) = self.metrics.get() {
            let asked = if error.is_none() { Asked::Answered } else { Asked::Failed };
            metrics.asked(asked, usage.prompt, usage.completion, usage.cached);
        }
    }
}

fn unwritten(error: &StoreError) -> Undrawn {
    Undrawn::Unwritten(error.to_string())
}

#[async_trait]
impl model::Accounts for Accounts {
    async fn draw(&self, most: &Invocation) -> Result<(), Undrawn> {
        let drawn = self.try_draw(most).await;
        if let Err(undrawn) = &drawn {
            tracing::warn!(incident = %most.by, endpoint = %most.endpoint, error = %undrawn, "a model was not asked");
        }
        drawn
    }

    async fn settle(&self, done: &Invocation) {
        self.tell(done);
        // one at a time, so that a draw of this daemon is never too late because of it
        let _kept = self.kept.lock().await;
        if let Err(e) = self.store.append(self.append(None, done)).await {
            tracing::warn!(call = %done.call, error = %e, "what a model cost could not be written down: the most that it could have cost stays");
        }
    }

    async fn left(&self, by: &str) -> Result<Left, Undrawn> {
        let kept = self.recalled().await.map_err(|e| unwritten(&e))?;
        kept.book.left(&self.budgets, by, self.clock.now()).map_err(|over| Undrawn::Over(over.to_string()))
    }
}
