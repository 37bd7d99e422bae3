//! Rows of how traffic gets to pods: services, endpoints, ingresses, network policies.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{core::v1 as core, discovery::v1 as discovery, networking::v1 as networking};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::bounds::selector;
use super::{KubeReads, found, named};
use crate::adapters::kube::views;
use crate::domain::inventory::{Column as C, Row};
use crate::ports::inventory::Found;
use crate::ports::reads::ReadError;

/// The label by which an EndpointSlice says whose it is.
const SERVICE: &str = "kubernetes.io/service-name";

/// The addresses behind a service.
#[derive(Default)]
struct Behind {
    ready: BTreeSet<String>,
    not_ready: BTreeSet<String>,
}

impl Behind {
    fn add(&mut self, slice: &discovery::EndpointSlice) {
        for endpoint in &slice.endpoints {
            // without a condition it is ready: the API's own words
            let ready = endpoint.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true);
            let pod = endpoint.target_ref.as_ref().and_then(|t| t.name.clone());
            let Some(one) = pod.or_else(|| endpoint.addresses.first().cloned()) else { continue };
            if ready {
                self.ready.insert(one)
            } else {
                self.not_ready.insert(one)
            };
        }
    }
}

impl KubeReads {
    /// Services, each with how many endpoints it has.
    pub(super) async fn services(
        &self,
        namespace: &str,
        after: Option<&str>,
    ) -> Result<Found<Row>, ReadError> {
        let what = |what: &str| format!("{what} of namespace `{namespace}`");
        let (services, slices) = (what("services"), what("endpoint slices"));
        let (cap, fetch) = (self.fetch().cap, self.fetch());
        let (services_api, slices_api) =
            (self.of::<core::Service>(namespace), self.of::<discovery::EndpointSlice>(namespace));
        let (read, behind) = futures::join!(
            self.after(&services_api, &services, (after, cap)),
            self.in_time(&slices, fetch.all(&slices_api, &slices, None)),
        );
        let (behind, unread) = match behind {
            Ok(all) => (Some(by_service(&all)), vec![]),
            Err(why) => (None, vec![why.to_string()]),
        };
        let mut services = found(&read?, |s| service(s, behind.as_ref()));
        services.unread = unread;
        Ok(services)
    }
}

fn by_service(all: &[discovery::EndpointSlice]) -> BTreeMap<String, Behind> {
    let mut map: BTreeMap<String, Behind> = BTreeMap::new();
    for slice in all {
        let of = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE));
        if let Some(of) = of {
            map.entry(of.clone()).or_default().add(slice);
        }
    }
    map
}

fn service(raw: &core::Service, behind: Option<&BTreeMap<String, Behind>>) -> Row {
    let spec = raw.spec.clone().unwrap_or_default();
    let kind = spec.type_.unwrap_or_else(|| "ClusterIP".to_owned());
    let selected: Vec<String> =
        spec.selector.iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    let name = raw.metadata.name.as_deref().unwrap_or_default();
    let count = |all: &BTreeSet<String>| all.len() as u64;
    let (ready, not_ready) = match behind.map(|all| all.get(name)) {
        None => (None, None),
        Some(None) => (Some(0), Some(0)),
        Some(Some(behind)) => (Some(count(&behind.ready)), Some(count(&behind.not_ready))),
    };
    let wants = kind != "ExternalName" && !selected.is_empty();
    named(&raw.metadata)
        .with(C::Type, kind)
        .maybe(C::Address, spec.external_name.or(spec.cluster_ip))
        .with(C::Ports, spec.ports.iter().flatten().map(service_port).collect::<Vec<_>>())
        .with(C::Selector, if selected.is_empty() { "none".to_owned() } else { selected.join(",") })
        .maybe(C::ReadyEndpoints, ready)
        .maybe(C::NotReadyEndpoints, not_ready)
        .wrong((wants && ready == Some(0)).then(|| "no endpoint is ready".to_owned()))
}

