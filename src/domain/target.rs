//! What an alert is about: an object of a cluster, and the owner that answers for it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::Cluster;

/// The kinds of object that belay speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own kinds")]
pub enum Kind {
    Pod,
    ReplicaSet,
    Deployment,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    Node,
    Namespace,
    Service,
    PersistentVolumeClaim,
    HorizontalPodAutoscaler,
    PodDisruptionBudget,
    ConfigMap,
    /// A controller that belay does not know (an operator's own kind): always handed to a person.
    Other,
}

impl Kind {
    /// Kubernetes' name of the kind.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::ReplicaSet => "ReplicaSet",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::Node => "Node",
            Self::Namespace => "Namespace",
            Self::Service => "Service",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::ConfigMap => "ConfigMap",
            Self::Other => "Other",
        }
    }

    /// Whether its controller keeps a number of pods ready.
    pub const fn has_pods(self) -> bool {
        match self {
            Self::ReplicaSet | Self::Deployment | Self::StatefulSet | Self::DaemonSet => true,
            Self::Pod
            | Self::Job
            | Self::CronJob
            | Self::Node
            | Self::Namespace
            | Self::Service
            | Self::PersistentVolumeClaim
            | Self::HorizontalPodAutoscaler
            | Self::PodDisruptionBudget
            | Self::ConfigMap
            | Self::Other => false,
        }
    }

    /// The kind with Kubernetes' name `name`; `Other` if belay does not know it.
    pub fn from_name(name: &str) -> Self {
        match name {
            "Pod" => Self::Pod,
            "ReplicaSet" => Self::ReplicaSet,
            "Deployment" => Self::Deployment,
            "StatefulSet" => Self::StatefulSet,
            "DaemonSet" => Self::DaemonSet,
            "Job" => Self::Job,
            "CronJob" => Self::CronJob,
            "Node" => Self::Node,
            "Namespace" => Self::Namespace,
            "Service" => Self::Service,
            "PersistentVolumeClaim" => Self::PersistentVolumeClaim,
            "HorizontalPodAutoscaler" => Self::HorizontalPodAutoscaler,
            "PodDisruptionBudget" => Self::PodDisruptionBudget,
            "ConfigMap" => Self::ConfigMap,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether text can name an object: an RFC 1123 subdomain, as Kubernetes demands. Nothing else may become
/// part of a URL path.
pub fn is_dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Whether text can name a namespace: an RFC 1123 label.
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_label(text)
}

fn is_label(text: &str) -> bool {
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(fit) && text.ends_with(fit) && text.chars().all(|c| fit(c) || c == '-')
}

/// An object by name, as a label says it: nothing is known yet of whether it exists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Named {
    /// The cluster the alert came from.
    pub cluster: Cluster,
    /// Pod, Deployment, Node, …
    pub kind: Kind,
    /// Empty for what has no namespace.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.cluster, self.namespace, self.kind, self.name)
    }
}

/// An object that was read from the API: its name and its uid.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Object {
    /// Where and what.
    #[serde(flatten)]
    pub named: Named,
    /// `metadata.uid`: another object of the same name has another one.
    pub uid: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.named.fmt(f)
    }
}

/// The top controller of a target. Limits, locks, cooldowns and track records are kept by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RootOwner(pub Object);

impl RootOwner {
    /// The key by which everything that must outlast a pod is kept.
    pub fn key(&self) -> String {
        let Object { named: Named { cluster, kind, namespace, name }, uid } = &self.0;
        format!("{cluster}/{namespace}/{kind}/{name}/{uid}")
    }
}

impl fmt::Display for RootOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a set of labels says about the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "snake_case")]
pub enum Targeted {
    /// One object, named by this label.
    Named {
        /// The object.
        object: Named,
        /// The label that named it.
        label: String,
    },
    /// The labels name nothing that belay can act on, or more than one thing: a person decides.
    Unclear {
        /// Why, for people.
        why: String,
    },
}

impl Targeted {
    /// The object, where one was named.
    pub const fn named(&self) -> Option<&Named> {
        match self {
            Self::Named { object, .. } => Some(object),
            Self::Unclear { .. } => None,
        }
    }
}

impl FromStr for Kind {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::from_name(name))
    }
}
