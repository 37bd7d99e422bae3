//! Deployments, pipelines and comparisons of one project, by GitLab's REST API (version 4).

use async_trait::async_trait;
use futures::try_join;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::forge_deploys::within;
use super::forge_http::{Call, Http, Misconfigured};
use crate::domain::deploy::{self, Compared, Deploy, Outcome, Pipeline, Source, Stage, Tests};
use crate::ports::clock::SharedClock;
use crate::ports::deploys::Delivery;
use crate::ports::forge::ForgeError;
use crate::ports::reads::ReadError;

/// Rows of one list.
const MOST: usize = 20;
/// Jobs of a pipeline that are told.
const JOBS: usize = 30;

/// One project.
pub struct GitLabDeploys {
    http: Http,
    project: String,
    environment: Option<String>,
}

impl GitLabDeploys {
    /// The project `group/name` at this API, and its deployments to this environment (to all without one). Nothing is
    /// sent yet.
    pub fn new(
        url: &str,
        project: &str,
        environment: Option<String>,
        token: SecretString,
        clock: SharedClock,
    ) -> Result<Self, Misconfigured> {
        Ok(Self { http: Http::new(url, token, clock)?, project: project.to_owned(), environment })
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["projects", self.project.as_str()], rest].concat()
    }

    fn what(&self, things: &str) -> String {
        deploy::name(&format!("{things} of `{}` on GitLab", self.project))
    }

    async fn deployments(&self, most: usize, status: Option<&str>) -> Result<Vec<Deployment>, ForgeError> {
        let most = most.clamp(1, MOST).to_string();
        let mut query = vec![("order_by", "created_at"), ("sort", "desc"), ("per_page", most.as_str())];
        query.extend(self.environment.iter().map(|it| ("environment", it.as_str())));
        query.extend(status.map(|it| ("status", it)));
        let parts = self.path(&["deployments"]);
        self.http.read(Call { query: &query, ..Call::get("the deployments", &parts) }).await
    }

    async fn runs(&self, most: usize) -> Result<Vec<Pipeline>, ForgeError> {
        let most = most.clamp(1, MOST).to_string();
        let query = [("order_by", "id"), ("sort", "desc"), ("per_page", most.as_str())];
        let parts = self.path(&["pipelines"]);
        let pipelines: Vec<Run> =
            self.http.read(Call { query: &query, ..Call::get("the pipelines", &parts) }).await?;
        let mut told: Vec<Pipeline> = pipelines.iter().map(Run::pipeline).collect();
        if let (Some(newest), Some(first)) = (pipelines.first(), told.first_mut()) {
            let (jobs, tests, blocked) = try_join!(
                self.jobs(newest.id),
                self.tests(newest.id),
                self.deployments(MOST, Some("blocked"))
            )?;
            let manual = jobs.iter().filter(|job| job.status == "manual");
            let manual = manual.map(|job| format!("somebody who starts `{}`", deploy::name(&job.name)));
            let blocked = blocked.iter().filter(|one| one.sha == newest.sha).map(Deployment::waits_for);
            first.waits_for = manual.chain(blocked).collect();
            first.stages = jobs.iter().take(JOBS).map(Job::stage).collect();
            first.tests = tests;
        }
        Ok(told)
    }

    async fn jobs(&self, pipeline: u64) -> Result<Vec<Job>, ForgeError> {
        let id = pipeline.to_string();
        let (parts, query) = (self.path(&["pipelines", &id, "jobs"]), [("per_page", "100")]);
        self.http.read(Call { query: &query, ..Call::get("the jobs of a pipeline", &parts) }).await
    }

    async fn tests(&self, pipeline: u64) -> Result<Option<Tests>, ForgeError> {
        let id = pipeline.to_string();
        let parts = self.path(&["pipelines", &id, "test_report_summary"]);
        let summary: Option<Summary> = self.http.find(Call::get("the tests of a pipeline", &parts)).await?;
        let tests = summary.map(|Summary { total }| Tests {
            total: total.count,
            failed: total.failed + total.error,
            skipped: total.skipped,
        });
        // a pipeline without reports counts none
        Ok(tests.filter(|tests| tests.total > 0))
    }
}

