//! Whoever else has a say over an object: GitOps, Helm, operators, autoscalers, and whoever cordoned a node.

use belay::domain::action::{Action, Resource, ResourceStep, Risk};
use belay::domain::plan::Refusal;
use belay::domain::target::{Kind as K, RootOwner};
use serde_json::{Value, json};

use super::{Stage, WEB, done};

const MERGE_PATCH: &str = "application/merge-patch+json";

/// A change by this manager, over HTTP.
async fn by(stage: &Stage, manager: &str, path: &str, change: Value) {
    let path = format!("{path}?fieldManager={manager}");
    assert_eq!(stage.served.send("PATCH", &path, Some((MERGE_PATCH, change))).await.0, 200);
}

#[tokio::test]
async fn what_a_repository_keeps_is_not_changed_behind_its_back() {
    for (metadata, who) in [
        (json!({ "labels": { "argocd.argoproj.io/instance": "shop" } }), "Argo CD manages"),
        (
            json!({ "annotations": { "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web" } }),
            "Argo CD",
        ),
        (json!({ "labels": { "kustomize.toolkit.fluxcd.io/name": "shop" } }), "Flux manages"),
        (json!({ "labels": { "helm.toolkit.fluxcd.io/name": "shop" } }), "Flux manages"),
    ] {
        let stage = Stage::arena().await;
        by(&stage, "kubectl", WEB, json!({ "metadata": metadata })).await;
        let why = stage.try_plan(&stage.scale(5)).await.unwrap_err();
        assert!(matches!(why, Refusal::Managed(_)) && why.to_string().contains(who), "{why}");
        assert!(why.to_string().contains("open a pull request"), "{why}");
        assert!(stage.world().writes().iter().all(|write| !write.path.contains("/pods")));
    }
}

#[tokio::test]
async fn flux_that_was_told_to_leave_it_alone_does_not_refuse() {
    let stage = Stage::arena().await;
    let metadata = json!({
        "labels": { "kustomize.toolkit.fluxcd.io/name": "shop" },
        "annotations": { "kustomize.toolkit.fluxcd.io/reconcile": "disabled" },
    });
    by(&stage, "kubectl", WEB, json!({ "metadata": metadata })).await;
    assert!(done(&stage.apply(&stage.plan(&stage.scale(5)).await, "inc-0").await));
}

#[tokio::test]
async fn a_field_that_a_reconciler_wrote_is_its_own_and_others_are_free() {
    let stage = Stage::arena().await;
    by(&stage, "argocd-controller", WEB, json!({ "spec": { "replicas": 4 } })).await;
    let why = stage.try_plan(&stage.scale(5)).await.unwrap_err();
    assert!(why.to_string().contains("Argo CD owns `/spec/replicas`"), "{why}");
    stage.plan(&Action::PauseRollout { workload: stage.web() }).await;
    // a person changed it since: it is nobody's that would put it back
    by(&stage, "kubectl", WEB, json!({ "spec": { "replicas": 3 } })).await;
    stage.plan(&stage.scale(5)).await;
}

#[tokio::test]
async fn helm_is_told_in_the_plan_and_does_not_refuse() {
    let stage = Stage::arena().await;
    let annotations = json!({ "meta.helm.sh/release-name": "shop-front" });
    by(&stage, "helm", WEB, json!({ "metadata": { "annotations": annotations } })).await;
    let plan = stage.plan(&stage.scale(5)).await;
    assert!(plan.note.unwrap().contains("Helm release `shop-front`"));
}

#[tokio::test]
async fn what_an_operator_controls_is_refused() {
    let stage = Stage::arena().await;
    stage.edit(K::StatefulSet, "db", |db| {
        db["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "postgres.example/v1", "kind": "Postgres", "name": "orders", "uid": "u-op", "controller": true,
        }]);
    });
    let operator = {
        let mut owner = stage.object(K::StatefulSet, "db");
        (owner.named.kind, owner.named.name, owner.uid) = (K::Other, "orders".into(), "u-op".into());
        RootOwner(owner)
    };
    let workload = || stage.object(K::StatefulSet, "db");
    let step = ResourceStep::new(Resource::Memory, 256, 384).unwrap();
    let raise = Action::SetResources { workload: workload(), container: "db".into(), step };
    for action in [raise, Action::RestartWorkload { workload: workload() }] {
        let why = stage.plan_for(&action, &operator).await.unwrap_err();
        assert!(matches!(why, Refusal::Managed(_)), "{why:?}");
        assert!(why.to_string().contains("`orders`, a controller that belay does not know"), "{why}");
    }
}

#[tokio::test]
async fn what_an_autoscaler_scales_is_not_scaled() {
    let stage = Stage::arena().await;
    let action = Action::ScaleWorkload { workload: stage.object(K::Deployment, "api"), replicas: 3 };
    let why = stage.try_plan(&action).await.unwrap_err();
    assert!(why.to_string().contains("change the bounds of `api` instead"), "{why}");
    // an autoscaler that comes after the act keeps it from being put back
    let plan = stage.plan(&stage.scale(5)).await;
    assert!(done(&stage.apply(&plan, "inc-0").await));
    let spec = json!({
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" }, "maxReplicas": 9,
    });
    let scaler = json!({ "metadata": { "name": "late", "namespace": "shop" }, "spec": spec });
    stage.world().edit(|objects| objects.insert(belay::sim::kube::Kind::HorizontalPodAutoscaler, scaler));
    let why = stage.try_revert(&plan, "inc-0").await.unwrap_err();
    assert!(why.to_string().contains("change the bounds of `late` instead"), "{why}");
}

#[tokio::test]
async fn only_a_node_that_belay_cordoned_is_opened_without_high_risk() {
    let stage = Stage::arena().await;
    let node = || stage.object(K::Node, "node-a");
    let uncordon = async || stage.plan(&Action::UncordonNode { node: node() }).await.class.risk;
    let path = "/api/v1/nodes/node-a";
    let plan = stage.plan(&Action::CordonNode { node: node() }).await;
    assert_eq!(plan.class.risk, Risk::Low);
    assert!(done(&stage.apply(&plan, "inc-0").await));
    stage.until(|stage| stage.found(K::Node, "node-a")["spec"].get("taints").is_some());
    assert_eq!(uncordon().await, Risk::Low, "belay did it");
    let second = Action::CordonNode { node: stage.object(K::Node, "node-b") };
    assert_eq!(stage.plan(&second).await.class.risk, Risk::High, "a second one");
    // somebody opened it and shut it again: it is theirs
    for shut in [json!(null), json!(true)] {
        by(&stage, "kubectl", path, json!({ "spec": { "unschedulable": shut } })).await;
    }
    assert_eq!(uncordon().await, Risk::High, "somebody else did it");
    // a plan of low risk is not carried out once the risk is high
    let why = stage.try_revert(&plan, "inc-0").await;
    assert!(why.is_ok(), "the mark and the value are still ours: {why:?}");
}

#[tokio::test]
async fn a_plan_whose_risk_rose_is_not_carried_out() {
    let stage = Stage::arena().await;
    let plan = stage.plan(&Action::CordonNode { node: stage.object(K::Node, "node-a") }).await;
    by(&stage, "kubectl", "/api/v1/nodes/node-b", json!({ "spec": { "unschedulable": true } })).await;
    let why = super::refusal(stage.apply(&plan, "inc-0").await);
    assert!(why.to_string().contains("its risk is high now, and was low"), "{why}");
    assert!(stage.writes().iter().all(|write| write.path.ends_with("node-b")));
}
