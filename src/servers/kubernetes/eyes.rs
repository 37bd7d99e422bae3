//! The reads behind the tools: the allow-list, the names, and errors that say what to do instead.

use std::cmp::Reverse;
use std::sync::Arc;

use super::args::{
    EventArgs, HistoryArgs, ListArgs, LogArgs, MOST_EVENTS, MOST_LINES, MOST_REVISIONS, MOST_ROWS, Rolled,
};
use super::views::{DeploymentRow, Deployments, EventRow, Events, History, Log, PodRow, Pods, RevisionRow};
use crate::domain::cluster::{Pod, Workload};
use crate::domain::inventory::Kind;
use crate::ports::inventory::Inventory;
use crate::ports::reads::{Listed, Listing, LogQuery, ReadError};
use crate::servers::kit::{Extent, Scope, Trouble, did_you_mean, list, object_name};

/// What may be looked at, and with what.
#[derive(Clone)]
pub struct Eyes {
    listing: Arc<dyn Listing>,
    pub(super) inventory: Arc<dyn Inventory>,
    pub(super) scope: Scope,
}

impl Eyes {
    /// Reads through these, within `scope`.
    pub fn new(listing: Arc<dyn Listing>, inventory: Arc<dyn Inventory>, scope: Scope) -> Self {
        Self { listing, inventory, scope }
    }

    /// The namespaces that may be read; empty: all.
    pub fn allowed(&self) -> &[String] {
        self.scope.allowed()
    }

    /// Whether this namespace may be read.
    pub fn check(&self, namespace: &str) -> Result<(), Trouble> {
        self.scope.check(namespace)
    }

    /// Pods, those in trouble first.
    pub async fn pods(&self, args: &ListArgs) -> Result<Pods, Trouble> {
        let namespace = &args.namespace;
        let listed = self.raw_pods(namespace).await?;
        let mut listed = keep(listed, args.all(), |p: &Pod| args.wants(&p.object.named.name));
        listed.items.sort_by_key(|p| {
            let restarts = p.containers.iter().map(|c| c.restarts).max();
            (p.ready, Reverse(restarts), p.object.named.name.clone())
        });
        let (extent, pods) = first(&listed, args.limit, MOST_ROWS, |p| PodRow::from(p));
        Ok(Pods { namespace: namespace.clone(), extent, pods })
    }

    /// Deployments, those in trouble first.
    pub async fn deployments(&self, args: &ListArgs) -> Result<Deployments, Trouble> {
        let namespace = &args.namespace;
        let listed = self.raw_deployments(namespace).await?;
        let mut listed = keep(listed, args.all(), |d: &Workload| args.wants(&d.object.named.name));
        listed.items.sort_by_key(|d| (d.ready >= d.desired, d.object.named.name.clone()));
        let (extent, deployments) = first(&listed, args.limit, MOST_ROWS, |d| DeploymentRow::from(d));
        Ok(Deployments { namespace: namespace.clone(), extent, deployments })
    }

    /// Events, newest first.
    pub async fn events(&self, args: &EventArgs) -> Result<Events, Trouble> {
        let namespace = &args.namespace;
        self.check(namespace)?;
        let listed = self.listing.events(namespace).await.map_err(Trouble::Read)?;
        let listed = keep(listed, args.object.is_none(), |e| args.object.as_ref() == Some(&e.name));
        let (extent, events) = first(&listed, args.limit, MOST_EVENTS, |e| EventRow::from(e));
        Ok(Events { namespace: namespace.clone(), extent, events })
    }

    /// Revisions of a workload, newest first.
    pub async fn history(&self, args: &HistoryArgs) -> Result<History, Trouble> {
        let HistoryArgs { namespace, kind, name, limit } = args;
        self.check(namespace)?;
        object_name(name, "a workload")?;
        let read = match kind.keeper() {
            None => {
                let listed = self.listing.revisions(namespace, name).await;
                listed.map(|l| first(&l, *limit, MOST_REVISIONS, |r| RevisionRow::from(r)))
            }
            Some(keeper) => {
                let listed = self.inventory.templates(keeper, namespace, name).await;
                listed.map(|l| first(&l, *limit, MOST_REVISIONS, |t| RevisionRow::from(t)))
            }
        };
        let (extent, revisions) = match read {
            Ok(rows) => rows,
            Err(ReadError::NotFound { .. }) => return Err(self.no_workload(*kind, namespace, name).await),
            Err(error @ (ReadError::Refused { .. } | ReadError::Failed { .. })) => {
                return Err(Trouble::Read(error));
            }
        };
        let (namespace, name) = (namespace.clone(), name.clone());
        Ok(History { namespace, kind: kind.words().to_owned(), name, extent, revisions })
    }

