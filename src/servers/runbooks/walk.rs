//! Walks the steps of a runbook: reads what their checks name, about one workload, and changes nothing.

use std::sync::Arc;

use crate::domain::cluster::{Pod, Workload};
use crate::domain::ids::Cluster;
use crate::domain::redact;
use crate::domain::runbook::{Check, Looked, Measured, Outcome, Pattern, Step, Walked};
use crate::domain::target::{Kind, Named};
use crate::ports::clock::SharedClock;
use crate::ports::reads::{Listed, Listing, LogQuery, Metrics, ReadError};

/// Pods whose logs are read: those of a workload say the same.
const PODS: usize = 5;
/// Containers of all of them together.
const LOGS: usize = 10;
/// Lines of each: what is read of any log.
const LINES: u32 = 500;
/// Why something could not be read, in a line.
const WHY: usize = 240;

/// What the checks are read from.
#[derive(Clone)]
pub struct Ground {
    /// The cluster.
    pub cluster: Cluster,
    /// Plain reads of it.
    pub listing: Arc<dyn Listing>,
    /// Measurements, where they are configured.
    pub metrics: Option<Arc<dyn Metrics>>,
    /// What time it is.
    pub clock: SharedClock,
}

type Seen = (Outcome, String);
/// The same, with a line of a log.
type Quoted = (Outcome, String, Option<String>);

/// Each step looked at, in order, about this workload.
pub async fn walk(ground: &Ground, steps: &[Step], namespace: &str, service: &str) -> Vec<Walked> {
    let needs = steps.iter().any(|step| step.check.is_some());
    let around = if needs { Some(Around::read(ground, namespace, service).await) } else { None };
    let mut walked = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let seen = match (&step.check, &around) {
            (Some(check), Some(around)) => around.look(ground, check).await,
            (Some(_) | None, _) => (Outcome::NeedsAPerson, String::new(), None),
        };
        let (outcome, seen, quoted) = seen;
        walked.push(Walked { quoted, ..Walked::new(place + 1, step, (outcome, seen)) });
    }
    walked
}

fn cannot(why: impl AsRef<str>) -> Seen {
    (Outcome::CouldNotTell, redact::line(why.as_ref(), WHY))
}

/// The workload as it was found.
struct Around {
    namespace: String,
    service: String,
    deployments: Result<Listed<Workload>, ReadError>,
    pods: Result<Listed<Pod>, ReadError>,
}

impl Around {
    async fn read(ground: &Ground, namespace: &str, service: &str) -> Self {
        let (deployments, pods) =
            futures::join!(ground.listing.deployments(namespace), ground.listing.pods(namespace));
        Self { namespace: namespace.to_owned(), service: service.to_owned(), deployments, pods }
    }

    async fn look(&self, ground: &Ground, check: &Check) -> Quoted {
        let (outcome, seen) = match check {
            Check::Metric(measured) => self.metric(ground, measured).await,
            Check::Workload(state) => match self.workload() {
                Ok((deployment, pods)) => state.judge(Looked { deployment, pods: &pods }),
                Err(why) => cannot(why),
            },
            Check::Log(pattern) => return self.log(ground, pattern).await,
        };
        (outcome, seen, None)
    }

    fn deployment(&self) -> Result<Option<&Workload>, String> {
        let listed = self.deployments.as_ref().map_err(ToString::to_string)?;
        Ok(listed.items.iter().find(|one| one.object.named.name == self.service))
    }

    /// The Deployment of this name, or else the pods that a controller of this name made.
    fn workload(&self) -> Result<(Option<&Workload>, Vec<&Pod>), String> {
        let deployment = self.deployment()?;
        let listed = self.pods.as_ref().map_err(ToString::to_string)?;
        let pods: Vec<&Pod> =
            listed.items.iter().filter(|pod| self.made(pod, deployment.is_some())).collect();
        match (deployment, pods.as_slice(), listed.left_out) {
            (None, [], Some(0)) => Err(format!("there is no workload `{}` with pods", self.service)),
            (_, _, Some(0)) => Ok((deployment, pods)),
            _ => Err("the namespace has more pods than were read".to_owned()),
        }
    }

    fn made(&self, pod: &Pod, deployment: bool) -> bool {
        let Some(controller) = &pod.controller else { return false };
        let Named { kind, name, .. } = &controller.named;
        let set = |name: &str| name.rsplit_once('-').is_some_and(|(of, _)| of == self.service);
        match kind {
            Kind::ReplicaSet if deployment => set(name),
            Kind::StatefulSet | Kind::DaemonSet | Kind::ReplicaSet => !deployment && *name == self.service,
            _ => false,
        }
    }

    async fn metric(&self, ground: &Ground, measured: &Measured) -> Seen {
        let Some(metrics) = &ground.metrics else {
            return cannot("no metrics are configured (`prometheus.url`)");
        };
        let kind = match self.workload() {
            Ok((Some(_), _)) => Kind::Deployment,
            Ok((None, pods)) => {
                pods.first().and_then(|pod| pod.controller.as_ref()).map_or(Kind::Pod, |c| c.named.kind)
            }
            Err(why) => return cannot(why),
        };
        let (cluster, namespace) = (ground.cluster.clone(), self.namespace.clone());
        let named = Named { cluster, kind, namespace, name: self.service.clone() };
        let query = match measured.query(&named) {
            Ok(query) => query,
            Err(why) => return cannot(why),
        };
        match metrics.query(&query, ground.clock.now()).await {
            Ok(samples) => measured.judge(&samples.iter().map(|sample| sample.value).collect::<Vec<_>>()),
            Err(error) => cannot(error.to_string()),
        }
    }

    async fn log(&self, ground: &Ground, pattern: &Pattern) -> Quoted {
        match self.lines(ground).await {
            Ok(lines) => pattern.judge(lines.iter().map(String::as_str)),
            Err(why) => {
                let (outcome, seen) = cannot(why);
                (outcome, seen, None)
            }
        }
    }

    async fn lines(&self, ground: &Ground) -> Result<Vec<String>, String> {
        let (_, pods) = self.workload()?;
        let mut lines: Vec<String> = Vec::new();
        for query in self.logs(&pods) {
            // a part of the logs would say that a line is absent when it is in the rest
            lines.extend(ground.listing.log(&query).await.map_err(|e| e.to_string())?.lines);
        }
        Ok(lines)
    }

    /// The logs that stand for all: of some pods, each container's.
    fn logs(&self, pods: &[&Pod]) -> Vec<LogQuery> {
        let mut queries = Vec::new();
        for pod in pods.iter().take(PODS) {
            queries.extend(pod.containers.iter().map(|container| LogQuery {
                namespace: self.namespace.clone(),
                pod: pod.object.named.name.clone(),
                container: Some(container.name.clone()),
                previous: false,
                tail: LINES,
            }));
        }
        queries.truncate(LOGS);
        queries
    }
}
