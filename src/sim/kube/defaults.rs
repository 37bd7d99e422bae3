//! What the API server makes of an object before it stores it: what is left out gets its default, a `false`
//! or an empty map that means "not there" is dropped, and quantities are written in their shortest form.

use serde_json::{Value, json};

use super::json::{bytes, cut, flag, int, millicores, put};
use super::kinds::Kind;

/// The annotation that counts a DaemonSet's templates, kept since it was a field.
pub(crate) const TEMPLATE_NUMBER: &str = "deprecated.daemonset.template.generation";

/// Brings an object into the form in which it is stored.
pub(crate) fn settle(kind: Kind, object: &mut Value) {
    drop_empty(object, &["metadata"]);
    match kind {
        Kind::Deployment => {
            missing(object, &["spec", "replicas"], json!(1));
            drop_false(object, &["spec", "paused"]);
            template(object);
        }
        Kind::StatefulSet => {
            missing(object, &["spec", "replicas"], json!(1));
            missing(object, &["spec", "podManagementPolicy"], json!("OrderedReady"));
            missing(object, &["spec", "revisionHistoryLimit"], json!(10));
            let kept = json!({ "whenDeleted": "Retain", "whenScaled": "Retain" });
            missing(object, &["spec", "persistentVolumeClaimRetentionPolicy"], kept);
            rolling(object, json!({ "partition": 0 }));
            template(object);
        }
        Kind::DaemonSet => {
            missing(object, &["spec", "revisionHistoryLimit"], json!(10));
            rolling(object, json!({ "maxSurge": 0, "maxUnavailable": 1 }));
            template(object);
        }
        Kind::CronJob => {
            missing(object, &["spec", "concurrencyPolicy"], json!("Allow"));
            missing(object, &["spec", "failedJobsHistoryLimit"], json!(1));
            missing(object, &["spec", "successfulJobsHistoryLimit"], json!(3));
            missing(object, &["spec", "suspend"], json!(false));
        }
        Kind::Job => {
            missing(object, &["spec", "backoffLimit"], json!(6));
            missing(object, &["spec", "completionMode"], json!("NonIndexed"));
            missing(object, &["spec", "completions"], json!(1));
            missing(object, &["spec", "parallelism"], json!(1));
            missing(object, &["spec", "podReplacementPolicy"], json!("TerminatingOrFailed"));
            missing(object, &["spec", "suspend"], json!(false));
        }
        Kind::HorizontalPodAutoscaler => missing(object, &["spec", "minReplicas"], json!(1)),
        Kind::ConfigMap => {
            for map in ["data", "binaryData"] {
                if object.get(map).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
                    cut(object, &[map]);
                }
            }
        }
        Kind::Node => drop_false(object, &["spec", "unschedulable"]),
        Kind::Secret => missing(object, &["type"], json!("Opaque")),
        Kind::Namespace
        | Kind::Pod
        | Kind::Event
        | Kind::Service
        | Kind::ReplicaSet
        | Kind::ControllerRevision
        | Kind::PodDisruptionBudget
        | Kind::ResourceQuota
        | Kind::PersistentVolumeClaim
        | Kind::NetworkPolicy
        | Kind::StorageClass
        | Kind::Certificate
        | Kind::Ingress
        | Kind::EndpointSlice
        | Kind::PodMetrics
        | Kind::NodeMetrics => {}
    }
}

/// Counts a DaemonSet's templates.
pub(crate) fn number_template(kind: Kind, old: Option<&Value>, new: &mut Value) {
    let template = |object: &Value| object.pointer("/spec/template").cloned();
    if kind != Kind::DaemonSet || old.is_some_and(|old| template(old) == template(new)) {
        return;
    }
    let known = old.and_then(|old| old.pointer("/metadata/annotations")?.get(TEMPLATE_NUMBER)?.as_str());
    let number = known.and_then(|known| known.parse::<i64>().ok()).unwrap_or(0).saturating_add(1);
    put(new, &["metadata", "annotations", TEMPLATE_NUMBER], number.to_string());
}

fn missing(object: &mut Value, path: &[&str], value: Value) {
    if object.pointer(&format!("/{}", path.join("/"))).is_none_or(Value::is_null) {
        put(object, path, value);
    }
}

fn drop_false(object: &mut Value, path: &[&str]) {
    if !flag(object, &format!("/{}", path.join("/"))) {
        cut(object, path);
    }
}

fn drop_empty(object: &mut Value, above: &[&str]) {
    for map in ["annotations", "labels"] {
        let pointer = format!("/{}/{map}", above.join("/"));
        if object.pointer(&pointer).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            cut(object, &[above, &[map]].concat());
        }
    }
}

fn rolling(object: &mut Value, with: Value) {
    missing(object, &["spec", "updateStrategy", "type"], json!("RollingUpdate"));
    if object.pointer("/spec/updateStrategy/type") == Some(&json!("RollingUpdate")) {
        missing(object, &["spec", "updateStrategy", "rollingUpdate"], with);
    }
}

fn template(object: &mut Value) {
    drop_empty(object, &["spec", "template", "metadata"]);
    let containers = object.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        for part in ["limits", "requests"] {
            let quantities = container.pointer_mut(&format!("/resources/{part}"));
            let quantities = quantities.and_then(Value::as_object_mut);
            for (resource, quantity) in quantities.into_iter().flatten() {
                if let Some(short) = quantity.as_str().and_then(|text| shortest(resource, text)) {
                    *quantity = Value::from(short);
                }
            }
        }
    }
}

/// A quantity as Kubernetes writes it: `1000m` as `1`, `1024Mi` as `1Gi`.
fn shortest(resource: &str, text: &str) -> Option<String> {
    if resource == "cpu" {
        let milli = millicores(text)?;
        return Some(if milli % 1000 == 0 { (milli / 1000).to_string() } else { format!("{milli}m") });
    }
    let binary = text.ends_with('i');
    let size = bytes(text).filter(|size| binary && *size > 0)?;
    let (unit, power) = [("Ti", 40_u32), ("Gi", 30), ("Mi", 20), ("Ki", 10)]
        .into_iter()
        .find(|(_, power)| size % (1 << power) == 0)?;
    Some(format!("{}{unit}", size >> power))
}

/// How many earlier templates are kept.
pub(crate) fn history(object: &Value) -> usize {
    usize::try_from(int(object, "/spec/revisionHistoryLimit")).unwrap_or(0)
}
