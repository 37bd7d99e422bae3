//! What a pod refers to and cannot start without: ConfigMaps, Secrets, their keys, and Secrets to pull with.

use serde_json::Value;

use super::json::{flag, items, text};
use super::kinds::Kind;
use super::life::Life;
use super::state::State;

/// The kubelet's words on the first reference of the pod's container that leads nowhere.
pub(crate) fn missing(state: &State, life: &Life) -> Option<String> {
    let pod = state.objects.get(Kind::Pod, &life.namespace, &life.name)?;
    items(pod, "/spec/containers").iter().find_map(|container| of(state, &life.namespace, container))
}

fn of(state: &State, space: &str, container: &Value) -> Option<String> {
    let held = [(Kind::ConfigMap, "configMap", "configmap"), (Kind::Secret, "secret", "secret")];
    for (kind, field, word) in held {
        let whole = items(container, "/envFrom").iter().filter_map(|from| from.get(format!("{field}Ref")));
        let keys = items(container, "/env")
            .iter()
            .filter_map(|one| one.get("valueFrom")?.get(format!("{field}KeyRef")));
        for reference in whole.chain(keys).filter(|reference| !flag(reference, "/optional")) {
            let (name, key) = (text(reference, "/name"), text(reference, "/key"));
            let Some(found) = state.objects.get(kind, space, name) else {
                return Some(format!("{word} \"{name}\" not found"));
            };
            let there = |map: &str| found.get(map).is_some_and(|map| map.get(key).is_some());
            if !key.is_empty() && !there("data") && !there("binaryData") {
                return Some(format!("couldn't find key {key} in {} {space}/{name}", kind.spelling().kind));
            }
        }
    }
    None
}

/// Whether the pod names Secrets to pull with, and there is none of them.
pub(crate) fn no_pull_secret(state: &State, life: &Life) -> bool {
    let Some(pod) = state.objects.get(Kind::Pod, &life.namespace, &life.name) else { return false };
    let named = items(pod, "/spec/imagePullSecrets");
    let gone =
        |secret: &Value| state.objects.get(Kind::Secret, &life.namespace, text(secret, "/name")).is_none();
    !named.is_empty() && named.iter().all(gone)
}
