//! The real hand on Kubernetes against the simulated API server over HTTP, both actions and what can go
//! wrong with them.
// said so that the lints know these helpers for tests
#![cfg(test)]

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
use belay::ports::clock::Clock as _;
use belay::servers::actions::ActionServer;
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{Kind, Verb, WriteSeen};
use serde_json::json;

use crate::hands::world::{Key, body, engine};
use crate::sim::{Served, live};

const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
const PODS: &str = "/api/v1/namespaces/shop/pods";

/// The shop, and an action server whose hand reaches it.
struct Stage {
    served: Served,
    key: Key,
    actions: McpActions,
    _server: InProcess,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        Self::on(Served::shop().await).await
    }

    async fn on(served: Served) -> Self {
        let client =
            connect(&Access::Url { url: served.url.clone(), ca_file: None, token_file: None }).await.unwrap();
        let hand = Arc::new(KubeHand::new(client, Cluster::new("eu-1")));
        let (key, folder) = (Key::from_seed(3), tempfile::tempdir().unwrap());
        let engine = engine(hand, &key, &served.clock, &folder.path().join("used.jsonl"));
        let running = connect_in_process(ActionServer::new(engine)).await.unwrap();
        let actions = McpActions::new(running.client.clone(), Duration::from_secs(30));
        Self { served, key, actions, _server: running, _folder: folder }
    }

    fn object(kind: K, name: &str, uid: &str) -> Object {
        let (cluster, namespace) = (Cluster::new("eu-1"), "shop".to_owned());
        Object { named: Named { cluster, kind, namespace, name: name.into() }, uid: uid.into() }
    }

    fn web(&self) -> Object {
        let uid = self.served.world.deployment("shop", "web").unwrap().uid;
        Self::object(K::Deployment, "web", &uid)
    }

    fn scale(&self, replicas: u32) -> Action {
        Action::ScaleWorkload { workload: self.web(), replicas }
    }

    fn restart(&self) -> Action {
        let pod = live(&self.served.world, "web").remove(0);
        Action::RestartPod { pod: Self::object(K::Pod, &pod.name, &pod.uid) }
    }

    async fn try_plan(&self, action: &Action) -> Result<Plan, Refusal> {
        self.actions.plan(action, &RootOwner(self.web())).await.unwrap()
    }

    async fn plan(&self, action: &Action) -> Plan {
        self.try_plan(action).await.unwrap()
    }

    fn warrant(&self, plan: &Plan, intent: &str) -> SignedWarrant {
        let now = self.served.clock.now();
        self.key.sign(&body(plan.hash().unwrap(), &format!("w-{intent}"), intent, now))
    }

    async fn apply(&self, plan: &Plan, intent: &str) -> Applied {
        self.actions.apply(plan, &self.warrant(plan, intent)).await.unwrap()
    }

    fn fault(&self, rule: Rule) {
        self.served.world.faults(|faults| faults.add(rule));
    }

    /// Writes for real, as the API server saw them.
    fn writes(&self) -> Vec<WriteSeen> {
        self.served.world.writes().into_iter().filter(|write| !write.dry_run).collect()
    }

    fn replicas(&self) -> i64 {
        self.served.world.deployment("shop", "web").unwrap().replicas
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

#[tokio::test]
async fn scaled_and_put_back_each_in_one_patch() {
    let stage = Stage::new().await;
    let before = stage.replicas();
    let plan = stage.plan(&stage.scale(5)).await;
    assert!(stage.writes().is_empty(), "planning changes nothing");
    assert!(done(&stage.apply(&plan, "inc-0").await));
    assert_eq!(stage.replicas(), 5);
    let writes = stage.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].intent.as_deref(), Some("inc-0"));
    assert!(writes[0].user_agent.ends_with(" intent/inc-0"), "{}", writes[0].user_agent);

    let back = stage.actions.plan_revert(&plan, &IntentId::new("inc-0")).await.unwrap().unwrap();
    assert!(done(&stage.apply(&back, "inc-1").await));
    assert_eq!(stage.replicas(), before);
    assert_eq!(stage.writes().len(), 2);
    let template = stage.served.world.object(Kind::Deployment, "shop", "web").unwrap();
    let template = template.pointer("/spec/template").unwrap().to_string();
    assert!(!template.contains("belay.dev/intent"), "the mark is on the object, not on its template");
}

#[tokio::test]
async fn a_pod_is_rehearsed_marked_and_evicted_by_uid() {
    let stage = Stage::new().await;
    let action = stage.restart();
    let plan = stage.plan(&action).await;
    assert_eq!(plan.owner, RootOwner(stage.web()));
    assert_eq!(plan.blast.desired, 3);
    let rehearsals = stage.served.world.writes();
    assert!(rehearsals.iter().all(|write| write.dry_run && !write.changed));
    assert!(rehearsals.iter().any(|write| write.path == PODS && write.status == 201), "{rehearsals:?}");
    assert!(done(&stage.apply(&plan, "inc-0").await));
    let writes = stage.writes();
    let verbs: Vec<_> = writes.iter().map(|write| (write.verb, write.effect)).collect();
    assert_eq!(writes.len(), 2, "{verbs:?}");
    assert_eq!(writes[1].body["deleteOptions"]["preconditions"]["uid"], action.target().uid.as_str());
    assert_eq!(stage.served.world.effects()["inc-0"], 1);
    assert!(done(&stage.apply(&plan, "inc-0").await));
    assert_eq!(stage.writes().len(), 2);
}

