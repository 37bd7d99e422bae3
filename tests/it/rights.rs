//! What each action needs of the API server: exactly what the table says, found by taking each right away. And
//! the check at start: too little and too much are refused, and what is not known keeps the hand shut.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use belay::adapters::kube::{Access, CheckedHand, KubeHand, Wanted, connect};
use belay::domain::action::pull_request::FileRule;
use belay::domain::action::rights::{self, Right};
use belay::domain::action::{Action, ActionKind, HpaBounds, Resource, ResourceStep, Restore, TemplateHash};
use belay::domain::ids::{Cluster, IntentId};
use belay::domain::plan::Refusal;
use belay::domain::recorded::Restored;
use belay::domain::target::{Kind as K, Named, Object, RootOwner};
use belay::domain::warrant::Applied;
use belay::ports::clock::{Clock as _, SystemClock};
use belay::ports::cluster_writes::Hand;
use belay::servers::actions::{Repositories, Repository};
use belay::sim::forge::{FakeForge, Vendor};
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{self as sim, Budget, DeploymentSpec, Granted, Kind, Token, World};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::forge::desk::{self, TOKEN};
use crate::hands::world::{Key, body, engine};
use crate::jobs::{requeue, templates};
use crate::sim::{Served, live};

/// A right as a rule of a role in the shop, or everywhere.
fn granted(right: Right) -> Granted {
    Granted {
        namespace: right.resource.namespaced.then(|| "shop".to_owned()),
        groups: vec![right.resource.group.to_owned()],
        resources: vec![right.resource.name.to_owned()],
        verbs: vec![right.verb.name().to_owned()],
    }
}

fn exactly(rules: Vec<Granted>) -> sim::Access {
    sim::Access::Exactly { rules, unlisted: None }
}

