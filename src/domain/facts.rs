//! The facts that policy decides on, each known, unknown, or not applicable. Facts that came later are left
//! out of records where they were not recorded, so that old records read and write as they did.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert::{Labels, Severity};
use super::finding::Certainty;
use super::ids::GrantId;
use super::target::{Object, RootOwner};
use super::track::{PastAct, PastVerdict, Track};

/// A fact as far as it is known. Guards fire on what is unknown; grants do not match on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    /// It was read.
    Known(T),
    /// It could not be read, and why.
    Unknown(String),
    /// The target's kind has no such thing.
    NotApplicable,
}

/// Why a fact is unknown that a record of an earlier version does not have.
const NOT_RECORDED: &str = "not recorded";

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Self::Unknown(NOT_RECORDED.to_owned())
    }
}

impl<T> Fact<T> {
    /// Whether this is the default: left out of records, as it was in those that are older than it.
    pub fn is_not_recorded(&self) -> bool {
        matches!(self, Self::Unknown(why) if why == NOT_RECORDED)
    }

    /// The value, if it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) | Self::NotApplicable => None,
        }
    }
}

/// The alert that the incident is about (the loudest, then the oldest of its firing ones).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertFacts {
    /// All labels.
    pub labels: Labels,
    /// Its severity.
    pub severity: Severity,
    /// Since when it fires.
    pub starts_at: Timestamp,
    /// How often it began anew within the incident.
    pub flaps: u32,
}

/// The finding that suggests the action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingFacts {
    /// `Cause::name()`.
    pub cause: String,
    /// The analyser's own certainty, as its name.
    pub certainty: Certainty,
    /// How many root owners the cause was seen at. More than one is for a person.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub services: Fact<u32>,
    /// Causes found besides that always go to a person, whatever the action is for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub beside: BTreeSet<String>,
}

/// The object that would be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// Which one.
    pub object: Object,
    /// Its labels.
    pub labels: Fact<Labels>,
    /// Its annotations.
    pub annotations: Fact<Labels>,
    /// It was reached from the alert's labels by API reads alone.
    pub grounded: bool,
    /// The alert's own labels name it.
    pub named_by_alert: bool,
    /// How many other objects of its namespace and kind have nearly its name.
    pub lookalikes: Fact<u32>,
    /// Logs, events and spec of what the planned act takes away were kept. Does not apply where nothing is
    /// taken away, or nothing is planned yet.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub kept: Fact<bool>,
}

/// The root owner of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerFacts {
    /// Which one.
    pub owner: RootOwner,
    /// Replicas it wants.
    pub replicas: Fact<u32>,
    /// Replicas that are ready.
    pub ready: Fact<u32>,
    /// It keeps state (StatefulSet, or pods with volume claims).
    pub stateful: Fact<bool>,
    /// Work is running that must not be interrupted.
    pub busy: Fact<bool>,
    /// A GitOps controller that would undo a change owns it.
    pub gitops_self_heal: Fact<bool>,
    /// A HorizontalPodAutoscaler sets its replicas.
    pub hpa: Fact<bool>,
    /// Minutes since its template last changed.
    pub minutes_since_rollout: Fact<i64>,
    /// Minutes since a person changed it; a large number where nobody did.
    pub changed_by_person_minutes: Fact<i64>,
    /// Disruptions that the budgets over its pods still allow.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub budget: Fact<u32>,
    /// A migration of its data belongs to the revision that runs, so that there is no way back.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub migration: Fact<bool>,
}

/// What was done before, by root owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryFacts {
    /// Moments at which limits were drawn upon, by the limit's key. Sliding windows are counted from
    /// these, so that the record alone decides again what was decided then.
    pub taken: BTreeMap<String, Vec<Timestamp>>,
    /// Acts on this root owner, the newest first; at most 50.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub acts: Fact<Vec<PastAct>>,
    /// Verdicts on acts anywhere, the newest first; at most 100.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub verdicts: Fact<Vec<PastVerdict>>,
    /// Acts anywhere that were not seen to help since a person last reset the breaker, the newest first; at
    /// most 100.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub missed: Fact<Vec<Timestamp>>,
    /// The track records of the grants that could carry this. A grant that is not here has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tracks: BTreeMap<GrantId, Track>,
}

/// An alert that always fires, so that its absence shows that nothing can be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its name.
    pub alert: String,
    /// When it was last seen.
    pub last_seen: Timestamp,
}

/// The incident as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentFacts {
    /// Somebody has taken it in another tool; not applicable where none is connected.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub acknowledged_elsewhere: Fact<bool>,
    /// The loudest of its firing alerts.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub severity: Fact<Severity>,
    /// Text that was read about it speaks to its reader instead of about the system; not applicable where nothing
    /// was chosen yet.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub flagged: Fact<bool>,
}

impl IncidentFacts {
    pub(super) fn is_not_recorded(&self) -> bool {
        let Self { acknowledged_elsewhere, severity, flagged } = self;
        acknowledged_elsewhere.is_not_recorded() && severity.is_not_recorded() && flagged.is_not_recorded()
    }
}

/// The state of the cluster and of belay itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Alert groups that fire now.
    pub firing_groups: Fact<u32>,
    /// Intents that have no outcome yet.
    pub actions_in_flight: u32,
    /// Named holds that pause belay here, each with its reason.
    pub holds: Vec<String>,
    /// Objects carry intents that the journal does not know: it was lost, or somebody else runs here.
    pub strange_intents: bool,
    /// The share of pods that are not well, in thousandths.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub unhealthy_permille: Fact<u32>,
    /// A major incident was declared; not applicable where nothing is connected that could say so.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub major_incident: Fact<bool>,
    /// The names of all alerts that fire; at most 500.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub firing: Fact<BTreeSet<String>>,
    /// The last moment at which a storm was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_storm: Option<Timestamp>,
    /// The alert that always fires; not applicable until it was seen once.
    #[serde(default, skip_serializing_if = "Fact::is_not_recorded")]
    pub heartbeat: Fact<Heartbeat>,
}
