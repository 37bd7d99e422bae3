//! What tests, the demo and the simulated Alertmanager read of the world without going through HTTP.

use std::collections::BTreeMap;

use serde_json::Value;

use super::World;
use super::json::{int, items, text};
use super::kinds::Kind;
use super::life::Life;
use super::metrics;
use super::objects::{controller, generation, name, namespace, terminating, uid};
use super::pod;
use super::state::State;
use super::write_log::INTENT;

/// A Deployment in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentView {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// The number of its present rollout.
    pub revision: i64,
    /// Pods asked for.
    pub replicas: i64,
    /// Pods that are ready.
    pub ready: i64,
    /// Pods of the present template.
    pub updated: i64,
    /// Pods that are missing or do not serve.
    pub unavailable: i64,
    /// Reason of its `Progressing` condition.
    pub progress: String,
}

/// A pod in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodView {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Name of its container.
    pub container: String,
    /// The root controller's name, when it has one.
    pub workload: Option<String>,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether it is ending.
    pub terminating: bool,
    /// Restarts in place.
    pub restarts: i64,
    /// Why its container waits; empty when it does not.
    pub waiting: String,
    /// Why its container last ended; empty when it never did.
    pub last_ended: String,
    /// The intent it is marked with.
    pub intent: Option<String>,
    /// Use in millicores and bytes, when it runs.
    pub usage: Option<(u64, u64)>,
    /// Limits in millicores and bytes.
    pub limits: (u64, u64),
}

impl World {
    /// One object as it is now.
    pub fn object(&self, kind: Kind, namespace: &str, name: &str) -> Option<Value> {
        self.with(|state| state.objects.get(kind, namespace, name).cloned())
    }

    /// All objects of a kind in a namespace, or in all when that is empty.
    pub fn objects(&self, kind: Kind, namespace: &str) -> Vec<Value> {
        self.with(|state| state.objects.list(kind, namespace).cloned().collect())
    }

    /// A Deployment in figures.
    pub fn deployment(&self, namespace: &str, name: &str) -> Option<DeploymentView> {
        self.object(Kind::Deployment, namespace, name).map(|object| deployment(&object))
    }

    /// Every Deployment in figures.
    pub fn deployments(&self) -> Vec<DeploymentView> {
        self.objects(Kind::Deployment, "").iter().map(deployment).collect()
    }

    /// The pods of a Deployment or StatefulSet by name, those that are ending included.
    pub fn pods(&self, namespace: &str, workload: &str) -> Vec<PodView> {
        let mut pods = self.all_pods();
        pods.retain(|pod| pod.namespace == namespace && pod.workload.as_deref() == Some(workload));
        pods
    }

    /// Every pod in figures.
    pub fn all_pods(&self) -> Vec<PodView> {
        self.with(|state| {
            let live = state.objects.list(Kind::Pod, "");
            live.filter_map(|object| Some(view(state, object, state.lives.get(uid(object))?))).collect()
        })
    }

    /// Mean CPU use of a Deployment's ready pods as a share of their limit, 0..1; `None` without any.
    pub fn saturation(&self, namespace: &str, deployment: &str) -> Option<f64> {
        saturation(&self.pods(namespace, deployment))
    }

    /// The same for every Deployment that has ready pods, by namespace and name.
    pub fn saturations(&self) -> BTreeMap<(String, String), f64> {
        let mut pods: BTreeMap<(String, String), Vec<PodView>> = BTreeMap::new();
        for pod in self.all_pods() {
            let Some(workload) = pod.workload.clone() else { continue };
            pods.entry((pod.namespace.clone(), workload)).or_default().push(pod);
        }
        let deployments = self.generations();
        pods.retain(|key, _| deployments.contains_key(key));
        pods.into_iter().filter_map(|(key, pods)| Some((key, saturation(&pods)?))).collect()
    }

    /// The present generation of every Deployment, by namespace and name.
    pub fn generations(&self) -> BTreeMap<(String, String), i64> {
        self.deployments().into_iter().map(|view| ((view.namespace, view.name), view.generation)).collect()
    }

    /// How often each pod, by uid, was evicted with effect: once at most.
    pub fn evictions(&self) -> BTreeMap<String, u32> {
        self.with(|state| state.evictions.clone())
    }

    /// The acts that name each intent: two for one intent are one too many.
    pub fn effects(&self) -> BTreeMap<String, usize> {
        let mut effects = BTreeMap::new();
        for write in self.writes().into_iter().filter(|write| write.effect) {
            let Some(intent) = write.intent else { continue };
            *effects.entry(intent).or_default() += 1;
        }
        effects
    }
}

fn saturation(pods: &[PodView]) -> Option<f64> {
    let ready = pods.iter().filter(|pod| pod.ready && !pod.terminating);
    let (used, limit) = ready.fold((0, 0), |(used, limit), pod| {
        (used + pod.usage.map_or(0, |(cpu, _)| cpu), limit + pod.limits.0)
    });
    let share = |value: u64| u32::try_from(value).map_or(f64::from(u32::MAX), f64::from);
    (limit > 0).then(|| share(used) / share(limit))
}

fn deployment(object: &Value) -> DeploymentView {
    let annotations = object.pointer("/metadata/annotations");
    let revision = annotations.and_then(|all| all.get("deployment.kubernetes.io/revision"));
    let progress = items(object, "/status/conditions").iter().find(|one| text(one, "/type") == "Progressing");
    DeploymentView {
        namespace: namespace(object).to_owned(),
        name: name(object).to_owned(),
        uid: uid(object).to_owned(),
        generation: generation(object),
        revision: revision.and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(0),
        replicas: int(object, "/spec/replicas"),
        ready: int(object, "/status/readyReplicas"),
        updated: int(object, "/status/updatedReplicas"),
        unavailable: int(object, "/status/unavailableReplicas"),
        progress: progress.map(|one| text(one, "/reason").to_owned()).unwrap_or_default(),
    }
}

fn view(state: &State, object: &Value, life: &Life) -> PodView {
    let container = "/status/containerStatuses/0";
    let intent =
        object.pointer("/metadata/annotations").and_then(|all| all.get(INTENT)).and_then(Value::as_str);
    PodView {
        namespace: namespace(object).to_owned(),
        name: name(object).to_owned(),
        uid: uid(object).to_owned(),
        container: life.container.clone(),
        workload: controller(object).and(life.workload.clone()),
        ready: pod::is_ready(object),
        terminating: terminating(object),
        restarts: int(object, &format!("{container}/restartCount")),
        waiting: text(object, &format!("{container}/state/waiting/reason")).to_owned(),
        last_ended: text(object, &format!("{container}/lastState/terminated/reason")).to_owned(),
        intent: intent.map(str::to_owned),
        usage: metrics::usage(state, life),
        limits: (life.cpu_limit, life.memory_limit),
    }
}
