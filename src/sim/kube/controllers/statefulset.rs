//! StatefulSets: pods with ordinals, made in their order and replaced one at a time from the highest. With
//! the usual `OrderedReady`, a pod that never becomes ready stops everything, a rollback included.

use serde_json::{Value, json};

use super::{owned, revisions};
use crate::sim::kube::events::{self, Note, Source};
use crate::sim::kube::json::{int, items, put, text};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::kubelet;
use crate::sim::kube::objects::{generation, name, namespace, terminating, uid};
use crate::sim::kube::pod;
use crate::sim::kube::state::State;

pub(super) fn reconcile(state: &mut State, set: &Value) {
    let update = revisions::sync(state, set, "controller.kubernetes.io/hash");
    let current = current(state, set, &update);
    let _: Option<()> = step(state, set, &current, &update);
    report(state, set, &current, &update);
    let kept = |one: &Value| {
        let used = |pod: &Value| revision_of(pod) == name(one);
        name(one) == name(&update) || name(one) == name(&current) || owned(state, Kind::Pod, set).any(used)
    };
    let live: Vec<String> = owned(state, Kind::ControllerRevision, set)
        .filter(|one| kept(one))
        .map(|one| name(one).to_owned())
        .collect();
    revisions::trim(state, set, |one| live.iter().any(|live| live == name(one)));
}

/// The revision that the last completed rollout left.
fn current(state: &State, set: &Value, update: &Value) -> Value {
    let known = text(set, "/status/currentRevision");
    state.objects.get(Kind::ControllerRevision, namespace(set), known).unwrap_or(update).clone()
}

fn revision_of(pod: &Value) -> &str {
    pod.pointer("/metadata/labels")
        .and_then(|all| all.get(revisions::HASH))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// One round: what is missing, then what is too much, then what is old. `None`: something has to be waited
/// for first.
fn step(state: &mut State, set: &Value, current: &Value, update: &Value) -> Option<()> {
    let wanted = int(set, "/spec/replicas");
    let ordered = text(set, "/spec/podManagementPolicy") != "Parallel";
    for ordinal in 0..wanted {
        match at(state, set, ordinal) {
            None => {
                create(state, set, ordinal, if ordinal < partition(set) { current } else { update });
                settled(!ordered)?;
            }
            Some(pod) => settled(!ordered || healthy(&pod))?,
        }
    }
    let mut surplus: Vec<Value> =
        owned(state, Kind::Pod, set).filter(|pod| ordinal_of(pod) >= wanted).cloned().collect();
    surplus.sort_by_key(|pod| -ordinal_of(pod));
    for pod in surplus {
        delete(state, set, &pod);
        settled(!ordered)?;
    }
    settled(text(set, "/spec/updateStrategy/type") != "OnDelete")?;
    for ordinal in (partition(set)..wanted).rev() {
        let pod = at(state, set, ordinal)?;
        if revision_of(&pod) != name(update) && !terminating(&pod) {
            delete(state, set, &pod);
            return None;
        }
        settled(healthy(&pod))?;
    }
    Some(())
}

fn settled(is: bool) -> Option<()> {
    is.then_some(())
}

fn healthy(pod: &Value) -> bool {
    pod::is_ready(pod) && !terminating(pod)
}

fn partition(set: &Value) -> i64 {
    int(set, "/spec/updateStrategy/rollingUpdate/partition")
}

fn at(state: &State, set: &Value, ordinal: i64) -> Option<Value> {
    state.objects.get(Kind::Pod, namespace(set), &format!("{}-{ordinal}", name(set))).cloned()
}

fn ordinal_of(pod: &Value) -> i64 {
    name(pod).rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn create(state: &mut State, set: &Value, ordinal: i64, revision: &Value) {
    let pod_name = format!("{}-{ordinal}", name(set));
    let mut template = revisions::template(revision);
    claim(state, set, &pod_name);
    let mut volumes = items(&template, "/spec/volumes").to_vec();
    volumes.extend(items(set, "/spec/volumeClaimTemplates").iter().map(|claim| {
        let claimed = format!("{}-{pod_name}", name(claim));
        json!({ "name": name(claim), "persistentVolumeClaim": { "claimName": claimed } })
    }));
    if !volumes.is_empty() {
        put(&mut template, &["spec", "volumes"], volumes);
    }
    put(&mut template, &["metadata", "name"], pod_name.as_str());
    for (label, value) in [
        (revisions::HASH, name(revision)),
        ("statefulset.kubernetes.io/pod-name", &pod_name),
        ("apps.kubernetes.io/pod-index", &ordinal.to_string()),
    ] {
        put(&mut template, &["metadata", "labels", label], value);
    }
    pod::create(state, set, template);
    let message = format!("Create Pod {pod_name} in StatefulSet {} successful", name(set));
    tell(state, set, "SuccessfulCreate", &message);
}

/// The claims of a pod: made once, and kept when it goes. Whoever gives out volumes is quick here.
fn claim(state: &mut State, set: &Value, pod: &str) {
    for template in items(set, "/spec/volumeClaimTemplates") {
        let claimed = format!("{}-{pod}", name(template));
        if state.objects.get(Kind::PersistentVolumeClaim, namespace(set), &claimed).is_some() {
            continue;
        }
        let metadata = json!({ "name": claimed, "namespace": namespace(set) });
        let object =
            json!({ "metadata": metadata, "spec": template.get("spec"), "status": { "phase": "Bound" } });
        state.objects.insert(Kind::PersistentVolumeClaim, object);
    }
}

fn delete(state: &mut State, set: &Value, pod: &Value) {
    if kubelet::stop(state, uid(pod)) {
        let message = format!("Delete Pod {} in StatefulSet {} successful", name(pod), name(set));
        tell(state, set, "SuccessfulDelete", &message);
    }
}

fn tell(state: &mut State, set: &Value, reason: &'static str, message: &str) {
    let source = Source::Controller("statefulset-controller");
    events::emit(&mut state.objects, set, Note { source, warning: false, reason, message });
}

fn report(state: &mut State, set: &Value, current: &Value, update: &Value) {
    let pods: Vec<&Value> = owned(state, Kind::Pod, set).collect();
    let count = |is: &dyn Fn(&Value) -> bool| {
        i64::try_from(pods.iter().filter(|pod| is(pod)).count()).unwrap_or(i64::MAX)
    };
    let of = |revision: &Value| count(&|pod| !terminating(pod) && revision_of(pod) == name(revision));
    let (replicas, ready, updated) = (count(&|_| true), count(&|pod| healthy(pod)), of(update));
    let wanted = int(set, "/spec/replicas");
    let complete = updated == wanted && replicas == wanted && ready == wanted;
    let current = if complete { update } else { current };
    let mut status = json!({
        "availableReplicas": ready,
        "collisionCount": 0,
        "currentRevision": name(current),
        "observedGeneration": generation(set),
        "replicas": replicas,
        "updateRevision": name(update),
    });
    let some = [("readyReplicas", ready), ("currentReplicas", of(current)), ("updatedReplicas", updated)];
    for (field, count) in some.into_iter().filter(|(_, count)| *count > 0) {
        put(&mut status, &[field], count);
    }
    state.objects.modify(Kind::StatefulSet, namespace(set), name(set), |set| put(set, &["status"], status));
}
