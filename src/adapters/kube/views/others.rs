//! Events, budgets, autoscalers and measured use.

use k8s_openapi::api::{autoscaling::v2 as autoscaling, core::v1 as core, policy::v1 as policy};
use kube::core::DynamicObject;
use serde_json::Value;

use super::{at, count, text};
use crate::domain::cluster::{Autoscaler, Budget, Condition, Event, Usage};
use crate::domain::quantity;
use crate::domain::target::Kind;

/// An event. The series of new-style events counts and dates before the old fields do.
pub fn event(e: &core::Event) -> Event {
    let series = e.series.as_ref();
    let last = series
        .and_then(|s| s.last_observed_time.as_ref().map(|t| t.0))
        .or_else(|| at(e.last_timestamp.as_ref()))
        .or_else(|| e.event_time.as_ref().map(|t| t.0))
        .or_else(|| at(e.metadata.creation_timestamp.as_ref()));
    Event {
        kind: Kind::from_name(e.involved_object.kind.as_deref().unwrap_or_default()),
        name: e.involved_object.name.clone().unwrap_or_default(),
        severity: text(e.type_.as_ref()),
        reason: text(e.reason.as_ref()),
        message: text(e.message.as_ref()),
        count: count(series.and_then(|s| s.count).or(e.count)).max(1),
        last,
    }
}

/// A disruption budget.
pub fn budget(b: &policy::PodDisruptionBudget) -> Budget {
    Budget {
        name: b.metadata.name.clone().unwrap_or_default(),
        allowed: b.status.as_ref().map_or(0, |s| count(Some(s.disruptions_allowed))),
        desired: b.status.as_ref().map_or(0, |s| count(Some(s.desired_healthy))),
        healthy: b.status.as_ref().map_or(0, |s| count(Some(s.current_healthy))),
    }
}

/// An autoscaler. A minimum that is not set is 1.
pub fn autoscaler(h: &autoscaling::HorizontalPodAutoscaler) -> Autoscaler {
    let spec = h.spec.as_ref();
    Autoscaler {
        name: h.metadata.name.clone().unwrap_or_default(),
        min: spec.and_then(|s| s.min_replicas).map_or(1, |n| count(Some(n))),
        max: spec.map_or(0, |s| count(Some(s.max_replicas))),
        uid: h.metadata.uid.clone().unwrap_or_default(),
        labels: super::map(h.metadata.labels.as_ref()),
        annotations: super::map(h.metadata.annotations.as_ref()),
        current: h.status.as_ref().map_or(0, |s| count(s.current_replicas)),
        desired: h.status.as_ref().map_or(0, |s| count(Some(s.desired_replicas))),
        conditions: h
            .status
            .iter()
            .flat_map(|s| s.conditions.iter().flatten())
            .map(|c| Condition {
                name: c.type_.clone(),
                status: c.status.clone(),
                reason: text(c.reason.as_ref()),
                message: text(c.message.as_ref()),
            })
            .collect(),
    }
}

/// A pod's use, from `PodMetrics`; `None` where a container's cannot be read, since a sum without it would
/// be too low.
pub fn usage(metrics: &DynamicObject) -> Option<Usage> {
    let containers = metrics.data.get("containers").and_then(Value::as_array)?;
    let mut usage =
        Usage { pod: metrics.metadata.name.clone().unwrap_or_default(), cpu_millis: 0, memory_bytes: 0 };
    for container in containers {
        let read = |name: &str| container.get("usage")?.get(name)?.as_str();
        usage.cpu_millis = usage.cpu_millis.saturating_add(quantity::millicores(read("cpu")?)?);
        usage.memory_bytes = usage.memory_bytes.saturating_add(quantity::bytes(read("memory")?)?);
    }
    Some(usage)
}