#[derive(Deserialize)]
struct Deployment {
    iid: u64,
    #[serde(rename = "ref")]
    reference: String,
    sha: String,
    created_at: Timestamp,
    status: String,
    user: Option<User>,
    environment: Option<Environment>,
    deployable: Option<Deployable>,
    #[serde(default)]
    pending_approval_count: u64,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct Environment {
    name: String,
}

#[derive(Deserialize)]
struct Deployable {
    commit: Option<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    title: String,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    status: String,
    source: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    sha: String,
    created_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Job {
    name: String,
    stage: String,
    status: String,
}

#[derive(Deserialize)]
struct Summary {
    total: Totals,
}

#[derive(Deserialize)]
struct Totals {
    count: u64,
    failed: u64,
    skipped: u64,
    error: u64,
}

#[derive(Deserialize)]
struct Comparison {
    #[serde(default)]
    commits: Vec<IgnoredAny>,
    #[serde(default)]
    diffs: Vec<IgnoredAny>,
    #[serde(default)]
    compare_timeout: bool,
}

impl Deployment {
    fn deploy(&self) -> Deploy {
        let to = self.environment.as_ref().map_or_else(String::new, |it| format!(" to {}", it.name));
        let title =
            self.deployable.as_ref().and_then(|it| it.commit.as_ref()).map(|commit| commit.title.as_str());
        Deploy {
            source: Source::Gitlab,
            name: format!("deployment {}", self.iid),
            at: Some(self.created_at),
            by: self.user.as_ref().map(|user| deploy::name(&user.username)),
            what: vec![deploy::name(&format!("{}{to}", self.reference))],
            commit: deploy::commit(&self.sha),
            outcome: outcome(&self.status),
            note: deploy::message(title.unwrap_or_default()),
            changes: Vec::new(),
        }
    }

    fn waits_for(&self) -> String {
        let environment = self.environment.as_ref().map_or("an environment", |it| it.name.as_str());
        let environment = deploy::name(environment);
        match self.pending_approval_count {
            0 => format!("approval for environment `{environment}`"),
            1 => format!("one more approval for environment `{environment}`"),
            more => format!("{more} more approvals for environment `{environment}`"),
        }
    }
}

impl Run {
    fn pipeline(&self) -> Pipeline {
        Pipeline {
            source: Source::Gitlab,
            name: format!("pipeline {}", self.id),
            at: self.created_at,
            by: None,
            reference: self.reference.as_deref().map(deploy::name),
            commit: deploy::commit(&self.sha),
            outcome: outcome(&self.status),
            stages: Vec::new(),
            tests: None,
            waits_for: Vec::new(),
            note: self.source.as_ref().and_then(|source| deploy::message(&format!("by {source}"))),
        }
    }
}

impl Job {
    fn stage(&self) -> Stage {
        Stage {
            name: deploy::name(&format!("{}: {}", self.stage, self.name)),
            outcome: outcome(&self.status),
        }
    }
}

/// The status of a deployment, a pipeline or a job.
fn outcome(status: &str) -> Outcome {
    match status {
        "success" => Outcome::Succeeded,
        "failed" => Outcome::Failed,
        "running" | "canceling" => Outcome::Running,
        "created"
        | "waiting_for_resource"
        | "preparing"
        | "pending"
        | "manual"
        | "scheduled"
        | "blocked"
        | "waiting_for_callback" => Outcome::Waiting,
        "canceled" | "skipped" => Outcome::Cancelled,
        _ => Outcome::Unknown,
    }
}

#[async_trait]
impl Delivery for GitLabDeploys {
    fn source(&self) -> Source {
        Source::Gitlab
    }

    async fn history(&self, most: usize) -> Result<Vec<Deploy>, ReadError> {
        let told = async { Ok(self.deployments(most, None).await?.iter().map(Deployment::deploy).collect()) };
        within(&self.what("deployments"), told).await
    }

    async fn pipelines(&self, most: usize) -> Result<Vec<Pipeline>, ReadError> {
        within(&self.what("pipelines"), self.runs(most)).await
    }

    async fn compare(&self, base: &str, head: &str) -> Result<Option<Compared>, ReadError> {
        let (Some(base), Some(head)) = (deploy::commit(base), deploy::commit(head)) else { return Ok(None) };
        let parts = self.path(&["repository", "compare"]);
        let query = [("from", base.as_str()), ("to", head.as_str())];
        let comparing = async {
            let call = Call { query: &query, ..Call::get("the comparison", &parts) };
            let Comparison { commits, diffs, compare_timeout } = self.http.read(call).await?;
            Ok(Some(Compared {
                commits: commits.len() as u64,
                files: diffs.len() as u64,
                more: compare_timeout,
            }))
        };
        within(&self.what("commits"), comparing).await
    }
}
