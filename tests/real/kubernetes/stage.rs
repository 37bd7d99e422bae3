//! A namespace of the test's own on the cluster, and an action server whose hand reaches it through the proxy.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use belay::adapters::kube::{Access, KubeHand, KubeWatches, connect, connect_watching};
use belay::adapters::mcp::{InProcess, McpActions, connect_in_process};
use belay::app::build::hard_limits;
use belay::config::LimitsConfig;
use belay::domain::action::Action;
use belay::domain::ids::{Cluster, IntentId};
use belay::domain::plan::{Plan, Refusal};
use belay::domain::target::{Kind, Named, Object, RootOwner};
use belay::domain::warrant::{Applied, SignedWarrant};
use belay::ports::actions::Actions as _;
use belay::ports::clock::{SharedClock, SystemClock};
use belay::ports::reads::ReadError;
use belay::ports::recorder::{Shown, Watches as _};
use belay::servers::actions::{ActionServer, Engine, Ledger, VerifyingKeys};
use futures::FutureExt as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver};
use tokio_util::task::AbortOnDropHandle;

use crate::key::{Key, body};
use crate::proxy::{self, Proxy};

const NAME: &str = "under-test";
/// How long controllers may take for one step: a busy cluster, with images to be pulled.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The cluster that the tests are given.
fn kubeconfig() -> PathBuf {
    let Some(path) = std::env::var_os("BELAY_TEST_KUBECONFIG") else {
        panic!(
            "BELAY_TEST_KUBECONFIG names no kubeconfig: these tests need a cluster in which they may create and remove \
             namespaces of their own (`kind create cluster --kubeconfig k`, then \
             `BELAY_TEST_KUBECONFIG=$PWD/k tests/run kubernetes`)"
        );
    };
    path.into()
}

/// The image of all pods: it must have `sleep`.
#[expect(clippy::disallowed_methods, reason = "what the tests are given comes by the environment")]
pub fn image() -> String {
    std::env::var("BELAY_TEST_IMAGE").unwrap_or_else(|_| "busybox:1".to_owned())
}

/// A namespace, and the way to it.
pub struct Stage {
    pub proxy: Proxy,
    pub namespace: String,
    key: Key,
    clock: SharedClock,
    folder: tempfile::TempDir,
    running: Option<(InProcess, McpActions)>,
    started: u32,
    _serving: AbortOnDropHandle<()>,
}

/// Plays the story in a namespace of its own, which is removed however it ends.
pub async fn in_a_namespace<F: Future<Output = ()>>(story: impl FnOnce(Arc<tokio::sync::Mutex<Stage>>) -> F) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let file = Kubeconfig::read_from(kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(file, &options).await.unwrap();
    let (proxy, serving) = Proxy::start(kube::Client::try_from(config).unwrap()).await;
    let namespace = format!("belay-test-{}", ulid::Ulid::generate().to_string().to_lowercase());
    let made = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
    create(&proxy, "/api/v1/namespaces", &made).await;
    let stage = Stage {
        proxy: proxy.clone(),
        namespace: namespace.clone(),
        key: Key::from_seed(5),
        clock: Arc::new(SystemClock),
        folder: tempfile::tempdir().unwrap(),
        running: None,
        started: 0,
        _serving: serving,
    };
    let stage = Arc::new(tokio::sync::Mutex::new(stage));
    stage.lock().await.restart().await;
    let played = AssertUnwindSafe(story(Arc::clone(&stage))).catch_unwind().await;
    let request = http::Request::delete(format!("/api/v1/namespaces/{namespace}")).body(Vec::new()).unwrap();
    let (status, _) = proxy.send(request).await;
    assert!(status < 300, "the namespace {namespace} could not be removed");
    if let Err(panic) = played {
        std::panic::resume_unwind(panic);
    }
}

