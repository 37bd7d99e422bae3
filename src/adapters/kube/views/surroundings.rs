//! Nodes, quotas, claims, network policies, Jobs, certificates, and the metadata of ConfigMaps and Secrets.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::{batch::v1 as batch, core::v1 as core, networking::v1 as networking};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::DynamicObject;

use super::needs::amounts;
use super::{at, count, map, object, text};
use crate::domain::cluster::Condition;
use crate::domain::ids::Cluster;
use crate::domain::surroundings::{
    Certificate, Claim, ClaimPhase, JobRun, Meta, NetPolicy, Node, Quota, Taint,
};
use crate::domain::target::Kind;

/// The port of name servers.
const DNS: i32 = 53;
/// The conditions of a node that are looked at: `NetworkUnavailable` and those of others say nothing here.
const OF_NODES: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// A node.
pub fn node(cluster: &Cluster, n: &core::Node) -> Node {
    let spec = n.spec.as_ref();
    let status = n.status.as_ref();
    Node {
        object: object(cluster, Kind::Node, &n.metadata),
        labels: map(n.metadata.labels.as_ref()),
        annotations: map(n.metadata.annotations.as_ref()),
        cordoned: spec.and_then(|s| s.unschedulable).unwrap_or(false),
        taints: spec
            .iter()
            .flat_map(|s| s.taints.iter().flatten())
            .map(|t| Taint {
                key: t.key.clone(),
                value: t.value.clone().unwrap_or_default(),
                effect: t.effect.clone(),
            })
            .collect(),
        conditions: status
            .iter()
            .flat_map(|s| s.conditions.iter().flatten())
            .filter(|c| OF_NODES.contains(&c.type_.as_str()))
            .map(|c| Condition {
                name: c.type_.clone(),
                status: c.status.clone(),
                reason: text(c.reason.as_ref()),
                message: text(c.message.as_ref()),
            })
            .collect(),
        allocatable: status.and_then(|s| s.allocatable.as_ref()).map(amounts).unwrap_or_default(),
    }
}

/// A quota.
pub fn quota(q: &core::ResourceQuota) -> Quota {
    let spec = q.spec.as_ref();
    let status = q.status.as_ref();
    let written = |all: Option<&std::collections::BTreeMap<String, _>>| {
        let read = |(name, quantity): (&String, &k8s_openapi::apimachinery::pkg::api::resource::Quantity)| {
            (name.clone(), quantity.0.clone())
        };
        all.into_iter().flatten().map(read).collect()
    };
    Quota {
        name: q.metadata.name.clone().unwrap_or_default(),
        scoped: spec.is_some_and(|s| {
            s.scope_selector.is_some() || s.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty())
        }),
        hard: written(status.and_then(|s| s.hard.as_ref()).or_else(|| spec.and_then(|s| s.hard.as_ref()))),
        used: written(status.and_then(|s| s.used.as_ref())),
    }
}

/// A claim; whether its class is there, whoever read the classes says.
pub fn claim(c: &core::PersistentVolumeClaim) -> Claim {
    let phase = c.status.as_ref().and_then(|s| s.phase.as_deref());
    Claim {
        name: c.metadata.name.clone().unwrap_or_default(),
        phase: match phase {
            Some("Bound") => ClaimPhase::Bound,
            Some("Lost") => ClaimPhase::Lost,
            Some(_) | None => ClaimPhase::Pending,
        },
        class: c.spec.as_ref().and_then(|s| s.storage_class_name.clone()).filter(|name| !name.is_empty()),
        class_exists: None,
        waits_for_pod: None,
        uid: c.metadata.uid.clone().unwrap_or_default(),
    }
}

