//! Lists of every kind for looking around, by name and from any name on, so that a reader who comes back for the next
//! page neither sees an object twice nor misses one because others came or went.

mod bounds;
mod network;
mod templates;
mod usage;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, core::v1 as core,
    networking::v1 as networking, policy::v1 as policy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::{KubeReads, client, views};
use crate::domain::inventory::{Cell, ContainerUse, Keeper, KeptTemplate, Kind, Row};
use crate::domain::redact;
use crate::ports::inventory::{Found, Inventory};
use crate::ports::reads::{Listed, ReadError};

/// The API server's own default page size for its clients.
const PAGE: u32 = 500;
/// Pages of one list that are read to find what comes after a name: 10,000 objects, three times what Kubernetes
/// supports in a namespace.
const PAGES: usize = 20;
/// Kubernetes itself cuts event messages at 1,024 characters.
const TEXT: usize = 1024;
/// The entries of one cell: an EndpointSlice has at most 100 endpoints, unless its controller is told otherwise.
const LIST: usize = 100;

impl KubeReads {
    fn of<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.fetch().client.clone(), namespace)
    }

    /// The objects behind `api` whose name comes after `after`. An API server lists by name, and goes on where it
    /// stopped also when the list changed meanwhile.
    async fn after<K>(
        &self,
        api: &Api<K>,
        what: &str,
        (after, cap): (Option<&str>, usize),
    ) -> Result<Listed<K>, ReadError>
    where
        K: Clone + std::fmt::Debug + DeserializeOwned + Resource,
    {
        let wanted =
            |one: &K| after.is_none_or(|after| one.meta().name.as_deref().is_some_and(|n| n > after));
        let mut items = vec![];
        let mut params = ListParams::default().limit(PAGE);
        let read = async {
            for _ in 0..PAGES {
                let page = client::read(&self.fetch().clock, what, || api.list(&params)).await?;
                items.extend(page.items.into_iter().filter(wanted));
                let next = page.metadata.continue_.filter(|token| !token.is_empty());
                let left = page.metadata.remaining_item_count.and_then(|n| u64::try_from(n).ok());
                match next {
                    None => return Ok(Some(0)),
                    Some(_) if items.len() >= cap => return Ok(left),
                    Some(next) => params = params.clone().continue_token(&next),
                }
            }
            Ok(None)
        };
        let left_out = self.in_time(what, read).await?;
        items.sort_by(|a, b| a.meta().name.cmp(&b.meta().name));
        Ok(Listed { items, left_out })
    }

    /// As rows.
    async fn rows<K>(
        &self,
        (kind, namespace, after): (Kind, &str, Option<&str>),
        row: impl Fn(&K) -> Row,
    ) -> Result<Found<Row>, ReadError>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let what = format!("{} of namespace `{namespace}`", kind.name());
        let listed = self.after(&self.of::<K>(namespace), &what, (after, self.fetch().cap)).await?;
        Ok(found(&listed, row))
    }

    /// The nodes that carry pods of a namespace.
    async fn nodes_under(&self, namespace: &str, after: Option<&str>) -> Result<Found<Row>, ReadError> {
        let what = format!("pods of namespace `{namespace}`");
        let pods =
            self.in_time(&what, self.fetch().list(&self.of::<core::Pod>(namespace), &what, None)).await?;
        let under: BTreeSet<String> =
            pods.items.into_iter().filter_map(|pod| pod.spec.and_then(|spec| spec.node_name)).collect();
        let mut nodes = Inventory::nodes(self, after).await?;
        nodes.listed.items.retain(|node| under.contains(&node.name));
        // of those that were not read, some may carry a pod; of pods that were not read, some may be elsewhere
        let whole = nodes.listed.left_out == Some(0) && pods.left_out == Some(0);
        nodes.listed.left_out = whole.then_some(0);
        Ok(nodes)
    }
}

fn found<K>(listed: &Listed<K>, row: impl Fn(&K) -> Row) -> Found<Row> {
    let items = listed.items.iter().map(|one| cleaned(row(one))).collect();
    Found { listed: Listed { items, left_out: listed.left_out }, unread: Vec::new() }
}

