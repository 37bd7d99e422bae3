//! Autoscalers without metrics: they keep the replicas of what they scale within their bounds.

use serde_json::{Value, json};

use crate::sim::kube::events::{self, Note, Source};
use crate::sim::kube::json::{int, put, text};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::metrics;
use crate::sim::kube::objects::{name, namespace};
use crate::sim::kube::state::State;

/// Whether its ready pods use more than it aims at.
fn busy(state: &State, space: &str, workload: &str, scaler: &Value) -> bool {
    let aim = int(scaler, "/spec/metrics/0/resource/target/averageUtilization").max(1).unsigned_abs();
    let own = state
        .lives
        .values()
        .filter(|life| life.ready && life.namespace == space && life.workload.as_deref() == Some(workload));
    let (used, limit) = own.fold((0_u64, 0_u64), |(used, limit), life| {
        let cpu = metrics::usage(state, life).map_or(0, |(cpu, _)| cpu);
        (used.saturating_add(cpu), limit.saturating_add(life.cpu_limit))
    });
    limit > 0 && used.saturating_mul(100) > limit.saturating_mul(aim)
}

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
    let wants_more = within == max && busy(state, space, target, scaler);
    let limited = if wants_more {
        json!({ "type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas",
                "message": "the desired replica count is more than the maximum replica count" })
    } else {
        json!({ "type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange",
                "message": "the desired count is within the acceptable range" })
    };
    let status = json!({
        "currentReplicas": present, "desiredReplicas": within, "currentMetrics": null, "conditions": [limited],
    });
    let report = |scaler: &mut Value| put(scaler, &["status"], status);
    state.objects.modify(Kind::HorizontalPodAutoscaler, space, name(scaler), report);
}
