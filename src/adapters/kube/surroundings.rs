//! What surrounds one owner: what its pods name and stand on, and nothing besides. Each part is read by itself, and
//! only where it can matter: a well pod's ConfigMaps are nobody's business.

use std::collections::BTreeSet;

use k8s_openapi::api::{core::v1 as core, networking::v1 as networking, storage::v1 as storage};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, Selector, SelectorExt as _};
use kube::{Api, Resource};

use super::views;
use crate::domain::cluster::{Part, Pod, Workload};
use crate::domain::surroundings::{
    Certificate, Claim, ClaimPhase, Holder, JobRun, Meta, Needs, NetPolicy, Node, Quota, Referred,
    Surroundings,
};
use crate::domain::target::{Kind, Object};
use crate::ports::reads::ReadError;

/// Nodes read one by one where every pod has its node: those of unready pods first. More than this many nodes that
/// fail at once are no matter of one workload.
const NODES: usize = 5;

/// What is to be read around one owner.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// A pod has no node: which do not take it?
    pub(super) all_nodes: bool,
    pub(super) nodes: Vec<String>,
    pub(super) claims: BTreeSet<String>,
    pub(super) configs: BTreeSet<String>,
    pub(super) secrets: BTreeSet<String>,
}

impl Wanted {
    /// By its template, the named pod and its pods.
    pub(super) fn of(owner: &Object, workload: Option<&Workload>, pods: &[&Pod]) -> Self {
        let mut wanted = Self::default();
        let unready = pods.iter().any(|pod| !pod.ready);
        let template = workload.and_then(|w| w.needs.as_deref());
        for needs in template.into_iter().chain(pods.iter().filter_map(|pod| pod.needs.as_deref())) {
            wanted.add(needs, unready);
        }
        wanted.all_nodes = pods.iter().any(|pod| pod.unscheduled.is_some() && !pod.terminating);
        let mut placed: Vec<(bool, &str)> =
            pods.iter().filter_map(|pod| Some((pod.ready, pod.node.as_deref()?))).collect();
        placed.sort_unstable();
        for (_, node) in placed {
            if !wanted.nodes.iter().any(|known| known == node) {
                wanted.nodes.push(node.to_owned());
            }
        }
        if owner.named.kind == Kind::Node {
            wanted.nodes.push(owner.named.name.clone());
        }
        wanted
    }

    fn add(&mut self, needs: &Needs, unready: bool) {
        self.claims.extend(needs.claims.iter().cloned());
        for one in &needs.refers {
            match one.holder {
                // what is there is only asked of what does not run
                Holder::ConfigMap if unready => self.configs.insert(one.name.clone()),
                Holder::ConfigMap => false,
                Holder::Secret => self.secrets.insert(one.name.clone()),
            };
        }
        if unready {
            self.secrets.extend(needs.pull_secrets.iter().cloned());
        }
    }
}

impl super::KubeReads {
    /// Reads it.
    pub(super) async fn around(
        &self,
        owner: &Object,
        (workload, pods): (Option<&Workload>, &[&Pod]),
        jobs: Part<Vec<JobRun>>,
    ) -> Surroundings {
        let wanted = Wanted::of(owner, workload, pods);
        let namespace = owner.named.namespace.as_str();
        if namespace.is_empty() {
            let nodes = self.part("nodes", self.nodes(&wanted)).await;
            return Surroundings { nodes, ..Surroundings::empty() };
        }
        let (nodes, quotas, policies, claims, configs, secrets, certificates) = futures::join!(
            self.part("nodes", self.nodes(&wanted)),
            self.part("quotas", self.raw::<core::ResourceQuota>(namespace, "resource quotas")),
            self.part("policies", self.raw::<networking::NetworkPolicy>(namespace, "network policies")),
            self.part("claims", self.claims(namespace, &wanted.claims)),
            self.part(
                "ConfigMaps",
                self.metadata::<core::ConfigMap>(namespace, "ConfigMaps", &wanted.configs)
            ),
            self.part("Secrets", self.metadata::<core::Secret>(namespace, "Secrets", &wanted.secrets)),
            self.part("certificates", self.certificates(namespace, &wanted.secrets)),
        );
        Surroundings {
            nodes,
            quotas: quotas.map(|all| quotas_of(&all)),
            policies: policies.map(|all| policies_over(&all, pods)),
            claims,
            configs,
            secrets,
            certificates,
            jobs,
        }
    }

