//! Watches for the recorder: a list page by page, then every change from its version on. By hand on the client's
//! own `watch`: `kube-runtime`'s watcher would keep whole objects and bring a crate that nothing else needs.

use std::pin::pin;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use jiff::SignedDuration;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::locate::changeable;
use super::{client, views};
use crate::domain::ids::Cluster;
use crate::domain::plan::escaped;
use crate::domain::recorded::{Content, Observation, Place, WorkloadSeen, digest};
use crate::domain::target::{Kind, is_dns_label};
use crate::ports::clock::SharedClock;
use crate::ports::reads::ReadError;
use crate::ports::recorder::{Shown, Watches};

/// Objects a page. A ConfigMap may have 1 MiB: the worst page is 50 MiB for a moment, the usual one 100 KiB.
const PAGE: u32 = 50;
/// How long one watch lasts: below the 290 s from which on `kube` gives up on a silent one, and below
/// `client::SILENCE`.
const LASTS: u32 = 240;
/// Between two watches, so that a server which ends each at once is not asked in a circle.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);
/// A watch that breaks is resumed where it was: an API server remembers its last five minutes. After
/// 1 + 2 + 4 + 8 s of pauses, what happened is found by listing instead.
const TRIES: u32 = 4;
/// The annotation that counts a Deployment's revisions.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Watches one cluster, with a client that stands a silent answer (`connect_watching`).
#[derive(Clone)]
pub struct KubeWatches {
    client: Client,
    cluster: Cluster,
    clock: SharedClock,
}

/// How a watch ended.
enum Ended {
    /// By its time, or by the connection: it goes on from this version.
    Here,
    /// Its version is too old by now, or nobody listens.
    Anew,
}

impl KubeWatches {
    /// Watches `cluster` through `client`.
    pub const fn new(client: Client, cluster: Cluster, clock: SharedClock) -> Self {
        Self { client, cluster, clock }
    }

    /// Shows all that is there; the version that this was.
    async fn list(
        &self,
        api: &Api<DynamicObject>,
        kind: Kind,
        what: &str,
        show: &Sender<Shown>,
    ) -> Result<String, ReadError> {
        let (mut params, mut places) = (ListParams::default().limit(PAGE), Vec::new());
        loop {
            let page = client::read(&self.clock, what, || api.list(&params)).await?;
            let seen: Vec<Observation> =
                page.items.into_iter().filter_map(|object| self.observed(kind, object)).collect();
            places.extend(seen.iter().map(|seen| Place::of(&seen.object)));
            // whoever listens no more is noticed by `follow`
            let _ = show.send(Shown::Page(seen)).await;
            let Some(next) = page.metadata.continue_.filter(|token| !token.is_empty()) else {
                let _ = show.send(Shown::Whole(places)).await;
                return Ok(page.metadata.resource_version.unwrap_or_default());
            };
            params = params.continue_token(&next);
        }
    }

    /// Shows changes from this version on, which moves along.
    async fn watch(
        &self,
        api: &Api<DynamicObject>,
        kind: Kind,
        version: &mut String,
        show: &Sender<Shown>,
    ) -> Result<Ended, kube::Error> {
        let params = WatchParams::default().timeout(LASTS);
        let mut events = pin!(api.watch(&params, version).await?);
        while let Some(event) = events.try_next().await? {
            let shown = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    moved(version, object.resource_version());
                    self.observed(kind, object).map(|seen| Shown::Changed(Box::new(seen)))
                }
                WatchEvent::Deleted(object) => {
                    moved(version, object.resource_version());
                    let object = views::object(&self.cluster, kind, &object.metadata);
                    Some(Shown::Gone(Place::of(&object)))
                }
                WatchEvent::Bookmark(mark) => {
                    moved(version, Some(mark.metadata.resource_version));
                    None
                }
                WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
            };
            if let Some(shown) = shown
                && show.send(shown).await.is_err()
            {
                return Ok(Ended::Anew);
            }
        }
        Ok(if show.is_closed() { Ended::Anew } else { Ended::Here })
    }

    fn observed(&self, kind: Kind, object: DynamicObject) -> Option<Observation> {
        let content = match kind {
            Kind::ConfigMap => Content::Config(maps(&object.data)),
            Kind::Service => Content::Config(service(&object.data)),
            Kind::Deployment | Kind::StatefulSet => Content::Workload(workload(kind, &object)?),
            _ => return None,
        };
        Some(Observation {
            object: views::object(&self.cluster, kind, &object.metadata),
            labels: object.metadata.labels.unwrap_or_default(),
            annotations: object.metadata.annotations.unwrap_or_default(),
            content,
        })
    }
}

