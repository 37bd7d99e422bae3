//! Autoscalers without metrics: they keep the replicas of what they scale within their bounds.

use serde_json::{Value, json};

use crate::sim::kube::events::{self, Note, Source};
use crate::sim::kube::json::{int, put, text};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::objects::{name, namespace};
use crate::sim::kube::state::State;

pub(super) fn reconcile(state: &mut State, scaler: &Value) {
    let kind = match text(scaler, "/spec/scaleTargetRef/kind") {
        "Deployment" => Kind::Deployment,
        "StatefulSet" => Kind::StatefulSet,
        _ => return,
    };
    let space = namespace(scaler);
    let target = text(scaler, "/spec/scaleTargetRef/name");
    let Some(found) = state.objects.get(kind, space, target) else { return };
    let (wanted, present) = (int(found, "/spec/replicas"), int(found, "/status/replicas"));
    let (min, max) = (int(scaler, "/spec/minReplicas"), int(scaler, "/spec/maxReplicas"));
    // zero replicas switch it off
    let within = if wanted == 0 { 0 } else { wanted.min(max).max(min) };
    if within != wanted {
        state.objects.modify(kind, space, target, |found| put(found, &["spec", "replicas"], within));
        let bound = if within > wanted { "below Spec.MinReplicas" } else { "above Spec.MaxReplicas" };
        let message = format!("New size: {within}; reason: Current number of replicas {bound}");
        let source = Source::Controller("horizontal-pod-autoscaler");
        let note = Note { source, warning: false, reason: "SuccessfulRescale", message: &message };
        events::emit(&mut state.objects, scaler, note);
    }
    let status = json!({ "currentReplicas": present, "desiredReplicas": within, "currentMetrics": null });
    let report = |scaler: &mut Value| put(scaler, &["status"], status);
    state.objects.modify(Kind::HorizontalPodAutoscaler, space, name(scaler), report);
}
