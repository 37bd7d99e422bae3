//! What only some actions meet: new pods that would be refused, earlier templates that serve or are gone, and
//! rollouts under way.

use belay::domain::action::{Action, Risk, TemplateHash};
use belay::domain::plan::Refusal;
use belay::domain::target::{Kind as K, RootOwner};
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{Behaviour, Kind, Verb};
use serde_json::json;

use super::cases::{cases, first_template, image, rolled, with_a_new_image};
use super::{PODS, Stage, done, refusal};
use crate::sim::{live, seconds};

#[tokio::test]
async fn pods_that_would_be_refused_are_met_before_anything_is_written() {
    let full = || {
        let said = "pods \"web-\" is forbidden: exceeded quota: pods, requested: 1, used: 9, limited: 9";
        Rule::on(Verb::Create, PODS, Effect::Fail(403, said.into())).dry_run(true)
    };
    for case in cases() {
        let stage = case.stage().await;
        let action = (case.action)(&stage);
        let plan = stage.plan(&action).await;
        let tried = stage.world().writes().iter().filter(|write| write.path == PODS).count();
        let replaces = action.removes_pods();
        assert_eq!(tried, usize::from(replaces), "{}", case.name);
        if !replaces {
            continue;
        }
        stage.fault(full());
        let why = stage.try_plan(&action).await.unwrap_err();
        assert!(why.to_string().contains("exceeded quota"), "{}: {why}", case.name);
        stage.fault(full());
        let why = refusal(stage.apply(&plan, "inc-0").await);
        assert!(why.to_string().contains("exceeded quota"), "{}: {why}", case.name);
        assert!(stage.writes().is_empty(), "{}", case.name);
    }
}

#[tokio::test]
async fn a_rollback_is_of_low_risk_only_while_the_old_pods_serve_and_nothing_was_migrated() {
    let stage = Stage::arena().await;
    stage.world().behave_image("x:broken", Behaviour::NeverReady);
    let roll_back = || Action::RollbackWorkload {
        workload: stage.web(),
        template: first_template(&stage, K::Deployment, "web"),
    };
    stage.edit(K::Deployment, "web", |web| {
        web["metadata"]["annotations"]["belay.dev/migration"] = "false".into();
        image(web, "x:broken");
    });
    stage.served.clock.advance(seconds(30));
    assert_eq!(stage.plan(&roll_back()).await.class.risk, Risk::Low);
    for (says, expected) in [("maybe", Some(Risk::Medium)), ("true", None)] {
        stage.edit(K::Deployment, "web", |web| {
            web["metadata"]["annotations"]["belay.dev/migration"] = says.into();
        });
        assert_eq!(stage.try_plan(&roll_back()).await.ok().map(|plan| plan.class.risk), expected);
    }
    stage.edit(K::Deployment, "web", |web| {
        web["metadata"]["annotations"]["belay.dev/migration"] = "false".into();
    });
    let plan = stage.plan(&roll_back()).await;
    assert!(done(&stage.apply(&plan, "inc-0").await));
    stage.until(|stage| rolled(stage, K::Deployment, "web"));
    assert_eq!(stage.world().objects(Kind::ReplicaSet, "shop").len(), 3, "the old one of web came back");
}

#[tokio::test]
async fn only_an_earlier_template_that_is_there_is_gone_back_to() {
    for (kind, name) in [(K::Deployment, "web"), (K::StatefulSet, "db"), (K::DaemonSet, "agent")] {
        let stage = Stage::arena().await;
        let to = async |template: TemplateHash| {
            let workload = stage.object(kind, name);
            stage.try_plan(&Action::RollbackWorkload { workload, template }).await
        };
        let first = first_template(&stage, kind, name);
        let why = to(first.clone()).await.unwrap_err();
        assert!(matches!(why, Refusal::NothingToDo(_)), "{name}: {why:?}");
        let why = to(TemplateHash::try_from("none-7c9f".to_owned()).unwrap()).await.unwrap_err();
        assert!(matches!(why, Refusal::Gone { .. }), "{name}: {why:?}");
        // one of somebody else's does not count, whatever its name
        let (other, other_name) =
            if kind == K::StatefulSet { (K::DaemonSet, "agent") } else { (K::StatefulSet, "db") };
        let foreign = to(first_template(&stage, other, other_name)).await.unwrap_err();
        assert!(matches!(foreign, Refusal::Gone { .. }), "{name}: {foreign:?}");
        with_a_new_image(&stage, kind, name);
        let plan = to(first).await.unwrap();
        let changed: Vec<&str> = plan.changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(changed, ["/spec/template/spec/containers/0/image"], "{name}");
    }
}

#[tokio::test]
async fn a_template_changes_nothing_where_nobody_replaces_the_pods() {
    let stage = Stage::arena().await;
    stage.edit(K::Deployment, "web", |web| web["spec"]["paused"] = true.into());
    stage.edit(K::StatefulSet, "db", |db| db["spec"]["updateStrategy"] = json!({ "type": "OnDelete" }));
    stage.edit(K::DaemonSet, "agent", |set| set["spec"]["updateStrategy"] = json!({ "type": "OnDelete" }));
    for (kind, name) in [(K::Deployment, "web"), (K::StatefulSet, "db"), (K::DaemonSet, "agent")] {
        let why = stage
            .try_plan(&Action::RestartWorkload { workload: stage.object(kind, name) })
            .await
            .unwrap_err();
        assert!(why.to_string().contains("would change nothing"), "{why}");
    }
}

