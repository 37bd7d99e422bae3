//! One snapshot of one root owner: every part read by itself, at the same time as the others, within its
//! own deadline, and each part that cannot be read says why.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, core::v1 as core,
    policy::v1 as policy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, Selector, SelectorExt as _};
use kube::{Api, Client};
use serde::de::DeserializeOwned;

use super::listing::{CAP, Fetch, newest_first};
use super::{client, locate, logs, views};
use crate::domain::cluster::{
    Autoscaler, Budget, Event, Fleet, LogTail, Part, Pod, Revision, Snapshot, Usage, Workload,
};
use crate::domain::gauge::Gauges;
use crate::domain::ids::Cluster;
use crate::domain::recorded::Memory;
use crate::domain::surroundings::JobRun;
use crate::domain::target::{Kind, Named, Object};
use crate::ports::clock::SharedClock;
use crate::ports::reads::{Located, ReadError, Reads};

/// An API server that needs longer than this for one list is itself what is wrong; three waves of parts
/// follow one another, so that a snapshot takes half a minute at worst.
const PART: Duration = Duration::from_secs(10);
/// As the view promises.
const EVENTS: usize = 100;

/// Typed reads of one cluster.
#[derive(Clone)]
pub struct KubeReads {
    fetch: Fetch,
    part: Duration,
}

/// The root owner as read, and how it selects its pods.
type Root = Option<(Workload, Option<Selector>)>;

/// The children between a root and its pods.
enum Children {
    /// Pods are controlled by the root itself.
    None,
    Revisions(Vec<Revision>),
    Jobs(Vec<JobRun>),
}

impl KubeReads {
    /// Reads `cluster` through `client`.
    pub fn new(client: Client, cluster: Cluster, clock: SharedClock) -> Self {
        Self { fetch: Fetch { client, cluster, clock, cap: CAP }, part: PART }
    }

    /// As this, with another deadline for each part.
    #[must_use]
    pub fn with_deadline(self, part: Duration) -> Self {
        Self { part, ..self }
    }

    pub(super) fn with_cap(&self, cap: usize) -> Self {
        Self { fetch: Fetch { cap, ..self.fetch.clone() }, part: self.part }
    }

    pub(super) const fn fetch(&self) -> &Fetch {
        &self.fetch
    }

    pub(super) async fn in_time<T>(
        &self,
        what: &str,
        read: impl Future<Output = Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        tokio::time::timeout(self.part, read).await.unwrap_or_else(|_| {
            let why = format!("no answer within {:?}", self.part);
            Err(ReadError::Failed { what: what.to_owned(), why })
        })
    }

    pub(super) async fn part<T>(
        &self,
        what: &str,
        read: impl Future<Output = Result<T, ReadError>>,
    ) -> Part<T> {
        self.in_time(what, read).await.map_err(|e| e.to_string())
    }

    fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.fetch.client.clone(), namespace)
    }
}

#[async_trait]
impl Reads for KubeReads {
    async fn locate(&self, named: &Named) -> Result<Located, ReadError> {
        self.in_time("the owner", locate::locate(&self.fetch, named)).await
    }

    async fn last_words(&self, pod: &Object) -> Result<Vec<LogTail>, ReadError> {
        let read = async {
            let found = self.named_pod(pod).await?;
            let found = found.filter(|found| found.object.uid == pod.uid);
            let found = found.ok_or_else(|| ReadError::NotFound { what: pod.to_string() })?;
            logs::all(&self.fetch, &found).await
        };
        self.in_time("its logs", read).await
    }

