//! What tells who calls whom, asked all at once. What does not answer is a gap that is named; the rest still counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use jiff::SignedDuration;

use super::mesh::{self, Mesh};
use crate::domain::cluster::Workload;
use crate::domain::redact;
use crate::domain::service_map::{Beside, Edge, Flow, Health, ServiceMap, Teller, named};
use crate::domain::trace::{self, Place, Tree};
use crate::ports::clock::SharedClock;
use crate::ports::reads::{Listing, Metrics};
use crate::ports::traces::{Calls, TraceQuery, Traces};
use crate::servers::kit::Scope;

/// Traces that are looked at for one service: a handful shows every usual way.
const TRACES: u32 = 20;
/// How far back: as far as the pace of most services shows them whole.
const BACK: SignedDuration = SignedDuration::from_hours(1);
/// Services whose traces are looked at for a map of a namespace, and how many at once.
const SERVICES: usize = 10;
/// A tracing backend answers the searches of one page at once, and this is less.
const AT_ONCE: usize = 3;
/// Names in one annotation.
const NAMES: usize = 50;
/// A reason at a glance.
const REASON: usize = 200;

/// What there is to ask.
#[derive(Clone)]
pub struct Sources {
    /// Plain reads of the cluster: annotations, and how workloads are.
    pub listing: Arc<dyn Listing>,
    /// A tracing backend, and whether its spans say in which namespace they are.
    pub traces: Option<(Arc<dyn Traces>, bool)>,
    /// A mesh whose metrics are had.
    pub mesh: Option<(Mesh, Arc<dyn Metrics>)>,
    /// The annotation that names what a Deployment calls.
    pub annotation: Option<String>,
    /// What a file says.
    pub fixed: Arc<[Edge]>,
    /// What time it is.
    pub clock: SharedClock,
}

/// What was told.
#[derive(Debug, Default)]
pub struct Told {
    /// Who calls whom.
    pub map: ServiceMap,
    /// How the workloads of the namespaces that may be seen are.
    pub health: BTreeMap<Place, Health>,
    /// What could not be asked, and why.
    pub gaps: Vec<String>,
}

impl Told {
    /// What is beside this service.
    pub fn beside(&self, place: &Place) -> Beside {
        let neighbours = self.map.beside(place).into_iter().map(|neighbour| {
            let health = self.health.get(&neighbour.place).copied();
            (neighbour, health)
        });
        Beside { neighbours: neighbours.collect(), gaps: self.gaps.clone() }
    }
}

/// Edges, and what is missing of them.
type Part = (Vec<Edge>, Vec<String>);

impl Sources {
    /// What is told about one service, as far as `scope` may see it.
    pub async fn around(&self, place: &Place, scope: &Scope) -> Told {
        let namespace = place.namespace.as_deref().unwrap_or_default();
        self.told(namespace, std::slice::from_ref(&place.service), scope).await
    }

    /// What is told about a namespace.
    pub async fn of_namespace(&self, namespace: &str, scope: &Scope) -> Told {
        let listed = self.listing.deployments(namespace).await.map(|l| l.items).unwrap_or_default();
        let services: Vec<String> =
            listed.iter().take(SERVICES).map(|d| d.object.named.name.clone()).collect();
        let mut told = self.told(namespace, &services, scope).await;
        if listed.len() > SERVICES && self.traces.is_some() {
            told.gaps.push(format!(
                "the traces of {} of {} workloads were looked at",
                SERVICES,
                listed.len()
            ));
        }
        told
    }

    async fn told(&self, namespace: &str, services: &[String], scope: &Scope) -> Told {
        let (traced, counted, meshed, annotated) = futures::join!(
            self.traced(namespace, services, scope),
            self.counted(scope),
            self.meshed(namespace),
            self.annotated(namespace)
        );
        let mut told = Told::default();
        let mut edges: Vec<Edge> = self.fixed.to_vec();
        for (found, gaps) in [traced, counted, meshed, annotated] {
            edges.extend(found);
            told.gaps.extend(gaps);
        }
        let near = nearby(&edges, namespace);
        told.health = self.health(&near, scope, &mut told.gaps).await;
        told.map = ServiceMap::of(edges);
        told
    }

    async fn traced(&self, namespace: &str, services: &[String], scope: &Scope) -> Part {
        let Some((traces, placed)) = &self.traces else { return Part::default() };
        if !placed && !scope.is_everywhere() {
            let why = "traces are not asked: spans do not say in which namespace they are";
            return (Vec::new(), vec![why.to_owned()]);
        }
        let until = self.clock.now();
        let since = until.saturating_sub(BACK).unwrap_or(until);
        let asked = services.iter().cloned().map(|service| {
            let query = TraceQuery {
                service,
                namespace: placed.then(|| namespace.to_owned()),
                operation: None,
                at_least: None,
                failed: false,
                since,
                until,
                limit: TRACES,
            };
            async move { traces.search(&query).await }
        });
        let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        let mut hops: BTreeMap<(Place, Place), trace::Hop> = BTreeMap::new();
        let mut gaps = Vec::new();
        for answer in answers {
            match answer {
                Ok(found) => {
                    for trace in found.traces {
                        // what does not say where it is is not shown to who may not see everything
                        let may = |n: Option<&str>| scope.is_everywhere() || n.is_some();
                        count(&mut hops, &trace::hops(&Tree::of(trace.seen_by(may))));
                    }
                }
                Err(error) => gaps.push(redact::line(&error.to_string(), REASON)),
            }
        }
        gaps.dedup();
        (hops.values().map(Edge::from).collect(), gaps)
    }

