//! Reads: one object, a page of many, and the start of a watch.

use serde_json::{Value, json};

use super::api::stored;
use super::endpoints;
use super::json::put;
use super::kinds::Kind;
use super::metrics;
use super::objects::{name, namespace, without_type};
use super::route::{Request, Target};
use super::selectors::Selector;
use super::state::State;
use super::status::{Answer, Payload, Refusal, Reply};
use super::watch::Wanted;

pub(crate) fn get(state: &State, request: &Request, target: &Target) -> Reply {
    served(state, target)?;
    let object = match target.kind {
        kind if kind.is_computed() => computed(state, kind, &target.namespace)
            .into_iter()
            .find(|object| name(object) == target.name)
            .ok_or_else(|| Refusal::not_found(kind, &target.name))?,
        _ => stored(state, target)?,
    };
    if !request.metadata_only() {
        return Ok(Answer::json(200, object));
    }
    let metadata = object.get("metadata").cloned().unwrap_or_default();
    Ok(Answer::json(
        200,
        json!({ "kind": "PartialObjectMetadata", "apiVersion": META, "metadata": metadata }),
    ))
}

/// What is made when somebody asks.
fn computed(state: &State, kind: Kind, space: &str) -> Vec<Value> {
    match kind {
        Kind::NodeMetrics => metrics::nodes(state),
        Kind::EndpointSlice => endpoints::all(state, space),
        _ => metrics::all(state, space),
    }
}

/// The API of objects without their content.
const META: &str = "meta.k8s.io/v1";

/// There is no API of cert-manager's without cert-manager.
fn served(state: &State, target: &Target) -> Result<(), Refusal> {
    let absent =
        target.kind == Kind::Certificate && state.objects.list(Kind::Certificate, "").next().is_none();
    if absent { Err(Refusal::no_such_api()) } else { Ok(()) }
}

/// Both selectors of a request.
pub(crate) fn selectors(request: &Request) -> Result<(Selector, Selector), Refusal> {
    let labels = request.param("labelSelector").unwrap_or_default();
    let fields = request.param("fieldSelector").unwrap_or_default();
    let labels = Selector::labels(labels)
        .ok_or_else(|| Refusal::bad_request(&format!("unable to parse requirement: {labels}")))?;
    let fields = Selector::fields(fields)
        .ok_or_else(|| Refusal::bad_request(&format!("invalid selector: '{fields}'; can't understand it")))?;
    match fields.unknown_field() {
        Some(field) => Err(Refusal::bad_request(&format!("field label not supported: {field}"))),
        None => Ok((labels, fields)),
    }
}

pub(crate) fn list(state: &State, request: &Request, target: &Target) -> Reply {
    served(state, target)?;
    let (labels, fields) = selectors(request)?;
    let all: Vec<Value> = match target.kind {
        kind if kind.is_computed() => computed(state, kind, &target.namespace),
        kind => state.objects.list(kind, &target.namespace).cloned().collect(),
    };
    let mut found: Vec<Value> = all
        .into_iter()
        .filter(|object| labels.admits_labels(object) && fields.admits_fields(object))
        .collect();
    let after = request.param("continue").map(|token| resume(state, token)).transpose()?;
    if let Some(after) = after {
        found.retain(|object| place(object) > after);
    }
    let limit =
        request.param("limit").and_then(|limit| limit.parse::<usize>().ok()).filter(|limit| *limit > 0);
    let left = limit.map_or(0, |limit| found.len().saturating_sub(limit));
    found.truncate(found.len().saturating_sub(left));
    let mut metadata = json!({ "resourceVersion": state.objects.version().to_string() });
    if let Some(last) = found.last().filter(|_| left > 0) {
        put(&mut metadata, &["continue"], format!("{}/{}", state.objects.version(), place(last)));
        put(&mut metadata, &["remainingItemCount"], left);
    }
    if request.metadata_only() {
        let bare = |object: Value| json!({ "metadata": object.get("metadata") });
        let items: Vec<Value> = found.into_iter().map(bare).collect();
        let kind = "PartialObjectMetadataList";
        return Ok(Answer::json(
            200,
            json!({ "kind": kind, "apiVersion": META, "metadata": metadata, "items": items }),
        ));
    }
    Ok(Answer::json(
        200,
        json!({
            "kind": format!("{}List", target.kind.spelling().kind),
            "apiVersion": target.kind.api_version(),
            "metadata": metadata,
            "items": found.into_iter().map(without_type).collect::<Vec<_>>(),
        }),
    ))
}

/// Where an object stands in the order of a list.
fn place(object: &Value) -> String {
    format!("{}/{}", namespace(object), name(object))
}

/// The last place of the page before.
fn resume(state: &State, token: &str) -> Result<String, Refusal> {
    let parsed =
        token.split_once('/').and_then(|(version, place)| Some((version.parse::<u64>().ok()?, place)));
    let (version, place) = parsed.ok_or_else(|| Refusal::bad_request("continue key is not valid"))?;
    if version < state.objects.floor() {
        return Err(Refusal::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
        ));
    }
    Ok(place.to_owned())
}

pub(crate) fn watch(state: &State, request: &Request, target: &Target) -> Reply {
    if target.kind.is_computed() {
        return Err(Refusal::method_not_allowed());
    }
    let (labels, fields) = selectors(request)?;
    let from = request.param("resourceVersion").and_then(|version| version.parse::<u64>().ok()).unwrap_or(0);
    let seconds = request.param("timeoutSeconds").and_then(|seconds| seconds.parse::<i64>().ok());
    // the name in a path watches that one object
    let name = Some(target.name.clone()).filter(|name| !name.is_empty());
    let payload = Payload::Watch(Wanted {
        kind: target.kind,
        namespace: target.namespace.clone(),
        name,
        labels,
        fields,
        from,
        until: seconds.and_then(|s| state.now().checked_add(jiff::SignedDuration::from_secs(s)).ok()),
    });
    Ok(Answer { status: 200, payload })
}
