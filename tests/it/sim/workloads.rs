//! Stateful and daemon sets, autoscalers, cron jobs and nodes live and are stored as on a real cluster.

use std::collections::BTreeSet;

use belay::ports::clock::ManualClock;
use belay::sim::kube::{Behaviour, DeploymentSpec, Kind, World};
use serde_json::{Value, json};

use super::contract::{data, shape};
use super::{Served, live, run_until, seconds, start};

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";

fn build(clock: std::sync::Arc<ManualClock>) -> World {
    World::builder(clock)
        .namespace("shop")
        .deployment(DeploymentSpec::new("web", 2))
        .stateful_set("db", 3)
        .daemon_set("agent")
        .cron_job("nightly", "0 3 * * *")
        .autoscaler("web", (1, 6))
        .image("x:broken", Behaviour::NeverReady)
        .build()
}

fn world() -> (std::sync::Arc<ManualClock>, World) {
    let clock = ManualClock::new(start());
    let world = build(clock.clone());
    (clock, world)
}

fn image(world: &World, kind: Kind, name: &str, image: &str) {
    world.edit(|objects| {
        objects.modify(kind, "shop", name, |set| {
            set["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
        })
    });
}

fn status(world: &World, kind: Kind, name: &str) -> Value {
    world.object(kind, "shop", name).unwrap()["status"].clone()
}

/// Image and revision of each pod that is not ending, by name.
fn pods(world: &World, workload: &str) -> Vec<(String, String, String)> {
    let pods = live(world, workload).into_iter().map(|pod| {
        let pod = world.object(Kind::Pod, "shop", &pod.name).unwrap();
        let text = |pointer: &str| pod.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let revision = text("/metadata/labels/controller-revision-hash");
        (text("/metadata/name"), text("/spec/containers/0/image"), revision)
    });
    pods.collect()
}

fn revisions(world: &World, owner: &str) -> Vec<(String, i64)> {
    let all = world.objects(Kind::ControllerRevision, "shop");
    let ours = all.iter().filter(|one| one["metadata"]["ownerReferences"][0]["name"] == owner);
    let mut ours: Vec<_> = ours
        .map(|one| (one["metadata"]["name"].as_str().unwrap().to_owned(), one["revision"].as_i64().unwrap()))
        .collect();
    ours.sort_by_key(|(_, number)| *number);
    ours
}

#[test]
fn a_stateful_set_is_replaced_from_the_highest_ordinal_one_at_a_time() {
    let (clock, world) = world();
    let before = status(&world, Kind::StatefulSet, "db");
    assert_eq!(before["currentRevision"], before["updateRevision"]);
    image(&world, Kind::StatefulSet, "db", "db:2");
    let mut order = Vec::new();
    run_until(&clock, 60, || {
        let now = status(&world, Kind::StatefulSet, "db");
        assert!(now["readyReplicas"].as_i64().unwrap() >= 2, "one at a time: {now}");
        let new =
            pods(&world, "db").into_iter().filter(|(_, image, _)| image == "db:2").map(|(name, ..)| name);
        for name in new.collect::<Vec<_>>() {
            if !order.contains(&name) {
                order.push(name);
            }
        }
        if now["currentRevision"] != now["updateRevision"] {
            assert_eq!(now["currentRevision"], before["currentRevision"]);
        }
        now["updatedReplicas"] == 3 && now["currentRevision"] == now["updateRevision"]
    });
    assert_eq!(order, ["db-2", "db-1", "db-0"]);
    let after = status(&world, Kind::StatefulSet, "db");
    assert_ne!(after["currentRevision"], before["currentRevision"]);
    assert!(pods(&world, "db").iter().all(|(_, _, revision)| after["updateRevision"] == revision.as_str()));

    // the old template comes back under its old name, as the newest
    let names = revisions(&world, "db");
    assert_eq!(names.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [1, 2]);
    image(&world, Kind::StatefulSet, "db", "registry.example/shop/db:1.4.2");
    assert_eq!(revisions(&world, "db"), [names[1].clone(), (names[0].0.clone(), 3)]);
    assert_eq!(status(&world, Kind::StatefulSet, "db")["updateRevision"], names[0].0.as_str());
    run_until(&clock, 60, || status(&world, Kind::StatefulSet, "db")["updatedReplicas"] == 3);
}

#[test]
fn a_stateful_pod_that_never_gets_ready_stops_the_rollout_and_its_rollback() {
    let (clock, world) = world();
    image(&world, Kind::StatefulSet, "db", "x:broken");
    clock.advance(seconds(60));
    let images = |world: &World| pods(world, "db").into_iter().map(|(_, image, _)| image).collect::<Vec<_>>();
    let old = "registry.example/shop/db:1.4.2";
    assert_eq!(images(&world), [old, old, "x:broken"]);
    image(&world, Kind::StatefulSet, "db", old);
    clock.advance(seconds(60));
    assert_eq!(images(&world), [old, old, "x:broken"], "somebody has to remove the broken pod");
}

#[test]
fn a_stateful_set_scales_in_the_order_of_its_ordinals() {
    let (clock, world) = world();
    let scale = |replicas: i64| {
        let patch = json!({ "spec": { "replicas": replicas } });
        world.edit(|objects| objects.merge(Kind::StatefulSet, "shop", "db", &patch));
    };
    scale(5);
    run_until(&clock, 30, || {
        let names: Vec<String> = live(&world, "db").into_iter().map(|pod| pod.name).collect();
        assert!(names.len() < 5 || names.contains(&"db-3".to_owned()));
        status(&world, Kind::StatefulSet, "db")["readyReplicas"] == 5
    });
    scale(1);
    run_until(&clock, 30, || world.pods("shop", "db").len() == 1);
    assert_eq!(live(&world, "db")[0].name, "db-0");
}

#[test]
fn a_daemon_set_has_a_pod_on_every_node_and_replaces_them_one_at_a_time() {
    let (clock, world) = world();
    let nodes = || -> BTreeSet<String> {
        let pods = live(&world, "agent").into_iter();
        pods.map(|pod| world.object(Kind::Pod, "shop", &pod.name).unwrap()["spec"]["nodeName"].to_string())
            .collect()
    };
    assert_eq!(nodes().len(), 3);
    // a cordoned node keeps its pod and gets the next one, too
    world.edit(|objects| {
        objects.merge(Kind::Node, "", "node-a", &json!({ "spec": { "unschedulable": true } }))
    });
    image(&world, Kind::DaemonSet, "agent", "agent:2");
    run_until(&clock, 60, || {
        let now = status(&world, Kind::DaemonSet, "agent");
        assert!(now["numberReady"].as_i64().unwrap() >= 2, "{now}");
        now["updatedNumberScheduled"] == 3 && now["numberReady"] == 3
    });
    assert_eq!(nodes().len(), 3);
    assert!(pods(&world, "agent").iter().all(|(_, image, _)| image == "agent:2"));
    let set = world.object(Kind::DaemonSet, "shop", "agent").unwrap();
    assert_eq!(set["metadata"]["annotations"]["deprecated.daemonset.template.generation"], "2");
    assert_eq!(revisions(&world, "agent").len(), 2);
}

#[test]
fn a_cordoned_node_gets_no_new_pods_until_it_is_opened() {
    let (clock, world) = world();
    let cordon = |node: &str, cordoned: bool| {
        let patch = json!({ "spec": { "unschedulable": cordoned } });
        world.edit(|objects| objects.merge(Kind::Node, "", node, &patch));
    };
    for node in ["node-a", "node-b", "node-c"] {
        cordon(node, true);
    }
    let taints = world.object(Kind::Node, "", "node-a").unwrap()["spec"]["taints"].clone();
    assert_eq!(
        (&taints[0]["key"], &taints[0]["effect"]),
        (&json!("node.kubernetes.io/unschedulable"), &json!("NoSchedule"))
    );
    world.edit(|objects| {
        objects.merge(Kind::Deployment, "shop", "web", &json!({ "spec": { "replicas": 4 } }))
    });
    clock.advance(seconds(60));
    assert_eq!(world.deployment("shop", "web").unwrap().ready, 2);
    let told = world.objects(Kind::Event, "shop");
    assert_eq!(told.iter().filter(|event| event["reason"] == "FailedScheduling").count(), 2);
    cordon("node-b", false);
    run_until(&clock, 20, || world.deployment("shop", "web").unwrap().ready == 4);
    assert_eq!(world.object(Kind::Node, "", "node-b").unwrap()["spec"], json!({}));
    let on = |node: &str| {
        let placed = |name: &str| world.object(Kind::Pod, "shop", name).unwrap()["spec"]["nodeName"] == node;
        live(&world, "web").iter().any(|pod| placed(&pod.name))
    };
    assert!(on("node-b"));
}

#[test]
fn an_autoscaler_keeps_replicas_within_its_bounds() {
    let (clock, world) = world();
    let replicas = || world.deployment("shop", "web").unwrap().replicas;
    let bounds = |min: i64, max: i64| {
        let patch = json!({ "spec": { "minReplicas": min, "maxReplicas": max } });
        world.edit(|objects| objects.merge(Kind::HorizontalPodAutoscaler, "shop", "web", &patch));
    };
    bounds(4, 6);
    assert_eq!(replicas(), 4);
    run_until(&clock, 20, || world.deployment("shop", "web").unwrap().ready == 4);
    bounds(1, 3);
    assert_eq!(replicas(), 3);
    world.edit(|objects| {
        objects.merge(Kind::Deployment, "shop", "web", &json!({ "spec": { "replicas": 0 } }))
    });
    assert_eq!(replicas(), 0, "zero replicas switch it off");
}

#[test]
fn a_paused_rollout_says_so_and_goes_on_when_it_is_resumed() {
    let (clock, world) = world();
    let progress = || world.deployment("shop", "web").unwrap().progress;
    let pause = |paused: bool| {
        let patch = json!({ "spec": { "paused": paused } });
        world.edit(|objects| objects.merge(Kind::Deployment, "shop", "web", &patch));
    };
    pause(true);
    image(&world, Kind::Deployment, "web", "web:2");
    clock.advance(seconds(30));
    assert_eq!(progress(), "DeploymentPaused");
    assert_eq!(world.deployment("shop", "web").unwrap().updated, 0);
    world.edit(|objects| {
        objects.merge(Kind::Deployment, "shop", "web", &json!({ "spec": { "replicas": 4 } }))
    });
    run_until(&clock, 20, || world.deployment("shop", "web").unwrap().ready == 4);
    pause(false);
    let held = world.object(Kind::Deployment, "shop", "web").unwrap();
    assert!(held["spec"].get("paused").is_none(), "stored as nothing");
    run_until(&clock, 60, || progress() == "NewReplicaSetAvailable");
    assert_eq!(world.deployment("shop", "web").unwrap().updated, 4);
}

/// Kinds and names as recorded, with what each has of the recording's fields.
#[tokio::test]
async fn what_is_stored_has_the_recorded_shape() {
    let (_, world) = world();
    let recorded = data("workloads.json");
    for (kind, ours, theirs) in [
        (Kind::StatefulSet, "db", "StatefulSet"),
        (Kind::DaemonSet, "agent", "DaemonSet"),
        (Kind::CronJob, "nightly", "CronJob"),
        (Kind::HorizontalPodAutoscaler, "web", "HorizontalPodAutoscaler"),
    ] {
        let items = recorded["items"].as_array().unwrap();
        let mut expected = items.iter().find(|one| one["kind"] == theirs).unwrap().clone();
        let mut ours = world.object(kind, "shop", ours).unwrap();
        let generation = |object: &Value| object["metadata"].get("generation").is_some();
        assert_eq!(generation(&ours), generation(&expected), "{theirs}");
        for object in [&mut expected, &mut ours] {
            object["metadata"].as_object_mut().unwrap().remove("managedFields");
        }
        let job = ".spec.jobTemplate.spec.template.spec.";
        let missing: Vec<String> = shape(&expected)
            .difference(&shape(&ours))
            // the pod's own defaults are only filled into the templates of what runs here
            .filter(|path| !path.starts_with(job))
            .cloned()
            .collect();
        assert!(missing.is_empty(), "{theirs}: {missing:?}");
    }
    for (owner, label) in [("db", "controller.kubernetes.io/hash"), ("agent", "controller-revision-hash")] {
        let name = |one: &Value| one["metadata"]["name"].as_str().unwrap().to_owned();
        let of = |all: &[Value]| {
            all.iter()
                .find(|one| one["kind"] == "ControllerRevision" && name(one).starts_with(owner))
                .cloned()
                .unwrap()
        };
        let expected = of(recorded["items"].as_array().unwrap());
        let ours = of(&world.objects(Kind::ControllerRevision, "shop"));
        for one in [&expected, &ours] {
            let hash = one["metadata"]["labels"][label].as_str().unwrap();
            assert_eq!(name(one), format!("{owner}-{hash}"));
            assert_eq!(one["data"]["spec"]["template"]["$patch"], "replace");
            assert_eq!(one["revision"], 1);
            assert!(one["metadata"].get("generation").is_none());
        }
    }
}

/// Which kinds count their changes, and by what: as they answered on the recorded version.
#[tokio::test]
async fn generations_move_with_the_spec_and_a_deployments_also_with_its_annotations() {
    let served = Served::new(|clock| build(clock)).await;
    let apps = "/apis/apps/v1/namespaces/shop";
    for (path, change, moves) in [
        (format!("{apps}/deployments/web"), json!({ "paused": true }), Some(2)),
        (format!("{apps}/statefulsets/db"), json!({ "revisionHistoryLimit": 5 }), Some(1)),
        (format!("{apps}/daemonsets/agent"), json!({ "minReadySeconds": 1 }), Some(1)),
        ("/apis/batch/v1/namespaces/shop/cronjobs/nightly".to_owned(), json!({ "suspend": true }), Some(1)),
        (
            "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/web".to_owned(),
            json!({ "maxReplicas": 9 }),
            None,
        ),
        ("/api/v1/nodes/node-a".to_owned(), json!({ "unschedulable": true }), None),
    ] {
        let generation = |body: &Value| body["metadata"]["generation"].as_i64();
        let first = served.send("GET", &path, None).await.1;
        let note = json!({ "metadata": { "annotations": { "a": "b" } } });
        let noted = served.send("PATCH", &path, Some((MERGE_PATCH, note))).await.1;
        let changed = served.send("PATCH", &path, Some((MERGE_PATCH, json!({ "spec": change })))).await.1;
        let seen = [&first, &noted, &changed].map(generation);
        let expected = moves.map_or([None; 3], |noted| [Some(1), Some(noted), Some(noted + 1)]);
        assert_eq!(seen, expected, "{path}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_switch_that_is_off_and_a_long_quantity_are_stored_in_short() {
    let served = Served::new(|clock| build(clock)).await;
    let patch = async |path: &str, ops: Value| served.send("PATCH", path, Some((JSON_PATCH, ops))).await.1;
    let web = "/apis/apps/v1/namespaces/shop/deployments/web";
    patch(web, json!([{ "op": "add", "path": "/spec/paused", "value": true }])).await;
    let off = patch(web, json!([{ "op": "replace", "path": "/spec/paused", "value": false }])).await;
    assert!(off["spec"].get("paused").is_none());
    let again = patch(web, json!([{ "op": "add", "path": "/spec/paused", "value": false }])).await;
    assert_eq!(again["metadata"]["generation"], off["metadata"]["generation"], "nothing changed");
    let limits = "/spec/template/spec/containers/0/resources/limits";
    let ops = json!([
        { "op": "replace", "path": format!("{limits}/memory"), "value": "1024Mi" },
        { "op": "replace", "path": format!("{limits}/cpu"), "value": "1000m" },
    ]);
    assert_eq!(patch(web, ops).await.pointer(limits).unwrap(), &json!({ "cpu": "1", "memory": "1Gi" }));
    let job = "/apis/batch/v1/namespaces/shop/cronjobs/nightly";
    let removed = patch(job, json!([{ "op": "remove", "path": "/spec/suspend" }])).await;
    assert_eq!(removed["spec"]["suspend"], false);
    let scaler = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/web";
    let removed = patch(scaler, json!([{ "op": "remove", "path": "/spec/minReplicas" }])).await;
    assert_eq!(removed["spec"]["minReplicas"], 1);
    let crossed = patch(scaler, json!([{ "op": "replace", "path": "/spec/minReplicas", "value": 9 }])).await;
    let why = "spec.maxReplicas: Invalid value: 6: must be greater than or equal to `minReplicas`";
    let message = format!("HorizontalPodAutoscaler.autoscaling \"web\" is invalid: {why}");
    assert_eq!((&crossed["code"], &crossed["message"]), (&json!(422), &json!(message)));
    served.stop().await;
}

#[tokio::test]
async fn a_field_belongs_to_whoever_changed_it_last() {
    let served = Served::new(|clock| build(clock)).await;
    let node = async |manager: &str, unschedulable: Value| {
        let path = format!("/api/v1/nodes/node-a?fieldManager={manager}");
        let patch = json!({ "spec": { "unschedulable": unschedulable } });
        let body = served.send("PATCH", &path, Some((MERGE_PATCH, patch))).await.1;
        let owns = |entry: &Value| entry.pointer("/fieldsV1/f:spec/f:unschedulable").is_some();
        let all = body["metadata"]["managedFields"].as_array().unwrap().clone();
        let owners =
            all.iter().filter(|entry| owns(entry)).map(|entry| entry["manager"].as_str().unwrap().to_owned());
        owners.collect::<Vec<_>>()
    };
    assert_eq!(node("belay", json!(true)).await, ["belay"]);
    assert_eq!(node("kubectl", json!(true)).await, ["belay"], "it changed nothing");
    assert_eq!(node("kubectl", json!(null)).await, [""; 0]);
    assert_eq!(node("kubectl", json!(true)).await, ["kubectl"]);
    assert_eq!(node("belay", json!(false)).await, [""; 0]);
    // in a list of things with names, each thing's fields are its own
    let limit = json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/resources/limits/memory", "value": "1Gi" }]);
    let path = "/apis/apps/v1/namespaces/shop/statefulsets/db?fieldManager=belay";
    let body = served.send("PATCH", path, Some((JSON_PATCH, limit))).await.1;
    let all = body["metadata"]["managedFields"].as_array().unwrap();
    let ours = all.iter().find(|entry| entry["manager"] == "belay").unwrap();
    let expected = json!({ "f:spec": { "f:template": { "f:spec": { "f:containers": {
        "k:{\"name\":\"db\"}": { "f:resources": { "f:limits": { "f:memory": {} } } }
    } } } } });
    assert_eq!(ours["fieldsV1"], expected);
    served.stop().await;
}
