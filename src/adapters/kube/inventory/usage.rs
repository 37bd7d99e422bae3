//! What pods and nodes use: the metrics API (`metrics.k8s.io/v1beta1`), which is there only where something serves it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;

use super::KubeReads;
use crate::domain::inventory::ContainerUse;
use crate::domain::quantity;
use crate::ports::inventory::Found;
use crate::ports::reads::{Listed, ReadError};

/// CPU and memory in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) cpu_millis: u32,
    pub(super) memory_bytes: u64,
}

/// The limits of a container: of CPU in millicores, of memory in bytes.
type Limits = (Option<u32>, Option<u64>);

fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", kind), plural)
}

/// That there is no metrics API is no object that is missing.
fn unserved(error: ReadError) -> ReadError {
    match error {
        ReadError::NotFound { what } => {
            let why = "the cluster serves no metrics API (metrics.k8s.io)".to_owned();
            ReadError::Failed { what, why }
        }
        error @ (ReadError::Refused { .. } | ReadError::Failed { .. }) => error,
    }
}

/// `None` where it cannot be read: a part of it would be too low.
fn used(of: &Value) -> Option<Used> {
    let read = |name: &str| of.get("usage")?.get(name)?.as_str();
    Some(Used {
        cpu_millis: quantity::millicores(read("cpu")?)?,
        memory_bytes: quantity::bytes(read("memory")?)?,
    })
}

impl KubeReads {
    /// What is used of each node.
    pub(super) async fn node_usage(&self) -> Result<BTreeMap<String, Used>, ReadError> {
        let api: Api<DynamicObject> =
            Api::all_with(self.fetch().client.clone(), &resource("NodeMetrics", "nodes"));
        let what = "the measured use of the nodes";
        let all = self.in_time(what, self.fetch().all(&api, what, None)).await.map_err(unserved)?;
        let read = |one: DynamicObject| Some((one.metadata.name?, used(&one.data)?));
        Ok(all.into_iter().filter_map(read).collect())
    }

    /// What is used by each container, with its limits where the pods can be read too.
    pub(super) async fn container_usage(&self, namespace: &str) -> Result<Found<ContainerUse>, ReadError> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.fetch().client.clone(), namespace, &resource("PodMetrics", "pods"));
        let (what, pods) = (
            format!("the measured use of namespace `{namespace}`"),
            format!("pods of namespace `{namespace}`"),
        );
        let pods_api = self.of::<core::Pod>(namespace);
        let (metrics, limits) = futures::join!(
            self.in_time(&what, self.fetch().list(&api, &what, None)),
            self.in_time(&pods, self.fetch().list(&pods_api, &pods, None)),
        );
        let metrics = metrics.map_err(unserved)?;
        let (limits, unread) = match limits {
            Ok(listed) => (limits_of(&listed.items), vec![]),
            Err(why) => (BTreeMap::new(), vec![why.to_string()]),
        };
        let items = metrics.items.iter().flat_map(|pod| containers(pod, &limits)).collect();
        Ok(Found { listed: Listed { items, left_out: metrics.left_out }, unread })
    }
}

fn limits_of(pods: &[core::Pod]) -> BTreeMap<(String, String), Limits> {
    let mut all = BTreeMap::new();
    for pod in pods {
        let name = pod.metadata.name.clone().unwrap_or_default();
        for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
            let limits = container.resources.as_ref().and_then(|r| r.limits.as_ref());
            let of = |resource: &str| limits.and_then(|l| l.get(resource)).map(|q| q.0.as_str());
            let limits = (of("cpu").and_then(quantity::millicores), of("memory").and_then(quantity::bytes));
            all.insert((name.clone(), container.name.clone()), limits);
        }
    }
    all
}

fn containers(metrics: &DynamicObject, limits: &BTreeMap<(String, String), Limits>) -> Vec<ContainerUse> {
    let pod = metrics.metadata.name.clone().unwrap_or_default();
    let all = metrics.data.get("containers").and_then(Value::as_array).into_iter().flatten();
    let read = |one: &Value| {
        let container = one.get("name")?.as_str()?.to_owned();
        let Used { cpu_millis, memory_bytes } = used(one)?;
        let known = limits.get(&(pod.clone(), container.clone())).copied().unwrap_or_default();
        let (cpu_limit_millis, memory_limit_bytes) = known;
        let pod = pod.clone();
        Some(ContainerUse { pod, container, cpu_millis, memory_bytes, cpu_limit_millis, memory_limit_bytes })
    };
    all.filter_map(read).collect()
}
