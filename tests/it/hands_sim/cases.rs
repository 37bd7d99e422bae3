//! One of each action that can be carried out, on each kind of object that it differs on.

use belay::domain::action::{Action, HpaBounds, Resource, ResourceStep, Restore, TemplateHash};
use belay::domain::recorded::Restored;
use belay::domain::target::{Kind as K, Object};
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{Kind, Verb};
use serde_json::{Value, json};

use super::{JOBS, PODS, Stage, path, sim_kind};
use crate::jobs::requeue;
use crate::sim::live;

/// An action, what comes before it, and what it leads to.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// What kind of object it is done to.
    pub on: K,
    /// What is so before it is planned.
    pub before: fn(&Stage),
    pub action: fn(&Stage) -> Action,
    /// What a person makes of the same field of the same object.
    pub meddle: fn(&mut Value),
    /// Whether the controllers have followed.
    pub followed: fn(&Stage) -> bool,
}

impl Case {
    /// The stage on which it can be planned.
    pub async fn stage(&self) -> Stage {
        let stage = Stage::with(self.on).await;
        (self.before)(&stage);
        stage
    }

    /// A person changes the same field in between.
    pub fn meddling(&self, target: &Object) -> Effect {
        let (change, named) = (self.meddle, target.named.clone());
        Effect::Edit(Box::new(move |objects| {
            objects.modify(sim_kind(named.kind), &named.namespace, &named.name, change).unwrap();
        }))
    }
}

/// What befalls the one write of an action.
pub fn on_write(action: &Action, effect: Effect) -> Rule {
    let rule = match action {
        Action::RestartPod { .. } => Rule::on(Verb::Create, PODS, effect).ending("/eviction"),
        Action::RunJob { .. } => Rule::on(Verb::Create, JOBS, effect),
        _ => Rule::on(Verb::Patch, &path(action.target()), effect),
    };
    rule.dry_run(false)
}

pub fn cases() -> Vec<Case> {
    let mut all = fields();
    all.extend(configs());
    all.extend(templates());
    all
}

/// Those that change one or two fields.
fn fields() -> Vec<Case> {
    vec![
        Case {
            name: "scale",
            on: K::Deployment,
            before: nothing,
            action: |stage| stage.scale(5),
            meddle: |web| web["spec"]["replicas"] = 4.into(),
            followed: |stage| stage.world().deployment("shop", "web").unwrap().ready == 5,
        },
        Case {
            name: "pause",
            on: K::Deployment,
            before: nothing,
            action: |stage| Action::PauseRollout { workload: stage.web() },
            meddle: |web| web["spec"]["paused"] = true.into(),
            followed: |stage| stage.world().deployment("shop", "web").unwrap().progress == "DeploymentPaused",
        },
        Case {
            name: "resume",
            on: K::Deployment,
            before: |stage| {
                stage.edit(K::Deployment, "web", |web| web["spec"]["paused"] = true.into());
                stage.edit(K::Deployment, "web", |web| image(web, "web:2"));
            },
            action: |stage| Action::ResumeRollout { workload: stage.web() },
            meddle: |web| drop(web["spec"].as_object_mut().unwrap().remove("paused")),
            followed: |stage| rolled(stage, K::Deployment, "web"),
        },
        Case {
            name: "suspend",
            on: K::CronJob,
            before: nothing,
            action: |stage| Action::SuspendCronjob { cronjob: stage.object(K::CronJob, "nightly") },
            meddle: |job| job["spec"]["suspend"] = true.into(),
            followed: |stage| stage.found(K::CronJob, "nightly")["spec"]["suspend"] == true,
        },
        Case {
            name: "resume a cron job",
            on: K::CronJob,
            before: |stage| stage.edit(K::CronJob, "nightly", |job| job["spec"]["suspend"] = true.into()),
            action: |stage| Action::ResumeCronjob { cronjob: stage.object(K::CronJob, "nightly") },
            meddle: |job| job["spec"]["suspend"] = false.into(),
            followed: |stage| stage.found(K::CronJob, "nightly")["spec"]["suspend"] == false,
        },
        Case {
            name: "autoscaler's bounds",
            on: K::HorizontalPodAutoscaler,
            before: nothing,
            action: |stage| Action::SetHpaBounds {
                autoscaler: stage.object(K::HorizontalPodAutoscaler, "api"),
                bounds: HpaBounds::new(4, 8).unwrap(),
            },
            meddle: |scaler| scaler["spec"]["maxReplicas"] = 7.into(),
            followed: |stage| stage.world().deployment("shop", "api").unwrap().ready == 4,
        },
        Case {
            name: "cordon",
            on: K::Node,
            before: nothing,
            action: |stage| Action::CordonNode { node: stage.object(K::Node, "node-a") },
            meddle: |node| node["spec"]["unschedulable"] = true.into(),
            followed: |stage| {
                stage.found(K::Node, "node-a")["spec"]["taints"][0]["key"]
                    == "node.kubernetes.io/unschedulable"
            },
        },
        Case {
            name: "uncordon",
            on: K::Node,
            before: |stage| stage.edit(K::Node, "node-a", |node| node["spec"]["unschedulable"] = true.into()),
            action: |stage| Action::UncordonNode { node: stage.object(K::Node, "node-a") },
            meddle: |node| drop(node["spec"].as_object_mut().unwrap().remove("unschedulable")),
            followed: |stage| stage.found(K::Node, "node-a")["spec"] == json!({}),
        },
        Case {
            name: "restart a pod",
            on: K::Pod,
            before: nothing,
            action: Stage::restart_pod,
            meddle: |pod| pod["metadata"]["uid"] = "another".into(),
            followed: |stage| stage.world().deployment("shop", "web").unwrap().ready == 3,
        },
        Case {
            name: "run a job",
            on: K::Deployment,
            before: nothing,
            action: |stage| requeue(&stage.web()),
            meddle: |web| web["metadata"]["uid"] = "another".into(),
            followed: |stage| {
                let jobs = stage.world().objects(Kind::Job, "shop");
                jobs.iter().any(|job| job["status"]["succeeded"] == 1)
            },
        },
    ]
}

