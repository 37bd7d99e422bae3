//! Setting a world up: namespaces, nodes, workloads, budgets, and how long all that has been there.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::World;
use super::behaviours::Behaviour;
use super::events;
use super::json::put;
use super::kinds::Kind;
use super::kubelet;
use super::spec::{Budget, DeploymentSpec, READY_AFTER};
use super::state::{State, Workload};
use super::tokens::Token;
use crate::ports::clock::SharedClock;

/// How long a world has run when it begins: long enough that nothing looks fresh (rollout guards look back
/// an hour at most).
const UPTIME: SignedDuration = SignedDuration::from_hours(26);
/// Builds a world.
#[derive(Debug)]
pub struct Builder {
    clock: SharedClock,
    seed: u64,
    uptime: SignedDuration,
    nodes: Vec<String>,
    namespace: String,
    deployments: Vec<(String, DeploymentSpec)>,
    objects: Vec<(Kind, Value)>,
    images: Vec<(String, Behaviour)>,
    tokens: Vec<Token>,
}

impl Builder {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            seed: 7,
            uptime: UPTIME,
            nodes: vec!["node-a".to_owned(), "node-b".to_owned(), "node-c".to_owned()],
            namespace: "default".to_owned(),
            deployments: Vec::new(),
            objects: Vec::new(),
            images: Vec::new(),
            tokens: Vec::new(),
        }
    }

    /// What uids and generated names are derived from.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How long the world has run when it begins.
    #[must_use]
    pub fn uptime(mut self, uptime: SignedDuration) -> Self {
        self.uptime = uptime;
        self
    }

    /// The nodes, instead of three.
    #[must_use]
    pub fn nodes(mut self, names: &[&str]) -> Self {
        self.nodes = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Adds a namespace; what follows goes there.
    #[must_use]
    pub fn namespace(mut self, name: &str) -> Self {
        name.clone_into(&mut self.namespace);
        self.objects.push((Kind::Namespace, namespace(name)));
        self
    }

    /// Adds a Deployment. One that is healthy or busy has been up since the world began to run; any other
    /// starts with the world's first moment.
    #[must_use]
    pub fn deployment(mut self, spec: DeploymentSpec) -> Self {
        self.deployments.push((self.namespace.clone(), spec));
        self
    }

    /// Adds a disruption budget over the pods labelled `app=<app>`.
    #[must_use]
    pub fn pdb(self, app: &str, budget: Budget) -> Self {
        let (field, value) = match budget {
            Budget::MinAvailable(value) => ("minAvailable", value),
            Budget::MaxUnavailable(value) => ("maxUnavailable", value),
        };
        let value = value.parse::<i64>().map_or(Value::String(value), Value::from);
        let mut spec = json!({ "selector": { "matchLabels": { "app": app } } });
        put(&mut spec, &[field], value);
        self.object(
            Kind::PodDisruptionBudget,
            json!({ "metadata": { "name": app }, "spec": spec, "status": {} }),
        )
    }

    /// Adds any object, to the present namespace where its kind has one.
    #[must_use]
    pub fn object(mut self, kind: Kind, mut object: Value) -> Self {
        if kind.spelling().namespaced {
            put(&mut object, &["metadata", "namespace"], self.namespace.as_str());
        }
        self.objects.push((kind, object));
        self
    }

    /// What the containers of an image do.
    #[must_use]
    pub fn image(mut self, image: &str, behaviour: Behaviour) -> Self {
        self.images.push((image.to_owned(), behaviour));
        self
    }

    /// Adds a bearer token; with none, anonymous may do all but delete.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.tokens.push(token);
        self
    }

    /// The world, settled, at the clock's present moment.
    pub fn build(self) -> World {
        let now = self.clock.now();
        let began = now.checked_sub(self.uptime).unwrap_or(now);
        let mut state = State::new(self.seed, began);
        state.images.extend(self.images);
        for name in ["default", "kube-system"] {
            state.objects.insert(Kind::Namespace, namespace(name));
        }
        for name in &self.nodes {
            state.objects.insert(Kind::Node, node(name, began));
        }
        for (kind, object) in self.objects {
            state.objects.insert(kind, object);
        }
        let (old, fresh): (Vec<_>, Vec<_>) =
            self.deployments.into_iter().partition(|(_, spec)| settled(&spec.behaviour));
        for (namespace, spec) in old {
            state.deploy(&namespace, &spec);
        }
        state.reconcile();
        state.advance(now);
        events::forget(&mut state.objects);
        for (namespace, spec) in fresh {
            state.deploy(&namespace, &spec);
        }
        state.reconcile();
        state.tokens = self.tokens;
        World::from_state(self.clock, state)
    }
}

