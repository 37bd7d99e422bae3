//! The real hand on Kubernetes against the simulated API server over HTTP: every action, and what can go
//! wrong with it.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod basics;
mod blast;
mod cases;
mod crash;
mod every;
mod faults;
mod jobs;
mod others;
mod special;

use std::sync::Arc;
use std::time::Duration;

use belay::adapters::kube::{Access, KubeHand, connect};
use belay::adapters::mcp::{InProcess, McpActions, connect_in_process};
use belay::domain::action::Action;
use belay::domain::ids::{Cluster, IntentId};
use belay::domain::plan::{Plan, Refusal};
use belay::domain::target::{Kind as K, Named, Object, RootOwner};
use belay::domain::warrant::{Applied, SignedWarrant};
use belay::ports::actions::Actions as _;
use belay::ports::clock::{Clock as _, ManualClock};
use belay::servers::actions::ActionServer;
use belay::sim::kube::faults::Rule;
use belay::sim::kube::{Builder, DeploymentSpec, Kind, World, WriteSeen};
use serde_json::{Value, json};

use crate::hands::world::{Key, body, engine};
use crate::sim::{Served, live, run_until};

const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
const JOBS: &str = "/apis/batch/v1/namespaces/shop/jobs";
const PODS: &str = "/api/v1/namespaces/shop/pods";

/// A world, and an action server whose hand reaches it.
struct Stage {
    served: Served,
    key: Key,
    folder: tempfile::TempDir,
    running: Option<(InProcess, McpActions)>,
    /// How often it was started.
    started: u32,
}

impl Stage {
    /// The demo's shop.
    async fn new() -> Self {
        Self::on(Served::shop().await).await
    }

    /// One workload of each kind, an autoscaler, a cron job and three nodes.
    async fn arena() -> Self {
        Self::built(|builder| {
            [K::ConfigMap, K::StatefulSet, K::DaemonSet, K::CronJob, K::HorizontalPodAutoscaler]
                .into_iter()
                .fold(builder, one_of)
        })
        .await
    }

    /// Only what an action on this kind needs.
    async fn with(kind: K) -> Self {
        Self::built(|builder| one_of(builder, kind)).await
    }

    async fn built(with: impl FnOnce(Builder) -> Builder) -> Self {
        let world = |clock: Arc<ManualClock>| with(World::builder(clock).namespace("shop")).build();
        Self::on(Served::new(world).await).await
    }

    async fn on(served: Served) -> Self {
        let (key, folder) = (Key::from_seed(3), tempfile::tempdir().unwrap());
        let mut stage = Self { served, key, folder, running: None, started: 0 };
        stage.restart().await;
        stage
    }

    /// Ends the action server as a crash would, if it runs, and starts another one on what it had written.
    /// A request that it had sent goes on.
    async fn restart(&mut self) {
        if let Some((InProcess { client, server }, _)) = self.running.take() {
            server.abort();
            drop(client);
        }
        let url = self.served.url.clone();
        let client = connect(&Access::Url { url, ca_file: None, token_file: None }).await.unwrap();
        let hand = Arc::new(KubeHand::new(client, Cluster::new("eu-1")));
        let file = |number: u32| self.folder.path().join(format!("used-{number}.jsonl"));
        if self.started > 0 {
            std::fs::copy(file(self.started - 1), file(self.started)).unwrap();
        }
        let file = file(self.started);
        self.started += 1;
        let engine = engine(hand, &self.key, &self.served.clock, &file);
        let running = connect_in_process(ActionServer::new(engine)).await.unwrap();
        let actions = McpActions::new(running.client.clone(), Duration::from_secs(30));
        self.running = Some((running, actions));
    }

    fn actions(&self) -> &McpActions {
        &self.running.as_ref().unwrap().1
    }

    fn world(&self) -> &World {
        &self.served.world
    }

    /// The object of this name as it is now.
    fn found(&self, kind: K, name: &str) -> Value {
        self.world().object(sim_kind(kind), space(kind), name).unwrap()
    }

    /// The object of this name, by its uid.
    fn object(&self, kind: K, name: &str) -> Object {
        let uid = self.found(kind, name)["metadata"]["uid"].as_str().unwrap().to_owned();
        let (cluster, namespace) = (Cluster::new("eu-1"), space(kind).to_owned());
        Object { named: Named { cluster, kind, namespace, name: name.into() }, uid }
    }

    fn web(&self) -> Object {
        self.object(K::Deployment, "web")
    }

    /// Who answers for the target.
    fn owner(&self, action: &Action) -> RootOwner {
        let target = action.target();
        RootOwner(match target.named.kind {
            K::HorizontalPodAutoscaler => self.object(K::Deployment, &target.named.name),
            K::Pod | K::ConfigMap | K::Service => self.web(),
            _ => target.clone(),
        })
    }

    fn scale(&self, replicas: u32) -> Action {
        Action::ScaleWorkload { workload: self.web(), replicas }
    }

    fn restart_pod(&self) -> Action {
        Action::RestartPod { pod: self.object(K::Pod, &live(self.world(), "web").remove(0).name) }
    }

