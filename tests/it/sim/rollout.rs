//! Deployments scale and roll as the controllers of a real cluster let them.

use belay::ports::clock::ManualClock;
use belay::sim::kube::{Behaviour, DeploymentSpec, Kind, World};
use serde_json::{Value, json};

use super::{live, run_until, seconds, start};

fn web(replicas: i64) -> (std::sync::Arc<ManualClock>, World) {
    let clock = ManualClock::new(start());
    let spec = DeploymentSpec::new("web", replicas).progress_deadline(60);
    let world = World::builder(clock.clone())
        .namespace("shop")
        .deployment(spec)
        .image("registry.example/shop/web:broken", Behaviour::BadImage)
        .build();
    (clock, world)
}

fn merge(world: &World, patch: &Value) {
    world.edit(|objects| objects.merge(Kind::Deployment, "shop", "web", patch).unwrap());
}

fn image(tag: &str) -> Value {
    let image = format!("registry.example/shop/web:{tag}");
    json!({ "spec": { "template": { "spec": { "containers": [{ "name": "web", "image": image }] } } } })
}

fn counts(world: &World) -> (i64, i64, i64) {
    let object = world.object(Kind::Deployment, "shop", "web").unwrap();
    let field = |name: &str| object["status"][name].as_i64().unwrap_or(0);
    assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"]);
    (field("replicas"), field("readyReplicas"), field("updatedReplicas"))
}

#[test]
fn three_to_five_and_back() {
    let (clock, world) = web(3);
    let first: Vec<String> = live(&world, "web").into_iter().map(|pod| pod.name).collect();
    merge(&world, &json!({ "spec": { "replicas": 5 } }));
    assert_eq!(counts(&world), (5, 3, 5));
    run_until(&clock, 10, || counts(&world) == (5, 5, 5));
    merge(&world, &json!({ "spec": { "replicas": 3 } }));
    assert_eq!(counts(&world), (3, 3, 3));
    let left: Vec<String> = live(&world, "web").into_iter().map(|pod| pod.name).collect();
    assert_eq!(left, first, "the youngest go first");
    run_until(&clock, 10, || world.pods("shop", "web").len() == 3);
    assert_eq!(world.deployment("shop", "web").unwrap().generation, 3);
    let said: Vec<String> = world
        .objects(Kind::Event, "shop")
        .iter()
        .filter(|event| event["reason"] == "ScalingReplicaSet")
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(said.len(), 2);
    assert!(said.iter().any(|message| message.ends_with("from 3 to 5")));
    assert!(said.iter().any(|message| message.ends_with("from 5 to 3")));
}

#[test]
fn a_rollout_keeps_its_margins_and_ends_complete() {
    let (clock, world) = web(4);
    merge(&world, &image("2.0.0"));
    for _ in 0..60 {
        let (total, ready, _) = counts(&world);
        assert!(total <= 5 && ready >= 3, "surge 1, one may be missing: {total} {ready}");
        clock.advance(seconds(1));
    }
    let view = world.deployment("shop", "web").unwrap();
    assert_eq!((view.ready, view.updated, view.revision), (4, 4, 2));
    assert_eq!(view.progress, "NewReplicaSetAvailable");
    let sets = world.objects(Kind::ReplicaSet, "shop");
    assert_eq!(sets.len(), 2);
    assert_eq!(sets.iter().map(|set| set["spec"]["replicas"].as_i64().unwrap()).sum::<i64>(), 4);
}

#[test]
fn a_stuck_rollout_exceeds_its_deadline_and_a_rollback_mends_it() {
    let (clock, world) = web(4);
    merge(&world, &image("broken"));
    run_until(&clock, 120, || {
        world.deployment("shop", "web").unwrap().progress == "ProgressDeadlineExceeded"
    });
    let object = world.object(Kind::Deployment, "shop", "web").unwrap();
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let progressing = conditions.iter().find(|one| one["type"] == "Progressing").unwrap();
    assert_eq!(progressing["status"], "False");
    assert!(progressing["message"].as_str().unwrap().ends_with("has timed out progressing."));
    let (_, ready, _) = counts(&world);
    assert_eq!(ready, 3, "the old pods that may not go still serve");

    merge(&world, &image("1.4.2"));
    let template = &world.object(Kind::Deployment, "shop", "web").unwrap()["spec"]["template"];
    assert_eq!(template["spec"]["containers"][0]["image"], "registry.example/shop/web:1.4.2");
    run_until(&clock, 60, || world.deployment("shop", "web").unwrap().progress == "NewReplicaSetAvailable");
    assert_eq!(counts(&world), (4, 4, 4));
}

#[test]
fn an_old_template_gets_its_replica_set_back_under_a_new_revision() {
    let (clock, world) = web(2);
    let before = world.object(Kind::Deployment, "shop", "web").unwrap()["spec"]["template"].clone();
    merge(&world, &image("2.0.0"));
    run_until(&clock, 60, || counts(&world) == (2, 2, 2));
    world.edit(|objects| {
        objects.modify(Kind::Deployment, "shop", "web", |object| object["spec"]["template"] = before).unwrap()
    });
    run_until(&clock, 60, || counts(&world) == (2, 2, 2));
    assert_eq!(world.deployment("shop", "web").unwrap().revision, 3);
    assert_eq!(world.objects(Kind::ReplicaSet, "shop").len(), 2);
}

#[test]
fn a_paused_deployment_does_not_roll() {
    let (clock, world) = web(2);
    merge(&world, &json!({ "spec": { "paused": true } }));
    merge(&world, &image("2.0.0"));
    clock.advance(seconds(30));
    assert_eq!(counts(&world), (2, 2, 0));
    assert_eq!(world.objects(Kind::ReplicaSet, "shop").len(), 1);
}
