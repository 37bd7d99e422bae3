//! Writes to objects: create and patch, both also as dry runs.

use serde_json::{Value, json};

use super::api::stored;
use super::controllers;
use super::defaults;
use super::json::{cut, int, items, put, text};
use super::kinds::Kind;
use super::kubelet;
use super::managed;
use super::objects::{generation, name};
use super::patch;
use super::pod;
use super::route::{Request, Target};
use super::state::State;
use super::status::{Answer, Refusal, Reply};

/// What only the server writes; a client's values for it are ignored.
const SERVERS_OWN: [&str; 5] =
    ["creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"];

pub(crate) fn create(state: &mut State, request: &Request, target: &Target) -> Reply {
    if !target.name.is_empty() || target.kind.is_computed() {
        return Err(Refusal::method_not_allowed());
    }
    let space = target.namespace.as_str();
    if !space.is_empty() && state.objects.get(Kind::Namespace, "", space).is_none() {
        return Err(Refusal::not_found(Kind::Namespace, space));
    }
    let mut object: Value = patch::parse(&request.body)?;
    if !object.is_object() {
        return Err(Refusal::bad_request("the object provided is unrecognized"));
    }
    let asked = text(&object, "/metadata/namespace");
    if !asked.is_empty() && asked != space {
        return Err(Refusal::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    give_name(state, target.kind, &mut object)?;
    if !space.is_empty() {
        put(&mut object, &["metadata", "namespace"], space);
    }
    if state.objects.get(target.kind, space, name(&object)).is_some() {
        return Err(Refusal::already_exists(target.kind, name(&object)));
    }
    for field in SERVERS_OWN {
        cut(&mut object, &["metadata", field]);
    }
    if target.kind == Kind::Pod {
        pod::defaults(&mut object);
        put(&mut object, &["status"], json!({ "phase": "Pending" }));
    }
    defaults::settle(target.kind, &mut object);
    validate(target.kind, &object)?;
    managed::note(target.kind, request, &json!({}), &mut object, state.now());
    if request.dry_run() {
        // the server makes up the rest and forgets it
        state.objects.complete(target.kind, &mut object);
        return Ok(Answer::json(201, object));
    }
    let created = state.objects.insert(target.kind, object);
    if target.kind == Kind::Pod {
        kubelet::begin(state, &created, None);
    }
    if target.kind == Kind::Job {
        controllers::jobs::begin(state, &created);
    }
    Ok(Answer::json(201, created))
}

fn give_name(state: &mut State, kind: Kind, object: &mut Value) -> Result<(), Refusal> {
    if !name(object).is_empty() {
        return Ok(());
    }
    let stem = text(object, "/metadata/generateName").to_owned();
    if stem.is_empty() {
        let cause =
            ("metadata.name", "FieldValueRequired", "Required value: name or generateName is required");
        return Err(Refusal::invalid(kind.spelling().group, kind.spelling().kind, "", cause));
    }
    let hex = state.objects.fresh_hex();
    put(object, &["metadata", "name"], format!("{stem}{}", super::objects::suffix(&hex, 5)));
    Ok(())
}

pub(crate) fn patch(state: &mut State, request: &Request, target: &Target) -> Reply {
    if target.kind.is_computed() || target.name.is_empty() {
        return Err(Refusal::method_not_allowed());
    }
    let old = stored(state, target)?;
    let mut new = patch::apply(request, &old)?;
    check_identity(target, &old, &new)?;
    keep_servers_own(&old, &mut new);
    defaults::settle(target.kind, &mut new);
    validate(target.kind, &new)?;
    if target.kind == Kind::Pod && old.get("spec") != new.get("spec") {
        let why = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        return Err(Refusal::invalid("", "Pod", &target.name, ("spec", "FieldValueForbidden", why)));
    }
    Ok(Answer::json(200, store(state, request, target, &old, new)))
}

/// Stores the new version of an object, unless it is a dry run or nothing changed.
pub(crate) fn store(
    state: &mut State,
    request: &Request,
    target: &Target,
    old: &Value,
    mut new: Value,
) -> Value {
    if *old == new {
        return new;
    }
    let annotated = old.pointer("/metadata/annotations") != new.pointer("/metadata/annotations");
    let respecified = old.get("spec") != new.get("spec");
    // a Deployment's annotations are copied to its ReplicaSets, and so they move its generation as well
    if target.kind.has_generation() && (respecified || (annotated && target.kind == Kind::Deployment)) {
        put(&mut new, &["metadata", "generation"], generation(old).saturating_add(1));
    }
    managed::note(target.kind, request, old, &mut new, state.now());
    if request.dry_run() {
        return new;
    }
    state.objects.update(target.kind, new.clone());
    stored(state, target).unwrap_or(new)
}

/// A patch that names another object than the one stored is refused.
fn check_identity(target: &Target, old: &Value, new: &Value) -> Result<(), Refusal> {
    let asked = new.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    if asked.is_some_and(|asked| asked != text(old, "/metadata/resourceVersion")) {
        return Err(Refusal::modified(target.kind, &target.name));
    }
    let uid = text(new, "/metadata/uid");
    if !uid.is_empty() && uid != super::objects::uid(old) {
        return Err(Refusal::immutable_uid(target.kind, &target.name, uid));
    }
    if name(new) != target.name {
        let message = format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            name(new),
            target.name
        );
        return Err(Refusal::bad_request(&message));
    }
    if text(new, "/metadata/namespace") != target.namespace {
        return Err(Refusal::bad_request(
            "the namespace of the object does not match the namespace on the URL",
        ));
    }
    Ok(())
}

/// Status and the server's own metadata are as they were.
fn keep_servers_own(old: &Value, new: &mut Value) {
    let kept = ["uid", "resourceVersion"].into_iter().chain(SERVERS_OWN);
    for field in kept {
        match old.pointer(&format!("/metadata/{field}")) {
            Some(value) => put(new, &["metadata", field], value.clone()),
            None => cut(new, &["metadata", field]),
        }
    }
    match old.get("status") {
        Some(status) => put(new, &["status"], status.clone()),
        None => cut(new, &["status"]),
    }
}

fn validate(kind: Kind, object: &Value) -> Result<(), Refusal> {
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    if annotations.is_some_and(|all| all.values().any(|value| !value.is_string())) {
        return Err(Refusal::bad_request(
            "json: cannot unmarshal into Go struct field ObjectMeta.metadata.annotations of type string",
        ));
    }
    let spelling = kind.spelling();
    let invalid = |field: &str, reason: &str, why: &str| {
        Err(Refusal::invalid(spelling.group, spelling.kind, name(object), (field, reason, why)))
    };
    if kind == Kind::HorizontalPodAutoscaler {
        let (min, max) = (int(object, "/spec/minReplicas"), int(object, "/spec/maxReplicas"));
        let why = format!("Invalid value: {max}: must be greater than or equal to `minReplicas`");
        return if max < min { invalid("spec.maxReplicas", "FieldValueInvalid", &why) } else { Ok(()) };
    }
    let scalable = matches!(kind, Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet);
    let replicas = int(object, "/spec/replicas");
    if scalable && replicas < 0 {
        let why = format!("Invalid value: {replicas}: must be greater than or equal to 0");
        return invalid("spec.replicas", "FieldValueInvalid", &why);
    }
    let pod_spec = match kind {
        Kind::Pod => "spec",
        _ if scalable || matches!(kind, Kind::DaemonSet | Kind::Job) => "spec/template/spec",
        _ => return Ok(()),
    };
    let containers = items(object, &format!("/{pod_spec}/containers"));
    let field = format!("{}.containers", pod_spec.replace('/', "."));
    if containers.is_empty() {
        return invalid(&field, "FieldValueRequired", "Required value");
    }
    if containers.iter().any(|container| text(container, "/image").is_empty()) {
        return invalid(&format!("{field}[0].image"), "FieldValueRequired", "Required value");
    }
    if kind == Kind::Job
        && !matches!(text(object, "/spec/template/spec/restartPolicy"), "Never" | "OnFailure")
    {
        let why = "Required value: valid values: \"OnFailure\", \"Never\"";
        return invalid("spec.template.spec.restartPolicy", "FieldValueRequired", why);
    }
    // only the pod itself tells: a StatefulSet adds volumes to what its template has
    if kind == Kind::Pod {
        let volumes = items(object, "/spec/volumes");
        let there = |name: &str| volumes.iter().any(|volume| text(volume, "/name") == name);
        let mounts = items(object, "/spec/containers/0/volumeMounts");
        let missing =
            mounts.iter().map(|mount| text(mount, "/name")).enumerate().find(|(_, name)| !there(name));
        if let Some((i, name)) = missing {
            let field = format!("{field}[0].volumeMounts[{i}].name");
            return invalid(&field, "FieldValueNotFound", &format!("Not found: \"{name}\""));
        }
    }
    Ok(())
}
