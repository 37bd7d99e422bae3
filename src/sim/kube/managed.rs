//! `managedFields`: who wrote which field last. A field that changes belongs to whoever changed it and to
//! nobody else; one that is taken away belongs to nobody.

use serde_json::{Map, Value, json};

use super::json::{put, text, time};
use super::kinds::Kind;
use super::route::Request;

/// One field that changed, by its keys in `fieldsV1`, and whether it is still there.
struct Changed {
    keys: Vec<String>,
    there: bool,
}

/// Notes who wrote which fields, and when.
pub(crate) fn note(kind: Kind, request: &Request, before: &Value, after: &mut Value, now: jiff::Timestamp) {
    let agent = request.user_agent.split('/').next().unwrap_or_default();
    let manager = request.param("fieldManager").unwrap_or(agent).to_owned();
    let mut changed = Vec::new();
    walk(Some(before), Some(after), &mut Vec::new(), &mut changed);
    changed.retain(|field| of_somebody(&field.keys));
    let entries = after.pointer("/metadata/managedFields").and_then(Value::as_array).cloned();
    let mut entries = entries.unwrap_or_default();
    let mut own = json!({});
    entries.retain_mut(|entry| {
        let ours = text(entry, "/manager") == manager && entry.get("subresource").is_none();
        let Some(fields) = entry.get_mut("fieldsV1") else { return true };
        for field in &changed {
            take(fields, &field.keys);
        }
        if ours {
            own = fields.clone();
        }
        !ours && fields.as_object().is_some_and(|left| !left.is_empty())
    });
    for field in changed.iter().filter(|field| field.there) {
        let keys: Vec<&str> = field.keys.iter().map(String::as_str).collect();
        put(&mut own, &keys, json!({}));
    }
    if own.as_object().is_some_and(|own| !own.is_empty()) {
        entries.push(json!({
            "manager": manager,
            "operation": "Update",
            "apiVersion": kind.api_version(),
            "time": time(now),
            "fieldsType": "FieldsV1",
            "fieldsV1": own,
        }));
    }
    put(after, &["metadata", "managedFields"], entries);
}

/// The server's own metadata, the status and what tells the kind are nobody's.
fn of_somebody(keys: &[String]) -> bool {
    match keys.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["f:metadata", field, ..] => matches!(*field, "f:annotations" | "f:labels" | "f:ownerReferences"),
        ["f:status" | "f:kind" | "f:apiVersion", ..] | [] => false,
        [..] => true,
    }
}

/// Collects the leaves that differ. Lists of things with a name are maps by it; other lists are one field.
fn walk(before: Option<&Value>, after: Option<&Value>, keys: &mut Vec<String>, into: &mut Vec<Changed>) {
    if before == after {
        return;
    }
    let (old, new) = (children(before), children(after));
    if old.is_none() && new.is_none() {
        into.push(Changed { keys: keys.clone(), there: after.is_some() });
        return;
    }
    // a map that became empty is still there, and nobody's
    if new.is_none() && after.is_some_and(|after| !after.is_object()) {
        into.push(Changed { keys: keys.clone(), there: true });
    }
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let added = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(added) {
        keys.push(key.clone());
        walk(old.get(key), new.get(key), keys, into);
        keys.pop();
    }
}

/// What stands below a value, by the keys of `fieldsV1`; `None` for a leaf, such as an empty map.
fn children(value: Option<&Value>) -> Option<Map<String, Value>> {
    match value? {
        Value::Object(fields) if !fields.is_empty() => {
            Some(fields.iter().map(|(key, field)| (format!("f:{key}"), field.clone())).collect())
        }
        Value::Array(list) if list.iter().all(|one| one.get("name").is_some()) && !list.is_empty() => {
            let key = |one: &Value| format!("k:{}", json!({ "name": text(one, "/name") }));
            Some(list.iter().map(|one| (key(one), one.clone())).collect())
        }
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => None,
    }
}

/// Takes a field, what stands below it, and what holds nothing any more.
fn take(fields: &mut Value, keys: &[String]) {
    let Some((first, rest)) = keys.split_first() else { return };
    let Some(map) = fields.as_object_mut() else { return };
    let Some(below) = map.get_mut(first) else { return };
    let leaf = below.as_object().is_none_or(Map::is_empty);
    if !rest.is_empty() && !leaf {
        take(below, rest);
        if below.as_object().is_some_and(|left| !left.is_empty()) {
            return;
        }
    } else if !rest.is_empty() {
        // it owns something above as a whole
        return;
    }
    map.remove(first);
}
