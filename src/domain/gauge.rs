//! What is measured of an owner, and how it is asked for: a fixed table of PromQL, built from names that the API server
//! gave and from nothing else.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cluster::{Pod, Snapshot};
use super::target::Kind;

/// Pods that are asked about: a query stays under 4 KiB, and ten show a pattern.
const PODS: usize = 20;

/// The stretch over which requests are counted.
const LATELY: &str = "5m";

/// One thing that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gauge {
    /// Share of scheduling periods in which a pod was held back, over 10 minutes.
    CpuThrottled,
    /// Cores a pod uses, over 5 minutes.
    CpuUsed,
    /// Bytes a pod works with.
    MemoryUsed,
    /// Bytes a pod may use.
    MemoryLimit,
    /// Bytes a second by which a pod's working set grows, over 3 hours.
    MemorySlope,
    /// The same over the last 30 minutes.
    MemorySlopeLately,
    /// Requests a second that the owner's pods answer.
    Requests,
    /// Share of them that fail.
    ErrorsNow,
    /// Share of them that failed before the last rollout.
    ErrorsBefore,
    /// Share of calls to another service that fail.
    CallsFailing,
    /// Share of a volume that is used.
    VolumeUsed,
    /// Bytes that will be left on a volume in a day, at the pace of the last 6 hours.
    VolumeLeftInADay,
    /// Seconds until a certificate of cert-manager's ends.
    CertificateLeft,
    /// Seconds until a certificate that a probe saw ends.
    ProbedCertificateLeft,
    /// The last error that a GPU of a pod reported (NVIDIA's Xid).
    GpuError,
    /// Whether a pod answers its scrape.
    Up,
}

impl Gauge {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::CpuThrottled,
        Self::CpuUsed,
        Self::MemoryUsed,
        Self::MemoryLimit,
        Self::MemorySlope,
        Self::MemorySlopeLately,
        Self::Requests,
        Self::ErrorsNow,
        Self::ErrorsBefore,
        Self::CallsFailing,
        Self::VolumeUsed,
        Self::VolumeLeftInADay,
        Self::CertificateLeft,
        Self::ProbedCertificateLeft,
        Self::GpuError,
        Self::Up,
    ];

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuThrottled => "cpu throttling",
            Self::CpuUsed => "cpu use",
            Self::MemoryUsed => "memory use",
            Self::MemoryLimit => "memory limits",
            Self::MemorySlope | Self::MemorySlopeLately => "growth of memory",
            Self::Requests => "requests",
            Self::ErrorsNow => "error ratio",
            Self::ErrorsBefore => "error ratio before the rollout",
            Self::CallsFailing => "failing calls",
            Self::VolumeUsed | Self::VolumeLeftInADay => "volumes",
            Self::CertificateLeft | Self::ProbedCertificateLeft => "certificates",
            Self::GpuError => "gpu errors",
            Self::Up => "scrapes",
        }
    }

    /// The label that says what a sample is about; none where there is one sample.
    pub const fn label(self) -> Option<&'static str> {
        match self {
            Self::CpuThrottled
            | Self::CpuUsed
            | Self::MemoryUsed
            | Self::MemoryLimit
            | Self::MemorySlope
            | Self::MemorySlopeLately
            | Self::GpuError
            | Self::Up => Some("pod"),
            Self::CallsFailing => Some("destination_service_name"),
            Self::VolumeUsed | Self::VolumeLeftInADay => Some("persistentvolumeclaim"),
            Self::CertificateLeft => Some("name"),
            Self::ProbedCertificateLeft => Some("instance"),
            Self::Requests | Self::ErrorsNow | Self::ErrorsBefore => None,
        }
    }
}

/// One measured value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Of what.
    pub gauge: Gauge,
    /// What it is about: a pod, a claim, a certificate; empty where it is the owner. As the series has it: text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// In thousandths of the gauge's unit.
    pub milli: i64,
}

/// What was measured around a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauges {
    /// What was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// What could not be, and why: one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

impl Gauges {
    /// Whether nothing was asked for, or nothing is kept and nothing failed.
    pub const fn is_empty(&self) -> bool {
        self.readings.is_empty() && self.unread.is_empty()
    }

