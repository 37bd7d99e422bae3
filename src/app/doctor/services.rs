//! Alerts that do not say what they are about, and services that something is not seen of.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::build::{self, BuildError};
use crate::app::runbooks;
use crate::config::{Config, Site};
use crate::domain::alert::{Alert, AlertStatus, Labels};
use crate::domain::cluster::{ActiveAlert, Workload};
use crate::domain::ids::Cluster;
use crate::domain::redact;
use crate::domain::sight::{Answer, Dark, Sense, Sight, Vague};
use crate::domain::target::Targeted;
use crate::intake;
use crate::ports::clock::SharedClock;
use crate::ports::reads::{Metrics, ReadError};

/// Namespaces that are looked into: each costs a list and a query, and this is read by a person.
const NAMESPACES: usize = 50;

/// Looks, and adds what was found.
pub(super) async fn look(
    config: &Config,
    of: Site<'_>,
    clock: &SharedClock,
    sight: &mut Sight,
) -> Result<(), BuildError> {
    if let Some(alerts) = build::alerts(of)? {
        match alerts.active().await {
            Ok(active) => sight.vague_alerts = vague(&active),
            Err(why) => sight.not_read.push(why.to_string()),
        }
    }
    let usable = |sense| sight.sources.iter().any(|s| s.sense == sense && usable(&s.answer));
    if !usable(Sense::Cluster) {
        return Ok(());
    }
    let metrics = build::metrics(of)?.filter(|_| usable(Sense::Metrics));
    let library = config.runbooks.as_deref().and_then(|dir| runbooks::load(dir).ok());
    let build::Eyes { listing, .. } = build::eyes(of, clock).await?;
    let (mut dark, mut not_read) = (Vec::new(), Vec::new());
    for namespace in of.limits.namespaces.iter().take(NAMESPACES) {
        let listed = match listing.deployments(namespace).await {
            Ok(listed) => listed.items,
            Err(why) => {
                not_read.push(why.to_string());
                continue;
            }
        };
        let measured = match &metrics {
            Some(metrics) => match measured(metrics.as_ref(), namespace, clock).await {
                Ok(pods) => Some(pods),
                Err(why) => {
                    not_read.push(why.to_string());
                    None
                }
            },
            None => None,
        };
        let lacks = |workload: &Workload| {
            let name = &workload.object.named.name;
            let mut lacks = BTreeSet::new();
            if measured.as_ref().is_some_and(|pods| !pods.iter().any(|pod| is_of(pod, name))) {
                lacks.insert(Sense::Metrics);
            }
            if library.as_ref().is_some_and(|library| !library.names(namespace, name)) {
                lacks.insert(Sense::Runbooks);
            }
            lacks
        };
        dark.extend(listed.iter().map(|workload| Dark {
            namespace: namespace.clone(),
            service: workload.object.named.name.clone(),
            lacks: lacks(workload),
        }));
    }
    let more = of.limits.namespaces.len().saturating_sub(NAMESPACES);
    if more > 0 {
        not_read.push(format!("{more} namespaces were not looked into: there are more than {NAMESPACES}"));
    }
    dark.retain(|one| !one.lacks.is_empty());
    sight.dark_services = dark;
    sight.not_read.extend(not_read);
    Ok(())
}

const fn usable(answer: &Answer) -> bool {
    matches!(answer, Answer::Usable { .. })
}

/// The pods of a namespace that cAdvisor measures.
async fn measured(
    metrics: &dyn Metrics,
    namespace: &str,
    clock: &SharedClock,
) -> Result<BTreeSet<String>, ReadError> {
    // names of namespaces are DNS labels: the configuration was held to that
    let query = format!("group by (pod) (container_memory_working_set_bytes{{namespace=\"{namespace}\"}})");
    let samples = metrics.query(&query, clock.now()).await?;
    Ok(samples.into_iter().filter_map(|mut sample| sample.labels.remove("pod")).collect())
}

/// Whether a pod of this name is one of the Deployment's: `name-` and the two parts that controllers add.
fn is_of(pod: &str, deployment: &str) -> bool {
    let rest = pod.strip_prefix(deployment).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| rest.split('-').count() == 2)
}

/// Alerts that do not say what they are about, each once.
pub(super) fn vague(active: &[ActiveAlert]) -> Vec<Vague> {
    let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for alert in active {
        let lacks = lacks(&alert.labels, alert);
        if !lacks.is_empty() {
            let name = alert.labels.get("alertname").map_or("?", String::as_str);
            found.entry(redact::line(name, 120)).or_default().extend(lacks);
        }
    }
    found.into_iter().map(|(alert, lacks)| Vague { alert, lacks }).collect()
}

fn lacks(labels: &Labels, active: &ActiveAlert) -> BTreeSet<&'static str> {
    // such as Watchdog, which says only that alerts arrive
    if labels.get("severity").is_some_and(|severity| severity == "none") {
        return BTreeSet::new();
    }
    let alert = Alert {
        fingerprint: active.fingerprint.clone(),
        status: AlertStatus::Firing,
        labels: labels.clone(),
        annotations: Labels::new(),
        starts_at: active.starts_at,
        ends_at: None,
        generator_url: String::new(),
    };
    match intake::target(&Cluster::new("cluster"), &alert) {
        Targeted::Named { .. } => BTreeSet::new(),
        Targeted::Unclear { .. } => {
            let namespace = labels.get("namespace").is_none_or(String::is_empty);
            namespace.then_some("namespace").into_iter().chain(["workload"]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Fingerprint;

    fn active(labels: &[(&str, &str)]) -> ActiveAlert {
        ActiveAlert {
            fingerprint: Fingerprint::new("f"),
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            starts_at: jiff::Timestamp::UNIX_EPOCH,
            suppressed: false,
            silenced: false,
        }
    }

    #[test]
    fn alerts_that_name_nothing_are_vague_and_the_watchdog_is_not() {
        let found = vague(&[
            active(&[("alertname", "Slow"), ("namespace", "shop")]),
            active(&[("alertname", "Lost")]),
            active(&[("alertname", "Lost")]),
            active(&[("alertname", "Fine"), ("namespace", "shop"), ("deployment", "web")]),
            active(&[("alertname", "Watchdog"), ("severity", "none")]),
        ]);
        let told: Vec<(String, Vec<&str>)> =
            found.into_iter().map(|v| (v.alert, v.lacks.into_iter().collect())).collect();
        assert_eq!(
            told,
            [("Lost".to_owned(), vec!["namespace", "workload"]), ("Slow".to_owned(), vec!["workload"])]
        );
    }

    #[test]
    fn a_pod_is_told_from_that_of_a_deployment_with_a_longer_name() {
        assert!(is_of("web-7f4b9-x2x", "web"));
        assert!(!is_of("web-admin-7f4b9-x2x", "web"));
        assert!(!is_of("web", "web"));
    }
}
