//! The closed table of the kinds that the simulated API server knows.

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1` Namespace.
    Namespace,
    /// `v1` Node.
    Node,
    /// `v1` Pod.
    Pod,
    /// `v1` Event.
    Event,
    /// `v1` Service.
    Service,
    /// `v1` ConfigMap.
    ConfigMap,
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `apps/v1` ControllerRevision.
    ControllerRevision,
    /// `batch/v1` Job (what is made over HTTP runs, without pods of its own, and ends as its image behaves).
    Job,
    /// `batch/v1` CronJob (never has a controller here).
    CronJob,
    /// `autoscaling/v2` HorizontalPodAutoscaler (keeps replicas within its bounds; there are no metrics).
    HorizontalPodAutoscaler,
    /// `policy/v1` PodDisruptionBudget.
    PodDisruptionBudget,
    /// `v1` ResourceQuota.
    ResourceQuota,
    /// `v1` PersistentVolumeClaim (never has a controller here: it is as it is declared).
    PersistentVolumeClaim,
    /// `v1` Secret.
    Secret,
    /// `networking.k8s.io/v1` NetworkPolicy.
    NetworkPolicy,
    /// `storage.k8s.io/v1` StorageClass.
    StorageClass,
    /// `cert-manager.io/v1` Certificate: there is such an API only where there is such an object.
    Certificate,
    /// `networking.k8s.io/v1` Ingress (never has a controller here: it is as it is declared).
    Ingress,
    /// `discovery.k8s.io/v1` EndpointSlice: computed at each read from services and pods, never stored.
    EndpointSlice,
    /// `metrics.k8s.io/v1beta1` PodMetrics: computed at each read, never stored.
    PodMetrics,
    /// `metrics.k8s.io/v1beta1` NodeMetrics: computed at each read, never stored.
    NodeMetrics,
}

/// How a kind is spelled in paths and bodies.
#[derive(Debug, Clone, Copy)]
pub struct Spelling {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version in its group.
    pub version: &'static str,
    /// Plural in paths.
    pub plural: &'static str,
    /// `kind` in bodies.
    pub kind: &'static str,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
}

const fn row(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
) -> Spelling {
    Spelling { group, version, plural, kind, namespaced }
}

impl Kind {
    /// Every kind, in the order in which discovery lists them.
    pub const ALL: [Self; 25] = [
        Self::Namespace,
        Self::Node,
        Self::Pod,
        Self::Event,
        Self::Service,
        Self::ConfigMap,
        Self::Deployment,
        Self::ReplicaSet,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ControllerRevision,
        Self::Job,
        Self::CronJob,
        Self::HorizontalPodAutoscaler,
        Self::PodDisruptionBudget,
        Self::ResourceQuota,
        Self::PersistentVolumeClaim,
        Self::Secret,
        Self::NetworkPolicy,
        Self::StorageClass,
        Self::Certificate,
        Self::Ingress,
        Self::EndpointSlice,
        Self::PodMetrics,
        Self::NodeMetrics,
    ];

    /// How this kind is spelled.
    pub const fn spelling(self) -> Spelling {
        match self {
            Self::Namespace => row("", "v1", "namespaces", "Namespace", false),
            Self::Node => row("", "v1", "nodes", "Node", false),
            Self::Pod => row("", "v1", "pods", "Pod", true),
            Self::Event => row("", "v1", "events", "Event", true),
            Self::Service => row("", "v1", "services", "Service", true),
            Self::ConfigMap => row("", "v1", "configmaps", "ConfigMap", true),
            Self::Deployment => row("apps", "v1", "deployments", "Deployment", true),
            Self::ReplicaSet => row("apps", "v1", "replicasets", "ReplicaSet", true),
            Self::StatefulSet => row("apps", "v1", "statefulsets", "StatefulSet", true),
            Self::DaemonSet => row("apps", "v1", "daemonsets", "DaemonSet", true),
            Self::ControllerRevision => row("apps", "v1", "controllerrevisions", "ControllerRevision", true),
            Self::Job => row("batch", "v1", "jobs", "Job", true),
            Self::CronJob => row("batch", "v1", "cronjobs", "CronJob", true),
            Self::HorizontalPodAutoscaler => {
                row("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true)
            }
            Self::PodDisruptionBudget => {
                row("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true)
            }
            Self::ResourceQuota => row("", "v1", "resourcequotas", "ResourceQuota", true),
            Self::PersistentVolumeClaim => {
                row("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true)
            }
            Self::Secret => row("", "v1", "secrets", "Secret", true),
            Self::NetworkPolicy => row("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", true),
            Self::StorageClass => row("storage.k8s.io", "v1", "storageclasses", "StorageClass", false),
            Self::Certificate => row("cert-manager.io", "v1", "certificates", "Certificate", true),
            Self::Ingress => row("networking.k8s.io", "v1", "ingresses", "Ingress", true),
            Self::EndpointSlice => row("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true),
            Self::PodMetrics => row("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", true),
            Self::NodeMetrics => row("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", false),
        }
    }

    /// The kind that a path's group, version and plural name.
    pub fn from_path(group: &str, version: &str, plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| {
            let known = kind.spelling();
            known.group == group && known.version == version && known.plural == plural
        })
    }

    /// `apiVersion` of its objects.
    pub fn api_version(self) -> String {
        let Spelling { group, version, .. } = self.spelling();
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
    }

    /// The resource as error messages name it: `pods`, `deployments.apps`.
    pub fn qualified(self) -> String {
        let Spelling { group, plural, .. } = self.spelling();
        if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
    }

    /// Whether its objects carry `metadata.generation`.
    pub const fn has_generation(self) -> bool {
        match self {
            Self::Pod
            | Self::Deployment
            | Self::ReplicaSet
            | Self::StatefulSet
            | Self::DaemonSet
            | Self::Job
            | Self::CronJob
            | Self::PodDisruptionBudget
            | Self::NetworkPolicy
            | Self::Certificate
            | Self::Ingress
            | Self::EndpointSlice => true,
            Self::Namespace
            | Self::Node
            | Self::Event
            | Self::Service
            | Self::ConfigMap
            | Self::ControllerRevision
            | Self::HorizontalPodAutoscaler
            | Self::ResourceQuota
            | Self::PersistentVolumeClaim
            | Self::Secret
            | Self::StorageClass
            | Self::PodMetrics
            | Self::NodeMetrics => false,
        }
    }

    /// Whether its objects are made when somebody asks, and there is nothing to write or to watch.
    pub const fn is_computed(self) -> bool {
        matches!(self, Self::EndpointSlice | Self::PodMetrics | Self::NodeMetrics)
    }
}
