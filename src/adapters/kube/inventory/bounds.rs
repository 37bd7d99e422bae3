//! Rows of what bounds workloads: autoscalers, disruption budgets, quotas, volumes, and the nodes below them.

use std::collections::BTreeMap;

use k8s_openapi::api::{autoscaling::v2 as autoscaling, core::v1 as core, policy::v1 as policy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Selector;

use super::super::views;
use super::named;
use super::usage::Used;
use super::workloads::conditions;
use crate::domain::cluster::Condition;
use crate::domain::ids::Cluster;
use crate::domain::inventory::{Column as C, Row};
use crate::domain::quantity;

/// Where a node stands.
const ZONE: &str = "topology.kubernetes.io/zone";

/// A selector as `kubectl` writes it; one that selects everything, and one that cannot be read, say so.
pub(super) fn selector(of: Option<&LabelSelector>) -> String {
    let Some(of) = of else { return "none".to_owned() };
    match Selector::try_from(of.clone()).map(|all| all.to_string()) {
        Ok(text) if text.is_empty() => "everything".to_owned(),
        Ok(text) => text,
        Err(_) => "not readable".to_owned(),
    }
}

/// An autoscaler. At its maximum it is in trouble; at its minimum it rests.
pub(super) fn autoscaler(raw: &autoscaling::HorizontalPodAutoscaler) -> Row {
    let view = views::autoscaler(raw);
    let target = raw.spec.as_ref().map(|s| &s.scale_target_ref);
    let bad = |c: &&Condition| match c.name.as_str() {
        "ScalingLimited" => c.status == "True" && c.reason != "TooFewReplicas",
        "ScalingActive" | "AbleToScale" => c.status == "False",
        _ => false,
    };
    let trouble = view.conditions.iter().find(bad).map(|c| c.reason.clone());
    named(&raw.metadata)
        .maybe(C::Target, target.map(|t| format!("{}/{}", t.kind, t.name)))
        .with(C::Current, view.current)
        .with(C::Desired, view.desired)
        .with(C::Least, view.min)
        .with(C::Most, view.max)
        .with(C::Metrics, metrics(raw))
        .with(C::Conditions, conditions(&view.conditions))
        .wrong(trouble)
}

/// `cpu 83% of 70%`; metrics that are not of resources by their kind and name.
fn metrics(raw: &autoscaling::HorizontalPodAutoscaler) -> Vec<String> {
    let now = raw.status.iter().flat_map(|s| s.current_metrics.iter().flatten());
    let now: BTreeMap<&str, &autoscaling::MetricValueStatus> =
        now.filter_map(|m| m.resource.as_ref()).map(|r| (r.name.as_str(), &r.current)).collect();
    let words = |m: &autoscaling::MetricSpec| {
        if let Some(resource) = &m.resource {
            return of_resource(resource, now.get(resource.name.as_str()).copied());
        }
        let name = m
            .container_resource
            .as_ref()
            .map(|c| format!("{} of container {}", c.name, c.container))
            .or_else(|| m.pods.as_ref().map(|p| p.metric.name.clone()))
            .or_else(|| m.object.as_ref().map(|o| o.metric.name.clone()))
            .or_else(|| m.external.as_ref().map(|e| e.metric.name.clone()));
        format!("{} {}", m.type_, name.unwrap_or_default()).trim_end().to_owned()
    };
    raw.spec.iter().flat_map(|s| s.metrics.iter().flatten()).map(words).collect()
}

fn of_resource(
    wanted: &autoscaling::ResourceMetricSource,
    now: Option<&autoscaling::MetricValueStatus>,
) -> String {
    let percent = |n: Option<i32>| n.map(|n| format!("{n}%"));
    let (now, target) = if let Some(target) = wanted.target.average_utilization {
        (percent(now.and_then(|n| n.average_utilization)), format!("{target}%"))
    } else {
        let value = now.and_then(|n| n.average_value.as_ref()).map(|q| q.0.clone());
        let target = wanted.target.average_value.as_ref().or(wanted.target.value.as_ref());
        (value, target.map(|q| q.0.clone()).unwrap_or_default())
    };
    format!("{} {} of {target}", wanted.name, now.unwrap_or_else(|| "unknown".to_owned()))
}

/// A disruption budget.
pub(super) fn budget(raw: &policy::PodDisruptionBudget) -> Row {
    let view = views::budget(raw);
    let expected = raw.status.as_ref().map_or(0, |s| views::count(Some(s.expected_pods)));
    let short = view.healthy < view.desired;
    named(&raw.metadata)
        .with(C::Allowed, view.allowed)
        .with(C::Healthy, view.healthy)
        .with(C::Desired, view.desired)
        .with(C::Expected, expected)
        .with(C::Selector, selector(raw.spec.as_ref().and_then(|s| s.selector.as_ref())))
        .wrong(short.then(|| format!("{} of {} healthy", view.healthy, view.desired)))
}

/// A volume claim.
pub(super) fn claim(raw: &core::PersistentVolumeClaim) -> Row {
    let spec = raw.spec.as_ref();
    let status = raw.status.as_ref();
    let phase = status.and_then(|s| s.phase.clone()).unwrap_or_else(|| "Pending".to_owned());
    let requests = spec.and_then(|s| s.resources.as_ref()?.requests.as_ref());
    let storage = |all: Option<&BTreeMap<String, _>>| {
        let size: Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity> = all?.get("storage");
        size.map(|q| q.0.clone())
    };
    named(&raw.metadata)
        .with(C::Status, phase.clone())
        .maybe(C::Class, spec.and_then(|s| s.storage_class_name.clone()))
        .maybe(C::Requested, storage(requests))
        .maybe(C::Capacity, storage(status.and_then(|s| s.capacity.as_ref())))
        .maybe(C::AccessModes, spec.and_then(|s| s.access_modes.clone()))
        .maybe(C::Volume, spec.and_then(|s| s.volume_name.clone()))
        .maybe(C::Created, views::at(raw.metadata.creation_timestamp.as_ref()))
        .wrong((phase != "Bound").then_some(phase))
}

/// A quota: `cpu 3 of 4`. It is in trouble where nothing is left of a resource.
pub(super) fn quota(raw: &core::ResourceQuota) -> Row {
    let view = views::quota(raw);
    let used = |name: &String| view.used.get(name).map_or("0", String::as_str);
    let full = |(name, hard): &(&String, &String)| match (
        quantity::thousandths(used(name)),
        quantity::thousandths(hard),
    ) {
        (Some(used), Some(hard)) => hard > 0 && used >= hard,
        (None, _) | (_, None) => false,
    };
    let spent: Vec<&str> = view.hard.iter().filter(full).map(|(name, _)| name.as_str()).collect();
    let lines: Vec<String> =
        view.hard.iter().map(|(name, hard)| format!("{name} {} of {hard}", used(name))).collect();
    named(&raw.metadata)
        .with(C::Used, lines)
        .with(C::Scoped, view.scoped)
        .wrong((!spent.is_empty()).then(|| format!("used up: {}", spent.join(", "))))
}

/// A node, and what is used of it.
pub(super) fn node(cluster: &Cluster, raw: &core::Node, used: &BTreeMap<String, Used>) -> Row {
    let node = views::node(cluster, raw);
    let used = used.get(&node.object.named.name);
    let version = raw.status.as_ref().and_then(|s| s.node_info.as_ref()).map(|i| i.kubelet_version.clone());
    let pressure = node.conditions.iter().find(|c| c.name != "Ready" && c.status == "True");
    let trouble = match (node.holds("Ready"), pressure) {
        (Some(true), None) => node.cordoned.then(|| "cordoned".to_owned()),
        (Some(true), Some(pressure)) => Some(pressure.name.clone()),
        (Some(false) | None, _) => Some("not ready".to_owned()),
    };
    let taints = node.taints.iter().map(|t| match t.value.as_str() {
        "" => format!("{}:{}", t.key, t.effect),
        value => format!("{}={value}:{}", t.key, t.effect),
    });
    let allocatable = |name: &str| node.allocatable.get(name).copied();
    named(&raw.metadata)
        .maybe(C::Ready, node.holds("Ready"))
        .with(C::Conditions, conditions(&node.conditions))
        .with(C::Cordoned, node.cordoned)
        .with(C::Taints, taints.collect::<Vec<_>>())
        .maybe(C::Zone, node.labels.get(ZONE).cloned())
        .maybe(C::Version, version)
        .maybe(C::CpuMillis, used.map(|u| u.cpu_millis))
        .maybe(C::CpuAllocatable, allocatable("cpu"))
        .maybe(C::MemoryBytes, used.map(|u| u.memory_bytes))
        .maybe(C::MemoryAllocatable, allocatable("memory").map(|thousandths| thousandths / 1000))
        .wrong(trouble)
}
