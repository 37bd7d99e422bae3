//! From lists to owners: who controls what, and what stands beside it, found by uid and namespace.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use k8s_openapi::api::{networking::v1 as networking, policy::v1 as policy, storage::v1 as storage};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;

use super::super::reads::{about, dated, each, newest_runs, selecting};
use super::super::surroundings::{Wanted, claims_named, kept_in, policies_over, referred, with_classes};
use super::super::views;
use super::lists::Lists;
use crate::domain::cluster::{Autoscaler, Event, LogTail, Part, Pod, Revision, Snapshot, Usage, Workload};
use crate::domain::gauge::Gauges;
use crate::domain::ids::Cluster;
use crate::domain::recorded::Memory;
use crate::domain::surroundings::{Claim, JobRun, Meta, Node, Quota, Surroundings};
use crate::domain::target::{Kind, Object, RootOwner};
use crate::ports::reads::ReadError;

/// An owner and what it controls.
pub(super) struct Root {
    pub(super) owner: Object,
    workload: Part<Option<Workload>>,
    pub(super) pods: Part<Vec<Pod>>,
    revisions: Part<Vec<Revision>>,
    jobs: Part<Vec<JobRun>>,
}

/// By namespace.
type Spaced<T> = Part<HashMap<String, Vec<T>>>;

/// Everything that was listed, where it is found at once.
pub(super) struct Index {
    /// How many pods there are.
    pub(super) pods: usize,
    events: Part<HashMap<(String, Kind, String), Vec<Event>>>,
    budgets: Spaced<policy::PodDisruptionBudget>,
    autoscalers: Part<HashMap<(String, String, String), Vec<Autoscaler>>>,
    usage: Part<HashMap<(String, String), Usage>>,
    quotas: Spaced<Quota>,
    claims: Spaced<Claim>,
    policies: Spaced<networking::NetworkPolicy>,
    configs: Spaced<(String, Meta)>,
    secrets: Spaced<(String, Meta)>,
    certificates: Spaced<DynamicObject>,
    nodes: Part<BTreeMap<String, Node>>,
    classes: Option<Vec<storage::StorageClass>>,
}

fn part<T>(read: Result<T, ReadError>) -> Part<T> {
    read.map_err(|why| why.to_string())
}

fn spaced<K, T>(
    read: Result<Vec<K>, ReadError>,
    place: impl Fn(&K) -> String,
    view: impl Fn(K) -> T,
) -> Spaced<T> {
    part(read).map(|all| {
        let mut map: HashMap<String, Vec<T>> = HashMap::new();
        for one in all {
            map.entry(place(&one)).or_default().push(view(one));
        }
        map
    })
}

fn space(meta: &ObjectMeta) -> String {
    meta.namespace.clone().unwrap_or_default()
}

impl Index {
    /// What was listed, and the owners.
    pub(super) fn of(cluster: &Cluster, mut lists: Lists) -> (Self, Vec<Root>) {
        let roots = roots(cluster, &mut lists);
        let named = |meta: ObjectMeta| (meta.name.clone().unwrap_or_default(), views::meta(&meta));
        let index = Self {
            pods: roots.iter().filter_map(|root| root.pods.as_ref().ok()).map(Vec::len).sum(),
            events: part(lists.events).map(|all| {
                let mut map: HashMap<_, Vec<Event>> = HashMap::new();
                for one in &all {
                    let event = views::event(one);
                    let place = one.involved_object.namespace.clone().unwrap_or_default();
                    map.entry((place, event.kind, event.name.clone())).or_default().push(event);
                }
                map
            }),
            budgets: spaced(lists.budgets, |b| space(&b.metadata), |b| b),
            autoscalers: part(lists.autoscalers).map(|all| {
                let mut map: HashMap<_, Vec<Autoscaler>> = HashMap::new();
                for one in &all {
                    let Some(target) = one.spec.as_ref().map(|s| s.scale_target_ref.clone()) else {
                        continue;
                    };
                    let key = (space(&one.metadata), target.kind, target.name);
                    map.entry(key).or_default().push(views::autoscaler(one));
                }
                map
            }),
            usage: part(lists.usage).map(|all| {
                let read = |one: &DynamicObject| {
                    let usage = views::usage(one)?;
                    Some(((space(&one.metadata), usage.pod.clone()), usage))
                };
                all.iter().filter_map(read).collect()
            }),
            quotas: spaced(lists.quotas, |q| space(&q.metadata), |q| views::quota(&q)),
            claims: spaced(lists.claims, |c| space(&c.metadata), |c| views::claim(&c)),
            policies: spaced(lists.policies, |p| space(&p.metadata), |p| p),
            configs: spaced(lists.configs, space, named),
            secrets: spaced(lists.secrets, space, named),
            certificates: spaced(lists.certificates, |c| space(&c.metadata), |c| c),
            nodes: part(lists.nodes).map(|all| {
                let view = all.iter().map(|node| views::node(cluster, node));
                view.map(|node| (node.object.named.name.clone(), node)).collect()
            }),
            classes: lists.classes.ok(),
        };
        (index, roots)
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        self.nodes.as_ref().map_or(0, BTreeMap::len)
    }

