//! The store: the journal and what is kept beside it, behind one contract. Whatever implements it passes
//! the one contract suite (`tests/it/store/contract.rs`).
//!
//! `append` is one atomic, durable step: all of it or nothing. It is refused when the stream moved on
//! since it was read, or when a limit, lock or hold would be broken.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::canonical::Hash;
use crate::domain::decision::Draw;
use crate::domain::ids::{IntentId, StreamId};
pub use crate::domain::record::Entry;
use crate::domain::record::Record;
use crate::store::Durable;

/// One atomic step. Its version, holds and work are checked first, against what was there before it. Then
/// it takes effect in this order: work done, work enqueued, timers, names, holds, releases, reservations
/// (each seeing the ones before), and last the records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Append {
    /// Which stream.
    pub stream: StreamId,
    /// How many entries the writer knows of; `None` appends whatever is there (the daemon's own streams).
    pub expected: Option<u64>,
    /// When, by the writer's clock.
    pub at: Timestamp,
    /// What is written down, in order.
    pub records: Vec<Record>,
    /// Work that follows from it, in place of open work of the same name.
    pub enqueue: Vec<Work>,
    /// Work that this step completes. Completing what is not there (any more) refuses the step, so that
    /// two workers can never both complete it.
    pub done: Vec<WorkId>,
    /// Timers to set or clear.
    pub timers: Vec<TimerOp>,
    /// Limits and locks drawn upon.
    pub reserve: Vec<Reserve>,
    /// Intents whose unwindowed draws (in flight, locks) end. Windowed draws stay until they are old.
    pub release: Vec<IntentId>,
    /// Names under which the stream can be found.
    pub index: Vec<IndexOp>,
    /// Holds placed or lifted, in order.
    pub holds: Vec<HoldOp>,
    /// Refuse while any hold is in force (its own are not yet).
    pub unless_held: bool,
}

impl Append {
    /// An empty step on a stream; fill in what it does.
    pub const fn to(stream: StreamId, expected: Option<u64>, at: Timestamp) -> Self {
        Self {
            stream,
            expected,
            at,
            records: Vec::new(),
            enqueue: Vec::new(),
            done: Vec::new(),
            timers: Vec::new(),
            reserve: Vec::new(),
            release: Vec::new(),
            index: Vec::new(),
            holds: Vec::new(),
            unless_held: false,
        }
    }
}

/// The name of a piece of work; unique for ever (derive it from stream and sequence).
pub type WorkId = String;

/// A piece of work in the outbox: it is done at least once, until a step completes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Its name.
    pub id: WorkId,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Not before this moment.
    pub due: Timestamp,
    /// What to do, in the words of whoever enqueued it (JSON).
    pub what: String,
}

/// A piece of work that a worker holds until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The work.
    pub work: Work,
    /// The number of the last entry of its stream when it was enqueued: what it speaks of.
    pub entry: u64,
    /// How often it was claimed before, as far as is known (a crash may forget).
    pub attempts: u32,
    /// Until when nobody else gets it.
    pub until: Timestamp,
}

/// A change to the timers of the append's stream. One timer per name and stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerOp {
    /// Set it, in place of an earlier one of this name.
    Set {
        /// Its name within the stream.
        name: String,
        /// When it is due.
        due: Timestamp,
    },
    /// Clear it; nothing happens if it is not set.
    Clear {
        /// Its name within the stream.
        name: String,
    },
}

/// A timer that is due. It stays due until a step clears or resets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Whose.
    pub stream: StreamId,
    /// Which.
    pub name: String,
    /// Since when.
    pub due: Timestamp,
}

/// A draw upon limits by one intent. The same intent drawing again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    /// Who draws.
    pub intent: IntentId,
    /// Upon what. A windowed draw counts whatever was taken after `at − window`, moments in the future
    /// included (a clock that jumped back must not hide them).
    pub draw: Draw,
}

/// A name under which a stream can be found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexOp {
    /// `key` names the append's stream. Refused (`Taken`) if it names another one.
    Bind {
        /// The name.
        key: String,
    },
    /// `key` names nothing any more, if it named the append's stream.
    Unbind {
        /// The name.
        key: String,
    },
}

/// A hold placed or lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOp {
    /// Place it (again: the reason is replaced, since when it holds is not).
    Place {
        /// Its name.
        hold: String,
        /// Why.
        reason: String,
    },
    /// Lift it; nothing happens if it is not there.
    Lift {
        /// Its name.
        hold: String,
    },
}