/// Whether pods that behave so have been up for long.
fn settled(behaviour: &Behaviour) -> bool {
    match behaviour {
        Behaviour::Healthy | Behaviour::Busy { .. } | Behaviour::Reads { .. } => true,
        Behaviour::Leak { .. }
        | Behaviour::CrashAtStart { .. }
        | Behaviour::BadImage
        | Behaviour::NeverReady => false,
    }
}

fn namespace(name: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    })
}

fn node(name: &str, since: Timestamp) -> Value {
    let since = super::json::time(since);
    let condition = |kind: &str, reason: &str, status: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": reason,
            "lastHeartbeatTime": since, "lastTransitionTime": since,
        })
    };
    let room = json!({ "cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", "pods": "110" });
    json!({
        "metadata": {
            "name": name,
            "labels": { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": "z0" },
        },
        "spec": {},
        "status": {
            "addresses": [{ "address": "192.0.2.2", "type": "InternalIP" }, { "address": name, "type": "Hostname" }],
            "allocatable": room,
            "capacity": room,
            "conditions": [
                condition("MemoryPressure", "KubeletHasSufficientMemory", "False"),
                condition("DiskPressure", "KubeletHasNoDiskPressure", "False"),
                condition("PIDPressure", "KubeletHasSufficientPID", "False"),
                condition("Ready", "KubeletReady", "True"),
            ],
            "nodeInfo": { "kubeletVersion": "v1.36.2", "operatingSystem": "linux", "architecture": "amd64" },
        },
    })
}

impl State {
    fn deploy(&mut self, namespace: &str, spec: &DeploymentSpec) {
        let workload =
            Workload { behaviour: spec.behaviour.clone(), since: self.now(), ready_after: spec.ready_after };
        self.workloads.insert((namespace.to_owned(), spec.name.clone()), workload);
        let mut object = spec.object(namespace);
        // applied by hand when it was made, as most are; `managedFields` is how anybody can tell
        let applied = json!([{
            "manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "apps/v1",
            "time": super::json::time(self.now()), "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": {} },
        }]);
        put(&mut object, &["metadata", "managedFields"], applied);
        self.objects.insert(Kind::Deployment, object);
    }

    pub(super) fn behave(&mut self, namespace: &str, workload: &str, behaviour: Behaviour) {
        let since = self.now();
        let key = (namespace.to_owned(), workload.to_owned());
        let ready_after = self.workloads.get(&key).map_or(READY_AFTER, |known| known.ready_after);
        self.workloads.insert(key, Workload { behaviour, since, ready_after });
        let pods = self
            .lives
            .values_mut()
            .filter(|life| life.namespace == namespace && life.workload.as_deref() == Some(workload));
        let ids: Vec<String> = pods
            .map(|life| {
                life.own = None;
                life.uid.clone()
            })
            .collect();
        for id in ids {
            kubelet::replan(self, &id);
        }
    }

    pub(super) fn behave_pod(&mut self, namespace: &str, pod: &str, behaviour: Behaviour) {
        let since = self.now();
        let Some(id) = self.life(namespace, pod).map(|life| life.uid.clone()) else { return };
        if let Some(life) = self.lives.get_mut(&id) {
            life.own = Some((behaviour, since));
        }
        kubelet::replan(self, &id);
    }
}