    /// The readings of one gauge.
    pub fn of(&self, gauge: Gauge) -> impl Iterator<Item = &Reading> {
        self.readings.iter().filter(move |reading| reading.gauge == gauge)
    }

    /// The reading of a gauge about one subject.
    pub fn about(&self, gauge: Gauge, subject: &str) -> Option<i64> {
        self.of(gauge).find(|reading| reading.subject == subject).map(|reading| reading.milli)
    }
}

/// One query, and the moment it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What it measures.
    pub gauge: Gauge,
    /// The query.
    pub promql: String,
    /// The moment.
    pub at: Timestamp,
}

/// The names that queries are built from.
struct Names {
    namespace: String,
    owner: String,
    /// Of the pods that there are.
    pods: String,
    /// Of every pod that the owner had or has.
    any: String,
    claims: Option<String>,
}

/// Everything to be asked about this snapshot's owner. None for what has no namespace.
pub fn table(snapshot: &Snapshot) -> Vec<Asked> {
    let Some(names) = names(snapshot) else { return Vec::new() };
    let before = rolled_out(snapshot).and_then(|at| at.checked_sub(SignedDuration::from_mins(1)).ok());
    let one = |gauge: Gauge| {
        let at = if gauge == Gauge::ErrorsBefore { before? } else { snapshot.at };
        Some(Asked { gauge, promql: promql(gauge, &names)?, at })
    };
    Gauge::ALL.into_iter().filter_map(one).collect()
}

/// When the owner's template was last changed, if that was within the day.
pub fn rolled_out(snapshot: &Snapshot) -> Option<Timestamp> {
    let at = snapshot.workload.as_ref().ok()?.as_ref()?.template_changed?;
    (snapshot.at.duration_since(at) <= SignedDuration::from_hours(24)).then_some(at)
}

fn names(snapshot: &Snapshot) -> Option<Names> {
    let owner = &snapshot.owner.0.named;
    let named = snapshot.pod.iter().flatten();
    let all: Vec<&Pod> = named.chain(snapshot.pods.iter().flatten()).take(PODS).collect();
    if owner.namespace.is_empty() {
        return None;
    }
    let each: Vec<String> = all.iter().map(|pod| literal(&pod.object.named.name)).collect();
    let suffix = match owner.kind {
        Kind::Deployment | Kind::CronJob => "-[a-z0-9]+-[a-z0-9]+",
        _ => "-[a-z0-9]+",
    };
    let claims = match (snapshot.target.named.kind, owner.kind) {
        (Kind::PersistentVolumeClaim, _) => Some(literal(&snapshot.target.named.name)),
        // the claim of a StatefulSet's pod is called after its template and the pod
        (_, Kind::StatefulSet) if !each.is_empty() => Some(format!(".+-(?:{})", each.join("|"))),
        _ => None,
    };
    Some(Names {
        namespace: escaped(&owner.namespace),
        owner: escaped(&owner.name),
        // a name that no pod has: nothing matches
        pods: if each.is_empty() { "-".to_owned() } else { each.join("|") },
        any: format!("{}{suffix}", literal(&owner.name)),
        claims,
    })
}

