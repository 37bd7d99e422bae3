//! What there is in a namespace, as rows: one kind of object to the list, a few columns to the kind. Made for looking
//! around; nothing decides on it. No annotation, no environment and no content of a Secret has a column.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Kinds that can be listed, by the plural that the API server knows them by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub enum Kind {
    Pods,
    Deployments,
    StatefulSets,
    DaemonSets,
    ReplicaSets,
    Jobs,
    CronJobs,
    HorizontalPodAutoscalers,
    PodDisruptionBudgets,
    PersistentVolumeClaims,
    Services,
    EndpointSlices,
    Ingresses,
    NetworkPolicies,
    ResourceQuotas,
    /// In a namespace: those that carry a pod of it.
    Nodes,
}

use Column as C;

impl Kind {
    /// All there are.
    pub const ALL: [Self; 16] = [
        Self::Pods,
        Self::Deployments,
        Self::StatefulSets,
        Self::DaemonSets,
        Self::ReplicaSets,
        Self::Jobs,
        Self::CronJobs,
        Self::HorizontalPodAutoscalers,
        Self::PodDisruptionBudgets,
        Self::PersistentVolumeClaims,
        Self::Services,
        Self::EndpointSlices,
        Self::Ingresses,
        Self::NetworkPolicies,
        Self::ResourceQuotas,
        Self::Nodes,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Deployments => "deployments",
            Self::StatefulSets => "statefulsets",
            Self::DaemonSets => "daemonsets",
            Self::ReplicaSets => "replicasets",
            Self::Jobs => "jobs",
            Self::CronJobs => "cronjobs",
            Self::HorizontalPodAutoscalers => "horizontalpodautoscalers",
            Self::PodDisruptionBudgets => "poddisruptionbudgets",
            Self::PersistentVolumeClaims => "persistentvolumeclaims",
            Self::Services => "services",
            Self::EndpointSlices => "endpointslices",
            Self::Ingresses => "ingresses",
            Self::NetworkPolicies => "networkpolicies",
            Self::ResourceQuotas => "resourcequotas",
            Self::Nodes => "nodes",
        }
    }

    /// What its rows say, in the order of reading.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Pods => &[C::Status, C::Ready, C::Containers, C::Restarts, C::Node, C::Owner, C::Created],
            Self::Deployments => &[
                C::Ready,
                C::Desired,
                C::Updated,
                C::Available,
                C::Revision,
                C::Images,
                C::Conditions,
                C::Created,
            ],
            Self::StatefulSets => {
                &[C::Ready, C::Desired, C::Updated, C::Available, C::Service, C::Images, C::Created]
            }
            Self::DaemonSets => {
                &[C::Ready, C::Desired, C::Updated, C::Available, C::Misplaced, C::Images, C::Created]
            }
            Self::ReplicaSets => {
                &[C::Ready, C::Desired, C::Available, C::Revision, C::Owner, C::Images, C::Created]
            }
            Self::Jobs => &[
                C::Status,
                C::Reason,
                C::Active,
                C::Succeeded,
                C::Failed,
                C::Owner,
                C::Started,
                C::Completed,
                C::DeadlineSeconds,
            ],
            Self::CronJobs => {
                &[C::Schedule, C::TimeZone, C::Suspended, C::Active, C::LastScheduled, C::LastSucceeded]
            }
            Self::HorizontalPodAutoscalers => {
                &[C::Target, C::Current, C::Desired, C::Least, C::Most, C::Metrics, C::Conditions]
            }
            Self::PodDisruptionBudgets => &[C::Allowed, C::Healthy, C::Desired, C::Expected, C::Selector],
            Self::PersistentVolumeClaims => {
                &[C::Status, C::Class, C::Requested, C::Capacity, C::AccessModes, C::Volume, C::Created]
            }
            Self::Services => {
                &[C::Type, C::Address, C::Ports, C::Selector, C::ReadyEndpoints, C::NotReadyEndpoints]
            }
            Self::EndpointSlices => {
                &[C::Service, C::Ports, C::ReadyEndpoints, C::NotReadyEndpoints, C::Ready, C::NotReady]
            }
            Self::Ingresses => &[C::Class, C::Routes, C::TlsHosts, C::Address, C::Created],
            Self::NetworkPolicies => {
                &[C::Selector, C::IngressRules, C::EgressRules, C::EgressDns, C::Created]
            }
            Self::ResourceQuotas => &[C::Used, C::Scoped],
            Self::Nodes => &[
                C::Ready,
                C::Conditions,
                C::Cordoned,
                C::Taints,
                C::Zone,
                C::Version,
                C::CpuMillis,
                C::CpuAllocatable,
                C::MemoryBytes,
                C::MemoryAllocatable,
            ],
        }
    }
}