/// A network policy, by how many rules of it let something through.
pub fn net_policy(p: &networking::NetworkPolicy) -> NetPolicy {
    let spec = p.spec.clone().unwrap_or_default();
    let types = spec.policy_types.unwrap_or_default();
    let ingress = spec.ingress.unwrap_or_default();
    let egress = spec.egress.unwrap_or_default();
    // without types a policy is about what comes in, and about what goes out if it has rules for that
    let restricts_in = types.is_empty() || types.iter().any(|t| t == "Ingress");
    let restricts_out =
        if types.is_empty() { !egress.is_empty() } else { types.iter().any(|t| t == "Egress") };
    let rules = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    NetPolicy {
        name: p.metadata.name.clone().unwrap_or_default(),
        created: at(p.metadata.creation_timestamp.as_ref()),
        ingress: restricts_in.then(|| rules(ingress.len())),
        egress: restricts_out.then(|| rules(egress.len())),
        egress_dns: egress.iter().any(|rule| {
            let ports = rule.ports.as_deref().unwrap_or_default();
            ports.is_empty() || ports.iter().any(resolves)
        }),
    }
}

/// Whether a port of a rule may be that of name servers. A name is resolved by the pods behind it: it may be.
fn resolves(port: &networking::NetworkPolicyPort) -> bool {
    match (&port.port, port.end_port) {
        (None | Some(IntOrString::String(_)), _) => true,
        (Some(IntOrString::Int(first)), Some(last)) => (*first..=last).contains(&DNS),
        (Some(IntOrString::Int(only)), None) => *only == DNS,
    }
}

/// One run of a Job.
pub fn job_run(cluster: &Cluster, j: &batch::Job) -> JobRun {
    let spec = j.spec.as_ref();
    let status = j.status.clone().unwrap_or_default();
    let failed = status.conditions.iter().flatten().find(|c| c.type_ == "Failed" && c.status == "True");
    JobRun {
        object: object(cluster, Kind::Job, &j.metadata),
        started: at(status.start_time.as_ref()),
        completed: at(status.completion_time.as_ref()),
        failed: failed.map(|c| text(c.reason.as_ref())),
        active: count(status.active),
        failures: count(status.failed),
        suspended: spec.and_then(|s| s.suspend).unwrap_or(false),
        deadline_seconds: spec.and_then(|s| s.active_deadline_seconds).and_then(|n| u64::try_from(n).ok()),
    }
}

/// A certificate of cert-manager's; `None` where it keeps none.
pub fn certificate(c: &DynamicObject) -> Option<Certificate> {
    let spec = c.data.get("spec")?;
    let status = c.data.get("status");
    let conditions = status.and_then(|s| s.get("conditions")?.as_array());
    let ready = conditions.into_iter().flatten().find(|c| c.get("type").is_some_and(|t| t == "Ready"));
    Some(Certificate {
        name: c.metadata.name.clone().unwrap_or_default(),
        secret: spec.get("secretName")?.as_str()?.to_owned(),
        not_after: status.and_then(|s| s.get("notAfter")?.as_str()?.parse().ok()),
        ready: ready.map(|c| c.get("status").is_some_and(|s| s == "True")),
    })
}

/// What metadata say of a ConfigMap or Secret. Nothing else of them is kept: an annotation may hold all that was applied.
pub fn meta(meta: &ObjectMeta) -> Meta {
    let mut keys: Option<BTreeSet<String>> = None;
    let mut changed: Option<Timestamp> = None;
    for entry in meta.managed_fields.iter().flatten() {
        let Some(fields) = entry.fields_v1.as_ref() else { continue };
        let mut writes = false;
        for part in ["f:data", "f:binaryData"] {
            let Some(written) = fields.0.get(part).and_then(serde_json::Value::as_object) else { continue };
            writes = true;
            let names = written.keys().filter_map(|key| key.strip_prefix("f:")).map(str::to_owned);
            keys.get_or_insert_default().extend(names);
        }
        if writes {
            changed = changed.max(at(entry.time.as_ref()));
        }
    }
    Meta {
        created: at(meta.creation_timestamp.as_ref()),
        changed,
        keys: keys.map(|keys| keys.into_iter().collect()),
    }
}
