//! EndpointSlices: the pods behind each service, as the controller of a real cluster writes them (`discovery.k8s.io/v1`).

use serde_json::{Value, json};

use super::json::{items, put, text};
use super::kinds::Kind;
use super::objects::{hex, name, namespace, suffix, terminating, uid};
use super::pod;
use super::state::State;

/// One slice for each service that selects pods.
pub(crate) fn all(state: &State, space: &str) -> Vec<Value> {
    let services = state.objects.list(Kind::Service, space);
    services.filter(|service| selector(service).is_some()).map(|service| slice(state, service)).collect()
}

fn selector(service: &Value) -> Option<&serde_json::Map<String, Value>> {
    service.pointer("/spec/selector").and_then(Value::as_object).filter(|all| !all.is_empty())
}

fn slice(state: &State, service: &Value) -> Value {
    let space = namespace(service);
    let selected = |pod: &&Value| {
        let labels = pod.pointer("/metadata/labels");
        let mut wanted = selector(service).into_iter().flatten();
        wanted.all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
    };
    let behind = state.objects.list(Kind::Pod, space).filter(selected);
    let behind: Vec<Value> =
        behind.filter(|pod| !text(pod, "/status/podIP").is_empty()).map(endpoint).collect();
    let mut slice = json!({
        "kind": "EndpointSlice",
        "apiVersion": Kind::EndpointSlice.api_version(),
        "metadata": {
            "name": format!("{}-{}", name(service), suffix(&hex(uid(service).as_bytes()), 5)),
            "generateName": format!("{}-", name(service)),
            "namespace": space,
            "generation": 1,
            "creationTimestamp": text(service, "/metadata/creationTimestamp"),
            "labels": {
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                "kubernetes.io/service-name": name(service),
            },
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Service", "name": name(service), "uid": uid(service),
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "addressType": "IPv4",
        "endpoints": behind,
    });
    let ports: Vec<Value> = items(service, "/spec/ports").iter().map(port).collect();
    put(&mut slice, &["ports"], ports);
    slice
}

fn endpoint(pod: &Value) -> Value {
    let (ready, ends) = (pod::is_ready(pod), terminating(pod));
    json!({
        "addresses": [text(pod, "/status/podIP")],
        "conditions": { "ready": ready && !ends, "serving": ready, "terminating": ends },
        "nodeName": text(pod, "/spec/nodeName"),
        "targetRef": { "kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": uid(pod) },
    })
}

/// A name for the target is not resolved here: the number of the service stands for it.
fn port(of: &Value) -> Value {
    let number = of.get("targetPort").filter(|to| to.is_i64()).or_else(|| of.get("port"));
    json!({ "name": text(of, "/name"), "port": number, "protocol": text(of, "/protocol") })
}
