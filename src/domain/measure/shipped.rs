//! The measures that are there without being written down: RED for HTTP, gRPC and a mesh by the names that client
//! libraries and exporters give them, USE by cAdvisor's and the kubelet's, and what kube-state-metrics counts.

use crate::domain::gauge;

/// What a number of a measure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Cores.
    Cores,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Seconds.
    Seconds,
    /// Requests a second.
    PerSecond,
    /// A share, 0 to 1.
    Ratio,
    /// A number of things.
    Count,
}

impl Unit {
    /// As it stands behind a number.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cores => "cores",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes/s",
            Self::Seconds => "s",
            Self::PerSecond => "1/s",
            Self::Ratio => "ratio",
            Self::Count => "count",
        }
    }
}

/// How much of it there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// What another measure says.
    Measure(&'static str),
    /// All of it.
    Whole,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// Its limit, where it has one.
    pub limit: Option<Limit>,
    /// The query, with places.
    pub template: String,
}

/// The pods' own containers, not the one that holds their network.
const CONTAINERS: &str = r#"namespace="$namespace",pod=~"$pods",container!="",container!="POD""#;
const PODS: &str = r#"namespace="$namespace",pod=~"$pods""#;

/// All of them.
pub fn all() -> Vec<Shipped> {
    let one = |name, unit, limit, template: String| Shipped { name, unit, limit, template };
    let (cpu, memory) = (Some(Limit::Measure("cpu_limit")), Some(Limit::Measure("memory_limit")));
    let whole = Some(Limit::Whole);
    let cores = format!("sum(rate(container_cpu_usage_seconds_total{{{CONTAINERS}}}[$window]))");
    let working = format!("container_memory_working_set_bytes{{{CONTAINERS}}}");
    let requests = gauge::requests("$namespace", "$workload", "$pods", "$window");
    let errors = gauge::errors("$namespace", "$workload", "$pods", "$window");
    vec![
        // USE: cAdvisor, by the kubelet
        one("cpu_usage", Unit::Cores, cpu, cores.clone()),
        one("cpu_utilisation", Unit::Ratio, whole, format!("{cores} / {}", cpu_limit())),
        one(
            "cpu_throttled",
            Unit::Ratio,
            whole,
            format!(
                "sum(rate(container_cpu_cfs_throttled_periods_total{{{CONTAINERS}}}[$window])) / sum(rate(container_cpu_cfs_periods_total{{{CONTAINERS}}}[$window]))"
            ),
        ),
        one("memory_usage", Unit::Bytes, memory, format!("max({working})")),
        one(
            "memory_utilisation",
            Unit::Ratio,
            whole,
            format!(
                r#"max(max by (pod, container) ({working}) / max by (pod, container) (kube_pod_container_resource_limits{{{PODS},resource="memory"}}))"#
            ),
        ),
        one("network_receive", Unit::BytesPerSecond, None, network("receive")),
        one("network_transmit", Unit::BytesPerSecond, None, network("transmit")),
        // the kubelet's volume statistics; a StatefulSet's claim is called after its template and the pod
        one(
            "volume_usage",
            Unit::Ratio,
            whole,
            format!("max({} / {})", volume("used_bytes"), volume("capacity_bytes")),
        ),
        // kube-state-metrics
        one("cpu_limit", Unit::Cores, None, cpu_limit()),
        one(
            "memory_limit",
            Unit::Bytes,
            None,
            format!(r#"max(kube_pod_container_resource_limits{{{PODS},resource="memory"}})"#),
        ),
        one("replicas_ready", Unit::Count, None, replicas(&READY)),
        one("replicas_desired", Unit::Count, None, replicas(&DESIRED)),
        one(
            "restarts",
            Unit::Count,
            None,
            format!("sum(increase(kube_pod_container_status_restarts_total{{{PODS}}}[10m]))"),
        ),
        one(
            "oom_killed",
            Unit::Count,
            None,
            format!(r#"sum(kube_pod_container_status_last_terminated_reason{{{PODS},reason="OOMKilled"}})"#),
        ),
        // RED: Prometheus' client libraries, OpenTelemetry, Istio, gRPC
        one("request_rate", Unit::PerSecond, None, requests.clone()),
        // where nothing fails there is no series of failures, and there are none
        one("error_rate", Unit::PerSecond, None, format!("({errors}) or 0 * ({requests})")),
        one("error_ratio", Unit::Ratio, whole, format!("(({errors}) or 0 * ({requests})) / ({requests})")),
        one("latency_avg", Unit::Seconds, None, latency_avg()),
        one("latency_p50", Unit::Seconds, None, latency("0.5")),
        one("latency_p95", Unit::Seconds, None, latency("0.95")),
        one("latency_p99", Unit::Seconds, None, latency("0.99")),
    ]
}

/// Histograms of how long requests take, by their usual names, and what part of a second they count.
const HISTOGRAMS: [(&str, &str); 4] = [
    ("http_request_duration_seconds", ""),
    ("http_server_request_duration_seconds", ""),
    ("istio_request_duration_milliseconds", " / 1000"),
    ("grpc_server_handling_seconds", ""),
];

fn ours(metric: &str) -> &'static str {
    if metric.starts_with("istio") {
        r#"reporter="destination",destination_workload="$workload",destination_workload_namespace="$namespace""#
    } else {
        PODS
    }
}

fn latency(quantile: &str) -> String {
    let one = |(metric, per): (&str, &str)| {
        let ours = ours(metric);
        format!(
            "(histogram_quantile({quantile}, sum by (le) (rate({metric}_bucket{{{ours}}}[$window]))){per})"
        )
    };
    HISTOGRAMS.map(one).join(" or ")
}

fn latency_avg() -> String {
    let one = |(metric, per): (&str, &str)| {
        let ours = ours(metric);
        let rate = |part: &str| format!("sum(rate({metric}_{part}{{{ours}}}[$window]))");
        format!("({} / {}{per})", rate("sum"), rate("count"))
    };
    HISTOGRAMS.map(one).join(" or ")
}

fn network(way: &str) -> String {
    format!("sum(rate(container_network_{way}_bytes_total{{{PODS}}}[$window]))")
}

fn volume(metric: &str) -> String {
    format!(
        r#"kubelet_volume_stats_{metric}{{namespace="$namespace",persistentvolumeclaim=~"(.+-)?$workload(-[0-9]+)?"}}"#
    )
}

fn cpu_limit() -> String {
    format!(r#"sum(kube_pod_container_resource_limits{{{PODS},resource="cpu"}})"#)
}

/// Replicas by the kind of workload.
const READY: [(&str, &str); 3] = [
    ("kube_deployment_status_replicas_ready", "deployment"),
    ("kube_statefulset_status_replicas_ready", "statefulset"),
    ("kube_daemonset_status_number_ready", "daemonset"),
];
/// See `READY`.
const DESIRED: [(&str, &str); 3] = [
    ("kube_deployment_spec_replicas", "deployment"),
    ("kube_statefulset_replicas", "statefulset"),
    ("kube_daemonset_status_desired_number_scheduled", "daemonset"),
];

fn replicas(names: &[(&str, &str)]) -> String {
    let one = |(metric, label): &(&str, &str)| {
        format!(r#"sum({metric}{{namespace="$namespace",{label}="$workload"}})"#)
    };
    names.iter().map(one).collect::<Vec<_>>().join(" or ")
}