    /// The backend's own count knows no namespaces: only who may see all may see it.
    async fn counted(&self, scope: &Scope) -> Part {
        let Some((traces, _)) = self.traces.as_ref().filter(|_| scope.is_everywhere()) else {
            return Part::default();
        };
        let until = self.clock.now();
        let since = until.saturating_sub(BACK).unwrap_or(until);
        match traces.calls(since, until).await {
            Ok(calls) => (calls.unwrap_or_default().into_iter().map(edge_of).collect(), Vec::new()),
            Err(error) => (Vec::new(), vec![redact::line(&error.to_string(), REASON)]),
        }
    }

    async fn meshed(&self, namespace: &str) -> Part {
        let Some((mesh, metrics)) = &self.mesh else { return Part::default() };
        match mesh::edges(*mesh, metrics, namespace, self.clock.now()).await {
            Ok(edges) => (edges, Vec::new()),
            Err(error) => (Vec::new(), vec![redact::line(&error.to_string(), REASON)]),
        }
    }

    async fn annotated(&self, namespace: &str) -> Part {
        let Some(annotation) = &self.annotation else { return Part::default() };
        match self.listing.deployments(namespace).await {
            Ok(listed) => {
                let edges = listed.items.iter().flat_map(|workload| calls_of(workload, annotation));
                (edges.collect(), Vec::new())
            }
            Err(error) => (Vec::new(), vec![redact::line(&error.to_string(), REASON)]),
        }
    }

    /// How the workloads of these namespaces are, where they may be seen.
    async fn health(
        &self,
        namespaces: &[String],
        scope: &Scope,
        gaps: &mut Vec<String>,
    ) -> BTreeMap<Place, Health> {
        let mut health = BTreeMap::new();
        let mut visible = namespaces.to_vec();
        visible.retain(|namespace| scope.check(namespace).is_ok());
        let asked = visible.into_iter().map(|namespace| async move {
            let listed = self.listing.deployments(&namespace).await;
            (namespace, listed)
        });
        let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        for (namespace, answer) in answers {
            match answer {
                Ok(listed) => health.extend(listed.items.iter().map(|d| {
                    let service = d.object.named.name.clone();
                    let place = Place { namespace: Some(namespace.clone()), service };
                    (place, Health { ready: d.ready, desired: d.desired })
                })),
                Err(error) => gaps.push(redact::line(&error.to_string(), REASON)),
            }
        }
        health
    }
}

fn count(all: &mut BTreeMap<(Place, Place), trace::Hop>, hops: &[trace::Hop]) {
    for hop in hops {
        let key = (hop.from.clone(), hop.to.clone());
        match all.get_mut(&key) {
            Some(kept) => {
                kept.calls = kept.calls.saturating_add(hop.calls);
                kept.errors = kept.errors.saturating_add(hop.errors);
                kept.nanos = kept.nanos.saturating_add(hop.nanos);
            }
            None => drop(all.insert(key, hop.clone())),
        }
    }
}

fn edge_of(calls: Calls) -> Edge {
    let place = |service| Place { namespace: None, service };
    Edge { from: place(calls.from), to: place(calls.to), teller: Teller::Counted, flow: Flow::default() }
}

/// What a workload's annotation says that it calls; what can name no service is passed over.
fn calls_of(workload: &Workload, annotation: &str) -> Vec<Edge> {
    let of = &workload.object.named;
    let from = Place { namespace: Some(of.namespace.clone()), service: of.name.clone() };
    let text = workload.annotations.get(annotation).map_or("", String::as_str);
    let names = text.split([',', ' ', '\n']).filter(|name| !name.is_empty()).take(NAMES);
    let edge = |to| Edge { from: from.clone(), to, teller: Teller::Annotation, flow: Flow::default() };
    names.filter_map(|name| named(name, &of.namespace)).map(edge).collect()
}

/// The namespaces whose workloads are beside those of this one, and this one: at most ten, in a fixed order.
fn nearby(edges: &[Edge], namespace: &str) -> Vec<String> {
    let here = |place: &Place| place.namespace.as_deref() == Some(namespace);
    let mut near: Vec<String> = edges
        .iter()
        .filter(|edge| here(&edge.from) || here(&edge.to))
        .flat_map(|edge| [&edge.from, &edge.to])
        .filter_map(|place| place.namespace.clone())
        .collect();
    near.sort();
    near.dedup();
    near.truncate(SERVICES);
    if !near.iter().any(|n| n == namespace) {
        near.push(namespace.to_owned());
    }
    near
}