#[tokio::test]
async fn a_lost_answer_is_read_back() {
    for (effect, took_effect) in [(Effect::DropAnswer, true), (Effect::Lose, false)] {
        let stage = Stage::new().await;
        let plan = stage.plan(&stage.scale(5)).await;
        stage.fault(Rule::on(Verb::Patch, WEB, effect).dry_run(false));
        let warrant = stage.warrant(&plan, "inc-0");
        for _ in 0..2 {
            let seen = stage.actions.apply(&plan, &warrant).await.unwrap();
            assert_eq!(done(&seen), took_effect, "{seen:?}");
        }
        assert_eq!(stage.replicas() == 5, took_effect);
        assert_eq!(stage.writes().len(), usize::from(took_effect), "never sent again");
    }
    for (effect, took_effect) in [(Effect::DropAnswer, true), (Effect::Lose, false)] {
        let stage = Stage::new().await;
        let plan = stage.plan(&stage.restart()).await;
        stage.fault(Rule::any(PODS, effect).ending("/eviction").dry_run(false));
        let warrant = stage.warrant(&plan, "inc-0");
        for _ in 0..2 {
            let seen = stage.actions.apply(&plan, &warrant).await.unwrap();
            assert_eq!(done(&seen), took_effect, "{seen:?}");
        }
        let effects = stage.served.world.effects().get("inc-0").copied().unwrap_or(0);
        assert_eq!(effects, usize::from(took_effect));
    }
}

#[tokio::test]
async fn an_edit_right_before_the_write_wins_and_is_named() {
    let stage = Stage::new().await;
    let plan = stage.plan(&stage.scale(5)).await;
    let edit: belay::sim::kube::faults::Edit = Box::new(|objects| {
        objects.merge(Kind::Deployment, "shop", "web", &json!({ "spec": { "replicas": 4 } }));
    });
    stage.fault(Rule::on(Verb::Patch, WEB, Effect::Edit(edit)).dry_run(false));
    let why = refusal(stage.apply(&plan, "inc-0").await);
    assert!(matches!(why, Refusal::Changed { .. }), "{why:?}");
    assert_eq!(stage.replicas(), 4);
}

#[tokio::test]
async fn an_answer_of_5xx_leaves_it_open_until_it_is_read_back() {
    let stage = Stage::new().await;
    let plan = stage.plan(&stage.scale(5)).await;
    stage.fault(Rule::on(Verb::Patch, WEB, Effect::Fail(503, "overloaded".into())).dry_run(false));
    let why = refusal(stage.apply(&plan, "inc-0").await);
    assert!(matches!(why, Refusal::NotApplied(_)), "{why:?}");
    assert_eq!(stage.writes().len(), 1, "asked once");
}

#[tokio::test]
async fn a_full_budget_refuses_the_plan_in_its_own_words() {
    let stage = Stage::new().await;
    stage.served.world.edit(|objects| {
        let budgets: Vec<String> = objects
            .list(Kind::PodDisruptionBudget, "shop")
            .filter_map(|b| Some(b.pointer("/metadata/name")?.as_str()?.to_owned()))
            .collect();
        for name in budgets {
            let patch = json!({ "spec": { "minAvailable": 3, "maxUnavailable": null } });
            objects.merge(Kind::PodDisruptionBudget, "shop", &name, &patch);
        }
        let selector = json!({ "matchLabels": { "app": "web" } });
        let spec = json!({ "minAvailable": 3, "selector": selector });
        if objects.get(Kind::PodDisruptionBudget, "shop", "web").is_none() {
            objects.insert(
                Kind::PodDisruptionBudget,
                json!({ "metadata": { "name": "web", "namespace": "shop" }, "spec": spec }),
            );
        }
    });
    let why = stage.try_plan(&stage.restart()).await.unwrap_err();
    assert!(matches!(&why, Refusal::Api(text) if text.contains("disruption budget")), "{why:?}");
    assert!(stage.writes().is_empty());
}

#[tokio::test]
async fn a_quota_that_is_full_keeps_the_old_pod() {
    let stage = Stage::new().await;
    let plan = stage.plan(&stage.restart()).await;
    stage.fault(Rule::on(Verb::Create, PODS, Effect::Fail(403, "exceeded quota: pods".into())).dry_run(true));
    let why = refusal(stage.apply(&plan, "inc-0").await);
    assert!(why.to_string().contains("exceeded quota"), "{why}");
    assert!(stage.writes().is_empty());
}
