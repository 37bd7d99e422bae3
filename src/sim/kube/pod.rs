//! How a pod looks: its object from a template, and its status from its life.

use serde_json::{Map, Value, json};

use super::json::{cut, items, put, text, time};
use super::kinds::Kind;
use super::kubelet;
use super::life::{Ended, Life, Step};
use super::objects::{controller, name, namespace, suffix};
use super::state::State;

/// Makes a pod from a controller's template, named by the controller or else anew, and begins its life;
/// gives its name.
pub(crate) fn create(state: &mut State, owner: &Value, template: Value) -> String {
    let mut pod = template;
    let pod_name = match name(&pod) {
        "" => format!("{}-{}", name(owner), suffix(&state.objects.fresh_hex(), 5)),
        given => given.to_owned(),
    };
    put(&mut pod, &["metadata", "name"], pod_name.as_str());
    put(&mut pod, &["metadata", "generateName"], format!("{}-", name(owner)));
    put(&mut pod, &["metadata", "namespace"], namespace(owner));
    put(&mut pod, &["metadata", "ownerReferences"], kubelet::owned_by(owner));
    cut(&mut pod, &["metadata", "creationTimestamp"]);
    defaults(&mut pod);
    let status = json!({ "phase": "Pending", "qosClass": qos(&pod) });
    put(&mut pod, &["status"], status);
    let stored = state.objects.insert(Kind::Pod, pod);
    let root = root_of(state, owner);
    kubelet::begin(state, &stored, Some(root));
    pod_name
}

/// Where a pod keeps the one node that it may run on.
const BOUND: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";

/// The one node that a pod may run on, as a DaemonSet's pods have it.
pub(crate) fn bound(pod: &Value) -> Option<&str> {
    pod.pointer(BOUND).and_then(Value::as_str)
}

