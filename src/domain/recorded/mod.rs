//! What belay remembers of the cluster from before a fault: earlier content of ConfigMaps and Services, and
//! how workloads were when they were well. Pure: a book, what a watch shows, and the time.

mod back;
mod book;
mod memory;
mod values;
mod versions;
mod workloads;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert::Labels;
use super::canonical::Hash;
use super::target::{Kind, Object};

pub use back::{back, never};
pub use book::Book;
pub use memory::{Change, Concern, Config, Memory};
pub use values::{Held, Key, looks_secret};
pub use versions::{History, Version};
pub use workloads::{HEALTHY_FOR, Healthy, WorkloadHistory, WorkloadSeen};

/// Where an object stands in one cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// ConfigMap, Service, Deployment or StatefulSet.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Place {
    /// Where this object stands.
    pub fn of(object: &Object) -> Self {
        let named = &object.named;
        Self { kind: named.kind, namespace: named.namespace.clone(), name: named.name.clone() }
    }
}

/// `shop/ConfigMap/flags`.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.kind, self.name)
    }
}

/// An object as a watch shows it. Its values may be secrets: it is never kept, printed or logged as it is.
#[derive(Clone, PartialEq)]
pub struct Observation {
    /// Which one.
    pub object: Object,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// What it holds.
    pub content: Content,
}

/// What of an object is recorded.
#[derive(Clone, PartialEq)]
pub enum Content {
    /// The fields of a ConfigMap or Service that could be restored: JSON pointer to JSON text.
    Config(BTreeMap<String, String>),
    /// How a workload is.
    Workload(WorkloadSeen),
}

/// What of one object is kept, as a shelf stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Kept {
    /// A ConfigMap or Service.
    Config(History),
    /// A workload.
    Workload(WorkloadHistory),
}

/// How a change came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The watch showed it when it happened.
    Watched(Timestamp),
    /// It was found in a list, after nobody had watched for a while: it happened before this.
    Found(Timestamp),
}

impl Seen {
    /// The moment.
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Watched(at) | Self::Found(at) => at,
        }
    }

    /// Whether the moment is that of the change.
    pub const fn watched(self) -> bool {
        matches!(self, Self::Watched(_))
    }
}

/// A field of a recorded version that is to be written again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// JSON pointer: `/data/flags.json`.
    pub path: String,
    /// What it held then, as JSON; `None`: it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What it held when it was recorded last: only that is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
}

/// A field of a recorded version of which no value was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// JSON pointer.
    pub path: String,
    /// Why its value was not kept, as a clause: "looks like a secret".
    pub why: String,
    /// It holds something else now: a restore without it would be half of one.
    pub changed: bool,
}

/// A short name of a template's content.
pub fn digest(template: &serde_json::Value) -> Hash {
    Hash::of(template.to_string().as_bytes())
}
