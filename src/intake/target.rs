//! What an alert is about, from its labels alone. The order follows kube-state-metrics' own labels: the
//! kind that an alert is *about* comes before `pod`, because in the usual Helm stack `pod`, `service`,
//! `instance` and `container` name the exporter that was scraped.

use crate::domain::alert::Alert;
use crate::domain::ids::Cluster;
use crate::domain::target::{Kind, Named, Targeted};

/// Labels that name an object of a namespace, most specific kind first.
const KINDS: [(&str, Kind); 9] = [
    ("deployment", Kind::Deployment),
    ("statefulset", Kind::StatefulSet),
    ("daemonset", Kind::DaemonSet),
    ("job_name", Kind::Job),
    ("cronjob", Kind::CronJob),
    ("horizontalpodautoscaler", Kind::HorizontalPodAutoscaler),
    ("poddisruptionbudget", Kind::PodDisruptionBudget),
    ("persistentvolumeclaim", Kind::PersistentVolumeClaim),
    ("replicaset", Kind::ReplicaSet),
];

/// Scrape targets whose `pod` and `namespace` labels speak of the exporter unless they honour labels.
const EXPORTERS: [&str; 4] = ["kube-state-metrics", "node-exporter", "blackbox", "cadvisor"];

/// What `alert` of `cluster` is about. Anything doubtful is `Unclear`: a person decides.
pub fn target(cluster: &Cluster, alert: &Alert) -> Targeted {
    let mut named: Vec<(&str, Kind, &str)> =
        KINDS.iter().filter_map(|(label, kind)| Some((*label, *kind, value(alert, label)?))).collect();
    // an autoscaler, a budget or a job is watched together with what it belongs to: the first speaks
    named.truncate(1);
    if named.is_empty() {
        // beside a `node`, an exporter's `pod` says only who looked
        if let Some(name) = value(alert, "node")
            && value(alert, "pod").is_none_or(|pod| exporter(alert, pod))
        {
            return node(cluster, name);
        }
        match value(alert, "pod") {
            Some(pod) if exporter(alert, pod) => {
                return unclear(format!("its `pod` label names the exporter `{pod}`, not what is wrong"));
            }
            Some(pod) => named.push(("pod", Kind::Pod, pod)),
            None => {}
        }
    }
    let Some((label, kind, name)) = named.first().copied() else {
        return unclear("its labels name no object that belay knows how to look at".into());
    };
    let Some(namespace) = value(alert, "namespace") else {
        return unclear(format!("its `{label}` label names `{name}` without a `namespace`"));
    };
    if !dns_name(name) || !dns_name(namespace) {
        return unclear(format!("its `{label}` and `namespace` labels are no names of Kubernetes objects"));
    }
    object(cluster, kind, namespace, name, label)
}

fn node(cluster: &Cluster, name: &str) -> Targeted {
    if dns_name(name) {
        object(cluster, Kind::Node, "", name, "node")
    } else {
        unclear("its `node` label is no name of a Kubernetes object".into())
    }
}

fn value<'a>(alert: &'a Alert, label: &str) -> Option<&'a str> {
    alert.label(label).filter(|v| !v.is_empty())
}

/// Whether the `pod` label is the scraped exporter's own. Rules that aggregate `job` away leave `service`
/// or `container` to tell by.
fn exporter(alert: &Alert, pod: &str) -> bool {
    let scraped = |e: &str| ["job", "service", "container"].iter().any(|l| names(alert, l, e));
    EXPORTERS.iter().any(|e| pod.contains(e) && scraped(e))
}

fn names(alert: &Alert, label: &str, exporter: &str) -> bool {
    alert.label(label).is_some_and(|value| value.contains(exporter))
}

/// RFC 1123 subdomain, as Kubernetes demands of names: nothing else can name an object.
fn dns_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 253
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
}

fn object(cluster: &Cluster, kind: Kind, namespace: &str, name: &str, label: &str) -> Targeted {
    Targeted::Named {
        object: Named {
            cluster: cluster.clone(),
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
        label: label.to_owned(),
    }
}

const fn unclear(why: String) -> Targeted {
    Targeted::Unclear { why }
}
