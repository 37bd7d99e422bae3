//! Answers compared with those recorded from a real API server.

use std::collections::BTreeSet;

use belay::sim::kube::{Access, Behaviour, Budget, DeploymentSpec, Fault, Kind, Pods, Token, World};
use serde_json::{Value, json};

use super::{Served, live, run_until, seconds};

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// The body of a recorded answer and its code.
fn recorded(name: &str) -> (u16, Value) {
    let text = std::fs::read_to_string(format!("tests/data/kubernetes/{name}")).unwrap();
    let (head, body) = text.split_once("\n\n").or_else(|| text.split_once("\r\n\r\n")).unwrap();
    let code = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    (code, serde_json::from_str(body).unwrap())
}

pub fn data(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(format!("tests/data/kubernetes/{name}")).unwrap()).unwrap()
}

/// The paths of all fields, with list positions folded and keys that are data left out.
pub fn shape(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, out: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (key, field) in fields {
                    let open = path.ends_with("labels")
                        || path.ends_with("annotations")
                        || path.ends_with("nodeSelector")
                        || path.ends_with("matchLabels");
                    let path = if open { format!("{path}.*") } else { format!("{path}.{key}") };
                    walk(field, &path, out);
                }
            }
            Value::Array(list) => list.iter().for_each(|one| walk(one, &format!("{path}[]"), out)),
            _ => {
                out.insert(path.to_owned());
            }
        }
    }
    let mut out = BTreeSet::new();
    walk(value, "", &mut out);
    out
}

/// A world with the names of the recording.
async fn recording() -> Served {
    let token = |secret: &str, user: &str, access| Token { secret: secret.into(), user: user.into(), access };
    Served::new(|clock| {
        World::builder(clock)
            .namespace("real")
            .deployment(DeploymentSpec::new("web", 2))
            .pdb("web", Budget::MinAvailable("2".into()))
            .token(token("admin", "admin", Access::Write))
            .token(token("reader", "reader", Access::Read))
            .token(token("viewer", "viewer", Access::Nothing))
            .build()
    })
    .await
}

const WEB: &str = "/apis/apps/v1/namespaces/real/deployments/web";
const PODS: &str = "/api/v1/namespaces/real/pods";

#[tokio::test]
async fn refusals_are_those_of_the_recording() {
    let served = recording().await;
    let admin = Some("admin");
    assert_eq!(served.send("GET", PODS, None).await, recorded("http-401.txt"));
    assert_eq!(served.send_as(Some("viewer"), "GET", PODS, None).await, recorded("http-403.txt"));
    let missing = served.send_as(admin, "GET", "/apis/apps/v1/namespaces/real/deployments/none", None).await;
    assert_eq!(missing, recorded("http-404.txt"));
    let stale = json!({ "metadata": { "resourceVersion": "1" }, "spec": { "replicas": 1 } });
    assert_eq!(
        served.send_as(admin, "PATCH", WEB, Some((MERGE_PATCH, stale))).await,
        recorded("http-409.txt")
    );
    let negative = json!({ "spec": { "replicas": -1 } });
    assert_eq!(
        served.send_as(admin, "PATCH", WEB, Some((MERGE_PATCH, negative))).await,
        recorded("http-422.txt")
    );
    let pod = served.world.all_pods().remove(0).name;
    let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod } });
    let path = format!("{PODS}/{pod}/eviction");
    let refused = served.send_as(admin, "POST", &path, Some(("application/json", eviction))).await;
    assert_eq!(refused, recorded("http-eviction-429.txt"));
    served.stop().await;
}

/// As recorded, with the names and uids that this world has.
pub fn recorded_for(name: &str, replaced: &[(&str, &str)]) -> (u16, Value) {
    let (code, body) = recorded(name);
    let text = replaced.iter().fold(body.to_string(), |text, (from, to)| text.replace(from, to));
    (code, serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn preconditions_are_refused_as_in_the_recording() {
    let served = recording().await;
    let admin = Some("admin");
    let pod = served.world.all_pods().remove(0);
    let eviction = format!("{PODS}/{}/eviction", pod.name);
    let evict = async |name: &str, uid: Option<&str>| {
        let mut body = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": name } });
        if let Some(uid) = uid {
            body["deleteOptions"] = json!({ "preconditions": { "uid": uid } });
        }
        served.send_as(admin, "POST", &eviction, Some(("application/json", body))).await
    };
    let another = evict(&pod.name, Some("00000000-0000-0000-0000-000000000000")).await;
    let seen = [("web-785b57497f-l5dls", &*pod.name), ("72b9ab16-dd7e-4c10-85e8-5893786f26d8", &*pod.uid)];
    assert_eq!(another, recorded_for("http-eviction-409.txt", &seen));
    assert_eq!(evict("other", None).await, recorded("http-eviction-400.txt"));
    let patch = async |kind: &str, body: Value| served.send_as(admin, "PATCH", WEB, Some((kind, body))).await;
    let test = json!([
        { "op": "test", "path": "/spec/replicas", "value": 99 },
        { "op": "replace", "path": "/spec/replicas", "value": 5 },
    ]);
    assert_eq!(patch(JSON_PATCH, test).await, recorded("http-json-patch-422.txt"));
    let uid = json!({ "metadata": { "uid": "u" }, "spec": { "replicas": 5 } });
    assert_eq!(patch(MERGE_PATCH, uid).await, recorded("http-uid-422.txt"));
    assert_eq!(served.world.deployment("real", "web").unwrap().replicas, 2);
    served.stop().await;
}

#[tokio::test]
async fn evictions_are_answered_as_in_the_recording() {
    let served = Served::new(|clock| {
        World::builder(clock).namespace("real").deployment(DeploymentSpec::new("web", 2)).build()
    })
    .await;
    let pod = served.world.all_pods().remove(0).name;
    let evict = async || {
        let body = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod } });
        let path = format!("{PODS}/{pod}/eviction?dryRun=All");
        served.send("POST", &path, Some(("application/json", body))).await
    };
    assert_eq!(evict().await, recorded("http-eviction-201.txt"));
    for name in ["one", "two"] {
        let spec = json!({ "minAvailable": 1, "selector": { "matchLabels": { "app": "web" } } });
        let budget = json!({ "metadata": { "name": name }, "spec": spec });
        let path = "/apis/policy/v1/namespaces/real/poddisruptionbudgets";
        assert_eq!(served.send("POST", path, Some(("application/json", budget))).await.0, 201);
    }
    assert_eq!(evict().await, recorded("http-eviction-500.txt"));
    served.stop().await;
}

