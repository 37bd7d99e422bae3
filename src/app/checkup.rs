//! `belay diagnose`: the analysers alone, over what can be read of a cluster right now. No policy, no model, no journal,
//! and nothing is written anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::build;
use crate::adapters::kube::{self, Access, KubeReads};
use crate::config::{self, ClusterConfig};
use crate::diagnose;
use crate::domain::action::job::Templates;
use crate::domain::alert::{Alert, Labels};
use crate::domain::cluster::Snapshot;
use crate::domain::evidence::Evidence;
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::ids::{Cluster, Fingerprint};
use crate::domain::redact;
use crate::domain::target::{Object, Targeted};
use crate::intake;
use crate::ports::clock::{SharedClock, SystemClock};
use crate::ports::reads::{ReadError, Reads as _};
use crate::ports::survey::{Survey as _, Surveyed};

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All workloads and bare pods of this namespace, or of all that may be read.
    Everything(Option<String>),
    /// What the alerts in this text are about: a webhook body of Alertmanager's, or one alert.
    Alerts(String),
}

/// Nothing could be looked at.
#[derive(Debug, thiserror::Error)]
pub enum NotLooked {
    /// There is no way to the cluster.
    #[error("the cluster cannot be reached")]
    Connect(#[from] kube::ConnectError),
    /// The cluster answered nothing that could be used.
    #[error("nothing could be read: {0}; {hint}", hint = hint(.0))]
    Read(#[from] ReadError),
    /// The alerts are none.
    #[error("the alert cannot be read: {0}")]
    Alert(String),
    /// No alert names an object.
    #[error("no alert says what to look at: {0}")]
    Unclear(String),
}

fn hint(error: &ReadError) -> &'static str {
    match error {
        ReadError::Refused { .. } => {
            "name a namespace that you may read with `-n`, or use another `--context`"
        }
        ReadError::NotFound { .. } => "check the name, the namespace and the context",
        ReadError::Failed { .. } => "check that the API server answers (`kubectl get --raw /readyz`)",
    }
}

/// What was found. Its JSON is described in `docs/diagnose.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The version of this shape.
    pub version: u32,
    /// When it was looked.
    pub at: Timestamp,
    /// The namespace that was asked for.
    pub namespace: Option<String>,
    /// How much was looked at.
    pub looked_at: LookedAt,
    /// The surest first.
    pub findings: Vec<Found>,
    /// What could not be read, one sentence each.
    pub not_read: Vec<String>,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "as they are called")]
pub struct LookedAt {
    pub namespaces: usize,
    pub workloads: usize,
    pub pods: usize,
    pub nodes: usize,
}

/// One finding, for all owners that it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How sure.
    pub certainty: Certainty,
    /// The cause's name.
    pub cause: &'static str,
    /// What it is about.
    pub object: Place,
    /// The workloads that it concerns.
    pub workloads: Vec<Place>,
    /// One sentence.
    pub summary: String,
    /// What the analyser found, by the cause's own names.
    pub details: Cause,
    /// What it rests on.
    pub evidence: Vec<Shown>,
    /// What was considered and is not so.
    pub ruled_out: Vec<String>,
    /// Actions that make sense, by name.
    pub actions: Vec<&'static str>,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "as they are called")]
pub struct Place {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "as they are called")]
pub struct Shown {
    pub title: String,
    pub summary: String,
}

impl From<&Object> for Place {
    fn from(object: &Object) -> Self {
        let named = &object.named;
        Self { kind: named.kind.name(), namespace: named.namespace.clone(), name: named.name.clone() }
    }
}

/// How the cluster of this configuration is reached.
pub fn access(cluster: &ClusterConfig) -> Access {
    build::access(cluster, cluster.token_file.as_ref())
}

/// Looks at the cluster behind `access`.
pub async fn look(access: &Access, scope: Scope) -> Result<Report, NotLooked> {
    let clock: SharedClock = Arc::new(SystemClock);
    // findings do not say the cluster's name: whoever asks has just named it
    let cluster = Cluster::new("cluster");
    let reads = KubeReads::new(kube::connect(access).await?, cluster.clone(), clock.clone());
    let mut gathered = Gathered::default();
    let (namespace, seen) = match scope {
        Scope::Everything(namespace) => {
            let mut each = |snapshot: Snapshot| gathered.take(&snapshot, &Labels::new());
            let seen = reads.survey(namespace.as_deref(), &mut each).await?;
            (namespace, seen)
        }
        Scope::Alerts(text) => {
            let alerts = alerts(&text, clock.now())?;
            (None, gathered.about(&reads, &cluster, &alerts).await?)
        }
    };
    let Surveyed { owners, pods, nodes, namespaces, not_read } = seen;
    Ok(Report {
        version: 1,
        at: clock.now(),
        namespace,
        looked_at: LookedAt { namespaces, workloads: owners, pods, nodes },
        findings: gathered.sorted(),
        not_read,
    })
}