    async fn snapshot(&self, located: &Located) -> Result<Snapshot, ReadError> {
        let owner = &located.owner.0;
        let namespace = owner.named.namespace.as_str();
        let (root, pod, autoscalers, neighbours, events, budgets) = futures::join!(
            self.part("the owner", self.root(owner)),
            self.part("the pod", self.named_pod(&located.target)),
            self.part("autoscalers", self.autoscalers(owner)),
            self.part("workloads", self.neighbours(owner)),
            self.part("events", self.raw::<core::Event>(namespace, "events")),
            self.part(
                "disruption budgets",
                self.raw::<policy::PodDisruptionBudget>(namespace, "disruption budgets")
            ),
        );
        let selector = root.as_ref().ok().and_then(|r| r.as_ref()?.1.clone());
        let (children, usage, raw_pods) = futures::join!(
            self.part("its children", self.children(owner, selector.as_ref())),
            self.part("measured use", self.usage(namespace, selector.as_ref())),
            self.part("its pods", self.raw_pods(owner, selector.as_ref())),
        );
        let pods = self.pods(owner, &root, children.as_ref(), raw_pods);
        let named = pod.as_ref().ok().and_then(Option::as_ref);
        let logs = async {
            match &pods {
                Ok(pods) => self.part("logs", logs::worst(&self.fetch, named, pods)).await,
                Err(why) => Err(why.clone()),
            }
        };
        let workload = root.as_ref().ok().and_then(|r| r.as_ref()).map(|(workload, _)| workload);
        let every = each(named, pods.as_deref().unwrap_or_default());
        let (jobs, revisions) = apart(owner.named.kind, children);
        let (logs, around) = futures::join!(logs, self.around(owner, (workload, &every), jobs));
        let snapshot = Snapshot {
            at: self.fetch.clock.now(),
            target: located.target.clone(),
            owner: located.owner.clone(),
            workload: root.map(|r| r.map(|(workload, _)| dated(workload, revisions.as_deref().ok()))),
            events: events
                .map(|all| about_owner(owner, pods.as_deref().ok(), revisions.as_deref().ok(), &all)),
            budgets: both(budgets, pods.as_ref()).map(|(all, pods)| selecting(&all, pods)),
            usage: both(usage, pods.as_ref()).map(|(all, pods)| of_pods(all, pods)),
            pod,
            pods,
            revisions,
            autoscalers,
            logs,
            neighbours,
            // reads show the present
            recorded: Memory::default(),
            gauges: Gauges::default(),
            around,
        };
        something(snapshot)
    }

    async fn fleet(&self, namespaces: &[String]) -> Result<Fleet, ReadError> {
        self.count(namespaces).await
    }
}