/// Those that give back what was recorded.
fn configs() -> Vec<Case> {
    vec![
        Case {
            name: "restore a config map",
            on: K::ConfigMap,
            before: |stage| {
                stage
                    .edit(K::ConfigMap, "flags", |flags| flags["data"] = json!({ "MODE": "warp", "X": "x" }));
            },
            action: |stage| {
                let fields = vec![
                    restored("/data/MODE", Some(json!("fast")), Some(json!("warp"))),
                    restored("/data/PORT", Some(json!("80")), None),
                    restored("/data/X", None, Some(json!("x"))),
                ];
                restore(stage, K::ConfigMap, "flags", fields)
            },
            meddle: |flags| flags["data"]["MODE"] = "theirs".into(),
            followed: |stage| {
                stage.found(K::ConfigMap, "flags")["data"] == json!({ "MODE": "fast", "PORT": "80" })
            },
        },
        Case {
            name: "restore a service",
            on: K::Service,
            before: |stage| {
                stage.edit(K::Service, "web", |web| web["spec"]["selector"] = json!({ "app": "wep" }));
            },
            action: |stage| {
                let selector = |app: &str| Some(json!({ "app": app }));
                let fields = vec![restored("/spec/selector", selector("web"), selector("wep"))];
                restore(stage, K::Service, "web", fields)
            },
            meddle: |web| web["spec"]["selector"]["app"] = "theirs".into(),
            followed: |stage| stage.found(K::Service, "web")["spec"]["selector"] == json!({ "app": "web" }),
        },
    ]
}

fn restored(path: &str, then: Option<Value>, now: Option<Value>) -> Restored {
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    Restored { path: path.to_owned(), value: text(then), instead_of: text(now) }
}

fn restore(stage: &Stage, kind: K, name: &str, fields: Vec<Restored>) -> Action {
    let restore = Restore { workload: Some(stage.web()), fields, ..Restore::default() };
    Action::RestoreConfig { config: stage.object(kind, name), version: 1, restore }
}

macro_rules! on_each_kind {
    ($name:literal, $before:ident, $action:ident, $meddle:expr) => {
        [
            (
                concat!($name, " deployment"),
                K::Deployment,
                (|stage| $before(stage, K::Deployment, "web")) as fn(&Stage),
                (|stage| $action(stage, K::Deployment, "web")) as fn(&Stage) -> Action,
                (|stage| rolled(stage, K::Deployment, "web")) as fn(&Stage) -> bool,
            ),
            (
                concat!($name, " stateful set"),
                K::StatefulSet,
                |stage| $before(stage, K::StatefulSet, "db"),
                |stage| $action(stage, K::StatefulSet, "db"),
                |stage| rolled(stage, K::StatefulSet, "db"),
            ),
            (
                concat!($name, " daemon set"),
                K::DaemonSet,
                |stage| $before(stage, K::DaemonSet, "agent"),
                |stage| $action(stage, K::DaemonSet, "agent"),
                |stage| rolled(stage, K::DaemonSet, "agent"),
            ),
        ]
        .map(|(name, on, before, action, followed)| Case {
            name,
            on,
            before,
            action,
            meddle: $meddle,
            followed,
        })
    };
}