#[tokio::test]
async fn a_paused_rollout_stops_where_it_is_and_can_still_be_scaled() {
    let stage = Stage::arena().await;
    stage.world().behave_image("x:broken", Behaviour::NeverReady);
    stage.edit(K::Deployment, "web", |web| image(web, "x:broken"));
    stage.served.clock.advance(seconds(5));
    let names =
        |stage: &Stage| -> Vec<String> { live(stage.world(), "web").into_iter().map(|p| p.name).collect() };
    let before = names(&stage);
    assert_eq!(before.len(), 4);
    let pause = stage.plan(&Action::PauseRollout { workload: stage.web() }).await;
    assert!(done(&stage.apply(&pause, "inc-0").await));
    stage.world().behave_image("x:broken", Behaviour::Healthy);
    stage.served.clock.advance(seconds(60));
    assert_eq!(names(&stage), before);
    let back = stage.try_revert(&pause, "inc-0").await.unwrap();
    assert!(done(&stage.apply(&back, "inc-1").await));
    stage.until(|stage| rolled(stage, K::Deployment, "web"));
}

#[tokio::test]
async fn a_cordoned_node_gets_nothing_new_until_it_is_put_back() {
    let stage = Stage::arena().await;
    let on = |stage: &Stage| {
        let pods = stage.world().objects(Kind::Pod, "shop");
        pods.iter().filter(|pod| pod["spec"]["nodeName"] == "node-a").count()
    };
    let before = on(&stage);
    let plan = stage.plan(&Action::CordonNode { node: stage.object(K::Node, "node-a") }).await;
    assert!(done(&stage.apply(&plan, "inc-0").await));
    let scale = stage.plan(&stage.scale(7)).await;
    assert!(done(&stage.apply(&scale, "inc-1").await));
    stage.until(|stage| stage.world().deployment("shop", "web").unwrap().ready == 7);
    assert_eq!(on(&stage), before);
    let back = stage.try_revert(&plan, "inc-0").await.unwrap();
    assert!(done(&stage.apply(&back, "inc-2").await));
    stage.edit(K::Deployment, "web", |web| web["spec"]["replicas"] = 9.into());
    stage.until(|stage| on(stage) > before);
}

#[tokio::test]
async fn the_volumes_that_a_stateful_set_adds_are_rehearsed_too() {
    let stage = Stage::with(K::StatefulSet).await;
    stage.edit(K::StatefulSet, "db", |db| {
        let spec =
            json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
        db["spec"]["volumeClaimTemplates"] = json!([{ "metadata": { "name": "data" }, "spec": spec }]);
        super::cases::container(db)["volumeMounts"] = json!([{ "name": "data", "mountPath": "/data" }]);
    });
    stage.until(|stage| rolled(stage, K::StatefulSet, "db"));
    let pod = stage.found(K::Pod, "db-1");
    assert_eq!(pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "data-db-1");
    let plan = stage.plan(&Action::RestartWorkload { workload: stage.object(K::StatefulSet, "db") }).await;
    let tried = stage.world().writes().into_iter().find(|write| write.path == PODS).unwrap();
    assert_eq!((tried.status, &tried.body["spec"]["volumes"][0]["name"]), (201, &json!("data")));
    assert!(done(&stage.apply(&plan, "inc-0").await));
}

/// Its controller then does nothing at all, not even for the better.
#[tokio::test]
async fn a_stateful_set_with_a_pod_that_is_not_ready_is_told_in_the_plan() {
    let stage = Stage::with(K::StatefulSet).await;
    stage.world().behave_image("x:broken", Behaviour::NeverReady);
    let first = first_template(&stage, K::StatefulSet, "db");
    let roll_back =
        || Action::RollbackWorkload { workload: stage.object(K::StatefulSet, "db"), template: first.clone() };
    let restart = Action::RestartWorkload { workload: stage.object(K::StatefulSet, "db") };
    assert_eq!(stage.plan(&restart).await.note, None);
    stage.edit(K::StatefulSet, "db", |db| image(db, "x:broken"));
    stage.served.clock.advance(seconds(30));
    let plan = stage.plan(&roll_back()).await;
    assert!(plan.note.as_deref().is_some_and(|note| note.contains("one is not ready")), "{:?}", plan.note);
    assert!(done(&stage.apply(&plan, "inc-0").await));
    stage.served.clock.advance(seconds(60));
    assert!(!rolled(&stage, K::StatefulSet, "db"));
    // the template is the old one again; with the broken pod out of the way everything follows
    let pod = stage.object(K::Pod, "db-2");
    let owner = RootOwner(stage.object(K::StatefulSet, "db"));
    let restart = stage.plan_for(&Action::RestartPod { pod }, &owner).await.unwrap();
    assert!(done(&stage.apply(&restart, "inc-1").await));
    stage.until(|stage| rolled(stage, K::StatefulSet, "db"));
}