impl KubeReads {
    pub(super) async fn raw<K>(&self, namespace: &str, what: &str) -> Result<Vec<K>, ReadError>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let what = format!("{what} of namespace `{namespace}`");
        self.fetch.all(&self.api::<K>(namespace), &what, None).await
    }

    async fn one<K>(&self, named: &Named) -> Result<Option<K>, ReadError>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = self.api(&named.namespace);
        let what = format!("{} `{}`", named.kind, named.name);
        match client::read(&self.fetch.clock, &what, || api.get(&named.name)).await {
            Ok(found) => Ok(Some(found)),
            Err(ReadError::NotFound { .. }) => Ok(None),
            Err(error @ (ReadError::Refused { .. } | ReadError::Failed { .. })) => Err(error),
        }
    }

    /// The pod that the alert names; `None` where it names none, it is gone, or another one has its name.
    async fn named_pod(&self, target: &Object) -> Result<Option<Pod>, ReadError> {
        if target.named.kind != Kind::Pod {
            return Ok(None);
        }
        let found: Option<core::Pod> = self.one(&target.named).await?;
        Ok(found.map(|p| views::pod(&self.fetch.cluster, &p)).filter(|p| p.object.uid == target.uid))
    }

    async fn root(&self, owner: &Object) -> Result<Root, ReadError> {
        let (named, cluster) = (&owner.named, &self.fetch.cluster);
        let found = match named.kind {
            Kind::Deployment => self
                .one::<apps::Deployment>(named)
                .await?
                .map(|d| (views::deployment(cluster, &d), d.spec.map(|s| s.selector))),
            Kind::StatefulSet => self
                .one::<apps::StatefulSet>(named)
                .await?
                .map(|s| (views::stateful_set(cluster, &s), s.spec.map(|s| s.selector))),
            Kind::DaemonSet => self
                .one::<apps::DaemonSet>(named)
                .await?
                .map(|d| (views::daemon_set(cluster, &d), d.spec.map(|s| s.selector))),
            Kind::ReplicaSet => self
                .one::<apps::ReplicaSet>(named)
                .await?
                .map(|r| (views::replica_set(cluster, &r), r.spec.map(|s| s.selector))),
            Kind::Job => self
                .one::<batch::Job>(named)
                .await?
                .map(|j| (views::job(cluster, &j), j.spec.and_then(|s| s.selector))),
            Kind::CronJob => {
                self.one::<batch::CronJob>(named).await?.map(|c| (views::cron_job(cluster, &c), None))
            }
            Kind::Other => {
                return Err(ReadError::Failed {
                    what: format!("`{}`", named.name),
                    why: "its controller is of a kind that belay does not know".into(),
                });
            }
            Kind::Pod
            | Kind::Node
            | Kind::Namespace
            | Kind::Service
            | Kind::PersistentVolumeClaim
            | Kind::HorizontalPodAutoscaler
            | Kind::PodDisruptionBudget
            | Kind::ConfigMap => None,
        };
        Ok(found
            .filter(|(workload, _)| workload.object.uid == owner.uid)
            .map(|(workload, selector)| (workload, selector.and_then(usable))))
    }

    async fn children(&self, owner: &Object, selector: Option<&Selector>) -> Result<Children, ReadError> {
        let namespace = &owner.named.namespace;
        match owner.named.kind {
            Kind::Deployment => {
                let what = format!("replica sets of namespace `{namespace}`");
                let sets = self.fetch.all(&self.api::<apps::ReplicaSet>(namespace), &what, selector).await?;
                let mut mine: Vec<Revision> = sets
                    .iter()
                    .filter(|s| views::controller_ref(&s.metadata).is_some_and(|c| c.uid == owner.uid))
                    .map(|s| views::revision(&self.fetch.cluster, s))
                    .collect();
                mine.sort_by_key(|r| std::cmp::Reverse(r.revision));
                Ok(Children::Revisions(mine))
            }
            Kind::CronJob => {
                let jobs = self.raw::<batch::Job>(namespace, "jobs").await?;
                let mine = jobs
                    .iter()
                    .filter(|j| views::controller_ref(&j.metadata).is_some_and(|c| c.uid == owner.uid));
                Ok(Children::Jobs(newest_runs(
                    mine.map(|j| views::job_run(&self.fetch.cluster, j)).collect(),
                )))
            }
            Kind::Job => {
                let job = self.one::<batch::Job>(&owner.named).await?;
                let job = job.filter(|job| job.metadata.uid.as_ref() == Some(&owner.uid));
                Ok(Children::Jobs(job.iter().map(|j| views::job_run(&self.fetch.cluster, j)).collect()))
            }
            _ => Ok(Children::None),
        }
    }

    async fn raw_pods(
        &self,
        owner: &Object,
        selector: Option<&Selector>,
    ) -> Result<Vec<core::Pod>, ReadError> {
        let namespace = &owner.named.namespace;
        if namespace.is_empty() {
            return Ok(vec![]);
        }
        let what = format!("pods of namespace `{namespace}`");
        self.fetch.all(&self.api::<core::Pod>(namespace), &what, selector).await
    }

    /// The pods whose chain of controllers, by uid, ends at the owner.
    fn pods(
        &self,
        owner: &Object,
        root: &Part<Root>,
        children: Result<&Children, &String>,
        raw: Part<Vec<core::Pod>>,
    ) -> Part<Vec<Pod>> {
        root.as_ref().map_err(Clone::clone)?;
        let controllers: BTreeSet<&str> = match children.map_err(Clone::clone)? {
            Children::None => BTreeSet::from([owner.uid.as_str()]),
            Children::Revisions(sets) => sets.iter().map(|r| r.object.uid.as_str()).collect(),
            Children::Jobs(runs) => runs.iter().map(|run| run.object.uid.as_str()).collect(),
        };
        let mine = |pod: &core::Pod| {
            pod.metadata.uid.as_ref() == Some(&owner.uid)
                || views::controller_ref(&pod.metadata).is_some_and(|c| controllers.contains(c.uid.as_str()))
        };
        let mut pods: Vec<Pod> =
            raw?.iter().filter(|p| mine(p)).map(|p| views::pod(&self.fetch.cluster, p)).collect();
        pods.sort_by(|a, b| a.object.named.name.cmp(&b.object.named.name));
        Ok(pods)
    }

    async fn autoscalers(&self, owner: &Object) -> Result<Vec<Autoscaler>, ReadError> {
        let all =
            self.raw::<autoscaling::HorizontalPodAutoscaler>(&owner.named.namespace, "autoscalers").await?;
        let over_it = |h: &&autoscaling::HorizontalPodAutoscaler| {
            h.spec.as_ref().is_some_and(|s| {
                s.scale_target_ref.kind == owner.named.kind.name()
                    && s.scale_target_ref.name == owner.named.name
            })
        };
        Ok(all.iter().filter(over_it).map(views::autoscaler).collect())
    }

    async fn usage(&self, namespace: &str, selector: Option<&Selector>) -> Result<Vec<Usage>, ReadError> {
        let gvk = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
        let resource = ApiResource::from_gvk_with_plural(&gvk, "pods");
        let api: Api<DynamicObject> = Api::namespaced_with(self.fetch.client.clone(), namespace, &resource);
        let what = format!("pod metrics of namespace `{namespace}`");
        let all = self.fetch.all(&api, &what, selector).await.map_err(|error| match error {
            // a list of nothing is empty: what is missing is who would answer
            ReadError::NotFound { what } => {
                ReadError::Failed { what, why: "the cluster serves no metrics API (metrics.k8s.io)".into() }
            }
            error @ (ReadError::Refused { .. } | ReadError::Failed { .. }) => error,
        })?;
        Ok(all.iter().filter_map(views::usage).collect())
    }

    async fn neighbours(&self, owner: &Object) -> Result<Vec<String>, ReadError> {
        let Named { kind, namespace, .. } = &owner.named;
        let what = format!("objects of kind {kind} in namespace `{namespace}`");
        let Some(api) = locate::api(&self.fetch, *kind, namespace) else {
            return Err(ReadError::Failed { what, why: "belay does not read objects of this kind".into() });
        };
        Ok(self.fetch.all(&api, &what, None).await?.iter().map(kube::ResourceExt::name_any).collect())
    }
}

