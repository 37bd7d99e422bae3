//! The live objects as planning and applying see them: read uncached, just before, and holding exactly
//! the fields that a plan depends on.

use crate::domain::ids::IntentId;
use crate::domain::plan::Refusal;
use crate::domain::target::{Object, RootOwner};

/// The annotations of an object, as far as marking it with an intent goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marking {
    /// It has no annotations at all: JSON Patch cannot add below a map that is missing, and adding the
    /// map would overwrite one that somebody else adds meanwhile, so this version must still stand.
    Bare {
        /// `metadata.resourceVersion`.
        resource_version: String,
    },
    /// It has some.
    Annotated {
        /// The intent that stands on it.
        intent: Option<String>,
    },
}

impl Marking {
    /// The intent that stands on the object.
    pub fn intent(&self) -> Option<&str> {
        match self {
            Self::Bare { .. } => None,
            Self::Annotated { intent } => intent.as_deref(),
        }
    }

    /// Whether this intent stands on the object.
    pub fn carries(&self, intent: &IntentId) -> bool {
        self.intent() == Some(intent.as_str())
    }
}

/// A workload that can be scaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveWorkload {
    /// Which one.
    pub object: Object,
    /// The top of its chain of controllers; itself where nothing controls it.
    pub owner: RootOwner,
    /// `metadata.generation`.
    pub generation: i64,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `status.readyReplicas`.
    pub ready: u32,
    /// Its annotations.
    pub marking: Marking,
    /// The smallest number of disruptions that a budget over its pods still allows; `None`: no budget.
    pub budget_allows: Option<u32>,
    /// The autoscaler that sets its replicas.
    pub autoscaler: Option<String>,
}

/// A pod that can be evicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePod {
    /// Which one.
    pub object: Object,
    /// Its controller, one step up.
    pub controller: Option<Object>,
    /// The top of its chain of controllers; itself where nothing controls it.
    pub owner: RootOwner,
    /// Its `Ready` condition.
    pub ready: bool,
    /// It has a deletion timestamp.
    pub terminating: bool,
    /// Its annotations.
    pub marking: Marking,
    /// Replicas that the owner wants.
    pub owner_desired: u32,
    /// Replicas of the owner that are ready.
    pub owner_ready: u32,
    /// The smallest number of disruptions that a budget over it still allows; `None`: no budget.
    pub budget_allows: Option<u32>,
}

/// The live object, if it is still the one that `wanted` names.
pub(super) fn same<'a, T>(
    live: Option<&'a T>,
    found: fn(&T) -> &Object,
    wanted: &Object,
) -> Result<&'a T, Refusal> {
    let gone = |detail: String| Refusal::Gone { object: wanted.to_string(), detail };
    let live = live.ok_or_else(|| gone("there is no object of that name".to_owned()))?;
    let uid = &found(live).uid;
    if *uid == wanted.uid {
        Ok(live)
    } else {
        Err(gone(format!("another object has its name now, with uid `{uid}` instead of `{}`", wanted.uid)))
    }
}

/// `Refusal::Changed` for this object.
pub(super) fn changed(object: &Object, detail: impl Into<String>) -> Refusal {
    Refusal::Changed { object: object.to_string(), detail: detail.into() }
}
