//! The scale subresource.

use serde_json::{Value, json};

use super::api::{same_uid, stored};
use super::json::{int, put, text};
use super::kinds::Kind;
use super::patch;
use super::route::{Request, Target};
use super::state::State;
use super::status::{Answer, Refusal, Reply};
use super::writes;

pub(crate) fn get(state: &State, target: &Target) -> Reply {
    check(target)?;
    Ok(Answer::json(200, view(&stored(state, target)?)))
}

pub(crate) fn patch(state: &mut State, request: &Request, target: &Target) -> Reply {
    check(target)?;
    let old = stored(state, target)?;
    let scaled = patch::apply(request, &view(&old))?;
    same_uid(target, &old, scaled.pointer("/metadata/uid").and_then(Value::as_str))?;
    let asked = scaled.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    if asked.is_some_and(|asked| asked != text(&old, "/metadata/resourceVersion")) {
        return Err(Refusal::modified(target.kind, &target.name));
    }
    let replicas = int(&scaled, "/spec/replicas");
    if replicas < 0 {
        let why = format!("Invalid value: {replicas}: must be greater than or equal to 0");
        let cause = ("spec.replicas", "FieldValueInvalid", why.as_str());
        return Err(Refusal::invalid("autoscaling", "Scale", &target.name, cause));
    }
    let mut new = old.clone();
    put(&mut new, &["spec", "replicas"], replicas);
    Ok(Answer::json(200, view(&writes::store(state, request, target, &old, new))))
}

fn check(target: &Target) -> Result<(), Refusal> {
    match target.kind {
        Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet => Ok(()),
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn view(object: &Value) -> Value {
    let labels = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let selector: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": text(object, "/metadata/name"),
            "namespace": text(object, "/metadata/namespace"),
            "uid": text(object, "/metadata/uid"),
            "resourceVersion": text(object, "/metadata/resourceVersion"),
            "creationTimestamp": text(object, "/metadata/creationTimestamp"),
        },
        "spec": { "replicas": int(object, "/spec/replicas") },
        "status": { "replicas": int(object, "/status/replicas"), "selector": selector.join(",") },
    })
}
