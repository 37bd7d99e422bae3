//! Argo CD: one application, as its API server tells of it (`GET /api/v1/applications/{name}`).

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

use super::monitoring::{Credentials, Monitoring, SetupError};
use crate::domain::deploy::{self, Compared, Deploy, Outcome, Pipeline, Source, Stage};
use crate::ports::deploys::Delivery;
use crate::ports::reads::ReadError;

/// An object of Kubernetes has at most 1.5 MiB in etcd; as JSON with its managed fields, some more.
const BODY: usize = 4 << 20;
/// Results of the last operation that are told: the rest is healthy, as a rule.
const STAGES: usize = 10;

/// One API server.
#[derive(Debug, Clone)]
pub struct ArgoCd(Monitoring);

impl ArgoCd {
    /// The server below `base` (`https://argocd.example/`). Nothing is sent yet.
    pub fn new(base: &str, token: SecretString) -> Result<Self, SetupError> {
        Ok(Self(Monitoring::new("deploys.argocd.url", base, Credentials::Bearer(token), BODY)?))
    }

    /// One of its applications; `namespace` where that is not Argo CD's own.
    pub fn application(&self, name: &str, namespace: Option<&str>) -> Application {
        Application { api: self.0.clone(), name: name.to_owned(), namespace: namespace.map(str::to_owned) }
    }
}

/// One application.
#[derive(Debug, Clone)]
pub struct Application {
    api: Monitoring,
    name: String,
    namespace: Option<String>,
}

