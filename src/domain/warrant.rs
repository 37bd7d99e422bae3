//! A warrant on the wire: the governance layer's signed permission for exactly one plan. Whether it
//! is good is for the action server to say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::canonical::Hash;
use super::ids::{IncidentId, IntentId};
use super::plan::Refusal;

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarrantBody {
    /// Names this warrant; it is good once.
    pub id: String,
    /// The plan it is for, and no other.
    pub plan: Hash,
    /// The intent that the journal holds.
    pub intent: IntentId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// Who decided: a grant acting by itself, or the people who approved.
    pub approved_by: String,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// From then on it is refused.
    pub expires_at: Timestamp,
}

/// A warrant as it travels: canonical JSON of the body, and an Ed25519 signature over those bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedWarrant {
    /// The canonical JSON of a `WarrantBody`: verified as these bytes before it is parsed.
    pub body: String,
    /// Which key signed it: the first 16 hex digits of the public key's SHA-256.
    pub key: String,
    /// Ed25519 over `body`, in base64.
    pub signature: String,
}

/// What became of an order to apply a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "applied", rename_all = "snake_case")]
pub enum Applied {
    /// The object carries the intent (or is gone, where that was the aim).
    Done {
        /// For people.
        detail: String,
        /// What somebody changed of it since, if anybody did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        changed: Option<String>,
        /// How far what it set going is, where it goes on by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        progress: Option<Progress>,
        /// How the proposal stands, where nothing in the cluster was changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<Proposed>,
    },
    /// Nothing was changed.
    Refused {
        /// Why.
        #[serde(flatten)]
        refusal: Refusal,
    },
    /// It was sent and no answer came: to be read back, never sent again blindly.
    Unknown {
        /// What was seen instead of an answer.
        detail: String,
    },
}

/// How far a Job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum Progress {
    /// It has not ended.
    Running,
    /// It did what it was to do.
    Complete {
        /// When it ended; `None`: it does not say.
        at: Option<Timestamp>,
    },
    /// It ended without that.
    Failed {
        /// Why, as Kubernetes says it.
        why: String,
    },
}

impl Progress {
    /// "runs", "is complete", "failed: …".
    pub fn words(&self) -> String {
        match self {
            Self::Running => "runs".to_owned(),
            Self::Complete { .. } => "is complete".to_owned(),
            Self::Failed { why } => format!("failed: {why}"),
        }
    }
}

/// A pull or merge request, as the forge shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    /// Where people find it; made of the configured address and its number, and of nothing that was read.
    pub link: String,
    /// How it stands.
    pub stands: Stands,
}

/// How a pull or merge request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Stands {
    Open,
    Merged,
    Closed,
}

impl Stands {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Merged => "merged",
            Self::Closed => "closed",
        }
    }
}

impl Applied {
    /// It is done, and nothing of it was changed since.
    pub fn done(detail: impl Into<String>) -> Self {
        Self::Done { detail: detail.into(), changed: None, progress: None, proposed: None }
    }
}
