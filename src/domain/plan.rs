//! A plan: one action worked out against the live object, so completely that whoever executes it has
//! nothing left to choose. Its hash is what people approve and what a warrant is for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::action::{Action, ActionKind, Class};
use super::canonical::{self, Hash, NotCanonical};
use super::target::RootOwner;

/// The annotation by which an object says which intent changed it last.
pub const INTENT_ANNOTATION: &str = "belay.dev/intent";

/// Under which name `managedFields` shows what belay wrote.
pub const FIELD_MANAGER: &str = "belay";

/// One field of one object, before and after, as JSON. `None` is "not there".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// JSON pointer (RFC 6901): `/spec/replicas`.
    pub path: String,
    /// As it was read.
    pub from: Option<String>,
    /// As it will be.
    pub to: Option<String>,
}

/// A key as a part of a JSON pointer.
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The key that a part of a JSON pointer stands for.
pub fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// What must still be so at the moment of the write; otherwise the plan is refused and made anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preconditions {
    /// `metadata.uid` of the target.
    pub uid: String,
    /// `metadata.generation` of the target: moves with its spec, not with its status.
    pub generation: Option<i64>,
}

/// How much a plan can disturb.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastRadius {
    /// Replicas the owner wants.
    pub desired: u32,
    /// Replicas that are ready now.
    pub ready: u32,
    /// Replicas that will not be ready right after, those already not ready included.
    pub unavailable_after: u32,
    /// How many replicas more (or fewer) there will be.
    pub replica_delta: i64,
    /// Disruptions that the budgets over the target still allow; `None` where no budget selects it.
    pub budget_allows: Option<u32>,
}

/// How the act is put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "snake_case")]
pub enum Undo {
    /// Give these fields their old values, if they still hold what we wrote.
    Restore {
        /// `from` is what we wrote, `to` what was there before.
        fields: Vec<FieldChange>,
    },
    /// Run the Job that its template declares as the undo.
    Job {
        /// What runs in it, for people.
        runs: String,
    },
    /// There is nothing to put back; people get "hand over" instead of "revert".
    Nothing {
        /// Why, for people.
        why: String,
    },
}

/// Where the desired state of an object is kept, as far as a change of it is proposed there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Whose API.
    pub forge: Forge,
    /// The base of that API.
    pub url: String,
    /// `owner/name`, or the path of a project.
    pub repository: String,
    /// The branch that it is to be merged into.
    pub into: String,
}

/// Whose API a repository is reached by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Forge {
    Github,
    Gitlab,
}

/// A change of one file of a repository, so completely that whoever commits it has nothing left to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// The commit that it was worked out on, and starts from.
    pub base: String,
    /// The file.
    pub path: String,
    /// The file's version there, by which the forge notices that it changed.
    pub version: String,
    /// The changed lines as a unified diff without context: neighbouring lines are nobody's business.
    pub patch: String,
    /// The hash of the whole file as it will be.
    pub result: Hash,
    /// What is closed, where a proposal is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<Opened>,
}

/// A pull or merge request that belay opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its number.
    pub number: u64,
    /// The branch that it comes from.
    pub branch: String,
    /// The only commit on it; none where the branch is gone.
    pub head: Option<String>,
}

/// Whether this plan does the act or puts one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The remedy.
    Forward,
    /// Its undo.
    Revert,
}

/// The whole of what will be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The action with its exact target.
    #[serde(flatten)]
    pub action: Action,
    /// Act or undo.
    pub direction: Direction,
    /// Who answers for the target.
    pub owner: RootOwner,
    /// What must still be so.
    pub preconditions: Preconditions,
    /// What will change. Empty for an eviction: the pod goes as a whole.
    pub changes: Vec<FieldChange>,
    /// How much it can disturb.
    pub blast: BlastRadius,
    /// Its class, with the risk raised by what was read.
    pub class: Class,
    /// How it is put back.
    pub undo: Undo,
    /// What else a person should know before saying yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What is proposed, where nothing in the cluster is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Box<Proposal>>,
    /// When the live object was read.
    pub made_at: Timestamp,
    /// From then on it is refused.
    pub expires_at: Timestamp,
}

impl Plan {
    /// The plan's name: the hash of all of it.
    pub fn hash(&self) -> Result<Hash, NotCanonical> {
        canonical::hash(self)
    }

    /// Whether a Revert button may be shown once it was done.
    pub const fn revertible(&self) -> bool {
        matches!(self.undo, Undo::Restore { .. } | Undo::Job { .. })
    }
}

/// Why no plan could be made, or why one was not carried out. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", content = "why", rename_all = "snake_case")]
pub enum Refusal {
    /// The target is not there (any more), or is another object of that name.
    #[error("`{object}` is gone: {detail}")]
    Gone {
        /// The object.
        object: String,
        /// What was found instead.
        detail: String,
    },
    /// The target changed since it was read.
    #[error("`{object}` changed since it was read: {detail}")]
    Changed {
        /// The object.
        object: String,
        /// Which field, and what it holds now.
        detail: String,
    },
    /// The act would have no effect.
    #[error("there is nothing to do: {0}")]
    NothingToDo(String),
    /// A hard limit of the action server forbids it.
    #[error("the action server's own limit forbids it: {0}")]
    Limit(String),
    /// Somebody else keeps the object as it is, and would put the change back.
    #[error("{0}")]
    Managed(String),
    /// The API server said no (disruption budget, quota, admission, permission).
    #[error("the API server refused: {0}")]
    Api(String),
    /// The warrant is not good: signature, expiry, other plan, used before.
    #[error("the warrant was refused: {0}")]
    Warrant(String),
    /// It was looked for and nothing shows that it was ever carried out.
    #[error("it was not carried out: {0}")]
    NotApplied(String),
    /// The plan is too old.
    #[error("the plan expired at {0}")]
    Expired(Timestamp),
    /// Written by versions of belay whose hands had not learnt the action yet.
    #[error("belay cannot carry this out yet: `{}`", .0.name())]
    NotYet(ActionKind),
    /// The target could not be read, so nothing is known.
    #[error("the target could not be read: {0}")]
    Unreadable(String),
}