    /// The snapshot of one owner.
    pub(super) fn snapshot(&self, at: Timestamp, root: Root, logs: Part<Vec<LogTail>>) -> Snapshot {
        let place = root.owner.named.namespace.clone();
        let own = root.pods.as_deref().unwrap_or_default();
        let every = each(None, own);
        let around = self.around(&root, &every);
        let named = &root.owner.named;
        let known = |map: &HashMap<(String, Kind, String), Vec<Event>>| {
            let sets = root.revisions.as_deref().unwrap_or_default().iter().map(|r| &r.object);
            let wanted = own.iter().map(|p| &p.object).chain(sets).chain([&root.owner]);
            let keys = wanted.map(|o| (o.named.namespace.clone(), o.named.kind, o.named.name.clone()));
            about(keys.filter_map(|key| map.get(&key)).flatten().cloned().collect())
        };
        let budgets = at_place(&self.budgets, &place)
            .and_then(|all| root.pods.as_ref().map(|pods| selecting(all, pods)).map_err(Clone::clone));
        let usage = self.usage.as_ref().map_err(Clone::clone).map(|all| {
            let of = |pod: &Pod| all.get(&(place.clone(), pod.object.named.name.clone())).cloned();
            own.iter().filter_map(of).collect()
        });
        let key = (place.clone(), named.kind.name().to_owned(), named.name.clone());
        Snapshot {
            at,
            target: root.owner.clone(),
            pod: Ok(own.first().filter(|pod| pod.object == root.owner).cloned()),
            events: self.events.as_ref().map_err(Clone::clone).map(known),
            budgets,
            autoscalers: self
                .autoscalers
                .as_ref()
                .map_err(Clone::clone)
                .map(|all| all.get(&key).cloned().unwrap_or_default()),
            usage,
            logs,
            // who else has such a name matters to who acts
            neighbours: Ok(vec![]),
            recorded: Memory::default(),
            gauges: Gauges::default(),
            around,
            owner: RootOwner(root.owner),
            workload: root.workload,
            pods: root.pods,
            revisions: root.revisions,
        }
    }

    fn around(&self, root: &Root, pods: &[&Pod]) -> Surroundings {
        let workload = root.workload.as_ref().ok().and_then(Option::as_ref);
        let wanted = Wanted::of(&root.owner, workload, pods);
        let place = root.owner.named.namespace.as_str();
        let classes = self.classes.as_deref();
        Surroundings {
            nodes: self.nodes.as_ref().map_err(Clone::clone).map(|all| {
                if wanted.all_nodes {
                    return all.values().cloned().collect();
                }
                wanted.nodes.iter().filter_map(|name| all.get(name).cloned()).collect()
            }),
            quotas: at_place(&self.quotas, place).map(<[Quota]>::to_vec),
            claims: at_place(&self.claims, place).map(|all| {
                let mut claims = claims_named(all.iter().cloned(), &wanted.claims);
                if let Some(classes) = classes {
                    with_classes(&mut claims, classes);
                }
                claims
            }),
            configs: at_place(&self.configs, place).map(|all| referred(all.iter().cloned(), &wanted.configs)),
            secrets: at_place(&self.secrets, place).map(|all| referred(all.iter().cloned(), &wanted.secrets)),
            policies: at_place(&self.policies, place).map(|all| policies_over(all, pods)),
            certificates: at_place(&self.certificates, place)
                .map(|all| kept_in(all.iter().filter_map(views::certificate), &wanted.secrets)),
            jobs: root.jobs.clone(),
        }
    }
}

fn at_place<'a, T>(map: &'a Spaced<T>, place: &str) -> Part<&'a [T]> {
    map.as_ref().map_err(Clone::clone).map(|map| map.get(place).map(Vec::as_slice).unwrap_or_default())
}

/// Every owner, with its pods.
fn roots(cluster: &Cluster, lists: &mut Lists) -> Vec<Root> {
    let mut families = Families::of(cluster, lists);
    let mut roots = Vec::new();
    let mut workloads: Vec<Workload> = Vec::new();
    workloads.extend(lists.deployments.iter().flatten().map(|d| views::deployment(cluster, d)));
    workloads.extend(lists.stateful_sets.iter().flatten().map(|s| views::stateful_set(cluster, s)));
    workloads.extend(lists.daemon_sets.iter().flatten().map(|d| views::daemon_set(cluster, d)));
    workloads.extend(lists.cron_jobs.iter().flatten().map(|c| views::cron_job(cluster, c)));
    let alone = |meta: &ObjectMeta| views::controller_ref(meta).is_none();
    let sets = lists.replica_sets.iter().flatten().filter(|s| alone(&s.metadata));
    workloads.extend(sets.map(|s| views::replica_set(cluster, s)));
    let jobs = lists.jobs.iter().flatten().filter(|j| alone(&j.metadata));
    workloads.extend(jobs.map(|j| views::job(cluster, j)));
    for workload in workloads {
        let owner = workload.object.clone();
        roots.push(families.root(owner, Ok(Some(workload))));
    }
    for owner in families.strangers() {
        let workload = match owner.named.kind {
            Kind::Pod => Ok(None),
            kind => Err(format!(
                "reading {kind} `{}` failed: it was not among what could be listed",
                owner.named.name
            )),
        };
        roots.push(families.root(owner, workload));
    }
    roots
}