macro_rules! columns {
    ($($column:ident $name:literal),* $(,)?) => {
        /// What a row says of its object, besides its name and what is wrong with it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Column {
            $(#[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $column),*
        }

        impl Column {
            /// Its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$column => $name),*
                }
            }
        }
    };
}

columns! {
    AccessModes "access_modes",
    Active "active",
    Address "address",
    Allowed "allowed",
    Available "available",
    Capacity "capacity",
    Class "class",
    Completed "completed",
    Conditions "conditions",
    Containers "containers",
    Cordoned "cordoned",
    CpuAllocatable "cpu_allocatable_millis",
    CpuMillis "cpu_millis",
    Created "created",
    Current "current",
    DeadlineSeconds "deadline_seconds",
    Desired "desired",
    EgressDns "egress_dns",
    EgressRules "egress_rules",
    Expected "expected",
    Failed "failed",
    Healthy "healthy",
    Images "images",
    IngressRules "ingress_rules",
    LastScheduled "last_scheduled",
    LastSucceeded "last_succeeded",
    Least "min",
    MemoryAllocatable "memory_allocatable_bytes",
    MemoryBytes "memory_bytes",
    Metrics "metrics",
    Misplaced "misplaced",
    Most "max",
    Node "node",
    NotReady "not_ready",
    NotReadyEndpoints "not_ready_endpoints",
    Owner "owner",
    Ports "ports",
    Ready "ready",
    ReadyEndpoints "ready_endpoints",
    Reason "reason",
    Requested "requested",
    Restarts "restarts",
    Revision "revision",
    Routes "routes",
    Schedule "schedule",
    Scoped "scoped",
    Selector "selector",
    Service "service",
    Started "started",
    Status "status",
    Succeeded "succeeded",
    Suspended "suspended",
    Taints "taints",
    Target "target",
    TimeZone "time_zone",
    TlsHosts "tls_hosts",
    Type "type",
    Updated "updated",
    Used "used",
    Version "version",
    Volume "volume",
    Zone "zone",
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Whether.
    Flag(bool),
    /// How many.
    Number(u64),
    /// When.
    At(Timestamp),
    /// Text of others, cleaned and redacted.
    Text(String),
    /// Several of them.
    List(Vec<String>),
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for Cell {
    fn from(at: Timestamp) -> Self {
        Self::At(at)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<String>> for Cell {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What is wrong with it, in a few words; `None`: nothing that its own status shows.
    pub trouble: Option<String>,
    /// What it says of itself; a column that is not known is not there.
    pub cells: BTreeMap<Column, Cell>,
}

impl Row {
    /// An object of this name, nothing wrong with it.
    pub const fn new(name: String) -> Self {
        Self { name, trouble: None, cells: BTreeMap::new() }
    }

    /// With this in a column.
    #[must_use]
    pub fn with(mut self, column: Column, cell: impl Into<Cell>) -> Self {
        self.cells.insert(column, cell.into());
        self
    }

    /// With this in a column, where it is known.
    #[must_use]
    pub fn maybe(self, column: Column, cell: Option<impl Into<Cell>>) -> Self {
        match cell {
            Some(cell) => self.with(column, cell),
            None => self,
        }
    }

    /// Wrong in this way, if it is.
    #[must_use]
    pub fn wrong(mut self, trouble: Option<String>) -> Self {
        self.trouble = self.trouble.or(trouble);
        self
    }
}

/// What a container uses at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerUse {
    /// Its pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// CPU in millicores.
    pub cpu_millis: u32,
    /// Memory in bytes (the working set).
    pub memory_bytes: u64,
    /// Its CPU limit, where it has one and it is known.
    pub cpu_limit_millis: Option<u32>,
    /// Its memory limit, where it has one and it is known.
    pub memory_limit_bytes: Option<u64>,
}

/// What keeps its earlier templates as ControllerRevisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeper {
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

impl Keeper {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::StatefulSet => "stateful set",
            Self::DaemonSet => "daemon set",
        }
    }
}

/// A template that a StatefulSet or DaemonSet has, or had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptTemplate {
    /// The ControllerRevision.
    pub name: String,
    /// Its number.
    pub revision: u64,
    /// Its images, as written.
    pub images: Vec<String>,
    /// Pods of it, where the controller counts them: those of the newest, and of the one before while it is replaced.
    pub pods: Option<u32>,
    /// When it was first used.
    pub created: Option<Timestamp>,
    /// `kubernetes.io/change-cause`, where it is set.
    pub change_cause: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_wire_are_the_names() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            let mut columns = kind.columns().to_vec();
            columns.sort_unstable();
            columns.dedup();
            assert_eq!(columns.len(), kind.columns().len(), "{kind:?} says something twice");
        }
    }
}
