//! The object store: what an API server keeps in etcd. One counter of resource versions, generations that
//! move with the spec, and a bounded history for watches.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::Value;

use super::defaults;
use super::json::{cut, put, text, time};
use super::kinds::Kind;
use crate::domain::canonical::Hash;

/// Changes kept for watches: at about 40 changes per pod life, some hundred lives; a watch that is further
/// behind is told `410 Gone`, as by the real server after its compaction.
const HISTORY: usize = 8192;

/// Kind, namespace (empty for cluster-wide kinds) and name.
pub(crate) type Key = (Kind, String, String);

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeType {
    Added,
    Modified,
    Deleted,
}

/// One entry of the watch history.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub version: u64,
    pub what: ChangeType,
    pub kind: Kind,
    pub namespace: String,
    pub object: Value,
}

/// All objects of the world.
#[derive(Debug)]
pub struct Objects {
    stored: BTreeMap<Key, Value>,
    history: VecDeque<Change>,
    version: u64,
    /// The oldest version that a watch may start from.
    floor: u64,
    issued: u64,
    seed: u64,
    pub(super) now: Timestamp,
}

impl Objects {
    pub(super) fn new(seed: u64, now: Timestamp) -> Self {
        Self { stored: BTreeMap::new(), history: VecDeque::new(), version: 1, floor: 1, issued: 0, seed, now }
    }

    /// One object.
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Value> {
        self.stored.get(&(kind, namespace.to_owned(), name.to_owned()))
    }

    /// The objects of a kind, in one namespace or, for an empty one, in all.
    pub fn list<'a>(&'a self, kind: Kind, namespace: &'a str) -> impl Iterator<Item = &'a Value> {
        self.stored
            .range((kind, String::new(), String::new())..)
            .take_while(move |((k, _, _), _)| *k == kind)
            .filter(move |((_, ns, _), _)| namespace.is_empty() || ns == namespace)
            .map(|(_, object)| object)
    }

    /// Adds an object: it gets a uid, a creation time, a resource version and, where its kind has one, a
    /// generation. An object of that name is replaced as by delete and create.
    pub fn insert(&mut self, kind: Kind, mut object: Value) -> Value {
        self.complete(kind, &mut object);
        let version = self.next_version();
        put(&mut object, &["metadata", "resourceVersion"], version.to_string());
        self.stored.insert(key_of(kind, &object), object.clone());
        self.record(ChangeType::Added, kind, &object);
        object
    }

    /// What creation fills in; also used by a dry run, which stores nothing.
    pub(super) fn complete(&mut self, kind: Kind, object: &mut Value) {
        defaults::settle(kind, object);
        defaults::number_template(kind, None, object);
        put(object, &["apiVersion"], kind.api_version());
        put(object, &["kind"], kind.spelling().kind);
        let uid = self.uid();
        put(object, &["metadata", "uid"], uid);
        put(object, &["metadata", "creationTimestamp"], time(self.now));
        if kind.has_generation() {
            put(object, &["metadata", "generation"], 1);
        }
    }

    /// Replaces an object by a changed version of itself. Nothing happens when nothing changed; the
    /// generation moves when the spec did. Returns whether anything changed.
    pub fn update(&mut self, kind: Kind, object: Value) -> bool {
        self.store(kind, object, true)
    }

    /// As `update`, and the generation stays: how binding a pod to a node changes its spec.
    pub(super) fn bind(&mut self, kind: Kind, object: Value) -> bool {
        self.store(kind, object, false)
    }

    fn store(&mut self, kind: Kind, mut object: Value, moves: bool) -> bool {
        let key = key_of(kind, &object);
        let Some(old) = self.stored.get(&key) else { return false };
        if *old == object {
            return false;
        }
        let respecified = old.get("spec") != object.get("spec");
        if respecified {
            defaults::settle(kind, &mut object);
            defaults::number_template(kind, Some(old), &mut object);
        }
        let moves = moves && respecified && kind.has_generation() && old.get("spec") != object.get("spec");
        if moves && generation(old) == generation(&object) {
            put(&mut object, &["metadata", "generation"], generation(old).saturating_add(1));
        }
        let version = self.next_version();
        put(&mut object, &["metadata", "resourceVersion"], version.to_string());
        self.stored.insert(key, object.clone());
        self.record(ChangeType::Modified, kind, &object);
        true
    }