#[async_trait]
impl Watches for KubeWatches {
    async fn follow(&self, kind: Kind, namespace: &str, show: &Sender<Shown>) -> Result<(), ReadError> {
        let what = format!("objects of kind {kind} in namespace `{namespace}`");
        let Some(resource) = changeable(kind).filter(|_| is_dns_label(namespace)) else {
            return Err(ReadError::Failed { what, why: "belay does not watch these".to_owned() });
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        let mut version = self.list(&api, kind, &what, show).await?;
        let mut broken = 0;
        loop {
            let before = version.clone();
            match self.watch(&api, kind, &mut version, show).await {
                Ok(Ended::Anew) => return Ok(()),
                Ok(Ended::Here) => broken = 0,
                Err(kube::Error::Api(status)) if status.code == 410 => return Ok(()),
                Err(error) => {
                    broken = if version == before { broken + 1 } else { 1 };
                    if broken > TRIES || !client::passing(&error) {
                        return Err(client::why(&what, error));
                    }
                }
            }
            let pause = PAUSE.as_secs() << broken.saturating_sub(1);
            self.clock.sleep(SignedDuration::from_secs(pause)).await;
        }
    }
}

fn moved(version: &mut String, to: Option<String>) {
    if let Some(to) = to.filter(|to| !to.is_empty()) {
        *version = to;
    }
}

/// The values of a ConfigMap, by where they stand.
fn maps(content: &Value) -> std::collections::BTreeMap<String, String> {
    let maps = ["data", "binaryData"].iter().filter_map(|map| Some((map, content.get(*map)?.as_object()?)));
    let values = maps.flat_map(|(map, values)| {
        values.iter().map(move |(key, value)| (format!("/{map}/{}", escaped(key)), value.to_string()))
    });
    values.collect()
}

/// What says which pods a Service sends traffic to, and where.
fn service(content: &Value) -> std::collections::BTreeMap<String, String> {
    let fields = ["/spec/selector", "/spec/ports"].into_iter();
    fields.filter_map(|path| Some((path.to_owned(), content.pointer(path)?.to_string()))).collect()
}

/// How a workload is.
fn workload(kind: Kind, object: &DynamicObject) -> Option<WorkloadSeen> {
    let number =
        |path: &str| object.data.pointer(path).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let text = |path: &str| object.data.pointer(path).and_then(Value::as_str);
    let status = |field: &str| number(&format!("/status/{field}")).unwrap_or(0);
    // the API server defaults a missing value to 1
    let replicas = number("/spec/replicas").unwrap_or(1);
    let observed = object.data.pointer("/status/observedGeneration").and_then(Value::as_i64);
    let all = ["replicas", "readyReplicas", "updatedReplicas"].iter().all(|field| status(field) == replicas);
    let name = text("/status/updateRevision").filter(|_| kind == Kind::StatefulSet);
    Some(WorkloadSeen {
        replicas,
        template: digest(object.data.pointer("/spec/template")?),
        revision: object.annotations().get(REVISION).and_then(|n| n.parse().ok()),
        name: name.map(str::to_owned),
        settled: replicas > 0 && all && observed == object.metadata.generation,
    })
}
