//! StatefulSets, as far as a pod that went comes back under its old name. There is no rolling update.

use serde_json::{Value, json};

use super::owned;
use crate::sim::kube::events::{self, Note, Source};
use crate::sim::kube::json::{int, put};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::objects::{generation, name, namespace};
use crate::sim::kube::pod;
use crate::sim::kube::state::State;

pub(super) fn reconcile(state: &mut State, set: &Value) {
    let wanted = int(set, "/spec/replicas");
    for ordinal in 0..wanted {
        let known = format!("{}-{ordinal}", name(set));
        if state.objects.get(Kind::Pod, namespace(set), &known).is_some() {
            continue;
        }
        pod::create(state, set, Some(ordinal));
        let message = format!("create Pod {known} in StatefulSet {} successful", name(set));
        let source = Source::Controller("statefulset-controller");
        let note = Note { source, warning: false, reason: "SuccessfulCreate", message: &message };
        events::emit(&mut state.objects, set, note);
    }
    let count = |ready: bool| {
        let pods = owned(state, Kind::Pod, set).filter(|pod| !ready || pod::is_ready(pod));
        i64::try_from(pods.count()).unwrap_or(i64::MAX)
    };
    let (replicas, ready) = (count(false), count(true));
    let status = json!({
        "observedGeneration": generation(set),
        "replicas": replicas,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "currentReplicas": replicas,
        "updatedReplicas": replicas,
    });
    state.objects.modify(Kind::StatefulSet, namespace(set), name(set), |set| put(set, &["status"], status));
}