    /// Changes one object in place by a closure; `None` when there is no such object, otherwise whether
    /// anything changed.
    pub fn modify(
        &mut self,
        kind: Kind,
        namespace: &str,
        name: &str,
        edit: impl FnOnce(&mut Value),
    ) -> Option<bool> {
        let mut object = self.get(kind, namespace, name)?.clone();
        edit(&mut object);
        Some(self.update(kind, object))
    }

    /// Applies a JSON merge patch (RFC 7396) as somebody else's edit.
    pub fn merge(&mut self, kind: Kind, namespace: &str, name: &str, patch: &Value) -> Option<bool> {
        self.modify(kind, namespace, name, |object| json_patch::merge(object, patch))
    }

    /// Removes an object at once.
    pub fn remove(&mut self, kind: Kind, namespace: &str, name: &str) -> Option<Value> {
        let mut object = self.stored.remove(&(kind, namespace.to_owned(), name.to_owned()))?;
        let version = self.next_version();
        put(&mut object, &["metadata", "resourceVersion"], version.to_string());
        self.record(ChangeType::Deleted, kind, &object);
        Some(object)
    }

    /// The present resource version of the whole store.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The oldest resource version that a watch or a continued list may start from.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// Forgets the watch history, as compaction does.
    pub fn compact(&mut self) {
        self.history.clear();
        self.floor = self.version;
    }

    /// The changes after `version`, oldest first.
    pub(super) fn since(&self, version: u64) -> impl Iterator<Item = &Change> {
        let start = self.history.partition_point(|change| change.version <= version);
        self.history.range(start..)
    }

    /// A fresh uid, the same in every run of a world with the same seed.
    pub(super) fn uid(&mut self) -> String {
        let hex = self.fresh_hex();
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
    }

    /// Sixty-four fresh hexadecimal digits.
    pub(super) fn fresh_hex(&mut self) -> String {
        self.issued = self.issued.wrapping_add(1);
        hex(format!("{}/{}", self.seed, self.issued).as_bytes())
    }

    fn next_version(&mut self) -> u64 {
        self.version = self.version.saturating_add(1);
        self.version
    }

    fn record(&mut self, what: ChangeType, kind: Kind, object: &Value) {
        if self.history.len() >= HISTORY
            && let Some(dropped) = self.history.pop_front()
        {
            self.floor = dropped.version;
        }
        let namespace = text(object, "/metadata/namespace").to_owned();
        self.history.push_back(Change {
            version: self.version,
            what,
            kind,
            namespace,
            object: object.clone(),
        });
    }
}

/// SHA-256 as hexadecimal digits.
pub(crate) fn hex(data: &[u8]) -> String {
    Hash::of(data).to_string()
}

/// The alphabet of generated names: no vowels and no digits that look like letters.
const NAME_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// `length` characters of a generated name's suffix, from hexadecimal digits.
pub(crate) fn suffix(hex: &str, length: usize) -> String {
    hex.as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .filter_map(|byte| NAME_ALPHABET.get(usize::from(byte) % NAME_ALPHABET.len()))
        .take(length)
        .map(|letter| char::from(*letter))
        .collect()
}

/// `metadata.generation`.
pub(crate) fn generation(object: &Value) -> i64 {
    super::json::int(object, "/metadata/generation")
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.namespace`.
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// The controlling owner's kind, name and uid.
pub(crate) fn controller(object: &Value) -> Option<(&str, &str, &str)> {
    super::json::items(object, "/metadata/ownerReferences")
        .iter()
        .find(|owner| super::json::flag(owner, "/controller"))
        .map(|owner| (text(owner, "/kind"), text(owner, "/name"), text(owner, "/uid")))
}

/// Whether a deletion is under way.
pub(crate) fn terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

/// The object without what a list or a template comparison leaves out.
pub(crate) fn without_type(mut object: Value) -> Value {
    cut(&mut object, &["kind"]);
    cut(&mut object, &["apiVersion"]);
    object
}

fn key_of(kind: Kind, object: &Value) -> Key {
    (kind, namespace(object).to_owned(), name(object).to_owned())
}