/// Who belongs to whom.
struct Families {
    pods: Part<HashMap<String, Vec<Pod>>>,
    /// The tops that pods were found under.
    tops: BTreeMap<String, Object>,
    revisions: Part<HashMap<String, Vec<Revision>>>,
    jobs: Part<HashMap<String, Vec<JobRun>>>,
    known: BTreeSet<String>,
}

impl Families {
    fn of(cluster: &Cluster, lists: &mut Lists) -> Self {
        let mut above: HashMap<String, Object> = HashMap::new();
        let mut note = |meta: &ObjectMeta, kind: Kind| {
            let controller = views::controller(cluster, meta).filter(|above| above.named.kind == kind)?;
            above.insert(meta.uid.clone()?, controller.clone());
            Some(controller.uid)
        };
        let mut revisions: HashMap<String, Vec<Revision>> = HashMap::new();
        for set in lists.replica_sets.iter().flatten() {
            if let Some(owner) = note(&set.metadata, Kind::Deployment) {
                revisions.entry(owner).or_default().push(views::revision(cluster, set));
            }
        }
        let mut jobs: HashMap<String, Vec<JobRun>> = HashMap::new();
        for job in lists.jobs.iter().flatten() {
            let own = job.metadata.uid.clone().unwrap_or_default();
            let owner = note(&job.metadata, Kind::CronJob).unwrap_or(own);
            jobs.entry(owner).or_default().push(views::job_run(cluster, job));
        }
        let mut tops = BTreeMap::new();
        let mut pods: HashMap<String, Vec<Pod>> = HashMap::new();
        let listed = std::mem::replace(&mut lists.pods, Ok(vec![]));
        let listed = part(listed).map(|all| {
            for one in all {
                let pod = views::pod(cluster, &one);
                let first = pod.controller.clone().unwrap_or_else(|| pod.object.clone());
                let top = above.get(&first.uid).cloned().unwrap_or(first);
                pods.entry(top.uid.clone()).or_default().push(pod);
                tops.entry(top.uid.clone()).or_insert(top);
            }
        });
        let read = |error: Option<&ReadError>| error.map_or(Ok(()), |why| Err(why.to_string()));
        Self {
            pods: listed.map(|()| pods),
            tops,
            revisions: read(lists.replica_sets.as_ref().err()).map(|()| revisions),
            jobs: read(lists.jobs.as_ref().err()).map(|()| jobs),
            known: BTreeSet::new(),
        }
    }

    fn root(&mut self, owner: Object, workload: Part<Option<Workload>>) -> Root {
        self.known.insert(owner.uid.clone());
        let mut pods = self
            .pods
            .as_mut()
            .map_err(|why| why.clone())
            .map(|all| all.remove(&owner.uid).unwrap_or_default());
        if let Ok(pods) = &mut pods {
            pods.sort_by(|a, b| a.object.named.name.cmp(&b.object.named.name));
        }
        let revisions = match owner.named.kind {
            Kind::Deployment => {
                let all = self.revisions.as_mut().map_err(|why| why.clone());
                all.map(|all| {
                    let mut own = all.remove(&owner.uid).unwrap_or_default();
                    own.sort_by_key(|r| std::cmp::Reverse(r.revision));
                    own
                })
            }
            _ => Ok(vec![]),
        };
        // without the sets between, nobody knows whose pods they are
        if let (Kind::Deployment, Err(why)) = (owner.named.kind, &revisions) {
            pods = Err(why.clone());
        }
        let jobs = match owner.named.kind {
            Kind::CronJob | Kind::Job => {
                let all = self.jobs.as_mut().map_err(|why| why.clone());
                all.map(|all| newest_runs(all.remove(&owner.uid).unwrap_or_default()))
            }
            _ => Ok(vec![]),
        };
        let workload = workload.map(|found| found.map(|w| dated(w, revisions.as_deref().ok())));
        Root { owner, workload, pods, revisions, jobs }
    }

    /// Tops of pods that are no workload that was listed: bare pods, and what belay does not know.
    fn strangers(&self) -> Vec<Object> {
        self.tops.values().filter(|top| !self.known.contains(&top.uid)).cloned().collect()
    }
}
