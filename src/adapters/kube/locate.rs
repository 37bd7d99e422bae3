//! From a name to an object and up its chain of controllers, each step checked by uid.

use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};

use super::listing::Fetch;
use super::{client, views};
use crate::domain::target::{Kind, Named, Object, RootOwner, is_dns_name};
use crate::ports::reads::{Located, ReadError};

/// Pod, ReplicaSet, Deployment and an operator's kind above it make four; twice that is a cycle.
const DEPTH: usize = 8;

/// How the API calls a kind; `None` for what belay does not read.
pub(super) fn resource(kind: Kind) -> Option<ApiResource> {
    let (group, version, plural) = match kind {
        Kind::Pod => ("", "v1", "pods"),
        Kind::Node => ("", "v1", "nodes"),
        Kind::Namespace => ("", "v1", "namespaces"),
        Kind::Service => ("", "v1", "services"),
        Kind::PersistentVolumeClaim => ("", "v1", "persistentvolumeclaims"),
        Kind::ReplicaSet => ("apps", "v1", "replicasets"),
        Kind::Deployment => ("apps", "v1", "deployments"),
        Kind::StatefulSet => ("apps", "v1", "statefulsets"),
        Kind::DaemonSet => ("apps", "v1", "daemonsets"),
        Kind::Job => ("batch", "v1", "jobs"),
        Kind::CronJob => ("batch", "v1", "cronjobs"),
        Kind::HorizontalPodAutoscaler => ("autoscaling", "v2", "horizontalpodautoscalers"),
        Kind::PodDisruptionBudget => ("policy", "v1", "poddisruptionbudgets"),
        // no alert is about a ConfigMap, and it may hold what should be a Secret: see `changeable`
        Kind::ConfigMap | Kind::Other => return None,
    };
    Some(ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.name()), plural))
}

/// The same for what an action may change: a ConfigMap too, which only the hand and the recorder read.
pub(super) fn changeable(kind: Kind) -> Option<ApiResource> {
    if kind == Kind::ConfigMap {
        let gvk = GroupVersionKind::gvk("", "v1", kind.name());
        return Some(ApiResource::from_gvk_with_plural(&gvk, "configmaps"));
    }
    resource(kind)
}

/// All objects of a kind in a namespace, or in the cluster where the kind has none.
pub(super) fn api(fetch: &Fetch, kind: Kind, namespace: &str) -> Option<Api<DynamicObject>> {
    let resource = resource(kind)?;
    Some(match namespace {
        "" => Api::all_with(fetch.client.clone(), &resource),
        namespace => Api::namespaced_with(fetch.client.clone(), namespace, &resource),
    })
}

/// Finds the object and walks up to its root owner.
pub(super) async fn locate(fetch: &Fetch, named: &Named) -> Result<Located, ReadError> {
    let mut found = get(fetch, named).await?;
    let target = views::object(&fetch.cluster, named.kind, &found.metadata);
    let mut owner = target.clone();
    for _ in 0..DEPTH {
        let Some(above) = views::controller(&fetch.cluster, &found.metadata) else {
            return Ok(Located { target, owner: RootOwner(owner) });
        };
        // anybody who may write an object may write any text into its owner references
        if !is_dns_name(&above.named.name) || !is_uid(&above.uid) {
            return Err(ReadError::Failed {
                what: format!("the controller of {}", words(&owner.named)),
                why: "what it names as its controller is no name of an object".into(),
            });
        }
        if above.named.kind == Kind::Other {
            // nothing is known of it but that it is in charge
            return Ok(Located { target, owner: RootOwner(above) });
        }
        found = parent(fetch, &owner, &above).await?;
        owner = above;
    }
    Err(ReadError::Failed {
        what: words(named),
        why: format!("its chain of controllers is longer than {DEPTH}"),
    })
}

async fn parent(fetch: &Fetch, child: &Object, above: &Object) -> Result<DynamicObject, ReadError> {
    let wrong =
        |why: String| ReadError::Failed { what: format!("the controller of {}", words(&child.named)), why };
    match get(fetch, &above.named).await {
        Ok(found) if found.metadata.uid.as_ref() == Some(&above.uid) => Ok(found),
        Ok(_) => Err(wrong(format!("another object now bears the name of {}", words(&above.named)))),
        Err(ReadError::NotFound { .. }) => Err(wrong(format!("{} is gone", words(&above.named)))),
        Err(error @ (ReadError::Refused { .. } | ReadError::Failed { .. })) => Err(error),
    }
}

async fn get(fetch: &Fetch, named: &Named) -> Result<DynamicObject, ReadError> {
    let what = words(named);
    client::names(&what, &named.namespace, &named.name)?;
    let Some(api) = api(fetch, named.kind, &named.namespace) else {
        return Err(ReadError::Failed { what, why: "belay does not read objects of this kind".into() });
    };
    client::read(&fetch.clock, &what, || api.get(&named.name)).await
}

/// UUIDs are 36 letters, digits and dashes; older API servers and other stores have others as plain.
fn is_uid(uid: &str) -> bool {
    (1..=64).contains(&uid.len()) && uid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// `pod `x` in namespace `y``.
fn words(named: &Named) -> String {
    let Named { kind, namespace, name, cluster: _ } = named;
    match namespace.as_str() {
        "" => format!("{kind} `{name}`"),
        _ => format!("{kind} `{name}` in namespace `{namespace}`"),
    }
}
