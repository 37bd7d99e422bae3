//! What lies between two versions of a piece of JSON, field by field, so that a person can read it and a
//! write can test it.

use serde_json::{Map, Value};

use crate::domain::plan::{FieldChange, escaped, unescaped};

/// The fields that must change for `before`, which stands at `path`, to become `after`. Lists of equal
/// length are compared one by one; any other list changes as a whole, so that no position shifts.
pub fn between(path: &str, before: Option<&Value>, after: Option<&Value>) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    collect(path, before, after, &mut changes);
    changes
}

fn collect(path: &str, before: Option<&Value>, after: Option<&Value>, into: &mut Vec<FieldChange>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                collect(&format!("{path}/{}", escaped(key)), old.get(key), new.get(key), into);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (i, (old, new)) in old.iter().zip(new).enumerate() {
                collect(&format!("{path}/{i}"), Some(old), Some(new), into);
            }
        }
        (before, after) => into.push(change(path, before, after)),
    }
}

/// One field before and after; the values are written as JSON.
pub fn change(path: &str, before: Option<&Value>, after: Option<&Value>) -> FieldChange {
    let text = |value: Option<&Value>| value.map(Value::to_string);
    FieldChange { path: path.to_owned(), from: text(before), to: text(after) }
}

/// How a switch that is off is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// As `false`; the API server adds it where it is missing.
    False,
    /// Not at all: the API server drops a `false`.
    Missing,
}

/// The change that makes a switch which is off where it is missing be so, written as it will be stored: what
/// was written must be found again.
pub fn switched(content: &Value, path: &str, on: bool, off: Off) -> Vec<FieldChange> {
    let held = content.pointer(path);
    if held.and_then(Value::as_bool).unwrap_or(false) == on {
        return Vec::new();
    }
    let wanted = match (on, off) {
        (false, Off::Missing) => None,
        (on, Off::False | Off::Missing) => Some(Value::from(on)),
    };
    vec![change(path, held, wanted.as_ref())]
}

/// The same changes, the other way round.
pub fn reversed(changes: &[FieldChange]) -> Vec<FieldChange> {
    changes
        .iter()
        .map(|FieldChange { path, from, to }| FieldChange {
            path: path.clone(),
            from: to.clone(),
            to: from.clone(),
        })
        .collect()
}

/// Puts a value where `path` says, or takes it away. The parent must be there; `false` if it is not.
pub fn put(target: &mut Value, path: &str, value: Option<Value>) -> bool {
    let Some((parent, key)) = path.rsplit_once('/') else { return false };
    let key = unescaped(key);
    match (target.pointer_mut(parent), value) {
        (Some(Value::Object(fields)), Some(value)) => {
            fields.insert(key, value);
            true
        }
        (Some(Value::Object(fields)), None) => fields.remove(&key).is_some(),
        (Some(Value::Array(list)), Some(value)) => {
            let slot = key.parse::<usize>().ok().and_then(|i| list.get_mut(i));
            slot.map(|slot| *slot = value).is_some()
        }
        _ => false,
    }
}

/// An object without these keys.
pub fn without(value: Option<&Value>, keys: &[&str]) -> Option<Value> {
    match value {
        Some(Value::Object(fields)) => {
            let kept = fields.iter().filter(|(key, _)| !keys.contains(&key.as_str()));
            Some(Value::Object(kept.map(|(k, v)| (k.clone(), v.clone())).collect::<Map<_, _>>()))
        }
        other => other.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3i64..3).prop_map(Value::from),
            "[a-c/~]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c/~]{0,2}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    fn applied(mut value: Value, changes: &[FieldChange]) -> Value {
        for FieldChange { path, to, from } in changes {
            let read =
                |text: &Option<String>| text.as_deref().map(|t| serde_json::from_str::<Value>(t).unwrap());
            assert_eq!(value.pointer(path), read(from).as_ref(), "{path}");
            assert!(put(&mut value, path, read(to)), "{path}");
        }
        value
    }

    proptest! {
        #[test]
        fn what_lies_between_leads_there_and_back(before in values(), after in values()) {
            let wrapped = |value: &Value| json!({ "spec": value });
            let changes = between("/spec", Some(&before), Some(&after));
            prop_assert_eq!(changes.is_empty(), before == after);
            let there = applied(wrapped(&before), &changes);
            prop_assert_eq!(&there, &wrapped(&after));
            prop_assert_eq!(applied(there, &reversed(&changes)), wrapped(&before));
        }
    }

    #[test]
    fn only_what_differs_is_told() {
        let before = json!({ "containers": [{ "name": "a", "image": "x:1" }], "paused": true });
        let after = json!({ "containers": [{ "name": "a", "image": "x:2" }] });
        let changes = between("/spec", Some(&before), Some(&after));
        let told: Vec<_> =
            changes.iter().map(|c| (c.path.as_str(), c.from.as_deref(), c.to.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("/spec/containers/0/image", Some("\"x:1\""), Some("\"x:2\"")),
                ("/spec/paused", Some("true"), None)
            ]
        );
    }
}
