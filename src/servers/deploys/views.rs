//! What the tools answer, as structure: made field by field from typed views, and cleaned where it is of others.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::deploy::{self, ConfigChange, Deploy, Pipeline, Stage};

/// Deploys of a service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    /// The namespace.
    pub namespace: String,
    /// The Deployment.
    pub service: String,
    /// Its Helm release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helm: Option<String>,
    /// Its deploys, newest first.
    pub deploys: Vec<DeployRow>,
    /// Whether older ones are left out.
    pub more: bool,
    /// What could not be read, a sentence each.
    pub missing: Vec<String>,
}

/// A deploy.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeployRow {
    /// Who tells of it.
    pub source: &'static str,
    /// What it goes by there.
    pub name: String,
    /// When it was made.
    pub at: Option<String>,
    /// Who made it.
    pub by: Option<String>,
    /// What was deployed.
    pub what: Vec<String>,
    /// The commit.
    pub commit: Option<String>,
    /// What came of it.
    pub outcome: &'static str,
    /// What is said of it: text of others.
    pub note: Option<String>,
    /// How it differs from the one before.
    pub changes: Vec<String>,
}

impl From<&Deploy> for DeployRow {
    fn from(d: &Deploy) -> Self {
        Self {
            source: d.source.name(),
            name: d.name.clone(),
            at: d.at.map(|at| at.to_string()),
            by: d.by.clone(),
            what: d.what.clone(),
            commit: d.commit.clone(),
            outcome: d.outcome.name(),
            note: d.note.clone(),
            changes: d.changes.clone(),
        }
    }
}

/// Changes of a namespace.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Changes {
    /// The namespace.
    pub namespace: String,
    /// Since when.
    pub since: String,
    /// The changes, newest first.
    pub changes: Vec<ChangeRow>,
    /// How many older ones are left out.
    pub left_out: u64,
    /// What could not be looked at, a sentence each.
    pub missing: Vec<String>,
}

/// A change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangeRow {
    /// When.
    pub at: String,
    /// Of what: `Deployment/web`, `ConfigMap/flags`.
    pub object: String,
    /// Who tells of it.
    pub source: String,
    /// Who made it.
    pub by: Option<String>,
    /// What came of it; of deploys.
    pub outcome: Option<&'static str>,
    /// What changed, by name.
    pub what: Vec<String>,
}

impl ChangeRow {
    /// A deploy of a Deployment.
    pub fn deploy(service: &str, deploy: &Deploy, at: Timestamp) -> Self {
        let what = if deploy.changes.is_empty() { deploy.what.clone() } else { deploy.changes.clone() };
        Self {
            at: at.to_string(),
            object: format!("Deployment/{}", deploy::name(service)),
            source: format!("{}, {}", deploy.source.name(), deploy.name),
            by: deploy.by.clone(),
            outcome: Some(deploy.outcome.name()),
            what,
        }
    }

    /// A change of a ConfigMap or Service.
    pub fn config(change: &ConfigChange) -> Self {
        let named = &change.object.named;
        let fields = change.fields.iter().take(FIELDS).map(|field| deploy::name(field));
        let more = change.fields.len().saturating_sub(FIELDS);
        let more = (more > 0).then(|| format!("and {more} more"));
        let gone = change.gone.then(|| "it was deleted".to_owned());
        let seen = if change.watched { "" } else { " (or earlier: nobody watched)" };
        Self {
            at: change.at.to_string(),
            object: format!("{}/{}", named.kind, deploy::name(&named.name)),
            source: format!("recorded{seen}"),
            by: None,
            outcome: None,
            what: gone.into_iter().chain(fields).chain(more).collect(),
        }
    }
}

/// Fields of one change that are named.
const FIELDS: usize = 12;

/// Pipelines of a service.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Pipelines {
    /// The namespace.
    pub namespace: String,
    /// The Deployment.
    pub service: String,
    /// Its pipelines, the newest of each source first.
    pub pipelines: Vec<PipelineRow>,
    /// Whether an earlier revision is there to go back to.
    pub rollback: String,
    /// What could not be read, a sentence each.
    pub missing: Vec<String>,
}

/// A run of a pipeline.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PipelineRow {
    /// Who tells of it.
    pub source: &'static str,
    /// What it goes by there.
    pub name: String,
    /// When it began.
    pub at: Option<String>,
    /// Who started it.
    pub by: Option<String>,
    /// The branch or tag.
    pub reference: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// What came of it.
    pub outcome: &'static str,
    /// Its jobs, or resources that were synced.
    pub stages: Vec<StageRow>,
    /// Its tests.
    pub tests: Option<TestsRow>,
    /// What it waits for.
    pub waits_for: Vec<String>,
    /// What is said of it: text of others.
    pub note: Option<String>,
}

/// A part of a pipeline.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StageRow {
    /// Its name.
    pub name: String,
    /// What came of it.
    pub outcome: &'static str,
}

/// Counted tests.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TestsRow {
    /// All.
    pub total: u64,
    /// Failed, or not to be run.
    pub failed: u64,
    /// Left out.
    pub skipped: u64,
}

impl From<&Pipeline> for PipelineRow {
    fn from(p: &Pipeline) -> Self {
        let stage = |stage: &Stage| StageRow { name: stage.name.clone(), outcome: stage.outcome.name() };
        let tests = |tests: deploy::Tests| TestsRow {
            total: tests.total,
            failed: tests.failed,
            skipped: tests.skipped,
        };
        Self {
            source: p.source.name(),
            name: p.name.clone(),
            at: p.at.map(|at| at.to_string()),
            by: p.by.clone(),
            reference: p.reference.clone(),
            commit: p.commit.clone(),
            outcome: p.outcome.name(),
            stages: p.stages.iter().map(stage).collect(),
            tests: p.tests.map(tests),
            waits_for: p.waits_for.clone(),
            note: p.note.clone(),
        }
    }
}

/// A rollback as it would be. Nothing of it was done.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rollback {
    /// The namespace.
    pub namespace: String,
    /// The Deployment.
    pub service: String,
    /// The revision that runs.
    pub running: u64,
    /// The revision to go back to.
    pub to: Option<u64>,
    /// Why that one, or why none.
    pub why: String,
    /// The newest earlier revision that worked.
    pub newest_healthy: Option<u64>,
    /// What would change.
    pub changes: Vec<String>,
    /// Whether a migration of data lies between: `yes`, `no` or `unknown`.
    pub migration: &'static str,
    /// How much can go wrong.
    pub risk: Option<&'static str>,
    /// What speaks against it: it would be refused.
    pub against: Vec<String>,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// What to propose.
    pub proposal: Option<Proposal>,
}

/// The action that would do it. Policy and people decide on it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Proposal {
    /// Its name.
    pub action: &'static str,
    /// The workload's kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The recorded template.
    pub template: String,
}