    /// The end of a log.
    pub async fn log(&self, args: &LogArgs) -> Result<Log, Trouble> {
        let LogArgs { namespace, pod, container, previous, tail } = args;
        self.check(namespace)?;
        object_name(pod, "a pod")?;
        if let Some(container) = container {
            object_name(container, "a container")?;
        }
        let tail = (*tail).clamp(1, MOST_LINES);
        let query = LogQuery {
            namespace: namespace.clone(),
            pod: pod.clone(),
            container: container.clone(),
            previous: *previous,
            tail,
        };
        match self.listing.log(&query).await {
            Ok(read) => Ok(Log {
                namespace: namespace.clone(),
                pod: pod.clone(),
                container: container.clone(),
                previous: *previous,
                may_have_more: read.lines.len() >= tail as usize,
                lines: read.lines,
            }),
            Err(error @ ReadError::Refused { .. }) => Err(Trouble::Read(error)),
            Err(error @ (ReadError::NotFound { .. } | ReadError::Failed { .. })) => {
                Err(self.no_log(&query, error).await)
            }
        }
    }

    /// All pods of an allowed namespace, as far as they can be read.
    pub async fn raw_pods(&self, namespace: &str) -> Result<Listed<Pod>, Trouble> {
        self.check(namespace)?;
        self.listing.pods(namespace).await.map_err(Trouble::Read)
    }

    /// All Deployments of an allowed namespace, as far as they can be read.
    pub async fn raw_deployments(&self, namespace: &str) -> Result<Listed<Workload>, Trouble> {
        self.check(namespace)?;
        self.listing.deployments(namespace).await.map_err(Trouble::Read)
    }

    /// That there is no such workload, and which one may have been meant.
    async fn no_workload(&self, kind: Rolled, namespace: &str, name: &str) -> Trouble {
        let listed = match kind {
            Rolled::Deployment => return self.no_deployment(namespace, name).await,
            Rolled::StatefulSet => Kind::StatefulSets,
            Rolled::DaemonSet => Kind::DaemonSets,
        };
        let there = self.inventory.objects(listed, namespace, None).await;
        let there = there.map(|found| found.listed.items).unwrap_or_default();
        let hint = did_you_mean(name, there.iter().map(|row| row.name.as_str()));
        Trouble::NotFound {
            what: format!("{} `{name}`", kind.words()),
            namespace: namespace.to_owned(),
            hint,
        }
    }

    /// That there is no such Deployment, and which one may have been meant.
    pub async fn no_deployment(&self, namespace: &str, name: &str) -> Trouble {
        let there = self.listing.deployments(namespace).await.map(|l| l.items).unwrap_or_default();
        let hint = did_you_mean(name, there.iter().map(|d| d.object.named.name.as_str()));
        Trouble::NotFound { what: format!("deployment `{name}`"), namespace: namespace.to_owned(), hint }
    }

    /// Why there was no log: no such pod, no such container, or what the API server said.
    async fn no_log(&self, query: &LogQuery, error: ReadError) -> Trouble {
        let LogQuery { namespace, pod: name, container, .. } = query;
        let Ok(listed) = self.listing.pods(namespace).await else { return Trouble::Read(error) };
        let Some(pod) = listed.items.iter().find(|p| p.object.named.name == *name) else {
            if listed.left_out != Some(0) {
                return Trouble::Read(error);
            }
            let hint = did_you_mean(name, listed.items.iter().map(|p| p.object.named.name.as_str()));
            return Trouble::NotFound { what: format!("pod `{name}`"), namespace: namespace.clone(), hint };
        };
        let known = |c: &String| pod.containers.iter().any(|k| k.name == *c);
        let problem = match container {
            Some(container) if !known(container) => format!("no container `{container}`"),
            None if pod.containers.len() > 1 => "more than one container: name one".to_owned(),
            Some(_) | None => return Trouble::Read(error),
        };
        let containers = list(pod.containers.iter().map(|c| c.name.as_str()));
        Trouble::Argument(format!("pod `{name}` has {problem}; its containers are {containers}"))
    }
}

/// Those that are wanted. Nobody knows how many of what was not read would be.
fn keep<T>(mut listed: Listed<T>, all: bool, wanted: impl Fn(&T) -> bool) -> Listed<T> {
    if !all {
        listed.items.retain(wanted);
        listed.left_out = listed.left_out.filter(|more| *more == 0);
    }
    listed
}

/// The first rows, and how much that is of all.
pub(super) fn first<T, R>(
    listed: &Listed<T>,
    limit: u32,
    most: u32,
    row: impl Fn(&T) -> R,
) -> (Extent, Vec<R>) {
    let limit = limit.clamp(1, most) as usize;
    let rows: Vec<R> = listed.items.iter().take(limit).map(row).collect();
    let read = listed.items.len() as u64;
    let total = listed.left_out.map(|more| read.saturating_add(more));
    (Extent { shown: rows.len() as u64, total, at_least: total.unwrap_or(read) }, rows)
}
