//! How a workload was when it was well: its last number of replicas above zero, and the templates with which
//! all of them were ready for a while.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Seen;
use crate::domain::canonical::Hash;
use crate::domain::target::Object;

/// How long all replicas have to be ready before a template counts as one that works: half of the ten minutes
/// after which the kubelet forgives a crash, and longer than a start takes to fail its first probes.
pub const HEALTHY_FOR: SignedDuration = SignedDuration::from_mins(5);
/// How many templates are remembered: as many as Kubernetes keeps revisions by default.
const TEMPLATES: usize = 10;

/// A workload as a watch shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadSeen {
    /// `spec.replicas`.
    pub replicas: u32,
    /// What its template is.
    pub template: Hash,
    /// The number of its revision (a Deployment's).
    pub revision: Option<u64>,
    /// The name of its revision (a StatefulSet's).
    pub name: Option<String>,
    /// The controller has followed, and all replicas are of this template and ready; and there are some.
    pub settled: bool,
}

/// A template that was seen to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthy {
    /// What it is.
    pub template: Hash,
    /// Its revision's number, the last that it had.
    pub revision: Option<u64>,
    /// Its revision's name.
    pub name: Option<String>,
    /// Until when it worked, as far as was seen.
    pub until: Timestamp,
}

/// What is kept of one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadHistory {
    /// The object, by its uid.
    pub object: Object,
    /// Since when it is watched without a gap.
    pub since: Timestamp,
    /// The template that it has now.
    pub template: Hash,
    /// Its revision's number.
    pub revision: Option<u64>,
    /// Its revision's name.
    pub name: Option<String>,
    /// Since when it is settled with it.
    pub settled: Option<Timestamp>,
    /// Its replicas now.
    pub replicas: u32,
    /// Its last number of replicas above zero.
    pub last_above_zero: Option<u32>,
    /// When it was seen to be set to zero.
    pub zero_since: Option<Timestamp>,
    /// The templates that worked, the latest last.
    pub healthy: Vec<Healthy>,
}

impl WorkloadHistory {
    /// A history that begins with this.
    pub(super) fn new(object: Object, now: &WorkloadSeen, at: Timestamp) -> Self {
        Self {
            object,
            since: at,
            template: now.template,
            revision: now.revision,
            name: now.name.clone(),
            settled: now.settled.then_some(at),
            replicas: now.replicas,
            last_above_zero: (now.replicas > 0).then_some(now.replicas),
            zero_since: None,
            healthy: Vec::new(),
        }
    }

    /// Takes in how it is; whether anything that has to outlast a restart is new.
    pub(super) fn take(&mut self, now: &WorkloadSeen, seen: Seen) -> bool {
        let before = self.clone();
        let at = seen.at();
        if seen.watched() {
            self.heal(at);
        } else {
            // what went on meanwhile nobody saw
            (self.since, self.settled) = (at, None);
        }
        if now.template != self.template {
            self.settled = None;
        }
        (self.template, self.revision) = (now.template, now.revision);
        self.name.clone_from(&now.name);
        for known in self.healthy.iter_mut().filter(|known| known.template == now.template) {
            // who goes back to a template gives it a new number
            known.revision = now.revision;
            known.name.clone_from(&now.name);
        }
        self.settled = now.settled.then(|| self.settled.unwrap_or(at));
        self.zero_since = (now.replicas == 0).then(|| self.zero_since.unwrap_or(at));
        self.replicas = now.replicas;
        if now.replicas > 0 {
            self.last_above_zero = Some(now.replicas);
        }
        let outlasts = |h: &Self| (h.last_above_zero, h.zero_since, h.healthy.clone(), h.since, h.template);
        outlasts(&before) != outlasts(self)
    }

    /// Writes the present template down, if it has worked for long enough.
    fn heal(&mut self, at: Timestamp) {
        if self.settled.is_none_or(|since| at.duration_since(since) < HEALTHY_FOR) {
            return;
        }
        self.healthy.retain(|known| known.template != self.template);
        let (revision, name) = (self.revision, self.name.clone());
        self.healthy.push(Healthy { template: self.template, revision, name, until: at });
        let extra = self.healthy.len().saturating_sub(TEMPLATES);
        self.healthy.drain(..extra);
    }

    /// The same, with the present template among the healthy ones if it is by now.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        let mut seen = self.clone();
        seen.heal(now);
        seen
    }

    /// The bytes that it takes.
    pub fn size(&self) -> usize {
        512 + self.healthy.len() * 256
    }
}
