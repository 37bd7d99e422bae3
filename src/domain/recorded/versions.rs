//! The versions of one ConfigMap or Service: how many are kept, which go first, and what lies between two.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::values::Held;
use super::{Restored, Seen, Withheld};
use crate::domain::alert::Labels;
use crate::domain::target::Object;

/// The newest versions that are kept whatever their age: a person who tries things out tries some four times
/// before asking for help.
const NEWEST: usize = 4;
/// Of the older ones, the oldest of each of these ages is kept: it is the one that grows into the next age, so
/// that something of each stays however often the object changes. With the newest, at most nine.
const AGES: [SignedDuration; 5] = [
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(6),
    SignedDuration::from_hours(24),
    SignedDuration::from_hours(7 * 24),
    SignedDuration::from_hours(100 * 365 * 24),
];
/// Who changes a thing more often than this within an hour is a program that keeps its state there: a lock, a
/// counter, a list of leaders. Nothing of it would be worth going back to.
const RESTLESS: usize = 12;
const WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// What an object held for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// From 1, in the order in which they were seen; never given twice.
    pub number: u64,
    /// When it was first seen.
    pub seen: Timestamp,
    /// Whether it was seen when it came to be, or found later.
    pub watched: bool,
    /// When the next one was seen; `None`: it still holds.
    pub until: Option<Timestamp>,
    /// `metadata.uid` then.
    pub uid: String,
    /// The fields that could be restored.
    pub fields: BTreeMap<String, Held>,
}

impl Version {
    /// The bytes that it takes.
    pub fn size(&self) -> usize {
        let fields = self.fields.iter().map(|(path, held)| path.len() + held.size());
        // number, moments and uid
        fields.sum::<usize>() + 128
    }
}

/// All that is kept of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The object, by its present uid.
    pub object: Object,
    /// Its labels, cleaned.
    pub labels: Labels,
    /// Its annotations, cleaned, without what `kubectl` keeps of the whole object.
    pub annotations: Labels,
    /// Oldest first; the last one holds now.
    pub versions: Vec<Version>,
    /// How many there were.
    pub count: u64,
    /// When it changed lately.
    pub changes: Vec<Timestamp>,
    /// When it was seen to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Timestamp>,
}

impl History {
    /// A history that begins now.
    pub const fn new(object: Object, labels: Labels, annotations: Labels) -> Self {
        Self { object, labels, annotations, versions: Vec::new(), count: 0, changes: Vec::new(), gone: None }
    }

    /// The version that holds now.
    pub fn present(&self) -> Option<&Version> {
        self.versions.last().filter(|version| version.until.is_none())
    }

    /// Whether it changes so often that nothing is kept of it.
    pub const fn restless(&self) -> bool {
        self.changes.len() > RESTLESS
    }

    /// Takes in what it holds; whether that is something new.
    pub(super) fn take(&mut self, uid: &str, fields: BTreeMap<String, Held>, seen: Seen) -> bool {
        let at = seen.at();
        let same = self.present().is_some_and(|now| now.fields == fields && now.uid == uid);
        if same && self.gone.is_none() {
            return false;
        }
        self.gone = None;
        if same {
            return true;
        }
        self.changes.retain(|then| at.duration_since(*then) < WITHIN);
        if !self.versions.is_empty() {
            self.changes.push(at);
            let extra = self.changes.len().saturating_sub(RESTLESS + 1);
            self.changes.drain(..extra);
        }
        if let Some(last) = self.versions.last_mut() {
            last.until = last.until.or(Some(at));
        }
        self.count += 1;
        let (number, uid) = (self.count, uid.to_owned());
        self.versions.push(Version { number, seen: at, watched: seen.watched(), until: None, uid, fields });
        self.thin(at);
        true
    }

    /// Leaves what the ages ask for.
    fn thin(&mut self, now: Timestamp) {
        if self.restless() {
            let first = self.versions.len().saturating_sub(1);
            self.versions.drain(..first);
            return;
        }
        let old = self.versions.len().saturating_sub(NEWEST);
        let age = |version: &Version| {
            let gone = version.until.map_or(SignedDuration::ZERO, |until| now.duration_since(until));
            AGES.iter().position(|age| gone < *age).unwrap_or(AGES.len())
        };
        let mut last = None;
        let mut place = 0;
        self.versions.retain(|version| {
            place += 1;
            let first_of_its_age = last.replace(age(version)) != Some(age(version));
            place > old || first_of_its_age
        });
    }

    /// The version that held right before this one came, if that is kept.
    pub fn before(&self, version: &Version) -> Option<&Version> {
        self.versions.iter().find(|earlier| earlier.number + 1 == version.number)
    }

    /// What has to be written so that the object, which holds `now`, holds what it held in `then`, and what
    /// cannot be.
    pub fn between(then: &Version, now: &Version) -> (Vec<Restored>, Vec<Withheld>) {
        let (mut restored, mut withheld) = (Vec::new(), Vec::new());
        let added = now.fields.keys().filter(|path| !then.fields.contains_key(*path));
        for path in then.fields.keys().chain(added) {
            let (old, new) = (then.fields.get(path), now.fields.get(path));
            let why = old.and_then(Held::why_not).or_else(|| new.and_then(Held::why_not));
            let text = |held: Option<&Held>| held.and_then(Held::plain).map(str::to_owned);
            match why {
                Some(why) => {
                    withheld.push(Withheld { path: path.clone(), why: why.to_owned(), changed: old != new });
                }
                None if old != new => {
                    restored.push(Restored { path: path.clone(), value: text(old), instead_of: text(new) });
                }
                None => {}
            }
        }
        (restored, withheld)
    }

    /// The bytes that it takes.
    pub fn size(&self) -> usize {
        let words = |labels: &Labels| labels.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
        let versions = self.versions.iter().map(Version::size).sum::<usize>();
        versions + words(&self.labels) + words(&self.annotations) + 256
    }
}
