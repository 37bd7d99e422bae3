//! `KubeReads` against the simulated API server over HTTP, and its views on recorded real responses.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use belay::adapters::kube::{Access, KubeReads, connect, from_json};
use belay::domain::cluster::{ContainerState, Snapshot};
use belay::domain::ids::Cluster;
use belay::domain::target::{Kind as K, Named, Object, RootOwner};
use belay::ports::clock::SystemClock;
use belay::ports::reads::{Listing as _, Located, LogQuery, ReadError, Reads as _};
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{Behaviour, Kind, Verb, World};
use serde_json::{Value, json};

use crate::sim::{Served, live, run_until, seconds};

fn cluster() -> Cluster {
    Cluster::new("eu-1")
}

fn named(kind: K, name: &str) -> Named {
    Named { cluster: cluster(), kind, namespace: "shop".into(), name: name.into() }
}

async fn reads(served: &Served) -> KubeReads {
    let client =
        connect(&Access::Url { url: served.url.clone(), ca_file: None, token_file: None }).await.unwrap();
    KubeReads::new(client, cluster(), Arc::new(SystemClock))
}

async fn web_pod(served: &Served, reads: &KubeReads) -> Located {
    let pod = live(&served.world, "web").remove(0);
    reads.locate(&named(K::Pod, &pod.name)).await.unwrap()
}

fn fault(served: &Served, path: &str, times: u32, effect: Effect) {
    served.world.faults(|faults| faults.add(Rule::on(Verb::List, path, effect).times(times)));
}

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/kubernetes/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[tokio::test]
async fn a_cluster_without_a_metrics_api_is_told_from_one_whose_metrics_are_gone() {
    let served = Served::shop().await;
    let reads = reads(&served).await;
    let located = web_pod(&served, &reads).await;
    fault(&served, "/apis/metrics.k8s.io/", 1, Effect::Fail(404, "404 page not found".into()));
    let snapshot = reads.snapshot(&located).await.unwrap();
    let why = snapshot.usage.unwrap_err();
    assert!(why.contains("serves no metrics API"), "{why}");
    served.stop().await;
}

#[tokio::test]
async fn the_fleet_is_counted() {
    let served = Served::shop().await;
    let reads = reads(&served).await;
    let namespaces = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let all = reads.fleet(&namespaces(&["shop"])).await.unwrap();
    assert_eq!((all.pods, all.unwell, all.unwell_permille()), (13, 0, 0));
    assert_eq!(reads.fleet(&namespaces(&["shop", "nowhere"])).await.unwrap(), all);
    assert_eq!(reads.fleet(&[]).await.unwrap().unwell_permille(), 0);
    // of one namespace that cannot be read nothing is known
    fault(&served, "/api/v1/namespaces/shop/pods", 100, Effect::Fail(403, "no".to_owned()));
    let refused = reads.fleet(&namespaces(&["shop"])).await.unwrap_err();
    assert!(matches!(refused, ReadError::Refused { .. }), "{refused:?}");
    served.stop().await;
}

#[tokio::test]
async fn a_pod_is_followed_up_to_its_deployment() {
    let served = Served::shop().await;
    let reads = reads(&served).await;
    let located = web_pod(&served, &reads).await;
    let web = served.world.deployment("shop", "web").unwrap();
    assert_eq!(located.owner, RootOwner(Object { named: named(K::Deployment, "web"), uid: web.uid }));
    let itself = reads.locate(&named(K::Deployment, "web")).await.unwrap();
    assert_eq!(itself.target, itself.owner.0);
    let set = reads.locate(&named(K::StatefulSet, "orders-db")).await.unwrap();
    assert_eq!(set.owner.0.named.kind, K::StatefulSet);
    let gone = reads.locate(&named(K::Pod, "web-0-gone")).await.unwrap_err();
    assert_eq!(gone, ReadError::NotFound { what: "Pod `web-0-gone` in namespace `shop`".into() });
    served.stop().await;
}

fn owned_pod(name: &str, owner: Value) -> Value {
    let container = json!({ "name": "app", "image": "app:1" });
    json!({
        "metadata": { "name": name, "labels": { "app": name }, "ownerReferences": [owner] },
        "spec": { "containers": [container] },
    })
}