/// Jobs and revisions: an owner has the one or the other.
fn apart(kind: Kind, children: Part<Children>) -> (Part<Vec<JobRun>>, Part<Vec<Revision>>) {
    match children {
        Ok(Children::Revisions(sets)) => (Ok(vec![]), Ok(sets)),
        Ok(Children::Jobs(runs)) => (Ok(runs), Ok(vec![])),
        Ok(Children::None) => (Ok(vec![]), Ok(vec![])),
        Err(why) if kind == Kind::Deployment => (Ok(vec![]), Err(why)),
        Err(why) => (Err(why), Ok(vec![])),
    }
}

/// The named pod and the others, each once.
pub(super) fn each<'a>(named: Option<&'a Pod>, pods: &'a [Pod]) -> Vec<&'a Pod> {
    let others = pods.iter().filter(|p| named.is_none_or(|n| n.object.uid != p.object.uid));
    named.into_iter().chain(others).collect()
}

pub(super) fn newest_runs(mut runs: Vec<JobRun>) -> Vec<JobRun> {
    runs.sort_by(|a, b| {
        b.started.cmp(&a.started).then_with(|| a.object.named.name.cmp(&b.object.named.name))
    });
    runs
}

/// An empty selector selects everything: then whoever reads filters by controller alone.
fn usable(selector: LabelSelector) -> Option<Selector> {
    Selector::try_from(selector).ok().filter(|s| !s.selects_all())
}

/// The template changed when the youngest ReplicaSet was made. (Going back to an older one makes none:
/// then this is too early, and the condition of the Deployment says that it progresses.)
pub(super) fn dated(workload: Workload, revisions: Option<&[Revision]>) -> Workload {
    let template_changed = revisions.and_then(|all| all.iter().filter_map(|r| r.created).max());
    Workload { template_changed, ..workload }
}

fn about_owner(
    owner: &Object,
    pods: Option<&[Pod]>,
    revisions: Option<&[Revision]>,
    all: &[core::Event],
) -> Vec<Event> {
    let pods = pods.unwrap_or_default().iter().map(|p| &p.object);
    let sets = revisions.unwrap_or_default().iter().map(|r| &r.object);
    let wanted: BTreeSet<(Kind, &str)> =
        pods.chain(sets).chain([owner]).map(|o| (o.named.kind, o.named.name.as_str())).collect();
    let mut events: Vec<Event> = all.iter().map(views::event).collect();
    events.retain(|e| wanted.contains(&(e.kind, e.name.as_str())));
    about(events)
}

/// The newest of these.
pub(super) fn about(mut events: Vec<Event>) -> Vec<Event> {
    newest_first(&mut events);
    events.truncate(EVENTS);
    events
}

/// A budget without a selector selects nothing; an empty selector selects all.
pub(super) fn selecting(all: &[policy::PodDisruptionBudget], pods: &[Pod]) -> Vec<Budget> {
    let over_it = |budget: &&policy::PodDisruptionBudget| {
        let selector = budget.spec.as_ref().and_then(|s| s.selector.clone());
        match selector.map(Selector::try_from) {
            Some(Ok(selector)) => pods.iter().any(|p| selector.matches(&p.labels)),
            // what cannot be read might select them
            Some(Err(_)) => true,
            None => false,
        }
    };
    all.iter().filter(over_it).map(views::budget).collect()
}

fn of_pods(mut usage: Vec<Usage>, pods: &[Pod]) -> Vec<Usage> {
    let names: BTreeSet<&str> = pods.iter().map(|p| p.object.named.name.as_str()).collect();
    usage.retain(|u| names.contains(u.pod.as_str()));
    usage.sort_by(|a, b| a.pod.cmp(&b.pod));
    usage
}

fn both<A, B>(a: Part<A>, b: Result<B, &String>) -> Part<(A, B)> {
    Ok((a?, b.map_err(Clone::clone)?))
}

/// Nothing read at all is an error, not a snapshot.
fn something(snapshot: Snapshot) -> Result<Snapshot, ReadError> {
    match (&snapshot.workload, &snapshot.pod, &snapshot.pods, &snapshot.neighbours, &snapshot.events) {
        (Err(why), Err(_), Err(_), Err(_), Err(_)) => {
            Err(ReadError::Failed { what: format!("{}", snapshot.owner), why: why.clone() })
        }
        _ => Ok(snapshot),
    }
}
