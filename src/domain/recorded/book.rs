//! The whole record of one cluster: what an observation changes in it, and what goes when it grows too large.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::values::{Held, Key};
use super::versions::History;
use super::workloads::{WorkloadHistory, WorkloadSeen};
use super::{Content, Kept, Observation, Place, Seen};
use crate::domain::alert::Labels;
use crate::domain::redact;
use crate::domain::target::Object;

/// The most that all versions take: 1,000 objects of 2 KiB in four versions. It is in memory as a whole, and
/// an idle daemon stays below 30 MiB.
const MOST_BYTES: usize = 8 << 20;
/// The most objects: with next to nothing in each, they take half of the bytes.
const MOST_OBJECTS: usize = 8_000;
/// How long what is gone is remembered: somebody who makes it anew by hand does so within a week.
const GONE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The longest annotation that is kept; policy reads short words there.
const NOTE: usize = 256;
/// The most labels or annotations that are kept of one object.
const NOTES: usize = 64;
/// Where `kubectl` keeps the whole object, secrets and all.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What is recorded.
#[derive(Debug, Clone)]
pub struct Book {
    key: Key,
    configs: BTreeMap<Place, History>,
    workloads: BTreeMap<Place, WorkloadHistory>,
    bytes: usize,
    most: usize,
}

impl Book {
    /// An empty book, whose hashes are made with this key.
    pub const fn new(key: Key) -> Self {
        Self { key, configs: BTreeMap::new(), workloads: BTreeMap::new(), bytes: 0, most: MOST_BYTES }
    }