#[tokio::test]
async fn a_reader_may_only_try() {
    let served = recording().await;
    let reader = Some("reader");
    let scale = || Some((MERGE_PATCH, json!({ "spec": { "replicas": 3 } })));
    assert_eq!(served.send_as(reader, "GET", WEB, None).await.0, 200);
    let (code, body) = served.send_as(reader, "PATCH", WEB, scale()).await;
    assert_eq!(code, 403);
    let message = "deployments.apps \"web\" is forbidden: User \"reader\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"real\"";
    assert_eq!(body["message"], message);
    assert_eq!(served.send_as(reader, "PATCH", &format!("{WEB}?dryRun=All"), scale()).await.0, 200);
    assert_eq!(served.world.deployment("real", "web").unwrap().replicas, 2);
    let pod = served.world.all_pods().remove(0).name;
    for token in ["admin", "reader"] {
        assert_eq!(served.send_as(Some(token), "DELETE", &format!("{PODS}/{pod}"), None).await.0, 403);
    }
    served.stop().await;
}

#[tokio::test]
async fn json_patch_tests_hold_or_refuse() {
    let served = Served::shop().await;
    let web = "/apis/apps/v1/namespaces/shop/deployments/web";
    let uid = served.world.deployment("shop", "web").unwrap().uid;
    let patch = |path: &str, value: Value| {
        let test = json!({ "op": "test", "path": path, "value": value });
        Some((JSON_PATCH, json!([test, { "op": "replace", "path": "/spec/replicas", "value": 4 }])))
    };
    for (path, value) in [
        ("/metadata/uid", json!("other")),
        ("/metadata/generation", json!(9)),
        ("/spec/replicas", json!(7)),
        ("/metadata/annotations/nothing", json!("there")),
    ] {
        let (code, body) = served.send("PATCH", web, patch(path, value)).await;
        assert_eq!(code, 422);
        assert_eq!(body["message"], "the server rejected our request due to an error in our request");
        assert_eq!((&body["reason"], &body["details"]), (&json!("Invalid"), &json!({})));
    }
    assert_eq!(served.send("PATCH", web, patch("/metadata/uid", json!(uid))).await.0, 200);
    assert_eq!(served.world.deployment("shop", "web").unwrap().replicas, 4);
    // on a Deployment an annotation moves the generation as well, on a pod it does not
    let note = || Some((MERGE_PATCH, json!({ "metadata": { "annotations": { "a": "b" } } })));
    assert_eq!(served.send("PATCH", web, note()).await.1["metadata"]["generation"], 3);
    assert_eq!(served.send("PATCH", web, note()).await.1["metadata"]["generation"], 3);
    let pod = live(&served.world, "web").remove(0).name;
    let pod = served.send("PATCH", &format!("/api/v1/namespaces/shop/pods/{pod}"), note()).await;
    assert_eq!((pod.0, &pod.1["metadata"]["generation"]), (200, &json!(1)));
    let (code, _) = served.send("PATCH", web, Some(("application/apply-patch+yaml", json!({})))).await;
    assert_eq!(code, 415);
    served.stop().await;
}