/// One workload of each kind, autoscalers on what can be scaled, and a CronJob.
async fn shop(access: sim::Access) -> Served {
    let container = json!({ "name": "lone", "image": "registry.example/shop/lone:1" });
    let pods = json!({ "metadata": { "labels": { "app": "lone" } }, "spec": { "containers": [container] } });
    let selector = json!({ "matchLabels": { "app": "lone" } });
    let scaler = |name: &str, kind: &str| {
        let target = json!({ "apiVersion": "apps/v1", "kind": kind, "name": name });
        let spec = json!({ "scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 6 });
        json!({ "metadata": { "name": name }, "spec": spec })
    };
    let token = Token { secret: "hand".into(), user: "belay".into(), access };
    Served::new(|clock| {
        World::builder(clock)
            .namespace("shop")
            .object(Kind::ConfigMap, json!({ "metadata": { "name": "flags" }, "data": { "MODE": "fast" } }))
            .object(
                Kind::Service,
                json!({ "metadata": { "name": "web" }, "spec": { "selector": { "app": "web" }, "ports": [] } }),
            )
            .deployment(DeploymentSpec::new("web", 3).reads("flags", "MODE", "fast"))
            .deployment(DeploymentSpec::new("search", 2))
            .stateful_set("orders-db", 1)
            .daemon_set("agent")
            .object(
                Kind::ReplicaSet,
                json!({ "metadata": { "name": "lone" }, "spec": { "replicas": 1, "selector": selector, "template": pods } }),
            )
            .cron_job("nightly", "0 3 * * *")
            .object(Kind::HorizontalPodAutoscaler, scaler("search", "Deployment"))
            .object(Kind::HorizontalPodAutoscaler, scaler("orders-db", "StatefulSet"))
            .object(Kind::HorizontalPodAutoscaler, scaler("lone", "ReplicaSet"))
            .pdb("web", Budget::MaxUnavailable("1".to_owned()))
            .token(token)
            .build()
    })
    .await
}

/// An action on an object of the shop, and who answers for it.
type Case = fn(&World) -> (Action, RootOwner);

fn found(world: &World, kind: Kind, as_kind: K, name: &str) -> Object {
    let place = if as_kind == K::Node { "" } else { "shop" };
    let object = world.object(kind, place, name).unwrap_or_else(|| panic!("no {name}"));
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap().to_owned();
    let (cluster, namespace) = (Cluster::new("eu-1"), place.to_owned());
    Object { named: Named { cluster, kind: as_kind, namespace, name: name.to_owned() }, uid }
}

fn deployment(world: &World, name: &str) -> Object {
    found(world, Kind::Deployment, K::Deployment, name)
}

fn stateful(world: &World) -> Object {
    found(world, Kind::StatefulSet, K::StatefulSet, "orders-db")
}

fn daemons(world: &World) -> Object {
    found(world, Kind::DaemonSet, K::DaemonSet, "agent")
}

fn restarted(world: &World, pod: &str, owner: Object) -> (Action, RootOwner) {
    (Action::RestartPod { pod: found(world, Kind::Pod, K::Pod, pod) }, RootOwner(owner))
}

fn on(workload: Object, action: fn(Object) -> Action) -> (Action, RootOwner) {
    (action(workload.clone()), RootOwner(workload))
}

fn bounded(world: &World, name: &str, owner: Object) -> (Action, RootOwner) {
    let autoscaler = found(world, Kind::HorizontalPodAutoscaler, K::HorizontalPodAutoscaler, name);
    let bounds = HpaBounds::new(1, 8).unwrap();
    (Action::SetHpaBounds { autoscaler, bounds }, RootOwner(owner))
}

fn raised(workload: Object, container: &str) -> (Action, RootOwner) {
    let step = ResourceStep::new(Resource::Memory, 256, 384).unwrap();
    let container = container.to_owned();
    (Action::SetResources { workload: workload.clone(), container, step }, RootOwner(workload))
}

/// A release of the workload, so that there is a template to go back to.
fn rolled_back(world: &World, kind: Kind, workload: Object) -> (Action, RootOwner) {
    let before = template_of(world, &workload);
    let name = workload.named.name.clone();
    world.edit(|objects| {
        let mut template = objects.get(kind, "shop", &name).unwrap()["spec"]["template"].clone();
        template["spec"]["containers"][0]["image"] = "registry.example/shop/next:2".into();
        objects.merge(kind, "shop", &name, &json!({ "spec": { "template": template } }));
    });
    let template = TemplateHash::try_from(before).unwrap();
    (Action::RollbackWorkload { workload: workload.clone(), template }, RootOwner(workload))
}

/// The name of the one template that the workload has had.
fn template_of(world: &World, workload: &Object) -> String {
    let own = |object: &&Value| object["metadata"]["ownerReferences"][0]["uid"] == workload.uid.as_str();
    let (kind, name) = match workload.named.kind {
        K::Deployment => (Kind::ReplicaSet, "/metadata/labels/pod-template-hash"),
        _ => (Kind::ControllerRevision, "/metadata/name"),
    };
    let recorded = world.objects(kind, "shop");
    recorded.iter().find(own).unwrap().pointer(name).and_then(Value::as_str).unwrap().to_owned()
}

/// A field of a ConfigMap or Service that held one thing, and holds another now.
fn restored(
    world: &World,
    kind: (Kind, K),
    (name, part): (&str, &str),
    (path, then, now): (&str, Value, Value),
) -> (Action, RootOwner) {
    let key = path.rsplit('/').next().unwrap();
    world.edit(|objects| objects.merge(kind.0, "shop", name, &json!({ part: { key: now } })));
    let web = deployment(world, "web");
    let field =
        Restored { path: path.to_owned(), value: Some(then.to_string()), instead_of: Some(now.to_string()) };
    let restore = Restore { workload: Some(web.clone()), fields: vec![field], ..Restore::default() };
    let config = found(world, kind.0, kind.1, name);
    (Action::RestoreConfig { config, version: 1, restore }, RootOwner(web))
}

fn switched(world: &World, kind: Kind, name: &str, field: &str) {
    let place = if kind == Kind::Node { "" } else { "shop" };
    world.edit(|objects| objects.merge(kind, place, name, &json!({ "spec": { field: true } })));
}

/// The cases that together need everything that the table says of a kind.
fn cases(kind: ActionKind) -> Vec<Case> {
    match kind {
        ActionKind::RestartPod => vec![
            |world| restarted(world, &live(world, "web").remove(0).name, deployment(world, "web")),
            |world| restarted(world, "orders-db-0", stateful(world)),
            |world| restarted(world, &live(world, "agent").remove(0).name, daemons(world)),
        ],
        ActionKind::RestartWorkload => vec![
            |world| on(deployment(world, "web"), |workload| Action::RestartWorkload { workload }),
            |world| on(stateful(world), |workload| Action::RestartWorkload { workload }),
            |world| on(daemons(world), |workload| Action::RestartWorkload { workload }),
        ],
        ActionKind::ScaleWorkload => {
            vec![|world| {
                on(deployment(world, "web"), |workload| Action::ScaleWorkload { workload, replicas: 5 })
            }]
        }
        ActionKind::RollbackWorkload => vec![
            |world| rolled_back(world, Kind::Deployment, deployment(world, "web")),
            |world| rolled_back(world, Kind::StatefulSet, stateful(world)),
            |world| rolled_back(world, Kind::DaemonSet, daemons(world)),
        ],
        ActionKind::PauseRollout => {
            vec![|world| on(deployment(world, "web"), |workload| Action::PauseRollout { workload })]
        }
        ActionKind::ResumeRollout => vec![|world| {
            switched(world, Kind::Deployment, "web", "paused");
            on(deployment(world, "web"), |workload| Action::ResumeRollout { workload })
        }],
        ActionKind::SuspendCronjob => vec![|world| {
            on(found(world, Kind::CronJob, K::CronJob, "nightly"), |cronjob| Action::SuspendCronjob {
                cronjob,
            })
        }],
        ActionKind::ResumeCronjob => vec![|world| {
            switched(world, Kind::CronJob, "nightly", "suspend");
            on(found(world, Kind::CronJob, K::CronJob, "nightly"), |cronjob| Action::ResumeCronjob {
                cronjob,
            })
        }],
        ActionKind::SetHpaBounds => vec![
            |world| bounded(world, "search", deployment(world, "search")),
            |world| bounded(world, "orders-db", stateful(world)),
            |world| bounded(world, "lone", found(world, Kind::ReplicaSet, K::ReplicaSet, "lone")),
        ],
        ActionKind::SetResources => vec![
            |world| raised(deployment(world, "web"), "web"),
            |world| raised(stateful(world), "orders-db"),
            |world| raised(daemons(world), "agent"),
        ],
        ActionKind::CordonNode => {
            vec![|world| on(found(world, Kind::Node, K::Node, "node-a"), |node| Action::CordonNode { node })]
        }
        ActionKind::UncordonNode => vec![|world| {
            switched(world, Kind::Node, "node-a", "unschedulable");
            on(found(world, Kind::Node, K::Node, "node-a"), |node| Action::UncordonNode { node })
        }],
        ActionKind::RunJob => {
            vec![|world| {
                let web = deployment(world, "web");
                (requeue(&web), RootOwner(web))
            }]
        }
        ActionKind::RestoreConfig => vec![
            |world| {
                restored(
                    world,
                    (Kind::ConfigMap, K::ConfigMap),
                    ("flags", "data"),
                    ("/data/MODE", json!("fast"), json!("warp")),
                )
            },
            |world| {
                let selector = |app: &str| json!({ "app": app });
                restored(
                    world,
                    (Kind::Service, K::Service),
                    ("web", "spec"),
                    ("/spec/selector", selector("web"), selector("wep")),
                )
            },
        ],
        // each of them is proposed instead
        ActionKind::OpenPullRequest => {
            use ActionKind::{ResumeCronjob, RollbackWorkload, ScaleWorkload, SetHpaBounds, SetResources};
            let inner = [ScaleWorkload, RollbackWorkload, SetHpaBounds, SetResources, ResumeCronjob];
            inner.into_iter().flat_map(cases).collect()
        }
    }
}

async fn hand(served: &Served, folder: &Path) -> KubeHand {
    let file = folder.join("token");
    std::fs::write(&file, "hand").unwrap();
    let access = Access::Url { url: served.url.clone(), ca_file: None, token_file: Some(file) };
    KubeHand::new(connect(&access).await.unwrap(), Cluster::new("eu-1"))
}

/// A forge that holds the manifest of this object as it is, before anything else was changed.
async fn kept(world: &World, target: &Object) -> (FakeForge, Repositories) {
    let Named { kind, name, .. } = &target.named;
    let kind = Kind::ALL.into_iter().find(|known| known.spelling().kind == kind.name()).unwrap();
    let object = world.object(kind, "shop", name).unwrap();
    let manifest = json!({
        "apiVersion": format!("{}/{}", kind.spelling().group, kind.spelling().version),
        "kind": kind.spelling().kind,
        "metadata": { "name": name },
        "spec": object["spec"],
    });
    let text = serde_json::to_string_pretty(&manifest).unwrap();
    let forge = FakeForge::start(Vendor::GitHub, TOKEN, &[("all.yaml", &text)]).await.unwrap();
    let place = desk::place(&forge, Vendor::GitHub);
    let client = desk::client(Vendor::GitHub, &place, TOKEN, Arc::new(SystemClock));
    let files = vec![FileRule::new([None, None, None], "all.yaml").unwrap()];
    (forge, Repositories::new(vec![Repository { place, files, forge: client }]))
}

/// Plans and applies the case with exactly these rights.
async fn carried_out(kind: ActionKind, case: Case, rights: &BTreeSet<Right>) -> Result<(), Refusal> {
    let served = shop(exactly(rights.iter().copied().map(granted).collect())).await;
    let folder = tempfile::tempdir().unwrap();
    let key = Key::from_seed(3);
    let hand = Arc::new(hand(&served, folder.path()).await);
    let mut engine = engine(hand, &key, &served.clock, &folder.path().join("used.jsonl"));
    let (mut action, owner) = case(&served.world);
    let mut held = None;
    if kind == ActionKind::OpenPullRequest {
        let (forge, repositories) = kept(&served.world, action.target()).await;
        held = Some(forge);
        engine = Arc::new(Arc::into_inner(engine).unwrap().proposing(repositories));
        action = Action::OpenPullRequest { instead_of: Box::new(action) };
    }
    let plan = engine.plan(&action, &owner).await?;
    let warrant = key.sign(&body(plan.hash().unwrap(), "w-0", "inc-0", served.clock.now()));
    let applied = engine.apply(&plan, &warrant, &CancellationToken::new()).await;
    let told = engine.status(&plan, &IntentId::new("inc-0")).await;
    served.stop().await;
    let job = matches!(plan.action, Action::RunJob { .. });
    if let (true, Applied::Done { changed: Some(why), .. }) = (job, told) {
        return Err(Refusal::Unreadable(why));
    }
    drop(held);
    match applied {
        Applied::Done { .. } => Ok(()),
        Applied::Refused { refusal } => Err(refusal),
        Applied::Unknown { detail } => panic!("{detail}"),
    }
}

#[tokio::test]
async fn each_action_needs_exactly_what_the_table_says() {
    for kind in ActionKind::ALL {
        let mut all = rights::of([kind]);
        if kind == ActionKind::RunJob {
            all = templates().needs("shop");
        }
        for case in cases(kind) {
            let done = carried_out(kind, case, &all).await;
            assert!(done.is_ok(), "{} lacks something: {done:?}", kind.name());
        }
        for right in &all {
            let fewer: BTreeSet<Right> = all.iter().copied().filter(|other| other != right).collect();
            let mut refused = false;
            for case in cases(kind) {
                refused |= carried_out(kind, case, &fewer).await.is_err();
            }
            assert!(refused, "{} does not need to {right}", kind.name());
        }
    }
}

fn wanted(kind: ActionKind) -> Wanted {
    Wanted { namespaces: ["shop".to_owned()].into(), needs: rights::of([kind]), ..Wanted::default() }
}

fn scaling() -> Vec<Granted> {
    rights::of([ActionKind::ScaleWorkload]).into_iter().map(granted).collect()
}

fn delete_pods() -> Granted {
    Granted {
        namespace: None,
        groups: vec![String::new()],
        resources: vec!["pods".into()],
        verbs: vec!["get".into(), "delete".into()],
    }
}

async fn verdict(access: sim::Access, wanted: Wanted) -> String {
    let folder = tempfile::tempdir().unwrap();
    let served = shop(access).await;
    let hand = CheckedHand::new(hand(&served, folder.path()).await, wanted);
    let verdict = hand.check().await.unwrap();
    assert!(served.world.writes().is_empty(), "asking writes nothing");
    assert_eq!(verdict.is_right(), verdict.to_string().is_empty());
    served.stop().await;
    verdict.to_string()
}

#[tokio::test]
async fn the_api_server_is_asked_what_the_account_may_do() {
    let scale = wanted(ActionKind::ScaleWorkload);
    assert_eq!(verdict(exactly(scaling()), scale.clone()).await, "");
    let told = verdict(exactly(scaling()), wanted(ActionKind::PauseRollout)).await;
    assert_eq!(told, "", "reading autoscalers besides is no power");
    let told = verdict(exactly(Vec::new()), scale.clone()).await;
    assert!(
        told.contains("too little: the account may not `patch deployments.apps` in namespace `shop`"),
        "{told}"
    );
    let more = || exactly([scaling(), vec![delete_pods()]].concat());
    let told = verdict(more(), scale.clone()).await;
    assert_eq!(told, "too much: no action needs `delete pods`, which it may in `shop`");
    let allowed = Wanted { exempt: vec!["delete pods".parse().unwrap()], ..scale.clone() };
    assert_eq!(verdict(more(), allowed).await, "");
    let told = verdict(sim::Access::Write, scale.clone()).await;
    assert!(told.contains("`patch *.*`"), "{told}");
    let all = Wanted { exempt: vec!["* *".parse().unwrap()], ..scale };
    assert_eq!(verdict(sim::Access::Write, all).await, "");
}

/// What jobs need is asked for where they are run.
#[tokio::test]
async fn what_only_some_namespaces_need_is_asked_of_those() {
    let apart = [("shop".to_owned(), templates().needs("shop"))].into();
    let jobs =
        Wanted { namespaces: ["shop".to_owned(), "stg".to_owned()].into(), apart, ..Wanted::default() };
    let own = |rights: BTreeSet<Right>| exactly(rights.into_iter().map(granted).collect());
    assert_eq!(verdict(own(templates().needs("shop")), jobs.clone()).await, "");
    let told = verdict(own(BTreeSet::new()), jobs.clone()).await;
    assert!(
        told.contains("may not `create jobs.batch` in namespace `shop`") && !told.contains("stg"),
        "{told}"
    );
    let mut everywhere = Granted { namespace: None, ..granted(rights::needed(ActionKind::RunJob)[1]) };
    everywhere.verbs.push("get".into());
    let reading = templates().needs("stg").into_iter().map(granted).chain([everywhere]);
    let told = verdict(exactly(reading.collect()), jobs).await;
    assert_eq!(told, "too much: no action needs `create jobs.batch`, which it may in `stg`");
}

#[tokio::test]
async fn what_the_api_server_cannot_name_is_missing() {
    let unsure = |rules| sim::Access::Exactly { rules, unlisted: Some("webhook authorizer".to_owned()) };
    assert_eq!(verdict(unsure(scaling()), wanted(ActionKind::ScaleWorkload)).await, "");
    let told = verdict(unsure(Vec::new()), wanted(ActionKind::ScaleWorkload)).await;
    assert!(told.contains("could not be named in full (webhook authorizer)"), "{told}");
    assert!(told.contains("too little") && !told.contains("too much"), "{told}");
}

#[tokio::test]
async fn a_hand_whose_rights_are_not_known_stays_shut_until_they_are() {
    const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let folder = tempfile::tempdir().unwrap();
    let served = shop(exactly(scaling())).await;
    let hand = CheckedHand::new(hand(&served, folder.path()).await, wanted(ActionKind::ScaleWorkload));
    let out = || Rule::any(REVIEWS, Effect::Fail(503, "starting".into()));
    served.world.faults(|faults| {
        faults.add(out());
        faults.add(out());
    });
    hand.check().await.unwrap_err();
    let (action, _) =
        on(deployment(&served.world, "web"), |workload| Action::ScaleWorkload { workload, replicas: 5 });
    let shut = hand.object(&action).await.unwrap_err();
    assert!(shut.to_string().contains("what belay may write in namespace `shop`"), "{shut}");
    assert!(hand.object(&action).await.unwrap().is_some(), "now it can be asked");
    served.stop().await;
    // found to be too much, it stays shut
    let served = shop(exactly([scaling(), vec![delete_pods()]].concat())).await;
    let hand = self::hand(&served, folder.path()).await;
    let hand = CheckedHand::new(hand, wanted(ActionKind::ScaleWorkload));
    let (action, _) =
        on(deployment(&served.world, "web"), |workload| Action::ScaleWorkload { workload, replicas: 5 });
    let shut = hand.object(&action).await.unwrap_err();
    assert!(shut.to_string().contains("no action needs `delete pods`"), "{shut}");
    served.stop().await;
}

/// What `belay mcp serve actions` says when it is started with these limits and nobody speaks to it.
async fn started(served: &Served, limits: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "stateDir: state\npolicies: policies\ncluster: {{ name: eu-1, url: {:?}, tokenFile: token }}\nlimits: {limits}\n",
        served.url
    );
    std::fs::write(folder.path().join("belay.yaml"), config).unwrap();
    std::fs::write(folder.path().join("token"), "hand").unwrap();
    let done = tokio::process::Command::new(env!("CARGO_BIN_EXE_belay"))
        .args(["mcp", "serve", "actions", "-c"])
        .arg(folder.path().join("belay.yaml"))
        .stdin(std::process::Stdio::null())
        .output();
    String::from_utf8(done.await.unwrap().stderr).unwrap()
}

#[tokio::test]
async fn an_action_server_with_other_rights_than_it_needs_does_not_start() {
    let served = shop(exactly([scaling(), vec![delete_pods()]].concat())).await;
    let told = started(&served, "{ namespaces: [shop], actions: [scale_workload] }").await;
    assert!(told.contains("no action needs `delete pods`"), "{told}");
    assert!(told.contains("`limits.extraRights`"), "{told}");
    let allowed = "{ namespaces: [shop], actions: [scale_workload], extraRights: [delete pods] }";
    let told = started(&served, allowed).await;
    assert!(told.contains("the MCP server ended") && !told.contains("rights"), "{told}");
    let told = started(
        &served,
        "{ namespaces: [shop, stg], actions: [scale_workload], extraRights: [delete pods] }",
    )
    .await;
    assert!(told.contains("may not `patch deployments.apps` in namespace `stg`"), "{told}");
    assert!(told.contains("`belay rbac --actions scale_workload --namespaces shop,stg`"), "{told}");
    let told = started(&served, "{ namespaces: [shop], extraRights: [delete pods] }").await;
    assert!(told.contains("may not `create pods/eviction` in namespace `shop`"), "{told}");
    let told = started(&served, "{ namespaces: [shop], extraRights: [delete] }").await;
    assert!(told.contains("`delete` is no right"), "{told}");
    served.stop().await;
}
