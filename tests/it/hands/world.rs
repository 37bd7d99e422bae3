//! What the tests of the hands share: objects, keys, warrants, and an action server over MCP.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use belay::adapters::mcp::{Client, InProcess, McpActions, connect_in_process};
use belay::domain::action::live::{Around, LiveObject, LivePod, Marking, Pods};
use belay::domain::action::managers::Managers;
use belay::domain::action::{Action, ActionKind};
use belay::domain::alert::Labels;
use belay::domain::ids::Cluster;
use belay::domain::plan::Plan;
use belay::domain::target::{Kind, Named, Object, RootOwner};
use belay::domain::warrant::SignedWarrant;
use belay::ports::clock::{Clock as _, ManualClock};
use belay::ports::cluster_writes::Hand;
use belay::servers::actions::{ActionServer, Engine, HardLimits, Ledger, VerifyingKeys};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::fake::FakeHand;
pub use super::key::{Key, body};
use crate::jobs::templates;

pub fn start() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

pub fn object(kind: Kind, name: &str, uid: &str) -> Object {
    let (cluster, namespace) = (Cluster::new("eu-1"), "shop".to_owned());
    Object { named: Named { cluster, kind, namespace, name: name.into() }, uid: uid.into() }
}

pub fn deployment() -> LiveObject {
    let template = json!({
        "metadata": { "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "web", "image": "web:2", "resources": { "limits": { "memory": "256Mi" } } }] },
    });
    let mut live = live(Kind::Deployment, "web", json!({ "spec": { "replicas": 3, "template": template } }));
    live.around = Around::Autoscaler(None);
    live.pods = Some(Pods { desired: 3, ready: 3, max_unavailable: 1, budget_allows: None });
    live
}

/// An object of generation 4 that answers for itself.
pub fn live(kind: Kind, name: &str, content: Value) -> LiveObject {
    let mut object = object(kind, name, &format!("u-{name}"));
    if kind == Kind::Node {
        object.named.namespace.clear();
    }
    LiveObject {
        owner: RootOwner(object.clone()),
        object,
        generation: Some(4),
        marking: Marking::Annotated { intent: None },
        annotations: Labels::new(),
        content,
        pods: None,
        managers: Managers::default(),
        around: Around::Nothing,
    }
}

pub fn replicas(live: &LiveObject) -> u32 {
    live.content.pointer("/spec/replicas").and_then(Value::as_u64).unwrap().try_into().unwrap()
}

pub fn set_replicas(live: &mut LiveObject, replicas: u32) {
    *live.content.pointer_mut("/spec/replicas").unwrap() = replicas.into();
    live.pods.as_mut().unwrap().desired = replicas;
}

pub fn pod() -> LivePod {
    LivePod {
        object: object(Kind::Pod, "web-7f4b9-x", "u-pod"),
        controller: Some(object(Kind::ReplicaSet, "web-7f4b9", "u-rs")),
        owner: RootOwner(object(Kind::Deployment, "web", "u-web")),
        ready: false,
        terminating: false,
        marking: Marking::Bare,
        owner_desired: 3,
        owner_ready: 2,
        budget_allows: None,
    }
}

pub fn scale_to(replicas: u32) -> Action {
    Action::ScaleWorkload { workload: deployment().object, replicas }
}

pub fn restart() -> Action {
    Action::RestartPod { pod: pod().object }
}

pub fn owner() -> RootOwner {
    deployment().owner
}

pub fn limits() -> HardLimits {
    HardLimits {
        cluster: Cluster::new("eu-1"),
        namespaces: ["shop".to_owned(), "belay".to_owned()].into(),
        own_namespace: "belay".into(),
        own_node: Some("n-own".into()),
        protected: [("shop/postgres".to_owned(), "belay keeps its journal there".to_owned())].into(),
        nodes: true,
        actions: ActionKind::ALL.into(),
        max_replicas: 12,
        max_replica_delta: 4,
        jobs: templates(),
    }
}

/// An action server with a fake cluster, reached over MCP.
pub struct Bench {
    pub hand: FakeHand,
    pub clock: Arc<ManualClock>,
    pub key: Key,
    folder: tempfile::TempDir,
    served: Option<(InProcess, McpActions)>,
}

impl Bench {
    pub async fn new() -> Self {
        let hand = FakeHand::default();
        hand.world().workload = Some(deployment());
        hand.world().pod = Some(pod());
        let clock = ManualClock::new(start());
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Self { hand, clock, key: Key::from_seed(7), folder, served: None };
        bench.serve().await;
        bench
    }

    /// The used-warrant file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("used-warrants.jsonl")
    }

    /// Ends the server as a crash would and starts another one on the same file.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.serve().await;
    }

    /// Ends the server; the file is free afterwards.
    pub async fn stop(&mut self) {
        if let Some((served, actions)) = self.served.take() {
            drop(actions);
            let InProcess { client, server } = served;
            drop(client);
            let _ = server.await;
        }
    }

    /// Ends the server under its client, which is given back.
    pub async fn take_client(&mut self) -> Client {
        let (InProcess { client, server }, _) = self.served.take().unwrap();
        server.abort();
        let _ = server.await;
        client
    }

    pub fn client(&self) -> Client {
        self.served.as_ref().unwrap().0.client.clone()
    }

    pub fn actions(&self) -> &McpActions {
        &self.served.as_ref().unwrap().1
    }

    async fn serve(&mut self) {
        let hand = Arc::new(self.hand.clone());
        let engine = engine(hand, &self.key, &self.clock, &self.file());
        let served = connect_in_process(ActionServer::new(engine)).await.unwrap();
        let actions = McpActions::new(served.client.clone(), Duration::from_secs(10));
        self.served = Some((served, actions));
    }

    /// A warrant for this plan.
    pub fn warrant(&self, plan: &Plan, id: &str, intent: &str) -> SignedWarrant {
        self.key.sign(&body(plan.hash().unwrap(), id, intent, self.clock.now()))
    }
}

pub fn engine(hand: Arc<dyn Hand>, key: &Key, clock: &Arc<ManualClock>, file: &Path) -> Arc<Engine> {
    let keys = VerifyingKeys::new([key.public()]).unwrap();
    let ledger = Ledger::open(file, clock.now()).unwrap();
    let clock: Arc<ManualClock> = Arc::clone(clock);
    Arc::new(Engine::new(hand, keys, limits(), clock, ledger))
}