/// A hold in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its name.
    pub hold: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// Why a step was not taken. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The stream has more entries than the writer knew of: load it again and decide again.
    #[error("the stream moved on: {known} entries were known, there are {found}")]
    Moved {
        /// What the writer knew.
        known: u64,
        /// What is there.
        found: u64,
    },
    /// A limit or lock would be broken.
    #[error("`{code}` is reached: {taken} of {max} taken")]
    Limit {
        /// The draw's code, as in `limit/perTarget`.
        code: String,
        /// Its key.
        key: String,
        /// How many are taken.
        taken: u32,
        /// How many there are.
        max: u32,
    },
    /// A hold is in force.
    #[error("acting is on hold: {0}")]
    Held(String),
    /// The key names another stream.
    #[error("`{key}` is taken by `{stream}`")]
    Taken {
        /// The key.
        key: String,
        /// What it names.
        stream: StreamId,
    },
    /// The work was completed by somebody else.
    #[error("the work `{0}` is already done")]
    AlreadyDone(WorkId),
    /// The step cannot be written down so that it reads back the same, or is too large. Trying again is
    /// of no use.
    #[error("the step cannot be written down: {0}")]
    Unwritable(String),
    /// It could not be made durable, or the store stopped for safety. Answer 503 and do not act.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or takes no more work now.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It found itself damaged: nothing is written until a person has looked (`belay audit verify`).
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// The head of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which stream.
    pub stream: StreamId,
    /// How many entries it has.
    pub entries: u64,
    /// The hash of the last.
    pub hash: Hash,
}

/// The journal and what is kept beside it.
#[async_trait]
pub trait Store: Send + Sync {
    /// Takes one step, durably. Gives back the entries that were written. Whoever stops waiting for the
    /// answer, or gets `Unavailable`, does not know whether the step was taken, and loads the stream to see.
    async fn append(&self, step: Append) -> Result<Vec<Durable<Entry>>, AppendError>;

    /// All entries of a stream, in order; empty if there are none.
    async fn load(&self, stream: &StreamId) -> Result<Vec<Durable<Entry>>, StoreError>;

    /// At most `max` entries of a stream, from number `from` on.
    async fn range(
        &self,
        stream: &StreamId,
        from: u64,
        max: usize,
    ) -> Result<Vec<Durable<Entry>>, StoreError>;

    /// The streams that a key (or each key with this prefix) names.
    async fn find(&self, prefix: &str) -> Result<Vec<(String, StreamId)>, StoreError>;

    /// Up to `max` pieces of work that are due at `now` and that nobody holds, oldest first; nobody else
    /// gets them until the lease ends.
    async fn claim(
        &self,
        now: Timestamp,
        lease: SignedDuration,
        max: usize,
    ) -> Result<Vec<Claimed>, StoreError>;

    /// Gives claimed work back, to be tried again from `due`. As a lease, this may be forgotten when the
    /// process ends: the work is then due as it was enqueued.
    async fn postpone(&self, work: &WorkId, due: Timestamp) -> Result<(), StoreError>;

    /// Up to `max` timers due at `now`, the longest due first.
    async fn due(&self, now: Timestamp, max: usize) -> Result<Vec<Timer>, StoreError>;

    /// The next moment at which work or a timer is due, if any is known.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// The moments at which each of these limits was drawn upon and that still stand, in order, except by
    /// `but`: unreleased ones, and windowed ones until two days past their window, counted from the limit's
    /// latest. This is for policy to judge by; `append` counts all there ever were.
    async fn taken(
        &self,
        keys: &[String],
        but: Option<&IntentId>,
    ) -> Result<Vec<(String, Vec<Timestamp>)>, StoreError>;

    /// The holds in force.
    async fn holds(&self) -> Result<Vec<Hold>, StoreError>;

    /// Keeps bytes under their hash, durably; at most 16 MiB.
    async fn put_blob(&self, bytes: Vec<u8>) -> Result<Hash, StoreError>;

    /// The bytes with this hash, if they are kept and whole.
    async fn blob(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError>;

    /// The heads of all streams, ordered by stream: what a checkpoint is made from.
    async fn heads(&self) -> Result<Vec<Head>, StoreError>;

    /// Returns when work may have become due: something was enqueued or a timer was set since the last
    /// call. May return without cause.
    async fn stirred(&self);
}