async fn create(proxy: &Proxy, path: &str, object: &Value) -> Value {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(object.to_string().into_bytes())
        .unwrap();
    let (status, body) = proxy.send(request).await;
    assert_eq!(status, 201, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

impl Stage {
    /// Ends the action server as a crash would, if it runs, and starts another on what it had written.
    pub async fn restart(&mut self) {
        if let Some((InProcess { client, server }, _)) = self.running.take() {
            server.abort();
            drop(client);
        }
        let access = Access::Url { url: self.proxy.url.clone(), ca_file: None, token_file: None };
        let cluster = Cluster::new("real");
        let hand = Arc::new(KubeHand::new(connect(&access).await.unwrap(), cluster.clone()));
        let limits = LimitsConfig { namespaces: vec![self.namespace.clone()], ..LimitsConfig::default() };
        let limits = hard_limits(&limits, &cluster, &[]).unwrap();
        let file = |number: u32| self.folder.path().join(format!("used-{number}.jsonl"));
        if self.started > 0 {
            std::fs::copy(file(self.started - 1), file(self.started)).unwrap();
        }
        let ledger = Ledger::open(&file(self.started), self.clock.now()).unwrap();
        self.started += 1;
        let keys = VerifyingKeys::new([self.key.public()]).unwrap();
        let engine = Engine::new(hand, keys, limits, Arc::clone(&self.clock), ledger);
        let running = connect_in_process(ActionServer::new(Arc::new(engine))).await.unwrap();
        let actions = McpActions::new(running.client.clone(), McpActions::PATIENCE);
        self.running = Some((running, actions));
    }

    fn actions(&self) -> &McpActions {
        &self.running.as_ref().unwrap().1
    }

    // ---- objects ----

    /// The path of the one object of this kind.
    pub fn path(&self, kind: Kind) -> String {
        format!("{}/{NAME}", self.all(kind))
    }

    fn all(&self, kind: Kind) -> String {
        let space = format!("namespaces/{}", self.namespace);
        match kind {
            Kind::Deployment => format!("/apis/apps/v1/{space}/deployments"),
            Kind::StatefulSet => format!("/apis/apps/v1/{space}/statefulsets"),
            Kind::DaemonSet => format!("/apis/apps/v1/{space}/daemonsets"),
            Kind::ReplicaSet => format!("/apis/apps/v1/{space}/replicasets"),
            Kind::CronJob => format!("/apis/batch/v1/{space}/cronjobs"),
            Kind::HorizontalPodAutoscaler => {
                format!("/apis/autoscaling/v2/{space}/horizontalpodautoscalers")
            }
            Kind::Pod => format!("/api/v1/{space}/pods"),
            Kind::ConfigMap => format!("/api/v1/{space}/configmaps"),
            Kind::Service => format!("/api/v1/{space}/services"),
            other => panic!("no test is about a {other:?}"),
        }
    }

    /// Creates the object of this kind, and what it needs.
    pub async fn make(&self, kind: Kind) {
        let labels = json!({ "app": NAME });
        let template = json!({
            "metadata": { "labels": labels },
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": NAME,
                    "image": image(),
                    "command": ["sleep", "86400"],
                    "resources": { "limits": { "memory": "64Mi" } },
                }],
            },
        });
        let metadata = json!({ "name": NAME });
        let selector = json!({ "matchLabels": labels });
        let workload = |kind: &str, more: Value| {
            let mut spec = json!({ "selector": selector, "template": template });
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec })
        };
        let object = match kind {
            Kind::Deployment | Kind::Pod => workload("Deployment", json!({ "replicas": 3 })),
            Kind::StatefulSet => workload("StatefulSet", json!({ "replicas": 2, "serviceName": NAME })),
            Kind::DaemonSet => workload("DaemonSet", json!({})),
            Kind::CronJob => {
                let mut pod = template.clone();
                pod["spec"]["restartPolicy"] = "Never".into();
                let spec = json!({ "schedule": "0 3 1 1 *", "jobTemplate": { "spec": { "template": pod } } });
                json!({ "apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec })
            }
            Kind::HorizontalPodAutoscaler => {
                let of = workload("Deployment", json!({ "replicas": 2 }));
                create(&self.proxy, &self.all(Kind::Deployment), &of).await;
                let spec = json!({
                    "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": NAME },
                    "minReplicas": 2,
                    "maxReplicas": 6,
                });
                json!({ "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec })
            }
            Kind::ConfigMap => {
                let data = json!({ "MODE": "warp", "X": "x" });
                let config =
                    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data });
                create(&self.proxy, &self.all(kind), &config).await;
                let mut reader = workload("Deployment", json!({ "replicas": 1 }));
                let from = json!([{ "configMapRef": { "name": NAME } }]);
                reader["spec"]["template"]["spec"]["containers"][0]["envFrom"] = from;
                reader
            }
            Kind::Service => {
                let spec = json!({ "selector": { "app": "undr-test" }, "ports": [{ "port": 80 }] });
                let service =
                    json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec });
                create(&self.proxy, &self.all(kind), &service).await;
                workload("Deployment", json!({ "replicas": 1 }))
            }
            other => panic!("no test is about a {other:?}"),
        };
        let made = match kind {
            Kind::Pod | Kind::ConfigMap | Kind::Service => Kind::Deployment,
            _ => kind,
        };
        create(&self.proxy, &self.all(made), &object).await;
        if !matches!(kind, Kind::CronJob) {
            self.settled(if kind == Kind::HorizontalPodAutoscaler { Kind::Deployment } else { made }).await;
        }
    }

    /// The object as it is.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.proxy.send(http::Request::get(path).body(Vec::new()).unwrap()).await;
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// The one object of this kind, by its uid.
    pub async fn object(&self, kind: Kind) -> Object {
        let found = self.get(&self.path(kind)).await;
        self.named(kind, &found)
    }

    fn named(&self, kind: Kind, found: &Value) -> Object {
        let text = |key: &str| found["metadata"][key].as_str().unwrap().to_owned();
        let (cluster, namespace) = (Cluster::new("real"), self.namespace.clone());
        Object { named: Named { cluster, kind, namespace, name: text("name") }, uid: text("uid") }
    }

    /// The pods, without those that are on their way out.
    pub async fn pods(&self) -> Vec<Object> {
        let list = self.get(&self.all(Kind::Pod)).await;
        let stays = |pod: &&Value| pod["metadata"].get("deletionTimestamp").is_none();
        list["items"].as_array().unwrap().iter().filter(stays).map(|pod| self.named(Kind::Pod, pod)).collect()
    }

    /// The ReplicaSets or ControllerRevisions of the workload, the oldest first.
    pub async fn templates(&self, kind: Kind) -> Vec<String> {
        let revisions = format!("/apis/apps/v1/namespaces/{}/controllerrevisions", self.namespace);
        let (path, label) = match kind {
            Kind::Deployment => (self.all(Kind::ReplicaSet), true),
            _ => (revisions, false),
        };
        let list = self.get(&path).await;
        let mut found: Vec<(i64, String)> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let metadata = &one["metadata"];
                if label {
                    let number =
                        metadata["annotations"]["deployment.kubernetes.io/revision"].as_str().unwrap();
                    (
                        number.parse().unwrap(),
                        metadata["labels"]["pod-template-hash"].as_str().unwrap().to_owned(),
                    )
                } else {
                    (one["revision"].as_i64().unwrap(), metadata["name"].as_str().unwrap().to_owned())
                }
            })
            .collect();
        found.sort();
        found.into_iter().map(|(_, name)| name).collect()
    }

    /// Changes the one object of this kind as a person would.
    pub async fn edit(&self, kind: Kind, patch: &Value) {
        proxy::merge(&self.proxy, &self.path(kind), patch).await;
    }

    /// Deletes the one object of this kind as a person would.
    pub async fn remove(&self, kind: Kind) {
        let path = self.path(kind);
        let (status, body) = self.proxy.send(http::Request::delete(&path).body(Vec::new()).unwrap()).await;
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    }

    /// Follows all objects of this kind as the recorder does, with the account of the kubeconfig.
    pub async fn follow(&self, kind: Kind) -> (AbortOnDropHandle<Result<(), ReadError>>, Receiver<Shown>) {
        let access = Access::Kubeconfig { file: Some(kubeconfig()), context: None };
        let client = connect_watching(&access).await.unwrap();
        let watches = KubeWatches::new(client, Cluster::new("real"), Arc::clone(&self.clock));
        let ((show, shown), namespace) = (mpsc::channel(1), self.namespace.clone());
        let following = tokio::spawn(async move { watches.follow(kind, &namespace, &show).await });
        (AbortOnDropHandle::new(following), shown)
    }

    /// Waits until this is so.
    pub async fn until(&self, what: &str, mut so: impl AsyncFnMut() -> bool) {
        let tried = async {
            while !so().await {
                tokio::time::sleep(Duration::from_millis(200)).await; // polls
            }
        };
        tokio::time::timeout(PATIENCE, tried).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
    }

    /// Waits until the controller has made of the workload what its spec says, pods ready.
    pub async fn settled(&self, kind: Kind) {
        self.until("the workload is as its spec says", async || {
            let found = self.get(&self.path(kind)).await;
            let number = |path: &str| found.pointer(path).and_then(Value::as_i64).unwrap_or(0);
            let (wanted, ready, updated) = match kind {
                Kind::DaemonSet => (
                    "/status/desiredNumberScheduled",
                    "/status/numberReady",
                    "/status/updatedNumberScheduled",
                ),
                _ => ("/spec/replicas", "/status/readyReplicas", "/status/updatedReplicas"),
            };
            number("/status/observedGeneration") == number("/metadata/generation")
                && number(ready) == number(wanted)
                && number(updated) == number(wanted)
        })
        .await;
    }

    // ---- actions ----

    pub async fn owner(&self, action: &Action) -> RootOwner {
        RootOwner(match action.target().named.kind {
            Kind::HorizontalPodAutoscaler | Kind::Pod | Kind::ConfigMap | Kind::Service => {
                self.object(Kind::Deployment).await
            }
            _ => action.target().clone(),
        })
    }

    pub async fn try_plan(&self, action: &Action) -> Result<Plan, Refusal> {
        self.actions().plan(action, &self.owner(action).await).await.unwrap()
    }

    pub async fn try_plan_as(&self, action: &Action, owner: &Object) -> Result<Plan, Refusal> {
        self.actions().plan(action, &RootOwner(owner.clone())).await.unwrap()
    }

    pub async fn plan(&self, action: &Action) -> Plan {
        self.try_plan(action).await.unwrap_or_else(|why| panic!("{}: {why}", action.words()))
    }

    pub async fn try_revert(&self, done: &Plan, intent: &str) -> Result<Plan, Refusal> {
        self.actions().plan_revert(done, &IntentId::new(intent)).await.unwrap()
    }

    pub async fn status(&self, plan: &Plan, intent: &str) -> Applied {
        self.actions().status(plan, &IntentId::new(intent)).await.unwrap()
    }

    pub fn warrant(&self, plan: &Plan, id: &str, intent: &str) -> SignedWarrant {
        self.key.sign(&body(plan.hash().unwrap(), id, intent, self.clock.now()))
    }

    pub async fn apply(&self, plan: &Plan, intent: &str) -> Applied {
        self.apply_by(plan, &self.warrant(plan, &format!("w-{intent}"), intent)).await
    }

    pub async fn apply_by(&self, plan: &Plan, warrant: &SignedWarrant) -> Applied {
        self.actions().apply(plan, warrant).await.unwrap()
    }
}
