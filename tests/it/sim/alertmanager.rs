//! The simulated Alertmanager: what fires and when, and bodies compared with recorded ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router, routing::post};
use belay::ports::clock::ManualClock;
use belay::sim::alertmanager::{Alertmanager, Labels, Rule, Settings, fingerprint};
use belay::sim::kube::{Behaviour, Fault, Kind, Pods, World};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{live, seconds, start};

/// A webhook that keeps what it gets and answers as told.
#[derive(Clone, Default)]
struct Inbox {
    got: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

async fn receive(State(inbox): State<Inbox>, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    inbox.got.lock().unwrap().push((headers, body));
    let code = inbox.answers.lock().unwrap().pop().unwrap_or(200);
    StatusCode::from_u16(code).unwrap()
}

impl Inbox {
    /// The bodies about one alert name so far.
    fn about(&self, name: &str) -> Vec<Value> {
        let all = self.got.lock().unwrap();
        all.iter()
            .map(|(_, body)| body.clone())
            .filter(|body| body["groupLabels"]["alertname"] == name)
            .collect()
    }
}

struct Scene {
    clock: Arc<ManualClock>,
    world: World,
    alertmanager: Alertmanager,
    inbox: Inbox,
    stop: CancellationToken,
}

impl Scene {
    async fn new(tune: impl FnOnce(&mut Settings)) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let clock = ManualClock::new(start());
        let world = World::shop(clock.clone());
        let (inbox, stop) = (Inbox::default(), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1/alerts/webhook", listener.local_addr().unwrap());
        let router = Router::new().route("/api/v1/alerts/webhook", post(receive)).with_state(inbox.clone());
        let done = stop.clone().cancelled_owned();
        tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(done).into_future());
        let mut settings = Settings::quick("demo").receiver(&url, Some("s3cret"));
        tune(&mut settings);
        let alertmanager = Alertmanager::new(world.clone(), settings, reqwest::Client::new());
        Self { clock, world, alertmanager, inbox, stop }
    }

    /// Moves on second by second until `name` was told of `count` times.
    async fn until_told(&self, name: &str, count: usize) -> Vec<Value> {
        for _ in 0..300 {
            let bodies = self.inbox.about(name);
            if bodies.len() >= count {
                return bodies;
            }
            self.steps(1).await;
        }
        panic!("`{name}` was told of {} times only", self.inbox.about(name).len());
    }