fn owner(version: &str, kind: &str, name: &str, uid: &str) -> Value {
    json!({ "apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": true })
}

#[tokio::test]
async fn what_owner_references_say_is_not_believed() {
    let uid = "0b1e2f3a-0000-4000-8000-000000000001";
    let pods = [
        ("foreign", owner("example.com/v1", "Deployment", "web", uid)),
        ("unknown", owner("example.com/v1", "Widget", "web", uid)),
        ("path", owner("apps/v1", "Deployment", "web/scale", uid)),
        ("dots", owner("apps/v1", "Deployment", "../../../secrets/x", uid)),
        ("query", owner("example.com/v1", "Widget", "web?x=y", uid)),
        ("forged", owner("apps/v1", "Deployment", "web", uid)),
        ("missing", owner("apps/v1", "Deployment", "nothing", uid)),
        ("uid", owner("example.com/v1", "Widget", "web", "not/a uid")),
    ];
    let served = Served::shop().await;
    served.world.edit(|objects| {
        for (name, owner) in pods {
            let mut pod = owned_pod(name, owner);
            pod["metadata"]["namespace"] = "shop".into();
            objects.insert(Kind::Pod, pod);
        }
    });
    let reads = reads(&served).await;
    for name in ["foreign", "unknown"] {
        let located = reads.locate(&named(K::Pod, name)).await.unwrap();
        assert_eq!(located.owner.0.named, named(K::Other, "web"), "{name}");
    }
    for (name, expected) in [
        ("path", "is no name of an object"),
        ("dots", "is no name of an object"),
        ("query", "is no name of an object"),
        ("uid", "is no name of an object"),
        ("forged", "another object now bears the name"),
        ("missing", "is gone"),
    ] {
        let error = reads.locate(&named(K::Pod, name)).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    served.stop().await;
}

#[tokio::test]
async fn names_that_are_none_are_never_sent() {
    let served = Served::shop().await;
    let reads = reads(&served).await;
    for name in ["", "../x", "a/b", "a?b", "a%2fb", "A", "-a", "a..b"] {
        let error = reads.locate(&named(K::Pod, name)).await.unwrap_err();
        assert!(error.to_string().contains("not named as objects"), "{name}: {error}");
        let odd = LogQuery {
            namespace: "shop".into(),
            pod: name.into(),
            container: None,
            previous: false,
            tail: 5,
        };
        assert!(reads.log(&odd).await.is_err());
        assert!(reads.revisions("shop", name).await.is_err());
        assert!(reads.pods(name).await.is_err() && reads.events(name).await.is_err());
        assert!(reads.deployments(name).await.is_err());
    }
    served.stop().await;
}

#[tokio::test]
async fn a_snapshot_holds_everything_about_one_owner() {
    let served = Served::shop().await;
    let reads = reads(&served).await;
    let located = web_pod(&served, &reads).await;
    let snapshot = reads.snapshot(&located).await.unwrap();
    let Snapshot {
        pod,
        workload,
        pods,
        revisions,
        events,
        budgets,
        autoscalers,
        usage,
        logs,
        neighbours,
        ..
    } = &snapshot;
    assert_eq!(pod.as_ref().unwrap().as_ref().unwrap().object, located.target);
    let workload = workload.as_ref().unwrap().as_ref().unwrap();
    assert_eq!((workload.desired, workload.ready), (3, 3));
    assert!(workload.template_changed.is_some() && !workload.writers.is_empty());
    assert_eq!(pods.as_ref().unwrap().len(), 3);
    assert!(pods.as_ref().unwrap().iter().all(|p| p.object.named.name.starts_with("web-")));
    assert_eq!(revisions.as_ref().unwrap().len(), 1);
    assert!(events.is_ok());
    let names: Vec<&str> = budgets.as_ref().unwrap().iter().map(|b| b.name.as_str()).collect();
    assert_eq!(names, ["web"]);
    assert!(autoscalers.as_ref().unwrap().is_empty());
    assert_eq!(usage.as_ref().unwrap().len(), 3);
    assert!(!logs.as_ref().unwrap()[0].lines.is_empty());
    assert!(neighbours.as_ref().unwrap().contains(&"cart".to_owned()));

    let search = reads.locate(&named(K::Deployment, "search")).await.unwrap();
    let search = reads.snapshot(&search).await.unwrap();
    assert_eq!(search.autoscalers.unwrap()[0].max, 6);
    assert_eq!(search.pod, Ok(None));
    served.stop().await;
}

#[tokio::test]
async fn a_pod_that_is_gone_is_known_to_be_gone() {
    let served = Served::shop().await;
    let reads = reads(&served).await;
    let located = web_pod(&served, &reads).await;
    let name = located.target.named.name.clone();
    served.world.edit(|objects| objects.remove(Kind::Pod, "shop", &name));
    let snapshot = reads.snapshot(&located).await.unwrap();
    assert_eq!(snapshot.pod, Ok(None));
    // one of the same name with another uid is another pod
    let mut other = located.clone();
    other.target = reads.snapshot(&located).await.unwrap().pods.unwrap()[0].object.clone();
    other.target.uid = "another".into();
    assert_eq!(reads.snapshot(&other).await.unwrap().pod, Ok(None));
    served.stop().await;
}

#[tokio::test]
async fn each_part_that_cannot_be_read_says_why_and_the_others_stay() {
    type Part = fn(&Snapshot) -> Option<&String>;
    let namespace = "/api/v1/namespaces/shop";
    let parts: [(&str, String, Part); 6] = [
        ("events", format!("{namespace}/events"), |s| s.events.as_ref().err()),
        ("pods", format!("{namespace}/pods"), |s| s.pods.as_ref().err()),
        ("budgets", "/apis/policy/v1/namespaces/shop/".into(), |s| s.budgets.as_ref().err()),
        ("autoscalers", "/apis/autoscaling/v2/namespaces/shop/".into(), |s| s.autoscalers.as_ref().err()),
        ("usage", "/apis/metrics.k8s.io/".into(), |s| s.usage.as_ref().err()),
        ("revisions", "/apis/apps/v1/namespaces/shop/replicasets".into(), |s| s.revisions.as_ref().err()),
    ];
    let served = Served::shop().await;
    let patient = reads(&served).await;
    let located = web_pod(&served, &patient).await;
    let hurried = patient.clone().with_deadline(Duration::from_millis(800));
    for (part, path, failed) in parts {
        for (times, effect, expected) in [
            (
                1,
                Effect::Fail(403, "no\u{1b}[31m password=hunter2".into()),
                "was refused: no password=[redacted]",
            ),
            (3, Effect::Fail(500, "etcd".into()), "failed: 500 etcd"),
            (1, Effect::Hang, "no answer within 800ms"),
        ] {
            let reads = if matches!(effect, Effect::Hang) { &hurried } else { &patient };
            fault(&served, &path, times, effect);
            let snapshot = reads.snapshot(&located).await.unwrap();
            let why = failed(&snapshot).unwrap_or_else(|| panic!("{part} was read"));
            assert!(why.contains(expected), "{part}: {why}");
            assert!(
                snapshot.workload.is_ok() && snapshot.pod.is_ok() && snapshot.neighbours.is_ok(),
                "{part}"
            );
            served.world.faults(belay::sim::kube::Faults::clear);
        }
    }
    // a server that is busy for a moment is asked again
    fault(&served, &format!("{namespace}/events"), 2, Effect::Fail(503, "busy".into()));
    assert!(patient.snapshot(&located).await.unwrap().events.is_ok());
    served.world.faults(|f| f.add(Rule::any("/", Effect::Fail(403, "nothing for you".into())).times(100)));
    let error = patient.snapshot(&located).await.unwrap_err();
    assert!(error.to_string().contains("nothing for you"), "{error}");
    served.stop().await;
}

#[tokio::test]
async fn events_are_the_owners_own_newest_first_and_at_most_a_hundred() {
    let served = Served::shop().await;
    let event = |n: i64, about: &str| {
        let (name, minute) = (format!("noise-{about}-{n}"), n % 60);
        json!({
            "metadata": { "name": name, "namespace": "shop" },
            "involvedObject": { "kind": "Deployment", "name": about, "namespace": "shop" },
            "reason": "Noise", "message": format!("token=abc {n}"), "type": "Normal", "count": 1,
            "lastTimestamp": format!("2026-11-21T01:{minute:02}:00Z"),
        })
    };
    served.world.edit(|objects| {
        for n in 0..150 {
            objects.insert(Kind::Event, event(n, "web"));
            objects.insert(Kind::Event, event(n, "cart"));
        }
    });
    let reads = reads(&served).await;
    let web = reads.locate(&named(K::Deployment, "web")).await.unwrap();
    let events = reads.snapshot(&web).await.unwrap().events.unwrap();
    assert_eq!(events.len(), 100);
    assert!(events.iter().all(|e| e.name.starts_with("web") && !e.message.contains("abc")));
    assert!(events.is_sorted_by(|a, b| a.last >= b.last));
    served.stop().await;
}

#[tokio::test]
async fn the_log_of_a_crashed_container_is_read_from_before_and_now() {
    let served = Served::shop().await;
    let log = "starting\npanicked at main.rs:3, key AKIAIOSFODNN7EXAMPLE".to_owned();
    served.world.behave("shop", "cart", Behaviour::CrashAtStart { exit_code: 3, log });
    let name = live(&served.world, "cart").remove(0).name;
    let crashed =
        |world: &World| world.pods("shop", "cart").iter().any(|p| p.name == name && p.restarts >= 2);
    run_until(&served.clock, 300, || crashed(&served.world));
    let reads = reads(&served).await;
    let located = reads.locate(&named(K::Pod, &name)).await.unwrap();
    let logs = reads.snapshot(&located).await.unwrap().logs.unwrap();
    let previous: Vec<bool> = logs.iter().map(|l| l.previous).collect();
    assert_eq!(previous, [true, false]);
    assert!(logs[0].lines.iter().any(|l| l.contains("panicked at main.rs:3, key [redacted]")), "{logs:?}");
    served.stop().await;
}

#[tokio::test]
async fn of_a_log_too_large_the_newest_lines_are_kept() {
    let served = Served::shop().await;
    let pod = live(&served.world, "web").remove(0).name;
    for n in 0..400 {
        served.world.say("shop", &pod, &format!("{n} {}", "x".repeat(1000)));
    }
    served.world.say("shop", &pod, "the newest line");
    let reads = reads(&served).await;
    let query = LogQuery { namespace: "shop".into(), pod, container: None, previous: false, tail: 300 };
    let log = reads.log(&query).await.unwrap();
    assert!(log.lines.last().unwrap().contains("the newest line"), "{:?}", log.lines.last());
    assert_eq!(log.lines[0], "[earlier lines left out: more than 64 KiB]");
    assert!(log.lines.len() < 70, "{}", log.lines.len());
    served.clock.advance(seconds(1));
    served.stop().await;
}

#[test]
fn recorded_responses_read_as_what_they_say() {
    let oom = from_json(&cluster(), &recorded("pods-oomkilled")).unwrap();
    let container = &oom.pods[0].containers[0];
    let end = container.last_end.as_ref().unwrap();
    assert_eq!((end.reason.as_str(), end.exit_code, container.restarts), ("OOMKilled", 137, 2));
    assert!(
        matches!(&container.state, ContainerState::Waiting { reason, .. } if reason == "CrashLoopBackOff")
    );
    assert_eq!(oom.pods[0].controller.as_ref().unwrap().named.kind, K::ReplicaSet);

    let rollout = from_json(&cluster(), &recorded("deploy-rs-stuck-rollout")).unwrap();
    let web = rollout.workloads.iter().find(|w| w.object.named.name == "web").unwrap();
    assert_eq!((web.desired, web.ready, web.updated, web.revision), (2, 2, 1, Some(2)));
    assert_eq!(rollout.revisions.iter().filter(|(c, _)| c.as_ref() == Some(&web.object)).count(), 2);

    let events = from_json(&cluster(), &recorded("events")).unwrap().events;
    assert!(events.iter().all(|e| !e.reason.is_empty() && e.last.is_some() && e.count > 0));
    assert!(events.iter().any(|e| e.reason == "BackOff" && e.kind == K::Pod));
    assert!(from_json(&cluster(), b"{}").unwrap().pods.is_empty());
    assert!(from_json(&cluster(), br#"{"items":[{"kind":"Pod","spec":1}]}"#).is_err());
}
