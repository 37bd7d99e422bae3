//! What surrounds a workload in its cluster, as it was read: nodes, quotas, claims, what its pods refer to. Of Secrets
//! it holds names and times, never a value.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert::Labels;
use super::cluster::{Condition, How, Part};
use super::target::Object;

/// Amounts by resource (`cpu`, `memory`, `pods`, …) in thousandths of the resource's own unit: of a core, of a byte, of one.
pub type Amounts = BTreeMap<String, u64>;

/// What surrounds an owner. A snapshot from before there was this knows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Surroundings {
    /// The nodes that its pods run on, or all where one of its pods has none.
    pub nodes: Part<Vec<Node>>,
    /// The quotas of its namespace.
    pub quotas: Part<Vec<Quota>>,
    /// The volume claims that its pods name, also those that are not there.
    pub claims: Part<Vec<Claim>>,
    /// The ConfigMaps that its pods name, also those that are not there.
    pub configs: Part<Vec<Referred>>,
    /// The Secrets that its pods name, also those that are not there: names, times and the names of keys.
    pub secrets: Part<Vec<Referred>>,
    /// The network policies that select its pods.
    pub policies: Part<Vec<NetPolicy>>,
    /// The certificates that are kept in Secrets that its pods name.
    pub certificates: Part<Vec<Certificate>>,
    /// The Jobs of a CronJob, or the Job itself, newest first.
    pub jobs: Part<Vec<JobRun>>,
}

impl Default for Surroundings {
    fn default() -> Self {
        fn unread<T>() -> Part<T> {
            Err("it was not asked for".to_owned())
        }
        Self {
            nodes: unread(),
            quotas: unread(),
            claims: unread(),
            configs: unread(),
            secrets: unread(),
            policies: unread(),
            certificates: unread(),
            jobs: unread(),
        }
    }
}

impl Surroundings {
    /// Nothing there, and known to be so.
    pub const fn empty() -> Self {
        Self {
            nodes: Ok(vec![]),
            quotas: Ok(vec![]),
            claims: Ok(vec![]),
            configs: Ok(vec![]),
            secrets: Ok(vec![]),
            policies: Ok(vec![]),
            certificates: Ok(vec![]),
            jobs: Ok(vec![]),
        }
    }

    /// Whether this is what an older snapshot says: none of it was asked for.
    pub fn unasked(&self) -> bool {
        *self == Self::default()
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Which one.
    pub object: Object,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// It is cordoned.
    pub cordoned: bool,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// `Ready` and the pressures, each as it is.
    pub conditions: Vec<Condition>,
    /// What pods may ask for on it.
    pub allocatable: Amounts,
}

impl Node {
    /// Whether this condition of it holds; `None` where it does not say.
    pub fn holds(&self, condition: &str) -> Option<bool> {
        let found = self.conditions.iter().find(|c| c.name == condition)?;
        match found.status.as_str() {
            "True" => Some(true),
            "False" => Some(false),
            _ => None,
        }
    }
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// A toleration of a pod. An empty key with `Exists` tolerates everything, an empty effect every effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toleration {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// `operator: Exists`.
    pub exists: bool,
    /// The effect.
    pub effect: String,
}

impl Toleration {
    /// Whether it tolerates this taint.
    pub fn covers(&self, taint: &Taint) -> bool {
        let effect = self.effect.is_empty() || self.effect == taint.effect;
        let key = (self.key.is_empty() && self.exists) || self.key == taint.key;
        effect && key && (self.exists || self.value == taint.value)
    }
}

/// One requirement on a node's labels or fields (`metadata.name`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`.
    pub operator: String,
    /// The values.
    pub values: Vec<String>,
    /// It is about a field and no label.
    #[serde(default)]
    pub field: bool,
}

/// What a pod, or a template for pods, asks of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Needs {
    /// What its containers request in sum.
    pub requests: Amounts,
    /// Their limits in sum.
    pub limits: Amounts,
    /// What it tolerates.
    pub tolerations: Vec<Toleration>,
    /// `nodeSelector`.
    pub node_selector: Labels,
    /// The terms of its required node affinity: all requirements of one of them, where there are any.
    pub affinity: Vec<Vec<Requirement>>,
    /// It is kept away from, or brought together with, other pods.
    pub among_pods: bool,
    /// The ConfigMaps and Secrets that it cannot do without, key by key.
    pub refers: Vec<Reference>,
    /// The volume claims that it mounts.
    pub claims: Vec<String>,
    /// The Secrets that its images are pulled with.
    pub pull_secrets: Vec<String>,
}

/// What a reference is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

impl Holder {
    /// Kubernetes' name of the kind.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// A reference of a pod to a ConfigMap or Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// To what.
    pub holder: Holder,
    /// Its name.
    pub name: String,
    /// One key of it, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How it is read.
    pub how: How,
    /// The pod starts without it.
    #[serde(default)]
    pub optional: bool,
}

/// `Secret `db` with key `password``.
impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}`", self.holder.name(), self.name)?;
        self.key.as_ref().map_or(Ok(()), |key| write!(f, " with key `{key}`"))
    }
}

/// A ConfigMap or Secret that a pod names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referred {
    /// Its name.
    pub name: String,
    /// What is known of it; `None`: there is none of this name.
    pub found: Option<Meta>,
}

/// What the metadata of a ConfigMap or Secret say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When its content was written last, as its managed fields say.
    pub changed: Option<Timestamp>,
    /// The names of its keys, as its managed fields say; `None` where they do not.
    pub keys: Option<Vec<String>>,
}

/// A quota of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Its name.
    pub name: String,
    /// It counts only some pods (`scopes`, `scopeSelector`).
    pub scoped: bool,
    /// What there may be, as written.
    pub hard: BTreeMap<String, String>,
    /// What there is, as written.
    pub used: BTreeMap<String, String>,
}

/// How a volume claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimPhase {
    /// It has its volume.
    Bound,
    /// It has none yet.
    Pending,
    /// Its volume is gone.
    Lost,
    /// There is no claim of this name.
    Missing,
}

/// A volume claim that a pod names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// How it is.
    pub phase: ClaimPhase,
    /// Its storage class, where it names one.
    pub class: Option<String>,
    /// Whether there is such a class, where that was read.
    #[serde(default)]
    pub class_exists: Option<bool>,
    /// Whether its class gives it a volume only once a pod that needs it has a node, where that was read.
    #[serde(default)]
    pub waits_for_pod: Option<bool>,
    /// Its uid; empty where there is no such claim.
    #[serde(default)]
    pub uid: String,
}

/// A network policy that selects pods of the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetPolicy {
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// It restricts what comes in: how many rules let something through.
    pub ingress: Option<u32>,
    /// It restricts what goes out: how many rules let something through.
    pub egress: Option<u32>,
    /// One of those rules lets names be resolved (port 53, or any).
    #[serde(default)]
    pub egress_dns: bool,
}

/// A certificate of cert-manager's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its name.
    pub name: String,
    /// The Secret that it is kept in.
    pub secret: String,
    /// Until when it is good.
    pub not_after: Option<Timestamp>,
    /// Its `Ready` condition; `None` where it does not say.
    pub ready: Option<bool>,
}

/// One run of a Job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// The Job.
    pub object: Object,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// When it was complete.
    pub completed: Option<Timestamp>,
    /// Why it failed, where it has: the reason of its condition.
    pub failed: Option<String>,
    /// Pods of it that are not done.
    pub active: u32,
    /// Pods of it that failed.
    pub failures: u32,
    /// It is suspended.
    pub suspended: bool,
    /// After how many seconds it is ended.
    pub deadline_seconds: Option<u64>,
}
