//! Live, uncached reads for planning and applying: a pod, the chain of an object's controllers, the budgets
//! over it and the autoscalers on it.

use std::collections::BTreeMap;
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::api::{ListParams, ObjectList};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::domain::action::live::{LivePod, Marking};
use crate::domain::ids::Cluster;
use crate::domain::plan::INTENT_ANNOTATION;
use crate::domain::target::{Kind, Named, Object, RootOwner};
use crate::ports::reads::ReadError;

/// Pod, ReplicaSet, Deployment and one operator above: nothing real is deeper.
const DEEPEST: usize = 4;

/// More budgets or autoscalers than this in one namespace are not looked through: then nothing is known.
const MOST: u32 = 500;

/// Reads one cluster.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) client: Client,
    pub(super) cluster: Cluster,
}

/// The top of a chain of controllers, with what is wanted and ready at the highest object that was read.
pub(super) struct Chain {
    pub(super) root: Object,
    desired: u32,
    ready: u32,
}

impl Live {
    /// The pod of that name.
    pub(super) async fn pod(&self, wanted: &Object) -> Result<Option<LivePod>, ReadError> {
        let Named { namespace, name, .. } = &wanted.named;
        let Some(found) = self.get::<Pod>(namespace, name).await? else { return Ok(None) };
        let object = self.object(Kind::Pod, namespace, &found.metadata);
        let chain = self.chain(namespace, object.clone(), &found.metadata, (0, 0)).await?;
        let controller = controller(&found.metadata).map(|r| self.referred(namespace, r));
        let conditions = found.status.and_then(|s| s.conditions).unwrap_or_default();
        let labels = found.metadata.labels.clone().unwrap_or_default();
        let ready = conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
        Ok(Some(LivePod {
            controller,
            owner: RootOwner(chain.root),
            ready,
            terminating: found.metadata.deletion_timestamp.is_some(),
            marking: marking(&found.metadata),
            owner_desired: chain.desired,
            owner_ready: chain.ready,
            budget_allows: self.budget(namespace, &labels, ready).await?,
            object,
        }))
    }

    /// One object, or `None` where there is none of that name.
    pub(super) async fn get<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, ReadError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let what = || format!("{} `{name}` in namespace `{namespace}`", K::kind(&()));
        // names become parts of the path, and a controller's name is whatever its reference says
        if !plain(namespace) || !plain(name) {
            return Err(ReadError::Refused { what: what(), why: "no object has such a name".to_owned() });
        }
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        api.get_opt(name).await.map_err(|e| failed(what(), e))
    }

    /// Walks up from this object. A controller that is gone or another one now leaves nothing known.
    pub(super) async fn chain(
        &self,
        namespace: &str,
        start: Object,
        meta: &ObjectMeta,
        counts: (u32, u32),
    ) -> Result<Chain, ReadError> {
        let mut chain = Chain { root: start, desired: counts.0, ready: counts.1 };
        let mut next = controller(meta).cloned();
        for _ in 0..DEEPEST {
            let Some(reference) = next else { return Ok(chain) };
            chain.root = self.referred(namespace, &reference);
            let Some((meta, (desired, ready))) = self.controller(&chain.root).await? else {
                return Ok(chain);
            };
            if meta.uid.as_deref() != Some(&reference.uid) {
                let why = "another object has its name now".to_owned();
                return Err(ReadError::Failed { what: chain.root.to_string(), why });
            }
            (chain.desired, chain.ready) = (desired, ready);
            next = controller(&meta).cloned();
        }
        let why = "its chain of controllers does not end".to_owned();
        Err(ReadError::Failed { what: chain.root.to_string(), why })
    }

    /// Metadata and counts of a controller that belay knows; `None` for any other, where the walk ends.
    async fn controller(&self, object: &Object) -> Result<Option<(ObjectMeta, (u32, u32))>, ReadError> {
        let Named { kind, namespace, name, .. } = &object.named;
        let found = match kind {
            Kind::ReplicaSet => self.get::<ReplicaSet>(namespace, name).await?.map(|r| {
                let desired = r.spec.and_then(|s| s.replicas).map_or(1, unsigned);
                (r.metadata, (desired, r.status.and_then(|s| s.ready_replicas).map_or(0, unsigned)))
            }),
            Kind::Deployment => self.get::<Deployment>(namespace, name).await?.map(|d| {
                let counts = counts_of_deployment(&d);
                (d.metadata, counts)
            }),
            Kind::StatefulSet => self.get::<StatefulSet>(namespace, name).await?.map(|s| {
                let desired = s.spec.and_then(|s| s.replicas).map_or(1, unsigned);
                (s.metadata, (desired, s.status.and_then(|s| s.ready_replicas).map_or(0, unsigned)))
            }),
            Kind::DaemonSet => self.get::<DaemonSet>(namespace, name).await?.map(|d| {
                let counts = d
                    .status
                    .map_or((0, 0), |s| (unsigned(s.desired_number_scheduled), unsigned(s.number_ready)));
                (d.metadata, counts)
            }),
            Kind::Pod
            | Kind::Job
            | Kind::CronJob
            | Kind::Node
            | Kind::Namespace
            | Kind::Service
            | Kind::PersistentVolumeClaim
            | Kind::HorizontalPodAutoscaler
            | Kind::PodDisruptionBudget
            | Kind::ConfigMap
            | Kind::Other => return Ok(None),
        };
        found.map(Some).ok_or_else(|| ReadError::NotFound { what: object.to_string() })
    }

    /// The smallest allowance of the budgets that select these labels.
    pub(super) async fn budget(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
        ready: bool,
    ) -> Result<Option<u32>, ReadError> {
        let budgets: Vec<PodDisruptionBudget> = self.all(namespace).await?;
        let over = budgets.into_iter().filter(|b| {
            b.spec.as_ref().and_then(|s| s.selector.as_ref()).is_some_and(|s| selects(s, labels))
        });
        Ok(over.map(|b| allowance(&b, ready)).min())
    }

    /// The autoscaler on the workload of this kind and name.
    pub(super) async fn autoscaler(
        &self,
        namespace: &str,
        kind: Kind,
        name: &str,
    ) -> Result<Option<String>, ReadError> {
        let scalers: Vec<HorizontalPodAutoscaler> = self.all(namespace).await?;
        let on_it = scalers.into_iter().find(|h| {
            h.spec
                .as_ref()
                .is_some_and(|s| s.scale_target_ref.kind == kind.name() && s.scale_target_ref.name == name)
        });
        Ok(on_it.map(|h| h.metadata.name.unwrap_or_else(|| "?".to_owned())))
    }

    pub(super) async fn all<K>(&self, namespace: &str) -> Result<Vec<K>, ReadError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let what = || format!("the {} of namespace `{namespace}`", K::plural(&()));
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        whole(api.list(&page()).await.map_err(|e| failed(what(), e))?, what)
    }

    pub(super) fn object(&self, kind: Kind, namespace: &str, meta: &ObjectMeta) -> Object {
        self.named(kind, namespace, meta.name.clone(), meta.uid.clone())
    }

    fn referred(&self, namespace: &str, reference: &OwnerReference) -> Object {
        let kind = Kind::from_name(&reference.kind);
        let ours = match kind {
            Kind::ReplicaSet | Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => "apps/",
            Kind::Job | Kind::CronJob => "batch/",
            Kind::Pod
            | Kind::Node
            | Kind::Namespace
            | Kind::Service
            | Kind::PersistentVolumeClaim
            | Kind::HorizontalPodAutoscaler
            | Kind::PodDisruptionBudget
            | Kind::ConfigMap
            | Kind::Other => "",
        };
        // an operator may call its own kind `Deployment`, too
        let known = !ours.is_empty() && reference.api_version.starts_with(ours);
        let kind = if known { kind } else { Kind::Other };
        self.named(kind, namespace, Some(reference.name.clone()), Some(reference.uid.clone()))
    }

    fn named(&self, kind: Kind, namespace: &str, name: Option<String>, uid: Option<String>) -> Object {
        Object {
            named: Named {
                cluster: self.cluster.clone(),
                kind,
                namespace: namespace.to_owned(),
                name: name.unwrap_or_default(),
            },
            uid: uid.unwrap_or_default(),
        }
    }
}

