//! Lists of objects, page by page and bounded, and `Listing` over them.

use async_trait::async_trait;
use futures::TryFutureExt as _;
use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use kube::core::Selector;
use kube::{Api, Client};
use serde::de::DeserializeOwned;

use super::{client, logs, stretch, views};
use crate::domain::cluster::{Event, LogTail, Pod, Revision, Workload};
use crate::domain::ids::Cluster;
use crate::ports::clock::SharedClock;
use crate::ports::reads::{Listed, Listing, LogQuery, ReadError, Stretch, StretchQuery};

/// The API server's own default page size for its clients.
const PAGE: u32 = 500;
/// Kubernetes supports up to 3,000 pods in a namespace (its published scalability thresholds); more objects
/// of one kind are not read.
pub(super) const CAP: usize = 3000;

/// One cluster, and the means to read it.
#[derive(Clone)]
pub(super) struct Fetch {
    pub(super) client: Client,
    pub(super) cluster: Cluster,
    pub(super) clock: SharedClock,
    /// The most objects of one list.
    pub(super) cap: usize,
}

impl Fetch {
    /// All objects behind `api` that the selector selects, up to the cap.
    pub(super) async fn list<K>(
        &self,
        api: &Api<K>,
        what: &str,
        selector: Option<&Selector>,
    ) -> Result<Listed<K>, ReadError>
    where
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let mut items = vec![];
        let mut params = ListParams::default().limit(PAGE);
        if let Some(selector) = selector {
            params = params.labels_from(selector);
        }
        loop {
            let page = client::read(&self.clock, what, || api.list(&params)).await?;
            items.extend(page.items);
            let Some(next) = page.metadata.continue_.filter(|token| !token.is_empty()) else {
                return Ok(Listed { items, left_out: Some(0) });
            };
            if items.len() >= self.cap {
                let left_out = page.metadata.remaining_item_count.and_then(|n| u64::try_from(n).ok());
                return Ok(Listed { items, left_out });
            }
            params = params.continue_token(&next);
        }
    }

    /// The metadata of all objects behind `api`: the API server leaves the rest out.
    pub(super) async fn metadata<K>(&self, api: &Api<K>, what: &str) -> Result<Vec<ObjectMeta>, ReadError>
    where
        K: Clone + std::fmt::Debug + DeserializeOwned + kube::Resource<DynamicType = ()>,
    {
        let mut items: Vec<ObjectMeta> = vec![];
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = client::read(&self.clock, what, || api.list_metadata(&params)).await?;
            items.extend(page.items.into_iter().map(|one| one.metadata));
            let Some(next) = page.metadata.continue_.filter(|token| !token.is_empty()) else {
                return Ok(items);
            };
            if items.len() >= self.cap {
                return Err(too_many(what, self.cap));
            }
            params = params.continue_token(&next);
        }
    }

    /// As `list`, where a part of it would mislead.
    pub(super) async fn all<K>(
        &self,
        api: &Api<K>,
        what: &str,
        selector: Option<&Selector>,
    ) -> Result<Vec<K>, ReadError>
    where
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let listed = self.list(api, what, selector).await?;
        if listed.left_out == Some(0) {
            return Ok(listed.items);
        }
        Err(too_many(what, self.cap))
    }
}

fn too_many(what: &str, cap: usize) -> ReadError {
    let why = format!("there are more than {cap}, too many to look at all of them");
    ReadError::Failed { what: what.to_owned(), why }
}

fn convert<K, T>(listed: &Listed<K>, view: impl FnMut(&K) -> T) -> Listed<T> {
    Listed { items: listed.items.iter().map(view).collect(), left_out: listed.left_out }
}

/// Newest first.
pub(super) fn newest_first(events: &mut [Event]) {
    events.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.name.cmp(&b.name)));
}

#[async_trait]
impl Listing for super::KubeReads {
    async fn pods(&self, namespace: &str) -> Result<Listed<Pod>, ReadError> {
        let fetch = self.fetch();
        let api: Api<core::Pod> = Api::namespaced(fetch.client.clone(), namespace);
        let what = format!("pods of namespace `{namespace}`");
        client::names(&what, namespace, namespace)?;
        let read = fetch.list(&api, &what, None).map_ok(|l| convert(&l, |p| views::pod(&fetch.cluster, p)));
        self.in_time(&what, read).await
    }

    async fn deployments(&self, namespace: &str) -> Result<Listed<Workload>, ReadError> {
        let fetch = self.fetch();
        let api: Api<apps::Deployment> = Api::namespaced(fetch.client.clone(), namespace);
        let what = format!("deployments of namespace `{namespace}`");
        client::names(&what, namespace, namespace)?;
        let read =
            fetch.list(&api, &what, None).map_ok(|l| convert(&l, |d| views::deployment(&fetch.cluster, d)));
        self.in_time(&what, read).await
    }

    async fn events(&self, namespace: &str) -> Result<Listed<Event>, ReadError> {
        let fetch = self.fetch();
        let api: Api<core::Event> = Api::namespaced(fetch.client.clone(), namespace);
        let what = format!("events of namespace `{namespace}`");
        client::names(&what, namespace, namespace)?;
        let mut listed =
            self.in_time(&what, fetch.list(&api, &what, None).map_ok(|l| convert(&l, views::event))).await?;
        newest_first(&mut listed.items);
        Ok(listed)
    }

    async fn revisions(&self, namespace: &str, deployment: &str) -> Result<Listed<Revision>, ReadError> {
        let fetch = self.fetch();
        let what = format!("deployment `{deployment}` in namespace `{namespace}`");
        client::names(&what, namespace, deployment)?;
        let read = async {
            let api: Api<apps::Deployment> = Api::namespaced(fetch.client.clone(), namespace);
            let owner = client::read(&fetch.clock, &what, || api.get(deployment)).await?;
            let uid = owner.metadata.uid.unwrap_or_default();
            let selector = owner.spec.and_then(|s| Selector::try_from(s.selector).ok());
            let sets: Api<apps::ReplicaSet> = Api::namespaced(fetch.client.clone(), namespace);
            let mut listed = fetch.list(&sets, &what, selector.as_ref()).await?;
            listed.items.retain(|s| views::controller_ref(&s.metadata).is_some_and(|c| c.uid == uid));
            let items = views::revisions(&fetch.cluster, &listed.items);
            Ok(Listed { items, left_out: listed.left_out })
        };
        let mut listed = self.in_time(&what, read).await?;
        listed.items.sort_by_key(|r| std::cmp::Reverse(r.revision));
        Ok(listed)
    }

    async fn log(&self, query: &LogQuery) -> Result<LogTail, ReadError> {
        let what = logs::what(query);
        client::names(&what, &query.namespace, &query.pod)?;
        self.in_time(&what, logs::tail(self.fetch(), query)).await
    }

    async fn stretch(&self, query: &StretchQuery) -> Result<Stretch, ReadError> {
        let what = stretch::what(query);
        client::names(&what, &query.namespace, &query.pod)?;
        self.in_time(&what, stretch::read(self.fetch(), query)).await
    }
}