/// Binds a pod to a node as the DaemonSet controller does.
pub(crate) fn bind(pod: &mut Value, node: &str) {
    let own = json!({ "key": "metadata.name", "operator": "In", "values": [node] });
    let terms = json!({ "nodeSelectorTerms": [{ "matchFields": [own] }] });
    let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": terms } });
    put(pod, &["spec", "affinity"], affinity);
    let always = ["not-ready", "unreachable"].map(|key| (key, "NoExecute"));
    let pressure = ["disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"];
    let all = always.into_iter().chain(pressure.map(|key| (key, "NoSchedule"))).map(|(key, effect)| {
        json!({ "key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "effect": effect })
    });
    put(pod, &["spec", "tolerations"], all.collect::<Vec<_>>());
}

/// The name of the top controller above `owner`.
fn root_of(state: &State, owner: &Value) -> String {
    let above = controller(owner).map(|(_, name, _)| name);
    above
        .filter(|above| state.objects.get(Kind::Deployment, namespace(owner), above).is_some())
        .unwrap_or_else(|| name(owner))
        .to_owned()
}

/// What admission fills into a pod's spec.
pub(crate) fn defaults(pod: &mut Value) {
    let spec: [(&str, Value); 10] = [
        ("dnsPolicy", json!("ClusterFirst")),
        ("enableServiceLinks", json!(true)),
        ("preemptionPolicy", json!("PreemptLowerPriority")),
        ("priority", json!(0)),
        ("restartPolicy", json!("Always")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("serviceAccount", json!("default")),
        ("serviceAccountName", json!("default")),
        ("terminationGracePeriodSeconds", json!(30)),
    ];
    for (key, value) in spec {
        if pod.pointer(&format!("/spec/{key}")).is_none() {
            put(pod, &["spec", key], value);
        }
    }
}

fn qos(pod: &Value) -> &'static str {
    let containers = items(pod, "/spec/containers");
    let limits = |container: &Value| container.pointer("/resources/limits").cloned();
    let requests = |container: &Value| container.pointer("/resources/requests").cloned();
    if containers.iter().all(|c| limits(c).is_none() && requests(c).is_none()) {
        "BestEffort"
    } else if containers
        .iter()
        .all(|c| limits(c).is_some() && (requests(c).is_none() || requests(c) == limits(c)))
    {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// The words of a registry that does not know an image, or wants to know who asks.
pub(crate) fn pull_error(image: &str, denied: bool) -> String {
    let head =
        format!("failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\":");
    if denied {
        return format!(
            "{head} failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized"
        );
    }
    format!("rpc error: code = NotFound desc = {head} {image}: not found")
}

/// A pod's whole status.
pub(crate) fn status(life: &Life, pod: &Value) -> Value {
    let mut status = json!({
        "conditions": conditions(life),
        "observedGeneration": 1,
        "phase": phase(life),
        "qosClass": qos(pod),
    });
    if let Some(node) = &life.node {
        let address = json!([{ "ip": "192.0.2.2" }]);
        put(&mut status, &["containerStatuses"], json!([container_status(life, pod)]));
        put(&mut status, &["hostIP"], if node.is_empty() { "" } else { "192.0.2.2" });
        put(&mut status, &["hostIPs"], address);
        put(&mut status, &["startTime"], time(life.born));
    }
    if life.current.is_some() || life.ended.is_some() {
        put(&mut status, &["podIP"], life.ip.as_str());
        put(&mut status, &["podIPs"], json!([{ "ip": life.ip }]));
        let resources = resources(pod);
        if let Some(requests) = resources.get("requests") {
            put(&mut status, &["allocatedResources"], requests.clone());
        }
        put(&mut status, &["resources"], resources);
    }
    status
}

fn phase(life: &Life) -> &'static str {
    if life.current.is_some() || life.ended.is_some() { "Running" } else { "Pending" }
}

fn conditions(life: &Life) -> Value {
    let born = time(life.born);
    if life.node.is_none() {
        return json!([{
            "lastProbeTime": null, "lastTransitionTime": born, "observedGeneration": 1,
            "message": life.unplaced.as_deref().unwrap_or("0 nodes are available: node(s) were unschedulable."),
            "reason": "Unschedulable", "status": "False", "type": "PodScheduled",
        }]);
    }
    let sandbox = phase(life) == "Running" || life.step != Step::Creating;
    Value::Array(vec![
        condition("PodReadyToStartContainers", sandbox, &born, None),
        condition("Initialized", true, &born, None),
        condition("Ready", life.ready, &time(life.ready_changed), Some(&life.container)),
        condition("ContainersReady", life.ready, &time(life.ready_changed), Some(&life.container)),
        condition("PodScheduled", true, &born, None),
    ])
}

fn condition(kind: &str, holds: bool, since: &str, container: Option<&str>) -> Value {
    let mut condition = json!({
        "lastProbeTime": null,
        "lastTransitionTime": since,
        "observedGeneration": 1,
        "status": if holds { "True" } else { "False" },
        "type": kind,
    });
    if let Some(container) = container.filter(|_| !holds) {
        put(&mut condition, &["message"], format!("containers with unready status: [{container}]"));
        put(&mut condition, &["reason"], "ContainersNotReady");
    }
    condition
}

fn container_status(life: &Life, pod: &Value) -> Value {
    let (state, last) = states(life);
    let running = life.step == Step::Up;
    let mut status = json!({
        "image": life.image,
        "imageID": "",
        "lastState": last,
        "name": life.container,
        "ready": life.ready,
        "restartCount": life.restarts,
        "started": running,
        "state": state,
    });
    let id = life.current.as_ref().map(|current| &current.id).or(life.ended.as_ref().map(|ended| &ended.id));
    if let Some(id) = id {
        put(&mut status, &["containerID"], format!("containerd://{id}"));
        put(&mut status, &["imageID"], format!("sha256:{}", super::objects::hex(life.image.as_bytes())));
        let resources = resources(pod);
        if let Some(requests) = resources.get("requests") {
            put(&mut status, &["allocatedResources"], requests.clone());
        }
        put(&mut status, &["resources"], resources);
        put(&mut status, &["user"], json!({ "linux": { "gid": 0, "supplementalGroups": [0], "uid": 0 } }));
    }
    status
}

/// Requests and limits of the pod's one container.
fn resources(pod: &Value) -> Value {
    let first = items(pod, "/spec/containers").first();
    first.and_then(|container| container.get("resources")).cloned().unwrap_or_else(empty)
}

/// `state` and `lastState` of the container.
fn states(life: &Life) -> (Value, Value) {
    let last = life.ended.as_ref().map_or_else(empty, terminated);
    match life.step {
        Step::Unscheduled | Step::Creating => (waiting("ContainerCreating", None), last),
        Step::Up => {
            let started = life.current.as_ref().map_or(life.born, |current| current.started);
            (json!({ "running": { "startedAt": time(started) } }), last)
        }
        Step::Crashed => (last, life.previous.as_ref().map_or_else(empty, terminated)),
        Step::Refused => (waiting("CreateContainerConfigError", life.refused.clone()), last),
        Step::BackOff => (waiting("CrashLoopBackOff", Some(back_off(life))), last),
        Step::PullFailed => (waiting("ErrImagePull", Some(pull_error(&life.image, life.denied))), last),
        Step::PullBackOff => {
            let message = format!(
                "Back-off pulling image \"{0}\": ErrImagePull: {1}",
                life.image,
                pull_error(&life.image, life.denied)
            );
            (waiting("ImagePullBackOff", Some(message)), last)
        }
    }
}

fn empty() -> Value {
    Value::Object(Map::new())
}

fn waiting(reason: &str, message: Option<String>) -> Value {
    let mut waiting = json!({ "waiting": { "reason": reason } });
    if let Some(message) = message {
        put(&mut waiting, &["waiting", "message"], message);
    }
    waiting
}

fn terminated(ended: &Ended) -> Value {
    json!({ "terminated": {
        "containerID": format!("containerd://{}", ended.id),
        "exitCode": ended.exit_code,
        "finishedAt": time(ended.finished),
        "reason": ended.reason,
        "startedAt": time(ended.started),
    }})
}

/// The kubelet's words: `back-off 20s restarting failed container=…`, with minutes as Go writes them.
fn back_off(life: &Life) -> String {
    let seconds = life.back_off().as_secs();
    let span =
        if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) };
    format!(
        "back-off {span} restarting failed container={} pod={}_{}({})",
        life.container, life.name, life.namespace, life.uid
    )
}

/// Whether a pod object says that it is ready.
pub(crate) fn is_ready(pod: &Value) -> bool {
    items(pod, "/status/conditions")
        .iter()
        .any(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True")
}
