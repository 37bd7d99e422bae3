//! Patches: JSON Patch (RFC 6902), merge patch (RFC 7396), and strategic merge as far as lists of named
//! things go.

use serde_json::Value;

use super::json::text;
use super::route::Request;
use super::status::Refusal;

/// The object after the request's patch.
pub(crate) fn apply(request: &Request, object: &Value) -> Result<Value, Refusal> {
    let mut changed = object.clone();
    match request.content_type.split(';').next().unwrap_or_default().trim() {
        "application/json-patch+json" => {
            let patch: json_patch::Patch = parse(&request.body)?;
            for operation in patch.0 {
                step(&mut changed, operation).map_err(|_| Refusal::unprocessable())?;
            }
        }
        "application/merge-patch+json" => json_patch::merge(&mut changed, &parse(&request.body)?),
        "application/strategic-merge-patch+json" => strategic(&mut changed, &parse(&request.body)?),
        other => return Err(Refusal::unsupported_media(other)),
    }
    Ok(changed)
}

/// One operation. The real server goes beyond the standard in one thing: what is missing equals `null`.
fn step(object: &mut Value, operation: json_patch::PatchOperation) -> Result<(), json_patch::PatchError> {
    if let json_patch::PatchOperation::Test(test) = &operation
        && test.value.is_null()
        && object.pointer(&test.path.to_string()).is_none()
    {
        return Ok(());
    }
    json_patch::patch(object, &[operation])
}

pub(crate) fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(&format!("error decoding patch: {error}")))
}

/// Merges; lists of objects with a `name` are merged by it, other lists are replaced.
fn strategic(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (key, change) in changes {
                if change.is_null() {
                    fields.remove(key);
                } else {
                    strategic(fields.entry(key.clone()).or_insert(Value::Null), change);
                }
            }
        }
        (Value::Array(list), Value::Array(changes)) if named(changes) => {
            for change in changes {
                match list.iter_mut().find(|one| text(one, "/name") == text(change, "/name")) {
                    Some(one) => strategic(one, change),
                    None => list.push(change.clone()),
                }
            }
        }
        (target, patch) => {
            *target = Value::Null;
            json_patch::merge(target, patch);
        }
    }
}

fn named(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(|one| one.get("name").is_some())
}