    async fn try_plan(&self, action: &Action) -> Result<Plan, Refusal> {
        self.plan_for(action, &self.owner(action)).await
    }

    async fn plan_for(&self, action: &Action, owner: &RootOwner) -> Result<Plan, Refusal> {
        self.actions().plan(action, owner).await.unwrap()
    }

    async fn plan(&self, action: &Action) -> Plan {
        self.try_plan(action).await.unwrap_or_else(|why| panic!("{}: {why}", action.words()))
    }

    async fn try_revert(&self, done: &Plan, intent: &str) -> Result<Plan, Refusal> {
        self.actions().plan_revert(done, &IntentId::new(intent)).await.unwrap()
    }

    async fn status(&self, plan: &Plan, intent: &str) -> Applied {
        self.actions().status(plan, &IntentId::new(intent)).await.unwrap()
    }

    fn warrant(&self, plan: &Plan, intent: &str) -> SignedWarrant {
        self.warranted(plan, &format!("w-{intent}"), intent)
    }

    fn warranted(&self, plan: &Plan, id: &str, intent: &str) -> SignedWarrant {
        self.key.sign(&body(plan.hash().unwrap(), id, intent, self.served.clock.now()))
    }

    async fn apply(&self, plan: &Plan, intent: &str) -> Applied {
        self.send(plan, &self.warrant(plan, intent)).await
    }

    async fn send(&self, plan: &Plan, warrant: &SignedWarrant) -> Applied {
        self.actions().apply(plan, warrant).await.unwrap()
    }

    fn fault(&self, rule: Rule) {
        self.world().faults(|faults| faults.add(rule));
    }

    /// Changes an object as a person would.
    fn edit(&self, kind: K, name: &str, change: impl FnOnce(&mut Value)) {
        self.world().edit(|objects| objects.modify(sim_kind(kind), space(kind), name, change)).unwrap();
    }

    /// Writes for real, as the API server saw them.
    fn writes(&self) -> Vec<WriteSeen> {
        self.world().writes().into_iter().filter(|write| !write.dry_run).collect()
    }

    /// How often this intent took effect.
    fn effects(&self, intent: &str) -> usize {
        self.world().effects().get(intent).copied().unwrap_or(0)
    }

    fn replicas(&self) -> i64 {
        self.world().deployment("shop", "web").unwrap().replicas
    }

    /// Lets the world go on until this is so.
    fn until(&self, mut done: impl FnMut(&Self) -> bool) {
        run_until(&self.served.clock, 300, || done(self));
    }
}

fn one_of(builder: Builder, kind: K) -> Builder {
    match kind {
        K::Pod | K::Deployment => builder.deployment(DeploymentSpec::new("web", 3)),
        K::ConfigMap | K::Service => builder
            .object(
                Kind::ConfigMap,
                json!({ "metadata": { "name": "flags" }, "data": { "MODE": "fast", "PORT": "80" } }),
            )
            .object(
                Kind::Service,
                json!({ "metadata": { "name": "web" }, "spec": { "selector": { "app": "web" }, "ports": [] } }),
            )
            .deployment(DeploymentSpec::new("web", 3).reads("flags", "MODE", "fast")),
        K::StatefulSet => builder.stateful_set("db", 3),
        K::DaemonSet => builder.daemon_set("agent"),
        K::CronJob => builder.cron_job("nightly", "0 3 * * *"),
        K::HorizontalPodAutoscaler => {
            builder.deployment(DeploymentSpec::new("api", 2)).autoscaler("api", (2, 6))
        }
        _ => builder,
    }
}

const fn sim_kind(kind: K) -> Kind {
    match kind {
        K::Pod => Kind::Pod,
        K::Node => Kind::Node,
        K::Deployment => Kind::Deployment,
        K::StatefulSet => Kind::StatefulSet,
        K::DaemonSet => Kind::DaemonSet,
        K::CronJob => Kind::CronJob,
        K::HorizontalPodAutoscaler => Kind::HorizontalPodAutoscaler,
        K::ConfigMap => Kind::ConfigMap,
        K::Service => Kind::Service,
        _ => panic!("no action changes such an object"),
    }
}

fn space(kind: K) -> &'static str {
    if kind == K::Node { "" } else { "shop" }
}

/// What an action may change of an object.
fn part(object: &Value) -> Value {
    json!([object["spec"], object["data"]])
}

/// The path of an object.
fn path(object: &Object) -> String {
    let Named { kind, name, .. } = &object.named;
    let spelling = sim_kind(*kind).spelling();
    let group = match spelling.group {
        "" => format!("/api/{}", spelling.version),
        group => format!("/apis/{group}/{}", spelling.version),
    };
    match space(*kind) {
        "" => format!("{group}/{}/{name}", spelling.plural),
        space => format!("{group}/namespaces/{space}/{}/{name}", spelling.plural),
    }
}

fn done(applied: &Applied) -> bool {
    matches!(applied, Applied::Done { .. })
}

fn refusal(applied: Applied) -> Refusal {
    match applied {
        Applied::Refused { refusal } => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}
