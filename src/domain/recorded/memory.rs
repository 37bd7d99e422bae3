//! What the record says about one workload: the part of a snapshot that no read of the present could give.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::book::Book;
use super::versions::{History, Version};
use super::workloads::WorkloadHistory;
use super::{Place, Restored, Withheld};
use crate::domain::action::edit::MOST_TEXT as PLAN_TEXT;
use crate::domain::alert::Labels;
use crate::domain::cluster::{ConfigRef, Workload};
use crate::domain::target::{Kind, Object};

/// How far back a change is told: an alert that waits 15 minutes, an hour in which people look, an hour in
/// which somebody approves.
const LATELY: SignedDuration = SignedDuration::from_hours(3);
/// More ConfigMaps and Services than this around one workload are not looked at.
const MOST: usize = 32;

/// The most that all changes together hold: a snapshot is kept as a whole, in 16 MiB with all that was read.
const MOST_TEXT: usize = 1 << 20;

/// What a ConfigMap or Service is to a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum Concern {
    /// Its pods read it, in these ways.
    Read {
        /// How.
        ways: Vec<ConfigRef>,
    },
    /// It sends traffic to its pods, or did.
    Traffic {
        /// It selects the pods of its present template.
        selects: bool,
    },
}

/// A ConfigMap or Service around a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Which one.
    pub object: Object,
    /// What it is to the workload.
    pub concern: Concern,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// How it changed lately, the newest change first.
    pub changes: Vec<Change>,
}

/// A change of a ConfigMap or Service, and the way back to what it held before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When it was seen.
    pub at: Timestamp,
    /// Whether that is when it happened; otherwise it happened earlier, while nobody watched.
    pub watched: bool,
    /// The number of the version before it.
    pub version: u64,
    /// When that version was first seen.
    pub seen: Timestamp,
    /// What has to be written for the object to hold again what it held before this change.
    pub fields: Vec<Restored>,
    /// What cannot be written again.
    pub withheld: Vec<Withheld>,
    /// Whether that version sent traffic to the pods of the workload (a Service's).
    pub selected: bool,
}

/// What is recorded that concerns one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Memory {
    /// ConfigMaps and Services around it.
    pub configs: Vec<Config>,
    /// The workload itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadHistory>,
    /// What is not watched around it now, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwatched: Vec<String>,
}

impl Memory {
    /// Whether nothing is known.
    pub const fn is_empty(&self) -> bool {
        self.configs.is_empty() && self.workload.is_none() && self.unwatched.is_empty()
    }

    /// What the book says about this workload now.
    pub fn of(book: &Book, workload: &Workload, now: Timestamp) -> Self {
        let object = &workload.object;
        let known = book.workload(&Place::of(object)).filter(|known| known.object.uid == object.uid);
        let around = book.configs().filter_map(|(place, history)| {
            let here = place.namespace == object.named.namespace && history.gone.is_none();
            here.then(|| config(history, workload, now)).flatten()
        });
        let mut configs: Vec<Config> = around.take(MOST).collect();
        let mut left = MOST_TEXT;
        for change in configs.iter_mut().flat_map(|config| &mut config.changes) {
            change.fit(&mut left);
        }
        Self { configs, workload: known.map(|known| known.at(now)), unwatched: Vec::new() }
    }
}

impl Change {
    /// Leaves out what no plan could write, and what a snapshot has no room for.
    fn fit(&mut self, left: &mut usize) {
        let texts = self.fields.iter().flat_map(|field| [&field.value, &field.instead_of]).flatten();
        let size: usize = texts.map(String::len).sum();
        let Some(first) = self.fields.first().filter(|_| size > PLAN_TEXT.min(*left)) else {
            *left = left.saturating_sub(size);
            return;
        };
        let why = "is a part of more than belay writes at once".to_owned();
        self.withheld.push(Withheld { path: first.path.clone(), why, changed: true });
        self.fields.clear();
    }
}

fn config(history: &History, workload: &Workload, now: Timestamp) -> Option<Config> {
    let present = history.present()?;
    let concern = match history.object.named.kind {
        Kind::ConfigMap => {
            let named = |way: &&ConfigRef| way.name == history.object.named.name;
            let ways: Vec<ConfigRef> = workload.reads.iter().filter(named).cloned().collect();
            (!ways.is_empty()).then_some(Concern::Read { ways })?
        }
        Kind::Service => {
            let ever = history.versions.iter().any(|version| selects(version, &workload.pod_labels));
            ever.then(|| Concern::Traffic { selects: selects(present, &workload.pod_labels) })?
        }
        _ => return None,
    };
    let lately = |version: &&Version| now.duration_since(version.seen) <= LATELY;
    let changes = history.versions.iter().rev().filter(lately).filter_map(|version| {
        let before = history.before(version)?;
        let (fields, withheld) = History::between(before, present);
        Some(Change {
            at: version.seen,
            watched: version.watched,
            version: before.number,
            seen: before.seen,
            fields,
            withheld,
            selected: selects(before, &workload.pod_labels),
        })
    });
    Some(Config {
        object: history.object.clone(),
        concern,
        labels: history.labels.clone(),
        annotations: history.annotations.clone(),
        changes: changes.collect(),
    })
}

/// Whether a Service in this version sends traffic to pods with these labels.
fn selects(version: &Version, labels: &Labels) -> bool {
    let text = version.fields.get("/spec/selector").and_then(|held| held.plain());
    let selector: Option<Labels> = text.and_then(|text| serde_json::from_str(text).ok());
    selector.is_some_and(|wanted| {
        !wanted.is_empty() && wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
    })
}
