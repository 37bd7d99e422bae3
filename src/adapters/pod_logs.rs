//! Logs as Kubernetes keeps them: those of a service's pods, read one by one through plain reads of the cluster, and
//! searched here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use crate::domain::cluster::{Container, ContainerState, Pod};
use crate::domain::log::read::{self, Raw};
use crate::domain::log::windows::select;
use crate::domain::log::{Instance, Line};
use crate::domain::redact;
use crate::domain::target::Kind;
use crate::ports::logs::{Found, Logs, Query};
use crate::ports::reads::{Listing, ReadError, Stretch, StretchQuery};

/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Logs that are read for one answer: 30 of half a MiB, and a quarter of what a caller may read at once.
const LOGS: usize = 30;
/// Logs that are read at a time: what a person has open in terminals.
const AT_ONCE: usize = 6;
/// Pods that are named as missing.
const NAMED: usize = 5;

/// The labels by which pods say whose they are, unless the configuration names one.
const LABELS: [&str; 2] = ["app.kubernetes.io/name", "app"];

/// The logs of a cluster's pods.
pub struct PodLogs {
    listing: Arc<dyn Listing>,
    label: Option<String>,
    services: BTreeMap<String, String>,
}

/// One log, and whose it is.
struct Place {
    service: String,
    query: StretchQuery,
    instance: Instance,
}

impl PodLogs {
    /// Reads through `listing`. `label` is the one by which pods name their service; `services` are the names that
    /// they use, by those that people use.
    pub fn new(listing: Arc<dyn Listing>, label: Option<String>, services: BTreeMap<String, String>) -> Self {
        Self { listing, label, services }
    }

    /// What a pod says that it is of.
    fn service_of<'a>(&'a self, pod: &'a Pod) -> Option<&'a str> {
        let label = |name: &str| pod.labels.get(name).map(String::as_str);
        match &self.label {
            Some(name) => label(name),
            None => LABELS.into_iter().find_map(label),
        }
    }

    /// Whether a pod is of a service: by its label, or by what controls it.
    fn is_of(&self, pod: &Pod, service: &str) -> bool {
        let name = self.services.get(service).map_or(service, String::as_str);
        self.service_of(pod) == Some(name) || is_named(pod, name)
    }

    /// The logs to read: of pods in trouble first, then by name.
    fn places(&self, mut pods: Vec<Pod>, query: &Query) -> Vec<Place> {
        pods.sort_by_key(|pod| (pod.ready, pod.object.named.name.clone()));
        let mut places = Vec::new();
        for pod in &pods {
            let service = self.service_of(pod).map_or_else(|| workload(pod), str::to_owned);
            for container in &pod.containers {
                for previous in instances(container, query) {
                    let instance = Instance {
                        pod: pod.object.named.name.clone(),
                        container: container.name.clone(),
                        host: pod.node.clone().unwrap_or_default(),
                        previous,
                    };
                    if query.instance.as_ref().is_none_or(|wanted| *wanted == instance) {
                        places.push(Place {
                            service: service.clone(),
                            query: stretch(query, &instance),
                            instance,
                        });
                    }
                }
            }
        }
        places
    }

    async fn read(
        &self,
        place: Place,
        query: &Query,
    ) -> Result<(Vec<Line>, Option<String>), (String, ReadError)> {
        let Place { service, query: of, instance } = place;
        let name = format!("`{}/{}`", redact::line(&instance.pod, 80), redact::line(&instance.container, 80));
        match self.listing.stretch(&of).await {
            Ok(Stretch { lines, cut }) => {
                let note = cut.then(|| match lines.first().filter(|_| query.newest) {
                    Some((first, _)) => format!("{name}: only what was written from {first} on was read"),
                    None => format!("{name}: only a part of its log was read"),
                });
                let raw = |(n, (at, text))| Raw {
                    at: Some(at),
                    id: format!("{n:06}"),
                    service: service.clone(),
                    text,
                    ..Raw::default()
                };
                let mut lines = read::lines(&instance, lines.into_iter().enumerate().map(raw).collect());
                for line in &mut lines {
                    line.matched = query.wants(line);
                }
                Ok((lines, note))
            }
            Err(error) => Err((name, error)),
        }
    }
}

fn stretch(query: &Query, instance: &Instance) -> StretchQuery {
    StretchQuery {
        namespace: query.namespace.clone(),
        pod: instance.pod.clone(),
        container: instance.container.clone(),
        previous: instance.previous,
        since: query.since,
        until: query.until,
        newest: query.newest,
    }
}

/// Which instances of a container may have written within the stretch: the previous one, the present one.
fn instances(container: &Container, query: &Query) -> Vec<bool> {
    let ended = container.last_end.as_ref();
    let before = container.restarts > 0 && ended.is_none_or(|end| end.at.is_none_or(|at| at >= query.since));
    let runs = match &container.state {
        // one that waits after a restart has said all it had to say in its previous instance
        ContainerState::Waiting { .. } => false,
        ContainerState::Running { since } => since.is_none_or(|since| since <= query.until),
        ContainerState::Ended(end) => end.at.is_none_or(|at| at >= query.since),
    };
    [(before, true), (runs, false)]
        .into_iter()
        .filter_map(|(there, previous)| there.then_some(previous))
        .collect()
}