/// Findings of several owners; what several have in common stands once.
#[derive(Default)]
struct Gathered(BTreeMap<(&'static str, Place, String), Found>);

impl Gathered {
    fn take(&mut self, snapshot: &Snapshot, labels: &Labels) {
        let diagnosis = diagnose::diagnose(snapshot, labels, &Templates::default());
        for finding in &diagnosis.findings {
            if finding.cause == Cause::NothingWrong {
                continue;
            }
            let owner = Place::from(&snapshot.owner.0);
            // a node or a budget is one object, of which several owners hear
            let key = (finding.cause.name(), Place::from(&finding.subject), detail(finding));
            let found = self.0.entry(key).or_insert_with(|| found(finding, &diagnosis.evidence));
            found.certainty = found.certainty.max(finding.certainty);
            if !found.workloads.contains(&owner) {
                found.workloads.push(owner);
            }
        }
    }

    /// What the alerts are about, each owner once.
    async fn about(
        &mut self,
        reads: &KubeReads,
        cluster: &Cluster,
        alerts: &[Alert],
    ) -> Result<Surveyed, NotLooked> {
        let mut seen = Surveyed::default();
        let (mut unclear, mut failed) = (Vec::new(), None);
        let mut owners = BTreeSet::new();
        let (mut nodes, mut namespaces) = (BTreeSet::new(), BTreeSet::new());
        for alert in alerts {
            let named = match intake::target(cluster, alert) {
                Targeted::Named { object, .. } => object,
                Targeted::Unclear { why } => {
                    unclear.push(format!(
                        "`{}`: {}",
                        redact::line(alert.name(), 100),
                        redact::line(&why, 200)
                    ));
                    continue;
                }
            };
            let read = async {
                let located = reads.locate(&named).await?;
                reads.snapshot(&located).await
            };
            match read.await {
                Ok(snapshot) => {
                    let diagnosis = diagnose::diagnose(&snapshot, &alert.labels, &Templates::default());
                    self.take(&snapshot, &alert.labels);
                    if owners.insert(snapshot.owner.0.clone()) {
                        seen.pods += snapshot.pods.as_ref().map_or(0, Vec::len);
                        namespaces.insert(snapshot.owner.0.named.namespace.clone());
                        let of = snapshot.around.nodes.iter().flatten();
                        nodes.extend(of.map(|node| node.object.named.name.clone()));
                        seen.not_read.extend(diagnosis.missing);
                    }
                }
                Err(why) => {
                    seen.not_read.push(why.to_string());
                    failed = Some(why);
                }
            }
        }
        (seen.owners, seen.nodes, seen.namespaces) = (owners.len(), nodes.len(), namespaces.len());
        if owners.is_empty() {
            return Err(failed.map_or_else(|| NotLooked::Unclear(unclear.join("; ")), NotLooked::Read));
        }
        seen.not_read.extend(unclear);
        Ok(seen)
    }

    /// In order of certainty, then by cause and object.
    fn sorted(self) -> Vec<Found> {
        let mut all: Vec<Found> = self.0.into_values().collect();
        all.sort_by_key(|found| std::cmp::Reverse(found.certainty));
        for found in &mut all {
            found.workloads.sort();
        }
        all
    }
}

/// What tells two findings of one cause about one object apart, where anything does.
fn detail(finding: &Finding) -> String {
    match &finding.cause {
        Cause::NodeNotReady { .. } | Cause::NodePressure { .. } | Cause::BudgetDeadlock { .. } => {
            String::new()
        }
        _ => finding.summary.clone(),
    }
}

fn found(finding: &Finding, evidence: &[Evidence]) -> Found {
    let cited = evidence.iter().filter(|one| finding.evidence.contains(&one.id));
    Found {
        certainty: finding.certainty,
        cause: finding.cause.name(),
        object: Place::from(&finding.subject),
        workloads: Vec::new(),
        summary: finding.summary.clone(),
        details: finding.cause.clone(),
        evidence: cited.map(|one| Shown { title: one.title.clone(), summary: one.summary.clone() }).collect(),
        ruled_out: finding.rules_out.clone(),
        actions: finding.suggests.iter().map(|kind| kind.name()).collect(),
    }
}

/// One alert as Alertmanager's API and `amtool` write it: labels, and what else there is.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct One {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    starts_at: Option<Timestamp>,
    fingerprint: Option<String>,
}

/// The alerts of a webhook body, or the one alert that the text is.
fn alerts(text: &str, now: Timestamp) -> Result<Vec<Alert>, NotLooked> {
    let whole = match intake::parse(text) {
        Ok(delivery) => return Ok(delivery.alerts),
        Err(whole) => whole,
    };
    let one: One = serde_json::from_str(text).map_err(|_| NotLooked::Alert(whole.to_string()))?;
    Ok(vec![Alert {
        fingerprint: Fingerprint::new(one.fingerprint.unwrap_or_default()),
        status: crate::domain::alert::AlertStatus::Firing,
        labels: one.labels,
        annotations: one.annotations,
        starts_at: one.starts_at.unwrap_or(now),
        ends_at: None,
        generator_url: String::new(),
    }])
}

/// The cluster of a configuration file that is read from this process.
pub fn configured<'a>(
    config: &'a config::Config,
    cluster: Option<&str>,
) -> Result<&'a ClusterConfig, config::ConfigError> {
    let site = config.site(cluster)?;
    if site.reads.is_some() {
        return Err(config::ConfigError::Conflict(format!(
            "cluster `{}` is read through a read server (`reads.url`), which gives no lists of everything: run \
             `belay diagnose` with a kubeconfig, or inside that cluster",
            site.cluster.name
        )));
    }
    Ok(site.cluster)
}
