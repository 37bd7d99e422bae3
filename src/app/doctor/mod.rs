//! `belay doctor`: everything that the configuration names is asked how it is, and what belay would decide blindly is
//! said. It reads, and writes nothing anywhere; nobody is called.

mod discover;
mod services;
mod ways;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use futures::future::join_all;
use jiff::SignedDuration;

use super::build::{self, BuildError};
use super::{Strangers, models, runbooks};
use crate::adapters::alertmanager::Alertmanager;
use crate::adapters::kube::{self, KubeProbe};
use crate::adapters::mcp::Standing;
use crate::adapters::prometheus::Prometheus;
use crate::config::{Config, MinimumGrade, Site};
use crate::domain::action::rights::{self, Verdict, weigh};
use crate::domain::sight::{Answer, Checkup, Grade, Other, Sense, Sight, Source};
use crate::ports::clock::SharedClock;
use crate::ports::probe::{Probe, Probed};

pub use discover::{Found, discovered, proposal};

/// The version of the JSON.
const VERSION: u32 = 1;
/// How long anything is waited for: as long as a read of the cluster may take, and a second try of it.
const WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// Asks everything that `config` names.
pub async fn examine(config: &Config, clock: &SharedClock) -> Result<Checkup, BuildError> {
    let sites = config.sites().map(|of| site(config, of, clock));
    let mut clusters = Vec::new();
    for sight in join_all(sites).await {
        clusters.push(sight?);
    }
    let grade = clusters.iter().map(|sight| sight.grade).max().unwrap_or(Grade::F);
    let others = others(config, clock).await?;
    Ok(Checkup { version: VERSION, at: clock.now(), grade, minimum: minimum(config), clusters, others })
}

/// What was asked, with what came of it and how long it took.
async fn asked<T, E: Display>(
    clock: &SharedClock,
    asking: impl Future<Output = Result<T, E>>,
    said: impl FnOnce(&T) -> Probed,
) -> (Answer, Option<T>) {
    let began = clock.now();
    let within = std::time::Duration::try_from(WITHIN).unwrap_or_default();
    let result = tokio::time::timeout(within, asking).await;
    let took = clock.now().duration_since(began);
    match result {
        Ok(Ok(value)) => {
            let Probed { version, retention } = said(&value);
            (Answer::Usable { version, retention, took }, Some(value))
        }
        Ok(Err(error)) => (Answer::Unusable { why: error.to_string() }, None),
        Err(_) => (Answer::Unusable { why: format!("there was no answer within {WITHIN:#}") }, None),
    }
}

async fn probed(clock: &SharedClock, probe: &dyn Probe) -> Answer {
    asked(clock, probe.probe(), Clone::clone).await.0
}

fn source(sense: Sense, name: &str, key: &str, answer: Answer) -> Source {
    let (name, key) = (name.to_owned(), key.to_owned());
    Source { sense, name, key, answer, too_little: Vec::new(), too_much: Vec::new() }
}

/// One cluster and what tells of it.
async fn site(config: &Config, of: Site<'_>, clock: &SharedClock) -> Result<Sight, BuildError> {
    let mut sources = cluster(of, clock).await?;
    if let Some(alertmanager) = of.alertmanager {
        let credentials = build::credentials(alertmanager.bearer_token_file.as_deref())?;
        let probe = Alertmanager::new(&alertmanager.url, credentials)?;
        sources.push(source(Sense::Alerts, "Alertmanager", "alertmanager", probed(clock, &probe).await));
    }
    if let Some(prometheus) = of.prometheus {
        let credentials = build::credentials(prometheus.bearer_token_file.as_deref())?;
        let probe = Prometheus::new(&prometheus.url, credentials)?;
        sources.push(source(Sense::Metrics, "Prometheus", "prometheus", probed(clock, &probe).await));
    }
    ways::add(config, of, clock, &mut sources).await?;
    if let Some(dir) = &config.runbooks {
        sources.push(source(Sense::Runbooks, "runbooks", "runbooks", library(dir)));
    }
    let mut sight = Sight::of(&of.cluster.name, sources);
    services::look(config, of, clock, &mut sight).await?;
    Ok(sight)
}

fn library(dir: &std::path::Path) -> Answer {
    match runbooks::load(dir) {
        Ok(library) if library.is_empty() => {
            Answer::Unusable { why: format!("there is no runbook in `{}`", dir.display()) }
        }
        Ok(library) => Answer::Usable {
            version: Some(format!("{} runbooks", library.len())),
            retention: None,
            took: SignedDuration::ZERO,
        },
        Err(error) => Answer::Unusable { why: error.to_string() },
    }
}

