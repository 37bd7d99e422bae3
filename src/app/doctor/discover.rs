//! What stands in a cluster that belay could look through, from its Services alone, and the configuration that names it.

use std::fmt::Write as _;

use crate::adapters::kube::{KubeProbe, Standing};
use crate::domain::redact;
use crate::domain::target::{is_dns_label, is_dns_name};
use crate::ports::reads::ReadError;

/// A Service that belay could look through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The key of the configuration that names it.
    pub key: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Its address within the cluster.
    pub url: String,
}

/// One kind of Service: how it is told, and what its port is.
struct Kind {
    key: &'static str,
    what: &'static str,
    /// `app.kubernetes.io/name`, or a part of the Service's name.
    names: &'static [&'static str],
    /// Part of the name of a Service that is another's: an exporter, an operator.
    not: &'static [&'static str],
    /// The port of its query API.
    port: u16,
}

/// What the projects' own charts and manifests call them.
const KINDS: [Kind; 3] = [
    Kind {
        key: "alertmanager",
        what: "Alertmanager",
        names: &["alertmanager"],
        not: &["operated", "exporter"],
        port: 9093,
    },
    Kind {
        key: "prometheus",
        what: "Prometheus",
        names: &["prometheus"],
        not: &["alertmanager", "operated", "operator", "exporter", "pushgateway", "adapter", "state-metrics"],
        port: 9090,
    },
    Kind {
        key: "prometheus",
        what: "VictoriaMetrics",
        names: &["victoria-metrics", "vmsingle"],
        not: &["operator", "agent", "alert", "insert", "storage"],
        port: 8428,
    },
];

/// What stands in the cluster of `probe`; and a sentence where not all was looked at.
pub async fn discovered(probe: &KubeProbe) -> Result<(Vec<Found>, Option<&'static str>), ReadError> {
    let (services, more) = probe.services().await?;
    Ok((found(&services), more.then_some("the cluster has more Services than were looked at")))
}

/// What is among these Services, in the order of the keys; those that are called exactly so come first.
pub fn found(services: &[Standing]) -> Vec<Found> {
    let mut all: Vec<(usize, bool, Found)> = Vec::new();
    for (order, kind) in KINDS.iter().enumerate() {
        for service in services.iter().filter(|service| is_usable(service)) {
            let Some(exact) = fits(kind, service) else { continue };
            let Some((port, scheme)) = port(kind, service) else { continue };
            let url = format!("{scheme}://{}.{}.svc:{port}", service.name, service.namespace);
            all.push((order, !exact, Found { key: kind.key, what: kind.what, url }));
        }
    }
    all.sort_by(|a, b| (a.0, a.1, &a.2.url).cmp(&(b.0, b.1, &b.2.url)));
    all.into_iter().map(|(_, _, found)| found).collect()
}

/// Names of Services become addresses: what is none is left alone.
fn is_usable(service: &Standing) -> bool {
    is_dns_label(&service.namespace) && is_dns_name(&service.name)
}

/// Whether the Service is of this kind; and whether its label says so.
fn fits(kind: &Kind, service: &Standing) -> Option<bool> {
    if kind.not.iter().any(|not| service.name.contains(not)) {
        return None;
    }
    let label = service.labels.get("app.kubernetes.io/name").map(String::as_str);
    if label.is_some_and(|label| kind.names.contains(&label)) {
        return Some(true);
    }
    kind.names.iter().any(|name| service.name.contains(name)).then_some(false)
}

fn port(kind: &Kind, service: &Standing) -> Option<(u16, &'static str)> {
    let usual = service.ports.iter().find(|(port, _)| *port == kind.port);
    let web = || service.ports.iter().find(|(_, name)| ["web", "http-web", "http"].contains(&name.as_str()));
    let (port, name) = usual.or_else(web)?;
    Some((*port, if name == "https" { "https" } else { "http" }))
}

/// The configuration that names what was found: of each key the first, the others as comments. Level 1 by itself: it
/// names no namespace to act in.
pub fn proposal(found: &[Found]) -> String {
    let mut text = String::from("# found in the cluster; look at each line before you take it over\n");
    let mut keys: Vec<&str> = Vec::new();
    for Found { key, what, url } in found {
        let (key, url) = (redact::line(key, 40), redact::line(url, 300));
        let first = !keys.contains(&key.as_str());
        let lead = if first { "" } else { "# or: " };
        let _ = writeln!(text, "{lead}{key}: {{ url: {url} }} # {what}");
        if first {
            keys.extend(found.iter().map(|f| f.key).find(|k| *k == key));
        }
    }
    if found.is_empty() {
        text.push_str("# nothing that belay knows how to look through\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn service(name: &str, label: Option<&str>, ports: &[(u16, &str)]) -> Standing {
        let labels = label.map(|l| ("app.kubernetes.io/name".to_owned(), l.to_owned()));
        Standing {
            namespace: "monitoring".into(),
            name: name.into(),
            labels: BTreeMap::from_iter(labels),
            ports: ports.iter().map(|(port, name)| (*port, (*name).to_owned())).collect(),
        }
    }

    #[test]
    fn the_usual_stack_is_found_and_its_helpers_are_not_taken_for_it() {
        let services = [
            service(
                "kps-kube-prometheus-stack-prometheus",
                Some("kube-prometheus-stack-prometheus"),
                &[(9090, "http-web")],
            ),
            service(
                "kps-prometheus-node-exporter",
                Some("prometheus-node-exporter"),
                &[(9100, "http-metrics")],
            ),
            service("kps-kube-state-metrics", Some("kube-state-metrics"), &[(8080, "http")]),
            service("prometheus-operated", None, &[(9090, "http-web")]),
            service("prometheus-k8s", Some("prometheus"), &[(9090, "web")]),
            service("alertmanager-main", Some("alertmanager"), &[(9093, "web")]),
            service("web", None, &[(80, "http")]),
        ];
        let found = found(&services);
        let told: Vec<(&str, &str)> = found.iter().map(|f| (f.key, f.url.as_str())).collect();
        assert_eq!(
            told,
            [
                ("alertmanager", "http://alertmanager-main.monitoring.svc:9093"),
                ("prometheus", "http://prometheus-k8s.monitoring.svc:9090"),
                ("prometheus", "http://kps-kube-prometheus-stack-prometheus.monitoring.svc:9090"),
            ]
        );
        let text = proposal(&found);
        assert!(text.contains("\nprometheus: { url: http://prometheus-k8s"), "{text}");
        assert!(text.contains("\n# or: prometheus: { url: http://kps"), "{text}");
        assert!(
            crate::config::parse("proposed", &format!("cluster: {{ name: c }}\npolicies: p\n{text}")).is_ok(),
            "{text}"
        );
    }

    #[test]
    fn a_service_whose_name_is_no_name_becomes_no_address() {
        let mut odd = service("prometheus", Some("prometheus"), &[(9090, "web")]);
        odd.name = "prometheus}\nslack: {".into();
        assert_eq!(found(&[odd]), []);
    }
}