/// As many objects as are looked through.
pub(super) fn page() -> ListParams {
    ListParams::default().limit(MOST)
}

/// What was listed, if that is all there is.
pub(super) fn whole<K: Clone>(list: ObjectList<K>, what: impl Fn() -> String) -> Result<Vec<K>, ReadError> {
    if list.metadata.continue_.is_some_and(|c| !c.is_empty()) {
        return Err(ReadError::Failed { what: what(), why: format!("there are more than {MOST}") });
    }
    Ok(list.items)
}

fn counts_of_deployment(found: &Deployment) -> (u32, u32) {
    let desired = found.spec.as_ref().and_then(|s| s.replicas).map_or(1, unsigned);
    (desired, found.status.as_ref().and_then(|s| s.ready_replicas).map_or(0, unsigned))
}

fn controller(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|r| r.controller == Some(true))
}

pub(super) fn marking(meta: &ObjectMeta) -> Marking {
    match meta.annotations.as_ref().filter(|a| !a.is_empty()) {
        Some(annotations) => Marking::Annotated { intent: annotations.get(INTENT_ANNOTATION).cloned() },
        None => Marking::Bare,
    }
}

/// How many disruptions of such a pod the budget allows. A status that is older than the spec allows
/// nothing, until its controller has caught up. A pod that is not ready may go without drawing upon the
/// budget while the budget itself is kept (`unhealthyPodEvictionPolicy: IfHealthyBudget`, Kubernetes'
/// default, and the stricter of the two).
fn allowance(budget: &PodDisruptionBudget, ready: bool) -> u32 {
    let Some(status) = &budget.status else { return 0 };
    if status.observed_generation.unwrap_or(0) < budget.metadata.generation.unwrap_or(0) {
        return 0;
    }
    let kept = status.desired_healthy > 0 && status.current_healthy >= status.desired_healthy;
    unsigned(status.disruptions_allowed).max(u32::from(!ready && kept))
}

/// Kubernetes' label selectors; an empty one selects everything, an operator that is not known too (strict:
/// the budget then counts).
fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let by_label = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    by_label
        && selector.match_expressions.iter().flatten().all(|wanted| {
            let held = labels.get(&wanted.key);
            let listed = || held.is_some_and(|v| wanted.values.iter().flatten().any(|w| w == v));
            match wanted.operator.as_str() {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => held.is_some(),
                "DoesNotExist" => held.is_none(),
                _ => true,
            }
        })
}

fn unsigned(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// Letters, digits, dashes and dots, and no path.
pub(super) fn plain(name: &str) -> bool {
    let fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    (1..=253).contains(&name.len()) && name.bytes().all(fit) && !name.starts_with('.') && !name.contains("..")
}

pub(super) fn failed(what: String, error: kube::Error) -> ReadError {
    match error {
        kube::Error::Api(status) if status.code < 500 => {
            ReadError::Refused { what, why: status.message.clone() }
        }
        other => ReadError::Failed { what, why: super::writes::chain(&other) },
    }
}