/// The cluster itself: its objects, its logs and its rollouts, and what the account may do there.
async fn cluster(of: Site<'_>, clock: &SharedClock) -> Result<Vec<Source>, BuildError> {
    let senses = [
        (Sense::Cluster, "Kubernetes"),
        (Sense::Logs, "logs of pods"),
        (Sense::Deploys, "rollouts of Deployments"),
    ];
    if of.reads.is_some() {
        let build::Eyes { reads, .. } = build::eyes(of, clock).await?;
        let namespaces = of.limits.namespaces.clone();
        let (answer, _) = asked(clock, reads.fleet(&namespaces), |_| Probed::default()).await;
        return Ok(senses.map(|(sense, name)| source(sense, name, "reads", answer.clone())).into());
    }
    let client = kube::connect(&build::access(of.cluster, of.cluster.token_file.as_ref())).await?;
    let probe = KubeProbe::new(client);
    let answer = probed(clock, &probe).await;
    let mut sources = senses.map(|(sense, name)| source(sense, name, "cluster", answer.clone()));
    if matches!(answer, Answer::Usable { .. }) {
        match rights(&probe, of).await {
            Ok(verdict) => weighed(&mut sources, &verdict),
            Err(why) => sources.iter_mut().for_each(|s| s.too_little.push(why.clone())),
        }
    }
    Ok(sources.into())
}

/// What the reading account may do, in each namespace that belay may act in; where there is none, in its own.
async fn rights(probe: &KubeProbe, of: Site<'_>) -> Result<Verdict, String> {
    let mut places: Vec<&str> = of.limits.namespaces.iter().map(String::as_str).collect();
    if places.is_empty() {
        places.push(&of.limits.own_namespace);
    }
    let needs: BTreeSet<_> = rights::READING.into_iter().collect();
    let mut verdict = Verdict::default();
    for place in places {
        let held = probe.held(place).await.map_err(|e| e.to_string())?;
        verdict.add(weigh(&[held], &needs, &[]));
    }
    Ok(verdict)
}

/// What is missing for the logs makes them unusable; everything else stands with the cluster.
fn weighed(sources: &mut [Source; 3], verdict: &Verdict) {
    let [cluster, logs, _] = sources;
    for missing in &verdict.missing {
        let text = format!("may not `{}` in namespace `{}`", missing.right, missing.namespace);
        if missing.right.resource.name == "pods/log" {
            logs.answer = Answer::Unusable { why: format!("the account {text}") };
        }
        cluster.too_little.push(text);
    }
    for (excess, places) in &verdict.excess {
        let places: Vec<String> = places.iter().map(|place| format!("`{place}`")).collect();
        cluster.too_much.push(format!("may `{excess}` in {}", places.join(", ")));
    }
}

/// What is there for all clusters.
async fn others(config: &Config, clock: &SharedClock) -> Result<Vec<Other>, BuildError> {
    let mut others = Vec::new();
    let mut add = |name: String, key: &str, answer| others.push(Other { name, key: key.to_owned(), answer });
    for model in config.endpoints() {
        let probe = models::openai(model)?;
        let name = format!("model {} at {}", model.name, probe.place());
        add(name, "model", probed(clock, &probe).await);
    }
    if let Some(slack) = build::slack(config)? {
        let (answer, _) = asked(clock, slack.check(), |_| Probed::default()).await;
        add("Slack".to_owned(), "slack", answer);
    }
    if config.pager.is_some() {
        add("pager".to_owned(), "pager", Answer::Untried);
    }
    let (strangers, pins) = (Strangers::of(config, clock)?, build::pins(config)?);
    for server in strangers.servers() {
        let (answer, tools) = asked(clock, server.survey(), |_| Probed::default()).await;
        let answer = tools.map_or(answer.clone(), |tools| {
            let standing = |tool: &&str| pins.judge(server.name(), tool, &tools) != Standing::Pinned;
            let off: Vec<&str> = server.allowed().filter(standing).collect();
            if off.is_empty() { answer } else { Answer::Unusable { why: disabled(&off) } }
        });
        add(format!("MCP server {}", server.name()), "mcpServers", answer);
    }
    Ok(others)
}

fn disabled(tools: &[&str]) -> String {
    format!("{} of its tools cannot be called ({}): see `belay mcp pin`", tools.len(), tools.join(", "))
}

/// The grade that acting above level 1 asks for.
pub(super) const fn minimum(config: &Config) -> Grade {
    match config.minimum_grade {
        MinimumGrade::A => Grade::A,
        MinimumGrade::B => Grade::B,
        MinimumGrade::C => Grade::C,
        MinimumGrade::D => Grade::D,
        MinimumGrade::F => Grade::F,
    }
}

/// What may be in force with what the configuration names, before anything was asked.
pub(super) fn named(config: &Config) -> (Grade, Vec<Sense>) {
    let of_site = |of: Site<'_>| {
        let mut seen = BTreeSet::from([Sense::Cluster, Sense::Logs, Sense::Deploys]);
        seen.extend(of.alertmanager.map(|_| Sense::Alerts));
        seen.extend(of.prometheus.map(|_| Sense::Metrics));
        seen.extend(config.runbooks.as_ref().map(|_| Sense::Runbooks));
        (crate::domain::sight::grade(&seen), crate::domain::sight::lacking(&seen))
    };
    config.sites().map(of_site).max().unwrap_or((Grade::F, vec![Sense::Cluster]))
}

/// The configuration's clusters, for discovery.
pub async fn probe_of(config: &Config, cluster: Option<&str>) -> Result<Arc<KubeProbe>, BuildError> {
    let of = config.site(cluster)?;
    let client = kube::connect(&build::access(of.cluster, of.cluster.token_file.as_ref())).await?;
    Ok(Arc::new(KubeProbe::new(client)))
}