    async fn steps(&self, count: i64) {
        for _ in 0..count {
            self.clock.advance(seconds(1));
            self.alertmanager.step().await;
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn recorded(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(format!("tests/data/alertmanager/{name}.json")).unwrap())
        .unwrap()
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn fingerprints_are_those_of_the_recording() {
    for name in ["am-0.33.1-prometheus-firing-3alerts", "am-0.33.1-mixed-firing-3firing-1resolved"] {
        for alert in recorded(name)["alerts"].as_array().unwrap() {
            let labels: Labels = serde_json::from_value(alert["labels"].clone()).unwrap();
            assert_eq!(fingerprint(&labels), alert["fingerprint"].as_str().unwrap());
        }
    }
}

#[tokio::test]
async fn a_crash_loop_fires_and_resolves_in_the_recorded_format() {
    let scene = Scene::new(|_| {}).await;
    scene.world.break_it(Fault::Leak { deployment: "web".into(), pods: Pods::One });
    let body = scene.until_told("KubePodCrashLooping", 1).await.remove(0);
    let theirs = recorded("am-0.33.1-prometheus-firing-3alerts");
    assert_eq!(keys(&body), keys(&theirs));
    assert_eq!(keys(&body["alerts"][0]), keys(&theirs["alerts"][0]));
    assert_eq!(body["groupKey"], theirs["groupKey"], "same group, same key");
    let scalars = [("status", "firing"), ("version", "4"), ("notification_reason", "first notification")];
    for (key, value) in scalars {
        assert_eq!(body[key], value);
    }
    let sick = live(&scene.world, "web").into_iter().find(|pod| !pod.ready).unwrap();
    let labels = json!({
        "alertname": "KubePodCrashLooping", "namespace": "shop", "pod": sick.name, "container": "web",
        "severity": "warning", "cluster": "demo",
    });
    assert_eq!(body["alerts"][0]["labels"], labels);
    assert_eq!(body["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
    let (headers, _) = scene.inbox.got.lock().unwrap().last().unwrap().clone();
    assert_eq!(headers["authorization"], "Bearer s3cret");
    assert_eq!(headers["user-agent"], "Alertmanager/0.33.1");

    scene.world.behave_pod("shop", &sick.name, Behaviour::Healthy);
    let bodies = scene.until_told("KubePodCrashLooping", 2).await;
    assert_eq!(bodies[1]["status"], "resolved");
    assert_eq!(bodies[1]["notification_reason"], "all alerts resolved");
    assert_eq!(bodies[1]["alerts"][0]["startsAt"], bodies[0]["alerts"][0]["startsAt"]);
    assert_ne!(bodies[1]["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
    scene.steps(30).await;
    assert_eq!(scene.inbox.about("KubePodCrashLooping").len(), 2, "told once each");
}

#[tokio::test]
async fn saturation_fires_until_more_pods_share_the_work() {
    let scene = Scene::new(|_| {}).await;
    scene.steps(20).await;
    assert!(scene.inbox.about("CPUSaturation").is_empty());
    scene.world.break_it(Fault::Surge { deployment: "checkout".into(), demand_millicores: 1450 });
    let body = scene.until_told("CPUSaturation", 1).await.remove(0);
    assert_eq!(body["alerts"][0]["labels"]["deployment"], "checkout");
    scene.world.edit(|objects| {
        objects.merge(Kind::Deployment, "shop", "checkout", &json!({ "spec": { "replicas": 5 } }))
    });
    assert_eq!(scene.until_told("CPUSaturation", 2).await[1]["status"], "resolved");
}

#[tokio::test]
async fn a_stuck_rollout_and_a_waiting_container() {
    let scene = Scene::new(|settings| {
        settings.rules = [Rule::KubeContainerWaiting, Rule::KubeDeploymentRolloutStuck].into();
    })
    .await;
    scene.world.behave_image("web:none", Behaviour::BadImage);
    scene.world.edit(|objects| {
        objects.modify(Kind::Deployment, "shop", "web", |web| {
            web["spec"]["progressDeadlineSeconds"] = 30.into();
            web["spec"]["template"]["spec"]["containers"][0]["image"] = "web:none".into();
        });
    });
    let stuck = scene.until_told("KubeDeploymentRolloutStuck", 1).await.remove(0);
    assert_eq!(stuck["alerts"][0]["labels"]["deployment"], "web");
    assert!(!scene.inbox.about("KubeContainerWaiting").is_empty());
    assert!(scene.inbox.about("Watchdog").is_empty());
}

#[tokio::test]
async fn more_alerts_join_their_group() {
    let scene = Scene::new(|_| {}).await;
    let leak = |name: &str| {
        scene.world.behave_pod("shop", name, Behaviour::CrashAtStart { exit_code: 1, log: "no".into() });
    };
    let pods = live(&scene.world, "web");
    leak(&pods[0].name);
    scene.until_told("KubePodCrashLooping", 1).await;
    leak(&pods[1].name);
    let bodies = scene.until_told("KubePodCrashLooping", 2).await;
    assert_eq!(bodies[1]["notification_reason"], "new alerts added");
    assert_eq!(bodies[1]["alerts"].as_array().unwrap().len(), 2);
    assert_eq!(bodies[1]["commonLabels"]["container"], "web");
    assert!(bodies[1]["commonLabels"].get("pod").is_none());
    scene.world.behave_pod("shop", &pods[0].name, Behaviour::Healthy);
    let bodies = scene.until_told("KubePodCrashLooping", 3).await;
    assert_eq!(bodies[2]["notification_reason"], "some alerts resolved");
    assert_eq!(bodies[2]["status"], "firing");
}

#[tokio::test]
async fn only_server_errors_are_tried_again_soon() {
    let scene = Scene::new(|settings| settings.rules = [Rule::Watchdog].into()).await;
    *scene.inbox.answers.lock().unwrap() = vec![400, 503, 503];
    scene.until_told("Watchdog", 3).await;
    scene.steps(4).await;
    assert_eq!(scene.inbox.about("Watchdog").len(), 3, "a 400 waits for the next interval");
    scene.steps(2).await;
    let bodies = scene.inbox.about("Watchdog");
    assert_eq!(bodies.len(), 4);
    assert!(bodies.iter().all(|body| body["notification_reason"] == "first notification"));
    assert_eq!(bodies[0]["groupKey"], "{}:{alertname=\"Watchdog\"}");
    scene.steps(60).await;
    assert_eq!(scene.inbox.about("Watchdog").len(), 4, "once accepted it is quiet");
    scene.clock.advance(seconds(4 * 3600));
    let bodies = scene.until_told("Watchdog", 5).await;
    assert_eq!(bodies[4]["notification_reason"], "repeat interval elapsed");
}

#[tokio::test]
async fn the_api_shows_what_fires_and_a_silence_swallows_the_resolve() {
    let scene = Scene::new(|_| {}).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v2", listener.local_addr().unwrap());
    tokio::spawn(scene.alertmanager.serve(listener, scene.stop.clone()));
    let read = async |path: &str| -> Value {
        let response = reqwest::get(format!("{url}{path}")).await.unwrap();
        response.json().await.unwrap()
    };
    scene.world.break_it(Fault::Leak { deployment: "web".into(), pods: Pods::One });
    scene.until_told("KubePodCrashLooping", 1).await;
    assert_eq!(read("/silences").await, json!([]));
    let all = read("/alerts").await;
    assert_eq!(all.as_array().unwrap().len(), 2, "with the watchdog");
    let crash = read("/alerts?filter=alertname%3D%22KubePodCrashLooping%22").await;
    let alert = &crash[0];
    let fields = [
        "annotations",
        "endsAt",
        "fingerprint",
        "generatorURL",
        "labels",
        "receivers",
        "startsAt",
        "status",
        "updatedAt",
    ];
    assert_eq!(keys(alert), fields);
    assert_eq!(
        alert["status"],
        json!({ "inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active" })
    );
    let labels: BTreeMap<String, String> = serde_json::from_value(alert["labels"].clone()).unwrap();
    assert_eq!(alert["fingerprint"], fingerprint(&labels));

    scene.alertmanager.silence(&[("alertname", "KubePodCrashLooping")]);
    scene.steps(1).await;
    let alert = &read("/alerts?active=false").await[0];
    assert_eq!(alert["status"]["state"], "suppressed");
    assert_eq!(read("/silences").await[0]["id"], alert["status"]["silencedBy"][0]);
    let sick = live(&scene.world, "web").into_iter().find(|pod| !pod.ready).unwrap();
    scene.world.behave_pod("shop", &sick.name, Behaviour::Healthy);
    scene.steps(60).await;
    assert_eq!(scene.inbox.about("KubePodCrashLooping").len(), 1, "nothing was told");
    assert_eq!(read("/alerts").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn it_runs_by_itself_until_it_is_stopped() {
    let scene = Scene::new(|settings| settings.rules = [Rule::Watchdog].into()).await;
    let running = tokio::spawn(scene.alertmanager.run(scene.stop.clone()));
    while scene.inbox.about("Watchdog").is_empty() {
        scene.clock.advance(seconds(1));
        tokio::task::yield_now().await;
    }
    scene.stop.cancel();
    running.await.unwrap();
}
