//! The lists of a namespace or of all, each read by itself and at the same time as the others.

use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, core::v1 as core,
    networking::v1 as networking, policy::v1 as policy, storage::v1 as storage,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::super::surroundings::certificate_resource;
use super::KubeReads;
use crate::domain::redact;
use crate::ports::reads::ReadError;

type Read<T> = Result<Vec<T>, ReadError>;

/// What was listed.
pub(super) struct Lists {
    pub(super) pods: Read<core::Pod>,
    pub(super) deployments: Read<apps::Deployment>,
    pub(super) replica_sets: Read<apps::ReplicaSet>,
    pub(super) stateful_sets: Read<apps::StatefulSet>,
    pub(super) daemon_sets: Read<apps::DaemonSet>,
    pub(super) jobs: Read<batch::Job>,
    pub(super) cron_jobs: Read<batch::CronJob>,
    pub(super) events: Read<core::Event>,
    pub(super) budgets: Read<policy::PodDisruptionBudget>,
    pub(super) autoscalers: Read<autoscaling::HorizontalPodAutoscaler>,
    pub(super) usage: Read<DynamicObject>,
    pub(super) quotas: Read<core::ResourceQuota>,
    pub(super) claims: Read<core::PersistentVolumeClaim>,
    pub(super) policies: Read<networking::NetworkPolicy>,
    pub(super) configs: Read<ObjectMeta>,
    pub(super) secrets: Read<ObjectMeta>,
    pub(super) certificates: Read<DynamicObject>,
    pub(super) nodes: Read<core::Node>,
    pub(super) classes: Read<storage::StorageClass>,
}

impl Lists {
    /// Reads them all.
    pub(super) async fn read(reads: &KubeReads, namespace: Option<&str>) -> Self {
        let of = Of { reads, namespace };
        let metrics = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
        let metrics = ApiResource::from_gvk_with_plural(&metrics, "pods");
        let certificates = certificate_resource();
        let workloads = async {
            futures::join!(
                of.list::<core::Pod>("pods"),
                of.list::<apps::Deployment>("deployments"),
                of.list::<apps::ReplicaSet>("replica sets"),
                of.list::<apps::StatefulSet>("stateful sets"),
                of.list::<apps::DaemonSet>("daemon sets"),
                of.list::<batch::Job>("jobs"),
                of.list::<batch::CronJob>("cron jobs"),
            )
        };
        let about = async {
            futures::join!(
                of.list::<core::Event>("events"),
                of.list::<policy::PodDisruptionBudget>("disruption budgets"),
                of.list::<autoscaling::HorizontalPodAutoscaler>("autoscalers"),
                of.dynamic(&metrics, "pod metrics"),
                of.list::<core::ResourceQuota>("resource quotas"),
                of.list::<core::PersistentVolumeClaim>("volume claims"),
            )
        };
        let around = async {
            futures::join!(
                of.list::<networking::NetworkPolicy>("network policies"),
                of.metadata::<core::ConfigMap>("ConfigMaps"),
                of.metadata::<core::Secret>("Secrets"),
                of.dynamic(&certificates, "certificates"),
                of.cluster::<core::Node>("the nodes of the cluster"),
                of.cluster::<storage::StorageClass>("the storage classes of the cluster"),
            )
        };
        let (workloads, about, around) = futures::join!(workloads, about, around);
        let (pods, deployments, replica_sets, stateful_sets, daemon_sets, jobs, cron_jobs) = workloads;
        let (events, budgets, autoscalers, usage, quotas, claims) = about;
        let (policies, configs, secrets, certificates, nodes, classes) = around;
        Self {
            pods,
            deployments,
            replica_sets,
            stateful_sets,
            daemon_sets,
            jobs,
            cron_jobs,
            events,
            budgets,
            autoscalers,
            usage: usage.map_err(|error| match error {
                ReadError::NotFound { what } => {
                    let why = "the cluster serves no metrics API (metrics.k8s.io)".to_owned();
                    ReadError::Failed { what, why }
                }
                error @ (ReadError::Refused { .. } | ReadError::Failed { .. }) => error,
            }),
            quotas,
            claims,
            policies,
            configs,
            secrets,
            // without cert-manager there is none
            certificates: match certificates {
                Err(ReadError::NotFound { .. }) => Ok(vec![]),
                read => read,
            },
            nodes,
            classes,
        }
    }

    /// Why there is nothing to look at, where no pod and no workload could be listed.
    pub(super) fn nothing(&self) -> Option<ReadError> {
        let none = self.deployments.is_err() && self.stateful_sets.is_err() && self.daemon_sets.is_err();
        self.pods.as_ref().err().filter(|_| none).cloned()
    }

    /// A sentence for each list that could not be read.
    pub(super) fn not_read(&self) -> Vec<String> {
        let Self {
            pods,
            deployments,
            replica_sets,
            stateful_sets,
            daemon_sets,
            jobs,
            cron_jobs,
            events,
            budgets,
            autoscalers,
            usage,
            quotas,
            claims,
            policies,
            configs,
            secrets,
            certificates,
            nodes,
            classes,
        } = self;
        let errors = [
            pods.as_ref().err(),
            deployments.as_ref().err(),
            replica_sets.as_ref().err(),
            stateful_sets.as_ref().err(),
            daemon_sets.as_ref().err(),
            jobs.as_ref().err(),
            cron_jobs.as_ref().err(),
            events.as_ref().err(),
            budgets.as_ref().err(),
            autoscalers.as_ref().err(),
            usage.as_ref().err(),
            quotas.as_ref().err(),
            claims.as_ref().err(),
            policies.as_ref().err(),
            configs.as_ref().err(),
            secrets.as_ref().err(),
            certificates.as_ref().err(),
            nodes.as_ref().err(),
            classes.as_ref().err(),
        ];
        errors.into_iter().flatten().map(|why| redact::line(&why.to_string(), 300)).collect()
    }
}

/// Of which namespace.
struct Of<'a> {
    reads: &'a KubeReads,
    namespace: Option<&'a str>,
}

impl Of<'_> {
    fn what(&self, what: &str) -> String {
        self.namespace.map_or_else(
            || format!("{what} of all namespaces"),
            |name| format!("{what} of namespace `{name}`"),
        )
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        let client = self.reads.fetch().client.clone();
        self.namespace.map_or_else(|| Api::all(client.clone()), |name| Api::namespaced(client.clone(), name))
    }

    async fn list<K>(&self, what: &str) -> Read<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let what = self.what(what);
        self.reads.in_time(&what, self.reads.fetch().all(&self.api::<K>(), &what, None)).await
    }

    async fn metadata<K>(&self, what: &str) -> Read<ObjectMeta>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let what = self.what(&format!("the metadata of the {what}"));
        self.reads.in_time(&what, self.reads.fetch().metadata(&self.api::<K>(), &what)).await
    }

    async fn dynamic(&self, resource: &ApiResource, what: &str) -> Read<DynamicObject> {
        let client = self.reads.fetch().client.clone();
        let api: Api<DynamicObject> = match self.namespace {
            Some(name) => Api::namespaced_with(client, name, resource),
            None => Api::all_with(client, resource),
        };
        let what = self.what(what);
        self.reads.in_time(&what, self.reads.fetch().all(&api, &what, None)).await
    }

    async fn cluster<K>(&self, what: &str) -> Read<K>
    where
        K: Resource<Scope = k8s_openapi::ClusterResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::all(self.reads.fetch().client.clone());
        self.reads.in_time(what, self.reads.fetch().all(&api, what, None)).await
    }
}