    async fn nodes(&self, wanted: &Wanted) -> Result<Vec<Node>, ReadError> {
        let fetch = self.fetch();
        let api: Api<core::Node> = Api::all(fetch.client.clone());
        if wanted.all_nodes {
            let all = fetch.all(&api, "the nodes of the cluster", None).await?;
            return Ok(all.iter().map(|n| views::node(&fetch.cluster, n)).collect());
        }
        let read: Vec<_> = wanted.nodes.iter().take(NODES).map(|name| self.one_node(&api, name)).collect();
        let found = futures::future::try_join_all(read).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn one_node(&self, api: &Api<core::Node>, name: &str) -> Result<Option<Node>, ReadError> {
        let fetch = self.fetch();
        let what = format!("node `{name}`");
        super::client::names(&what, "", name)?;
        match super::client::read(&fetch.clock, &what, || api.get(name)).await {
            Ok(found) => Ok(Some(views::node(&fetch.cluster, &found))),
            Err(ReadError::NotFound { .. }) => Ok(None),
            Err(error @ (ReadError::Refused { .. } | ReadError::Failed { .. })) => Err(error),
        }
    }

    async fn claims(&self, namespace: &str, names: &BTreeSet<String>) -> Result<Vec<Claim>, ReadError> {
        if names.is_empty() {
            return Ok(vec![]);
        }
        let all = self.raw::<core::PersistentVolumeClaim>(namespace, "volume claims").await?;
        let mut claims = claims_named(all.iter().map(views::claim), names);
        if claims.iter().any(|claim| claim.phase == ClaimPhase::Pending && claim.class.is_some()) {
            let fetch = self.fetch();
            let api: Api<storage::StorageClass> = Api::all(fetch.client.clone());
            // what class there is only explains
            if let Ok(classes) = fetch.all(&api, "storage classes", None).await {
                with_classes(&mut claims, &classes);
            }
        }
        Ok(claims)
    }

    /// The names and times of ConfigMaps or Secrets: the API server sends their metadata alone.
    async fn metadata<K>(
        &self,
        namespace: &str,
        what: &str,
        names: &BTreeSet<String>,
    ) -> Result<Vec<Referred>, ReadError>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        if names.is_empty() {
            return Ok(vec![]);
        }
        let api: Api<K> = Api::namespaced(self.fetch().client.clone(), namespace);
        let what = format!("the metadata of the {what} of namespace `{namespace}`");
        let all = self.fetch().metadata(&api, &what).await?;
        let known = all.iter().map(|one| (one.name.clone().unwrap_or_default(), views::meta(one)));
        Ok(referred(known, names))
    }

    async fn certificates(
        &self,
        namespace: &str,
        secrets: &BTreeSet<String>,
    ) -> Result<Vec<Certificate>, ReadError> {
        if secrets.is_empty() {
            return Ok(vec![]);
        }
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.fetch().client.clone(), namespace, &certificate_resource());
        match self.fetch().all(&api, &format!("certificates of namespace `{namespace}`"), None).await {
            Ok(all) => Ok(kept_in(all.iter().filter_map(views::certificate), secrets)),
            // without cert-manager there is none
            Err(ReadError::NotFound { .. }) => Ok(vec![]),
            Err(error @ (ReadError::Refused { .. } | ReadError::Failed { .. })) => Err(error),
        }
    }
}

/// cert-manager's own kind.
pub(super) fn certificate_resource() -> ApiResource {
    let gvk = GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate");
    ApiResource::from_gvk_with_plural(&gvk, "certificates")
}

pub(super) fn quotas_of(all: &[core::ResourceQuota]) -> Vec<Quota> {
    let mut quotas: Vec<Quota> = all.iter().map(views::quota).collect();
    quotas.sort_by(|a, b| a.name.cmp(&b.name));
    quotas
}

/// The policies that select one of these pods. An empty selector selects all.
pub(super) fn policies_over(all: &[networking::NetworkPolicy], pods: &[&Pod]) -> Vec<NetPolicy> {
    let over_one = |policy: &&networking::NetworkPolicy| {
        let selector = policy.spec.as_ref().and_then(|s| s.pod_selector.clone()).unwrap_or_default();
        match Selector::try_from(selector) {
            Ok(selector) => pods.iter().any(|pod| selector.matches(&pod.labels)),
            // nothing is told of what cannot be read
            Err(_) => false,
        }
    };
    all.iter().filter(over_one).map(views::net_policy).collect()
}

/// The claims of these names, and those of them that are not there.
pub(super) fn claims_named(all: impl Iterator<Item = Claim>, names: &BTreeSet<String>) -> Vec<Claim> {
    let mut found: Vec<Claim> = all.filter(|claim| names.contains(&claim.name)).collect();
    let missing: Vec<Claim> = names
        .iter()
        .filter(|name| found.iter().all(|claim| claim.name != **name))
        .map(|name| Claim {
            name: name.clone(),
            phase: ClaimPhase::Missing,
            class: None,
            class_exists: None,
            waits_for_pod: None,
            uid: String::new(),
        })
        .collect();
    found.extend(missing);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

pub(super) fn with_classes(claims: &mut [Claim], known: &[storage::StorageClass]) {
    for claim in claims {
        let Some(class) = claim.class.as_ref() else { continue };
        let found = known.iter().find(|known| known.metadata.name.as_ref() == Some(class));
        claim.class_exists = Some(found.is_some());
        claim.waits_for_pod =
            found.map(|found| found.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"));
    }
}

/// What is known of each of these names.
pub(super) fn referred(
    known: impl Iterator<Item = (String, Meta)>,
    names: &BTreeSet<String>,
) -> Vec<Referred> {
    let mut found: Vec<Referred> = known
        .filter(|(name, _)| names.contains(name))
        .map(|(name, meta)| Referred { name, found: Some(meta) })
        .collect();
    let missing: Vec<Referred> = names
        .iter()
        .filter(|name| found.iter().all(|one| one.name != **name))
        .map(|name| Referred { name: name.clone(), found: None })
        .collect();
    found.extend(missing);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

pub(super) fn kept_in(
    all: impl Iterator<Item = Certificate>,
    secrets: &BTreeSet<String>,
) -> Vec<Certificate> {
    let mut kept: Vec<Certificate> = all.filter(|one| secrets.contains(&one.secret)).collect();
    kept.sort_by(|a, b| a.name.cmp(&b.name));
    kept
}