/// `http 80→8080/TCP`.
fn service_port(port: &core::ServicePort) -> String {
    let name = port.name.as_ref().map_or_else(String::new, |name| format!("{name} "));
    let to = match &port.target_port {
        Some(IntOrString::Int(to)) => format!("→{to}"),
        Some(IntOrString::String(to)) => format!("→{to}"),
        None => String::new(),
    };
    format!("{name}{}{to}/{}", port.port, port.protocol.as_deref().unwrap_or("TCP"))
}

/// An EndpointSlice.
pub(super) fn slice(raw: &discovery::EndpointSlice) -> Row {
    let mut behind = Behind::default();
    behind.add(raw);
    let ports = raw.ports.iter().flatten().map(|p| {
        let name =
            p.name.as_ref().filter(|name| !name.is_empty()).map_or_else(String::new, |n| format!("{n} "));
        let number = p.port.map_or_else(|| "all".to_owned(), |port| port.to_string());
        format!("{name}{number}/{}", p.protocol.as_deref().unwrap_or("TCP"))
    });
    let (ready, not_ready) = (behind.ready.len() as u64, behind.not_ready.len() as u64);
    named(&raw.metadata)
        .maybe(C::Service, raw.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE).cloned()))
        .with(C::Ports, ports.collect::<Vec<_>>())
        .with(C::ReadyEndpoints, ready)
        .with(C::NotReadyEndpoints, not_ready)
        .with(C::Ready, behind.ready.into_iter().collect::<Vec<_>>())
        .with(C::NotReady, behind.not_ready.into_iter().collect::<Vec<_>>())
        .wrong((ready == 0).then(|| "no endpoint is ready".to_owned()))
}

/// An ingress: `shop.example/cart → web:80`. Without an address nothing serves it.
pub(super) fn ingress(raw: &networking::Ingress) -> Row {
    let spec = raw.spec.clone().unwrap_or_default();
    let mut routes: Vec<String> = spec.rules.iter().flatten().flat_map(routes).collect();
    routes.extend(spec.default_backend.iter().map(|b| format!("* → {}", backend(b))));
    let tls: Vec<String> =
        spec.tls.iter().flatten().flat_map(|t| t.hosts.iter().flatten()).cloned().collect();
    let points = raw.status.as_ref().and_then(|s| s.load_balancer.as_ref()?.ingress.as_ref());
    let addresses: Vec<String> =
        points.into_iter().flatten().filter_map(|p| p.ip.clone().or_else(|| p.hostname.clone())).collect();
    let unserved = addresses.is_empty();
    named(&raw.metadata)
        .maybe(C::Class, spec.ingress_class_name)
        .with(C::Routes, routes)
        .with(C::TlsHosts, tls)
        .with(C::Address, addresses)
        .maybe(C::Created, views::at(raw.metadata.creation_timestamp.as_ref()))
        .wrong(unserved.then(|| "it has no address".to_owned()))
}

fn routes(rule: &networking::IngressRule) -> Vec<String> {
    let host = rule.host.as_deref().unwrap_or("*");
    let paths = rule.http.iter().flat_map(|http| &http.paths);
    paths.map(|p| format!("{host}{} → {}", p.path.as_deref().unwrap_or("/"), backend(&p.backend))).collect()
}

fn backend(to: &networking::IngressBackend) -> String {
    match (&to.service, &to.resource) {
        (Some(service), _) => {
            let port = service.port.as_ref();
            let port = port.and_then(|p| p.number.map(|n| n.to_string()).or_else(|| p.name.clone()));
            port.map_or_else(|| service.name.clone(), |port| format!("{}:{port}", service.name))
        }
        (None, Some(other)) => format!("{}/{}", other.kind, other.name),
        (None, None) => "nothing".to_owned(),
    }
}

/// A network policy.
pub(super) fn policy(raw: &networking::NetworkPolicy) -> Row {
    let view = views::net_policy(raw);
    // a policy without a selector is about every pod
    let pods = raw.spec.as_ref().and_then(|s| s.pod_selector.clone()).unwrap_or_default();
    let row = named(&raw.metadata)
        .with(C::Selector, selector(Some(&pods)))
        .maybe(C::IngressRules, view.ingress)
        .maybe(C::EgressRules, view.egress)
        .maybe(C::Created, view.created);
    if view.egress.is_some() { row.with(C::EgressDns, view.egress_dns) } else { row }
}
