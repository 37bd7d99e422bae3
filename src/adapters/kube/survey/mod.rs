//! Everything of a namespace, or of all, by lists: the number of requests grows with pages, never with objects.

mod index;
mod lists;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1 as core;
use kube::Api;

use super::{KubeReads, logs};
use crate::domain::cluster::{ContainerState, LogTail, Part, Pod, Snapshot};
use crate::ports::reads::ReadError;
use crate::ports::survey::{Survey, Surveyed};
use index::{Index, Root};
use lists::Lists;

/// Objects of one kind: twice the pods of a namespace at Kubernetes' own threshold, times sixteen such namespaces.
const CAP: usize = 100_000;
/// For a hundred pages of a list, each at half a second.
const LIST: Duration = Duration::from_secs(60);
/// Namespaces read one by one where the cluster's own lists are refused.
const NAMESPACES: usize = 100;
/// Workloads whose logs are read: as many as a person looks at, at most two logs each.
const LOGS: usize = 20;
/// At a time: few beside what an API server answers.
const AT_ONCE: usize = 8;

#[async_trait]
impl Survey for KubeReads {
    async fn survey(
        &self,
        namespace: Option<&str>,
        each: &mut (dyn FnMut(Snapshot) + Send),
    ) -> Result<Surveyed, ReadError> {
        if let Some(namespace) = namespace {
            super::client::names(&format!("namespace `{namespace}`"), namespace, namespace)?;
        }
        let reads = self.with_cap(CAP).with_deadline(LIST);
        let mut seen = Surveyed::default();
        let lists = Box::pin(Lists::read(&reads, namespace)).await;
        if namespace.is_none() && matches!(lists.nothing(), Some(ReadError::Refused { .. })) {
            return Box::pin(reads.one_by_one(each)).await;
        }
        if let Some(why) = lists.nothing() {
            return Err(why);
        }
        reads.look(lists, &mut seen, each).await;
        Ok(seen)
    }
}

impl KubeReads {
    /// Namespace by namespace, for who may not read them all.
    async fn one_by_one(&self, each: &mut (dyn FnMut(Snapshot) + Send)) -> Result<Surveyed, ReadError> {
        let mut seen = Surveyed::default();
        let api: Api<core::Namespace> = Api::all(self.fetch().client.clone());
        let all = self.in_time("namespaces", self.fetch().all(&api, "the namespaces of the cluster", None));
        let mut names: Vec<String> = all.await?.iter().map(kube::ResourceExt::name_any).collect();
        if names.len() > NAMESPACES {
            seen.not_read.push(format!(
                "{} of {} namespaces were not looked at: name one with `-n`",
                names.len() - NAMESPACES,
                names.len()
            ));
            names.truncate(NAMESPACES);
        }
        let mut refused = None;
        for name in names {
            let lists = Box::pin(Lists::read(self, Some(&name))).await;
            match lists.nothing() {
                Some(why) => {
                    seen.not_read.push(format!("namespace `{name}`: {why}"));
                    refused = Some(why);
                }
                None => self.look(lists, &mut seen, each).await,
            }
        }
        match refused {
            Some(why) if seen.namespaces == 0 => Err(why),
            Some(_) | None => Ok(seen),
        }
    }

    async fn look(&self, lists: Lists, seen: &mut Surveyed, each: &mut (dyn FnMut(Snapshot) + Send)) {
        for sentence in lists.not_read() {
            if !seen.not_read.contains(&sentence) {
                seen.not_read.push(sentence);
            }
        }
        let (index, mut roots) = Index::of(&self.fetch().cluster, lists);
        // the worst first: of them the logs are read
        roots.sort_by_cached_key(|root| (std::cmp::Reverse(badness(root)), root.owner.named.clone()));
        let unwell = roots.iter().filter(|root| badness(root) > (false, 0)).count();
        let logs = self.logs(&roots).await;
        if unwell > LOGS {
            seen.not_read.push(format!(
                "the logs of {} workloads: those of the {LOGS} worst were read",
                unwell - LOGS
            ));
        }
        seen.owners += roots.len();
        seen.pods += index.pods;
        seen.nodes = seen.nodes.max(index.nodes());
        let namespaces: BTreeSet<&str> =
            roots.iter().map(|root| root.owner.named.namespace.as_str()).collect();
        seen.namespaces += namespaces.len().max(1);
        let at = self.fetch().clock.now();
        let mut logs = logs.into_iter();
        for root in roots {
            let read = match logs.next() {
                Some(read) => read,
                None if badness(&root) > (false, 0) => {
                    Err("only those of the worst workloads were read".to_owned())
                }
                // nobody asked a pod that is well
                None => Ok(vec![]),
            };
            each(index.snapshot(at, root, read));
        }
    }

    async fn logs(&self, roots: &[Root]) -> Vec<Part<Vec<LogTail>>> {
        let worst: Vec<_> = roots
            .iter()
            .take(LOGS)
            .filter(|root| badness(root) > (false, 0))
            .map(|root| async {
                match &root.pods {
                    Ok(pods) => self.part("logs", logs::worst(self.fetch(), None, pods)).await,
                    Err(why) => Err(why.clone()),
                }
            })
            .collect();
        futures::stream::iter(worst).buffered(AT_ONCE).collect().await
    }
}

/// Whether a container of it ran and is not well, and how often one restarted: such a one has something to say.
fn badness(root: &Root) -> (bool, u32) {
    let pods = root.pods.as_deref().unwrap_or_default();
    let speaks = |pod: &&Pod| {
        !pod.ready
            && !pod.terminating
            && pod.containers.iter().any(|c| {
                let ran = c.restarts > 0 || !matches!(c.state, ContainerState::Waiting { .. });
                !c.ready && ran && !matches!(&c.state, ContainerState::Ended(end) if end.exit_code == 0)
            })
    };
    let restarts = pods.iter().flat_map(|pod| &pod.containers).map(|c| c.restarts).max();
    let unwell = pods.iter().any(|pod| speaks(&pod));
    (unwell, if unwell { restarts.unwrap_or(0) } else { 0 })
}
