//! Pods live, leak, crash, wait longer and longer, are evicted and come back, on a clock moved by hand.

use belay::ports::clock::ManualClock;
use belay::sim::kube::{Behaviour, DeploymentSpec, Fault, Kind, Pods, World};
use serde_json::Value;

use super::{live, run_until, seconds, start};

fn shop_with(spec: DeploymentSpec) -> (std::sync::Arc<ManualClock>, World) {
    let clock = ManualClock::new(start());
    let world = World::builder(clock.clone()).namespace("shop").deployment(spec).build();
    (clock, world)
}

#[test]
fn a_healthy_shop_is_ready_and_has_been_for_long() {
    let clock = ManualClock::new(start());
    let world = World::shop(clock);
    for (name, replicas) in [("web", 3), ("checkout", 3), ("cart", 2), ("payments", 2)] {
        let view = world.deployment("shop", name).unwrap();
        assert_eq!(
            (view.replicas, view.ready, view.updated, view.unavailable),
            (replicas, replicas, replicas, 0)
        );
        assert_eq!((view.generation, view.revision), (1, 1));
        assert_eq!(view.progress, "NewReplicaSetAvailable");
    }
    assert_eq!(live(&world, "orders-db").len(), 1);
    assert!(world.objects(Kind::Event, "").is_empty(), "events of an hour ago are gone");
}

#[test]
fn a_leak_ends_in_oom_and_backs_off_longer_each_time() {
    let (clock, world) =
        shop_with(DeploymentSpec::new("web", 1).behaviour(Behaviour::Leak { oom_after: seconds(30) }));
    let pod = || live(&world, "web").remove(0);
    run_until(&clock, 10, || pod().ready);
    let before = pod().usage.unwrap().1;
    clock.advance(seconds(15));
    assert!(pod().usage.unwrap().1 > before, "memory climbs");

    let mut waits = Vec::new();
    for _ in 0..7 {
        run_until(&clock, 400, || pod().waiting == "CrashLoopBackOff");
        let object = world.object(Kind::Pod, "shop", &pod().name).unwrap();
        let status = &object["status"]["containerStatuses"][0];
        assert_eq!(status["lastState"]["terminated"]["reason"], "OOMKilled");
        assert_eq!(status["lastState"]["terminated"]["exitCode"], 137);
        let message = status["state"]["waiting"]["message"].as_str().unwrap().to_owned();
        waits.push(message.split_whitespace().nth(1).unwrap().to_owned());
        run_until(&clock, 400, || pod().waiting.is_empty());
    }
    assert_eq!(waits, ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]);
    assert_eq!(world.deployment("shop", "web").unwrap().progress, "NewReplicaSetAvailable");
    let reasons: Vec<Value> = world.objects(Kind::Event, "").iter().map(|e| e["reason"].clone()).collect();
    for reason in ["Scheduled", "Pulled", "Created", "Started", "BackOff", "OOMKilling"] {
        assert!(reasons.iter().any(|seen| seen == reason), "no {reason} event");
    }
}

#[test]
fn a_crash_at_start_keeps_its_code() {
    let log = "FATAL cannot connect to db".to_owned();
    let (clock, world) =
        shop_with(DeploymentSpec::new("web", 1).behaviour(Behaviour::CrashAtStart { exit_code: 3, log }));
    run_until(&clock, 20, || live(&world, "web")[0].waiting == "CrashLoopBackOff");
    let object = world.object(Kind::Pod, "shop", &live(&world, "web")[0].name).unwrap();
    let ended = &object["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&Value::from(3), &Value::from("Error")));
    assert_eq!(world.deployment("shop", "web").unwrap().unavailable, 1);
}

#[test]
fn a_bad_image_waits_for_its_pull() {
    let (clock, world) = shop_with(DeploymentSpec::new("web", 1).behaviour(Behaviour::BadImage));
    run_until(&clock, 5, || live(&world, "web")[0].waiting == "ErrImagePull");
    run_until(&clock, 5, || live(&world, "web")[0].waiting == "ImagePullBackOff");
    let object = world.object(Kind::Pod, "shop", &live(&world, "web")[0].name).unwrap();
    assert_eq!(object["status"]["phase"], "Pending");
    world.behave("shop", "web", Behaviour::Healthy);
    run_until(&clock, 30, || live(&world, "web")[0].ready);
}

#[test]
fn a_pod_that_is_never_ready_runs_and_does_not_serve() {
    let (clock, world) = shop_with(DeploymentSpec::new("web", 1).behaviour(Behaviour::NeverReady));
    clock.advance(seconds(120));
    let pod = live(&world, "web").remove(0);
    assert!(!pod.ready && pod.waiting.is_empty() && pod.usage.is_some());
    assert!(world.objects(Kind::Event, "shop").iter().any(|event| event["reason"] == "Unhealthy"));
}

#[test]
fn only_the_pods_that_leak_are_killed_and_their_successors_are_well() {
    let clock = ManualClock::new(start());
    let world = World::shop(clock.clone());
    world.break_it(Fault::Leak { deployment: "web".into(), pods: Pods::One });
    run_until(&clock, 120, || live(&world, "web").iter().any(|pod| pod.waiting == "CrashLoopBackOff"));
    let sick: Vec<_> = live(&world, "web").into_iter().filter(|pod| !pod.ready).collect();
    assert_eq!(sick.len(), 1);
    assert_eq!(sick[0].last_ended, "OOMKilled");
    assert_eq!(world.deployment("shop", "web").unwrap().ready, 2);
}

#[test]
fn demand_is_shared_by_the_ready_pods() {
    let clock = ManualClock::new(start());
    let world = World::shop(clock.clone());
    assert!(world.saturation("shop", "checkout").unwrap() < 0.5);
    world.break_it(Fault::Surge { deployment: "checkout".into(), demand_millicores: 1600 });
    assert!(world.saturation("shop", "checkout").unwrap() > 0.99);
    world.edit(|objects| {
        objects.merge(Kind::Deployment, "shop", "checkout", &serde_json::json!({ "spec": { "replicas": 5 } }))
    });
    run_until(&clock, 20, || world.deployment("shop", "checkout").unwrap().ready == 5);
    let share = world.saturation("shop", "checkout").unwrap();
    assert!((share - 0.64).abs() < 0.01, "{share}");
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let clock = ManualClock::new(start());
    let world = World::shop(clock.clone());
    clock.set(start() - seconds(3600));
    assert_eq!(world.deployment("shop", "web").unwrap().ready, 3);
    clock.set(start() + seconds(5));
    assert_eq!(world.deployment("shop", "web").unwrap().ready, 3);
}