/// Everything in a row was written by others.
fn cleaned(mut row: Row) -> Row {
    let text = |text: &str| redact::line(text, TEXT);
    row.trouble = row.trouble.map(|trouble| text(&trouble));
    for cell in row.cells.values_mut() {
        match cell {
            Cell::Text(one) => *one = text(one),
            Cell::List(all) => *all = all.iter().take(LIST).map(|one| text(one)).collect(),
            Cell::Flag(_) | Cell::Number(_) | Cell::At(_) => {}
        }
    }
    row
}

fn named(meta: &ObjectMeta) -> Row {
    Row::new(meta.name.clone().unwrap_or_default())
}

/// `Deployment/web`.
fn owner(meta: &ObjectMeta) -> Option<String> {
    views::controller_ref(meta).map(|owner| format!("{}/{}", owner.kind, owner.name))
}

#[async_trait]
impl Inventory for KubeReads {
    async fn objects(
        &self,
        kind: Kind,
        namespace: &str,
        after: Option<&str>,
    ) -> Result<Found<Row>, ReadError> {
        client::names(&format!("{} of a namespace", kind.name()), namespace, namespace)?;
        let at = (kind, namespace, after);
        let cluster = &self.fetch().cluster;
        match kind {
            Kind::Pods => self.rows(at, |p: &core::Pod| workloads::pod(cluster, p)).await,
            Kind::Deployments => {
                self.rows(at, |d: &apps::Deployment| workloads::deployment(cluster, d)).await
            }
            Kind::StatefulSets => {
                self.rows(at, |s: &apps::StatefulSet| workloads::stateful_set(cluster, s)).await
            }
            Kind::DaemonSets => self.rows(at, |d: &apps::DaemonSet| workloads::daemon_set(cluster, d)).await,
            Kind::ReplicaSets => {
                self.rows(at, |r: &apps::ReplicaSet| workloads::replica_set(cluster, r)).await
            }
            Kind::Jobs => self.rows(at, |j: &batch::Job| workloads::job(cluster, j)).await,
            Kind::CronJobs => self.rows(at, workloads::cron_job).await,
            Kind::HorizontalPodAutoscalers => {
                self.rows(at, |h: &autoscaling::HorizontalPodAutoscaler| bounds::autoscaler(h)).await
            }
            Kind::PodDisruptionBudgets => {
                self.rows(at, |b: &policy::PodDisruptionBudget| bounds::budget(b)).await
            }
            Kind::PersistentVolumeClaims => {
                self.rows(at, |c: &core::PersistentVolumeClaim| bounds::claim(c)).await
            }
            Kind::Services => self.services(namespace, after).await,
            Kind::EndpointSlices => self.rows(at, network::slice).await,
            Kind::Ingresses => self.rows(at, |i: &networking::Ingress| network::ingress(i)).await,
            Kind::NetworkPolicies => self.rows(at, |p: &networking::NetworkPolicy| network::policy(p)).await,
            Kind::ResourceQuotas => self.rows(at, |q: &core::ResourceQuota| bounds::quota(q)).await,
            Kind::Nodes => self.nodes_under(namespace, after).await,
        }
    }

    async fn nodes(&self, after: Option<&str>) -> Result<Found<Row>, ReadError> {
        let api: Api<core::Node> = Api::all(self.fetch().client.clone());
        let (nodes, used) = futures::join!(
            self.after(&api, "the nodes of the cluster", (after, self.fetch().cap)),
            self.node_usage(),
        );
        let (used, unread) = match used {
            Ok(used) => (used, vec![]),
            Err(why) => (BTreeMap::new(), vec![why.to_string()]),
        };
        let mut nodes = found(&nodes?, |n| bounds::node(&self.fetch().cluster, n, &used));
        nodes.unread = unread;
        Ok(nodes)
    }

    async fn usage(&self, namespace: &str) -> Result<Found<ContainerUse>, ReadError> {
        client::names(&format!("namespace `{namespace}`"), namespace, namespace)?;
        self.container_usage(namespace).await
    }

    async fn templates(
        &self,
        keeper: Keeper,
        namespace: &str,
        name: &str,
    ) -> Result<Listed<KeptTemplate>, ReadError> {
        let what = format!("{} `{name}` in namespace `{namespace}`", keeper.words());
        client::names(&what, namespace, name)?;
        self.in_time(&what, self.kept(keeper, namespace, name, &what)).await
    }
}