#[tokio::test]
async fn strategic_merge_changes_one_container() {
    let served = Served::shop().await;
    let web = "/apis/apps/v1/namespaces/shop/deployments/web";
    let change =
        json!({ "spec": { "template": { "spec": { "containers": [{ "name": "web", "image": "x:2" }] } } } });
    let (code, body) =
        served.send("PATCH", web, Some(("application/strategic-merge-patch+json", change))).await;
    assert_eq!(code, 200);
    let container = &body["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "x:2");
    assert_eq!(container["resources"]["limits"]["cpu"], "500m");
    served.stop().await;
}

#[tokio::test]
async fn a_pod_that_was_oom_killed_has_the_recorded_shape() {
    let served = Served::shop().await;
    served.world.break_it(Fault::Leak { deployment: "web".into(), pods: Pods::One });
    run_until(&served.clock, 300, || {
        live(&served.world, "web").iter().any(|pod| pod.restarts == 2 && pod.waiting == "CrashLoopBackOff")
    });
    let sick = live(&served.world, "web").into_iter().find(|pod| pod.restarts == 2).unwrap().name;
    let ours = served.world.object(Kind::Pod, "shop", &sick).unwrap();
    let theirs = data("pods-oomkilled.json")["items"][0].clone();
    let missing: Vec<String> =
        shape(&theirs["status"]).difference(&shape(&ours["status"])).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    let missing: Vec<String> =
        shape(&theirs["metadata"]).difference(&shape(&ours["metadata"])).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    let status = &ours["status"]["containerStatuses"][0];
    assert!(
        status["state"]["waiting"]["message"]
            .as_str()
            .unwrap()
            .starts_with("back-off 20s restarting failed container=web pod=")
    );
    served.stop().await;
}

#[tokio::test]
async fn a_stuck_rollout_has_the_recorded_shape() {
    let served = Served::shop().await;
    served.world.behave_image("x:nope", Behaviour::BadImage);
    served.world.edit(|objects| {
        objects.modify(Kind::Deployment, "shop", "web", |web| {
            web["spec"]["template"]["spec"]["containers"][0]["image"] = "x:nope".into();
        });
    });
    served.clock.advance(seconds(30));
    let recorded = data("deploy-rs-stuck-rollout.json");
    let theirs = |kind: &str, name: &str| {
        let items = recorded["items"].as_array().unwrap();
        items.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name).unwrap().clone()
    };
    let ours = served.world.object(Kind::Deployment, "shop", "web").unwrap();
    let expected = theirs("Deployment", "web");
    let missing: Vec<String> =
        shape(&expected["status"]).difference(&shape(&ours["status"])).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    let reasons = |object: &Value| -> BTreeSet<String> {
        let all = object["status"]["conditions"].as_array().unwrap();
        all.iter().map(|one| format!("{} {} {}", one["type"], one["status"], one["reason"])).collect()
    };
    assert_eq!(reasons(&ours), reasons(&expected));
    let old = theirs("ReplicaSet", "web-6d8b6dd5b7");
    let sets = served.world.objects(Kind::ReplicaSet, "shop");
    let kept = sets
        .iter()
        .find(|set| set["metadata"]["labels"]["app"] == "web" && set["status"]["readyReplicas"] == 3);
    let missing: Vec<String> =
        shape(&old["status"]).difference(&shape(&kept.unwrap()["status"])).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    served.stop().await;
}

#[tokio::test]
async fn events_have_the_recorded_shapes() {
    let served = Served::shop().await;
    served.world.behave("shop", "web", Behaviour::CrashAtStart { exit_code: 3, log: "FATAL".into() });
    run_until(&served.clock, 60, || {
        live(&served.world, "web").iter().any(|pod| pod.waiting == "CrashLoopBackOff")
    });
    served.world.edit(|objects| {
        objects.merge(Kind::Deployment, "shop", "web", &json!({ "spec": { "replicas": 4 } }))
    });
    let ours = served.world.objects(Kind::Event, "shop");
    let recorded = data("events.json");
    for reason in
        ["Scheduled", "Pulled", "Created", "Started", "BackOff", "SuccessfulCreate", "ScalingReplicaSet"]
    {
        let with = |all: &[Value]| all.iter().find(|event| event["reason"] == reason).cloned();
        let theirs = with(recorded["items"].as_array().unwrap()).unwrap();
        let ours = with(&ours).unwrap_or_else(|| panic!("no {reason} event"));
        let missing: Vec<String> = shape(&theirs).difference(&shape(&ours)).cloned().collect();
        assert!(missing.is_empty(), "{reason}: {missing:?}");
        assert_eq!(theirs["type"], ours["type"]);
    }
    served.stop().await;
}

#[tokio::test]
async fn discovery_and_health_answer() {
    let served = Served::shop().await;
    assert_eq!(served.send("GET", "/readyz", None).await, (200, json!("ok")));
    assert_eq!(served.send("GET", "/version", None).await.1["minor"], "36");
    assert_eq!(served.send("GET", "/api", None).await.1["versions"][0], "v1");
    let groups = served.send("GET", "/apis", None).await.1;
    assert!(groups["groups"].as_array().unwrap().iter().any(|group| group["name"] == "policy"));
    assert_eq!(served.send("GET", "/apis/apps/v1", None).await.1["kind"], "APIResourceList");
    assert_eq!(served.send("GET", "/apis/none/v1/things", None).await.0, 404);
    let list = served.send("GET", "/api/v1/namespaces/shop/pods?limit=1", None).await.1;
    assert_eq!(list["kind"], "PodList");
    assert_eq!(list["metadata"]["remainingItemCount"], 12);
    served.stop().await;
}