/// The query of one gauge.
fn promql(gauge: Gauge, names: &Names) -> Option<String> {
    let Names { namespace, owner, pods, any, claims } = names;
    let ours = format!(r#"namespace="{namespace}",pod=~"{pods}""#);
    let containers = format!(r#"{ours},container!="",container!="POD""#);
    let working = format!("container_memory_working_set_bytes{{{containers}}}");
    let volume = |metric: &str| {
        let claims = claims.as_ref()?;
        Some(format!(r#"{metric}{{namespace="{namespace}",persistentvolumeclaim=~"{claims}"}}"#))
    };
    Some(match gauge {
        // cAdvisor, by the kubelet
        Gauge::CpuThrottled => format!(
            "sum by (pod) (increase(container_cpu_cfs_throttled_periods_total{{{containers}}}[10m])) / sum by (pod) (increase(container_cpu_cfs_periods_total{{{containers}}}[10m]))"
        ),
        Gauge::CpuUsed => {
            format!("sum by (pod) (rate(container_cpu_usage_seconds_total{{{containers}}}[5m]))")
        }
        Gauge::MemoryUsed => format!("sum by (pod) ({working})"),
        Gauge::MemorySlope => format!("sum by (pod) (deriv({working}[3h]))"),
        Gauge::MemorySlopeLately => format!("sum by (pod) (deriv({working}[30m]))"),
        // kube-state-metrics
        Gauge::MemoryLimit => {
            format!(r#"sum by (pod) (kube_pod_container_resource_limits{{{ours},resource="memory"}})"#)
        }
        Gauge::Requests => requests(namespace, owner, any, LATELY),
        Gauge::ErrorsNow | Gauge::ErrorsBefore => {
            // where nothing fails there is no series of failures, and the share is nought
            let errors = errors(namespace, owner, any, LATELY);
            let requests = requests(namespace, owner, any, LATELY);
            format!("({errors} or 0 * ({requests})) / ({requests})")
        }
        // Istio's sidecars, on the side of the caller
        Gauge::CallsFailing => {
            let calls = format!(
                r#"reporter="source",source_workload="{owner}",source_workload_namespace="{namespace}""#
            );
            format!(
                r#"sum by (destination_service_name) (rate(istio_requests_total{{{calls},response_code=~"5..|0"}}[5m])) / sum by (destination_service_name) (rate(istio_requests_total{{{calls}}}[5m]))"#
            )
        }
        // the kubelet's volume statistics
        Gauge::VolumeUsed => format!(
            "max by (persistentvolumeclaim) ({} / {})",
            volume("kubelet_volume_stats_used_bytes")?,
            volume("kubelet_volume_stats_capacity_bytes")?
        ),
        Gauge::VolumeLeftInADay => format!(
            "min by (persistentvolumeclaim) (predict_linear({}[6h], 86400))",
            volume("kubelet_volume_stats_available_bytes")?
        ),
        // cert-manager, and the blackbox exporter
        Gauge::CertificateLeft => format!(
            r#"min by (name) (certmanager_certificate_expiration_timestamp_seconds{{namespace="{namespace}"}}) - time()"#
        ),
        Gauge::ProbedCertificateLeft => format!(
            r#"min by (instance) (probe_ssl_earliest_cert_expiry{{namespace="{namespace}"}}) - time()"#
        ),
        // NVIDIA's DCGM exporter
        Gauge::GpuError => format!("max by (pod) (DCGM_FI_DEV_XID_ERRORS{{{ours}}})"),
        Gauge::Up => format!("min by (pod) (up{{{ours}}})"),
    })
}

/// By whichever of the usual names there is: Prometheus' client libraries, Istio, gRPC.
pub(super) fn requests(namespace: &str, owner: &str, any: &str, window: &str) -> String {
    let ours = format!(r#"namespace="{namespace}",pod=~"{any}""#);
    let mesh = mesh(namespace, owner);
    format!(
        "sum(rate(http_requests_total{{{ours}}}[{window}])) or sum(rate(istio_requests_total{{{mesh}}}[{window}])) or sum(rate(grpc_server_handled_total{{{ours}}}[{window}]))"
    )
}

/// Those of them that fail, by the same names.
pub(super) fn errors(namespace: &str, owner: &str, any: &str, window: &str) -> String {
    let ours = format!(r#"namespace="{namespace}",pod=~"{any}""#);
    let mesh = mesh(namespace, owner);
    let grpc = "Unknown|Internal|Unavailable|DataLoss|DeadlineExceeded";
    format!(
        r#"sum(rate(http_requests_total{{{ours},code=~"5.."}}[{window}]) or rate(http_requests_total{{{ours},status=~"5.."}}[{window}]) or rate(http_requests_total{{{ours},status_code=~"5.."}}[{window}])) or sum(rate(istio_requests_total{{{mesh},response_code=~"5.."}}[{window}])) or sum(rate(grpc_server_handled_total{{{ours},grpc_code=~"{grpc}"}}[{window}]))"#
    )
}

fn mesh(namespace: &str, owner: &str) -> String {
    format!(
        r#"reporter="destination",destination_workload="{owner}",destination_workload_namespace="{namespace}""#
    )
}

/// A name inside a string of PromQL.
pub fn escaped(name: &str) -> String {
    name.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

/// A name inside a regular expression inside a string of PromQL, which stands for itself.
fn literal(name: &str) -> String {
    // outside of brackets a hyphen is no operator, and nearly every name has one
    escaped(&regex::escape(name).replace(r"\-", "-"))
}