/// Those that change the pod template, on all that have one.
fn templates() -> Vec<Case> {
    let restarts = on_each_kind!("restart a", unchanged, restart, |set| {
        set["spec"]["template"]["metadata"]["annotations"] = json!({ "theirs": "x" });
    });
    let rollbacks = on_each_kind!("roll back a", with_a_new_image, roll_back, |set| image(set, "x:theirs"));
    let raises = on_each_kind!("raise a limit of a", with_a_limit, raise, |set| {
        container(set)["resources"]["limits"]["memory"] = "800Mi".into();
    });
    [restarts, rollbacks, raises].concat()
}

fn nothing(_: &Stage) {}

fn unchanged(_: &Stage, _: K, _: &str) {}

fn restart(stage: &Stage, kind: K, name: &str) -> Action {
    Action::RestartWorkload { workload: stage.object(kind, name) }
}

pub fn with_a_new_image(stage: &Stage, kind: K, name: &str) {
    stage.edit(kind, name, |set| image(set, "x:2"));
    stage.until(|stage| rolled(stage, kind, name));
}

fn roll_back(stage: &Stage, kind: K, name: &str) -> Action {
    let template = first_template(stage, kind, name);
    Action::RollbackWorkload { workload: stage.object(kind, name), template }
}

/// The name of the first template that a workload had.
pub fn first_template(stage: &Stage, kind: K, name: &str) -> TemplateHash {
    let (records, number, label) = match kind {
        K::Deployment => (Kind::ReplicaSet, "/metadata/annotations/deployment.kubernetes.io~1revision", true),
        _ => (Kind::ControllerRevision, "/revision", false),
    };
    let all = stage.world().objects(records, "shop");
    let first = all.iter().find(|one| {
        let number = one.pointer(number).unwrap();
        one["metadata"]["ownerReferences"][0]["name"] == name && (number == 1 || number == "1")
    });
    let metadata = &first.unwrap()["metadata"];
    let named = if label { &metadata["labels"]["pod-template-hash"] } else { &metadata["name"] };
    TemplateHash::try_from(named.as_str().unwrap().to_owned()).unwrap()
}

fn with_a_limit(stage: &Stage, kind: K, name: &str) {
    stage.edit(kind, name, |set| container(set)["resources"]["limits"]["memory"] = "768Mi".into());
    stage.until(|stage| rolled(stage, kind, name));
}

/// To a round number of gibibytes, which is stored as such.
fn raise(stage: &Stage, kind: K, name: &str) -> Action {
    Action::SetResources {
        workload: stage.object(kind, name),
        container: name.to_owned(),
        step: ResourceStep::new(Resource::Memory, 768, 1024).unwrap(),
    }
}

pub fn container(set: &mut Value) -> &mut Value {
    &mut set["spec"]["template"]["spec"]["containers"][0]
}

pub fn image(set: &mut Value, image: &str) {
    container(set)["image"] = image.into();
}

/// Whether all pods are of the workload's present template, and ready.
pub fn rolled(stage: &Stage, kind: K, name: &str) -> bool {
    let set = stage.found(kind, name);
    let wanted = &set["spec"]["template"];
    let (desired, seen) = match kind {
        K::DaemonSet => (3, &set["status"]["numberReady"]),
        _ => (set["spec"]["replicas"].as_u64().unwrap(), &set["status"]["readyReplicas"]),
    };
    let pods = live(stage.world(), name);
    let as_wanted = |pod: &Value| {
        let note = "/metadata/annotations";
        let parts = ["image", "resources"];
        pod.pointer(note) == wanted.pointer(note)
            && parts
                .iter()
                .all(|part| pod["spec"]["containers"][0][part] == wanted["spec"]["containers"][0][part])
    };
    u64::try_from(pods.len()).unwrap() == desired
        && *seen == desired
        && pods.iter().all(|pod| pod.ready && as_wanted(&stage.found(K::Pod, &pod.name)))
}