/// What is read of it. Lists that are empty may be `null`.
#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    sync: Option<InSync>,
    health: Option<Health>,
    history: Option<Vec<History>>,
    operation_state: Option<Operation>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InSync {
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Health {
    status: String,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct History {
    id: i64,
    revision: String,
    revisions: Option<Vec<String>>,
    deployed_at: Option<Timestamp>,
    initiated_by: Option<By>,
    source: Option<Origin>,
    sources: Option<Vec<Origin>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct By {
    username: String,
    automated: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Origin {
    path: String,
    chart: String,
    target_revision: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Operation {
    phase: String,
    message: String,
    started_at: Option<Timestamp>,
    #[serde(rename = "operation")]
    asked: Asked,
    sync_result: Option<Synced>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Asked {
    initiated_by: Option<By>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Synced {
    revision: String,
    revisions: Option<Vec<String>>,
    resources: Option<Vec<Resource>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Resource {
    kind: String,
    name: String,
    status: String,
    hook_phase: String,
    message: String,
}

fn by(by: Option<&By>) -> Option<String> {
    let By { username, automated } = by?;
    match (username.as_str(), automated) {
        ("", true) => Some("Argo CD itself (automated sync)".to_owned()),
        ("", false) => None,
        (user, _) => Some(deploy::name(user)),
    }
}

/// The phases of an operation.
fn outcome(phase: &str) -> Outcome {
    match phase {
        "Succeeded" => Outcome::Succeeded,
        "Failed" | "Error" => Outcome::Failed,
        "Running" => Outcome::Running,
        "Terminating" => Outcome::Cancelled,
        _ => Outcome::Unknown,
    }
}

/// The one commit among what was synced, and all of it.
fn revisions(one: &str, several: Option<&Vec<String>>) -> (Option<String>, Vec<String>) {
    let all: Vec<&str> = several
        .into_iter()
        .flatten()
        .map(String::as_str)
        .chain(Some(one))
        .filter(|text| !text.is_empty())
        .collect();
    (all.iter().find_map(|text| deploy::commit(text)), all.into_iter().map(deploy::name).collect())
}

impl Origin {
    fn words(&self) -> Option<String> {
        let Self { path, chart, target_revision } = self;
        let what = if chart.is_empty() { path } else { chart };
        let at = if target_revision.is_empty() { String::new() } else { format!(" at {target_revision}") };
        (!what.is_empty()).then(|| deploy::name(&format!("{what}{at}")))
    }
}

impl History {
    fn deploy(&self) -> Deploy {
        let (commit, revisions) = revisions(&self.revision, self.revisions.as_ref());
        let sources = self.source.iter().chain(self.sources.iter().flatten());
        let versions = revisions.into_iter().filter(|text| deploy::commit(text).is_none());
        Deploy {
            source: Source::ArgoCd,
            name: format!("deployment {}", self.id),
            at: self.deployed_at,
            by: by(self.initiated_by.as_ref()),
            what: sources.filter_map(Origin::words).chain(versions).collect(),
            commit,
            // Argo CD writes down what it has synced, and nothing of how that fared
            outcome: Outcome::Succeeded,
            note: Some("it was synced".to_owned()),
            changes: Vec::new(),
        }
    }
}

impl Operation {
    fn commit(&self) -> Option<String> {
        let synced = self.sync_result.as_ref()?;
        revisions(&synced.revision, synced.revisions.as_ref()).0
    }

    /// A sync that is not in the history: it did not end well, or not yet.
    fn open(&self) -> Option<Deploy> {
        let outcome = outcome(&self.phase);
        (outcome != Outcome::Succeeded && !self.phase.is_empty()).then(|| Deploy {
            source: Source::ArgoCd,
            name: "the last operation".to_owned(),
            at: self.started_at,
            by: by(self.asked.initiated_by.as_ref()),
            what: Vec::new(),
            commit: self.commit(),
            outcome,
            note: deploy::message(&self.message),
            changes: Vec::new(),
        })
    }

    /// What did not go as it should, first.
    fn stages(&self) -> Vec<Stage> {
        let resources = self.sync_result.iter().flat_map(|synced| synced.resources.iter().flatten());
        let stage = |resource: &Resource| {
            let Resource { kind, name, status, hook_phase, message } = resource;
            let outcome = match (status.as_str(), hook_phase.as_str()) {
                ("SyncFailed", _) => Outcome::Failed,
                (_, "Succeeded" | "Failed" | "Error" | "Running" | "Terminating") => outcome(hook_phase),
                ("Synced" | "Pruned", _) => Outcome::Succeeded,
                ("PruneSkipped", _) => Outcome::Cancelled,
                _ => Outcome::Unknown,
            };
            let said = if outcome == Outcome::Succeeded || message.is_empty() {
                String::new()
            } else {
                format!(": {message}")
            };
            Stage { name: deploy::name(&format!("{kind}/{name}{said}")), outcome }
        };
        let mut stages: Vec<Stage> = resources.map(stage).collect();
        stages.sort_by_key(|stage| stage.outcome == Outcome::Succeeded);
        stages.truncate(STAGES);
        stages
    }
}

impl Application {
    async fn status(&self) -> Result<Status, ReadError> {
        let what = format!("application `{}` of Argo CD", deploy::name(&self.name));
        let query: Vec<(&str, &str)> =
            self.namespace.iter().map(|it| ("appNamespace", it.as_str())).collect();
        let wire: Wire = self.api.get(&what, &["api", "v1", "applications", &self.name], &query, &[]).await?;
        Ok(wire.status)
    }
}

#[async_trait]
impl Delivery for Application {
    fn source(&self) -> Source {
        Source::ArgoCd
    }

    async fn history(&self, most: usize) -> Result<Vec<Deploy>, ReadError> {
        let status = self.status().await?;
        let open = status.operation_state.as_ref().and_then(Operation::open);
        // the newest stands last
        let history = status.history.unwrap_or_default();
        Ok(open.into_iter().chain(history.iter().rev().map(History::deploy)).take(most).collect())
    }

    async fn pipelines(&self, _: usize) -> Result<Vec<Pipeline>, ReadError> {
        let Status { sync, health, operation_state, .. } = self.status().await?;
        let (sync, health) = (sync.unwrap_or_default(), health.unwrap_or_default());
        let said = if health.message.is_empty() { String::new() } else { format!(" ({})", health.message) };
        let stands = format!("it is {} and {}{said}", or_unknown(&sync.status), or_unknown(&health.status));
        let (stages, commit, operation) = match &operation_state {
            Some(operation) => (operation.stages(), operation.commit(), operation),
            None => (Vec::new(), None, &Operation::default()),
        };
        let outcome = if operation.phase.is_empty() { Outcome::Unknown } else { outcome(&operation.phase) };
        let message = if outcome == Outcome::Succeeded { "" } else { operation.message.as_str() };
        let waits = sync.status == "OutOfSync" && outcome != Outcome::Running;
        Ok(vec![Pipeline {
            source: Source::ArgoCd,
            name: deploy::name(&self.name),
            at: operation.started_at,
            by: by(operation.asked.initiated_by.as_ref()),
            reference: None,
            commit,
            outcome,
            stages,
            tests: None,
            waits_for: waits
                .then(|| "a sync: the cluster is not as the repository has it".to_owned())
                .into_iter()
                .collect(),
            note: deploy::message(&if message.is_empty() { stands } else { format!("{stands}; {message}") }),
        }])
    }

    async fn compare(&self, _: &str, _: &str) -> Result<Option<Compared>, ReadError> {
        Ok(None)
    }
}

fn or_unknown(status: &str) -> &str {
    if status.is_empty() { "Unknown" } else { status }
}