/// Whether a pod, or what controls it, has this name.
fn is_named(pod: &Pod, name: &str) -> bool {
    pod.object.named.name == name || workload(pod) == name
}

/// The name of the workload that a pod is of: that of its controller, without the hash of a ReplicaSet or the number of
/// a Job.
fn workload(pod: &Pod) -> String {
    let Some(controller) = &pod.controller else { return pod.object.named.name.clone() };
    let name = &controller.named.name;
    let made = matches!(controller.named.kind, Kind::ReplicaSet | Kind::Job);
    let cut = name.rsplit_once('-').filter(|_| made);
    cut.map_or(name.as_str(), |(workload, _)| workload).to_owned()
}

#[async_trait]
impl Logs for PodLogs {
    fn name(&self) -> &'static str {
        "Kubernetes"
    }

    async fn search(&self, query: &Query) -> Result<Found, ReadError> {
        let deadline = Instant::now() + WITHIN;
        let listed = timeout_at(deadline, self.listing.pods(&query.namespace)).await;
        let listed = listed.map_err(|_| late(&query.namespace))??;
        let mut found = Found::default();
        if listed.left_out != Some(0) {
            found.left_out.push("there are more pods in the namespace than were looked at".to_owned());
        }
        let wanted = |pod: &Pod| query.service.as_ref().is_none_or(|service| self.is_of(pod, service));
        let pods: Vec<Pod> = listed.items.into_iter().filter(wanted).collect();
        if pods.is_empty() {
            let whose =
                query.service.as_ref().map_or_else(String::new, |name| format!(" of service `{name}`"));
            let what = format!("a pod{whose} in namespace `{}`", query.namespace);
            return Err(ReadError::NotFound { what });
        }
        let places = self.places(pods, query);
        let more = places.len().saturating_sub(LOGS);
        if more > 0 {
            let left = places
                .iter()
                .skip(LOGS)
                .take(NAMED)
                .map(|p| format!("`{}`", redact::line(&p.instance.pod, 80)));
            let named = left.collect::<Vec<_>>().join(", ");
            found.left_out.push(format!("{more} logs were not read, among them those of {named}"));
            found.more = true;
        }
        let read = self.all(places, query, deadline, &mut found).await?;
        let shown = select(read, query.context, query.limit, query.newest);
        found.more |= shown.matched > query.limit;
        found.blocks = shown.blocks;
        Ok(found)
    }
}

impl PodLogs {
    /// The lines of each log that could be read in time.
    async fn all(
        &self,
        places: Vec<Place>,
        query: &Query,
        deadline: Instant,
        found: &mut Found,
    ) -> Result<Vec<Vec<Line>>, ReadError> {
        let mut waiting: Vec<String> = places.iter().take(LOGS).map(|p| p.instance.pod.clone()).collect();
        let (mut read, mut failed) = (Vec::new(), Vec::new());
        let mut rest = places.into_iter().take(LOGS);
        let one = |place: Place| async {
            let pod = place.instance.pod.clone();
            (pod, self.read(place, query).await)
        };
        let mut running: FuturesUnordered<_> = rest.by_ref().take(AT_ONCE).map(one).collect();
        loop {
            match timeout_at(deadline, running.next()).await {
                Ok(None) => break,
                Ok(Some((pod, answer))) => {
                    if let Some(at) = waiting.iter().position(|name| *name == pod) {
                        waiting.remove(at);
                    }
                    match answer {
                        Ok((lines, note)) => {
                            found.more |= note.is_some();
                            found.left_out.extend(note);
                            read.push(lines);
                        }
                        Err((name, error)) => failed.push((name, error)),
                    }
                    running.extend(rest.next().map(one));
                }
                Err(_) => {
                    waiting.sort();
                    waiting.dedup();
                    let named: Vec<String> =
                        waiting.iter().take(NAMED).map(|p| format!("`{}`", redact::line(p, 80))).collect();
                    if read.is_empty() && failed.is_empty() {
                        return Err(late(&query.namespace));
                    }
                    found.more = true;
                    found.left_out.push(format!(
                        "no answer within {} seconds about {} pods, among them {}",
                        WITHIN.as_secs(),
                        waiting.len(),
                        named.join(", ")
                    ));
                    break;
                }
            }
        }
        match failed.first() {
            Some((_, error)) if read.is_empty() => return Err(error.clone()),
            _ => {}
        }
        found.more |= !failed.is_empty();
        found.left_out.extend(failed.into_iter().map(|(name, error)| format!("{name}: {error}")));
        found.left_out.sort();
        Ok(read)
    }
}

fn late(namespace: &str) -> ReadError {
    ReadError::Failed {
        what: format!("the logs of namespace `{namespace}`"),
        why: format!("no answer within {} seconds", WITHIN.as_secs()),
    }
}