    /// With room for this many bytes.
    #[must_use]
    pub const fn within(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// Puts in what was kept of an earlier run.
    pub fn recall(&mut self, kept: Kept) {
        match kept {
            Kept::Config(history) => {
                self.bytes += history.size();
                self.configs.insert(Place::of(&history.object), history);
            }
            Kept::Workload(history) => {
                self.bytes += history.size();
                self.workloads.insert(Place::of(&history.object), history);
            }
        }
    }

    /// What is to be kept of what stands here; `None`: nothing (any more).
    pub fn kept(&self, place: &Place) -> Option<Kept> {
        let config = || self.configs.get(place).cloned().map(Kept::Config);
        self.workloads.get(place).cloned().map(Kept::Workload).or_else(config)
    }

    /// What is recorded of a ConfigMap or Service.
    pub fn config(&self, place: &Place) -> Option<&History> {
        self.configs.get(place)
    }

    /// What is recorded of a workload.
    pub fn workload(&self, place: &Place) -> Option<&WorkloadHistory> {
        self.workloads.get(place)
    }

    /// All ConfigMaps and Services, by place.
    pub fn configs(&self) -> impl Iterator<Item = (&Place, &History)> {
        self.configs.iter()
    }

    /// All that is kept, by place.
    pub fn all(&self) -> BTreeMap<Place, Kept> {
        let places = self.configs.keys().chain(self.workloads.keys());
        places.filter_map(|place| Some((place.clone(), self.kept(place)?))).collect()
    }

    /// The bytes that it takes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes in what a watch shows; the places of which something else is to be kept now.
    pub fn observe(&mut self, observation: Observation, seen: Seen) -> Vec<Place> {
        let Observation { object, labels, annotations, content } = observation;
        let place = Place::of(&object);
        let known = self.configs.contains_key(&place) || self.workloads.contains_key(&place);
        if !known && self.configs.len() + self.workloads.len() >= MOST_OBJECTS {
            return Vec::new();
        }
        let new = match content {
            Content::Config(fields) => self.take_config(object, (labels, annotations), fields, seen),
            Content::Workload(now) => self.take_workload(object, &now, seen),
        };
        let mut changed = self.shrink(&place);
        if new && !changed.contains(&place) {
            changed.push(place);
        }
        changed
    }

    fn take_config(
        &mut self,
        object: Object,
        (labels, annotations): (Labels, Labels),
        fields: BTreeMap<String, String>,
        seen: Seen,
    ) -> bool {
        let place = Place::of(&object);
        let held = |(path, json): (String, String)| {
            let held = Held::of(&self.key, &path, json);
            (path, held)
        };
        let fields = fields.into_iter().map(held).collect();
        let (labels, annotations) = (tidy(labels), tidy(annotations));
        let before = self.configs.get(&place).map_or(0, History::size);
        let anew = || History::new(object.clone(), Labels::new(), Labels::new());
        let history = self.configs.entry(place).or_insert_with(anew);
        let told = history.labels != labels || history.annotations != annotations;
        (history.labels, history.annotations) = (labels, annotations);
        let new = history.take(&object.uid, fields, seen);
        history.object = object;
        self.bytes = (self.bytes + history.size()).saturating_sub(before);
        new || told
    }

    fn take_workload(&mut self, object: Object, now: &WorkloadSeen, seen: Seen) -> bool {
        let place = Place::of(&object);
        let before = self.workloads.get(&place).map_or(0, WorkloadHistory::size);
        let known = self.workloads.get_mut(&place).filter(|known| known.object.uid == object.uid);
        let new = known.map(|known| known.take(now, seen));
        if new.is_none() {
            self.workloads.insert(place.clone(), WorkloadHistory::new(object, now, seen.at()));
        }
        let after = self.workloads.get(&place).map_or(0, WorkloadHistory::size);
        self.bytes = (self.bytes + after).saturating_sub(before);
        new.unwrap_or(true)
    }

    /// Somebody saw that it is gone.
    pub fn gone(&mut self, place: &Place, at: Timestamp) -> Vec<Place> {
        if let Some(former) = self.workloads.remove(place) {
            self.bytes = self.bytes.saturating_sub(former.size());
            return vec![place.clone()];
        }
        let Some(history) = self.configs.get_mut(place).filter(|history| history.gone.is_none()) else {
            return Vec::new();
        };
        history.gone = Some(at);
        if let Some(last) = history.versions.last_mut() {
            last.until = last.until.or(Some(at));
        }
        vec![place.clone()]
    }

    /// After a whole list of one kind in one namespace: what is not in it is gone, and what is gone for long is
    /// forgotten.
    pub fn listed(&mut self, like: &Place, present: &[Place], at: Timestamp) -> Vec<Place> {
        let same = |place: &Place| place.kind == like.kind && place.namespace == like.namespace;
        let all = self.configs.keys().chain(self.workloads.keys());
        let missing: Vec<Place> =
            all.filter(|place| same(place) && !present.contains(place)).cloned().collect();
        let mut changed: Vec<Place> = missing.iter().flat_map(|place| self.gone(place, at)).collect();
        let old = |history: &History| history.gone.is_some_and(|gone| at.duration_since(gone) > GONE);
        let forgotten: Vec<Place> = self
            .configs
            .iter()
            .filter(|(place, history)| same(place) && old(history))
            .map(|(place, _)| place.clone())
            .collect();
        for place in forgotten {
            if let Some(former) = self.configs.remove(&place) {
                self.bytes = self.bytes.saturating_sub(former.size());
                changed.push(place);
            }
        }
        changed
    }

    /// Makes what was recalled fit.
    pub fn fit(&mut self) {
        if let Some(any) = self.configs.keys().next().cloned() {
            self.shrink(&any);
        }
    }

    /// Takes away what was replaced the longest ago until all fits. What holds now goes last: first of what is
    /// gone, then of whoever is looked at.
    fn shrink(&mut self, looked_at: &Place) -> Vec<Place> {
        let mut changed = Vec::new();
        while self.bytes > self.most {
            let replaced = |history: &History| history.versions.first().and_then(|version| version.until);
            let oldest = self.configs.iter().filter_map(|(place, h)| Some((replaced(h)?, place)));
            let place = match oldest.min() {
                Some((_, place)) => place.clone(),
                None => looked_at.clone(),
            };
            let Some(history) = self.configs.get_mut(&place) else { break };
            let before = history.size();
            if history.versions.is_empty() {
                self.configs.remove(&place);
                self.bytes = self.bytes.saturating_sub(before);
            } else {
                history.versions.remove(0);
                self.bytes = (self.bytes + history.size()).saturating_sub(before);
            }
            if !changed.contains(&place) {
                changed.push(place);
            }
        }
        changed
    }
}

/// Labels or annotations as far as they are kept.
fn tidy(notes: Labels) -> Labels {
    let notes = notes.into_iter().filter(|(key, _)| key != LAST_APPLIED);
    notes.take(NOTES).map(|(key, text)| (key, redact::line(&text, NOTE))).collect()
}
