//! Deployments, workflow runs and comparisons of one repository, by GitHub's REST API (version 2022-11-28).

use async_trait::async_trait;
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::forge_deploys::within;
use super::forge_http::{Call, Http, Misconfigured};
use crate::domain::deploy::{self, Compared, Deploy, Outcome, Pipeline, Source, Stage};
use crate::ports::clock::SharedClock;
use crate::ports::deploys::Delivery;
use crate::ports::forge::ForgeError;
use crate::ports::reads::ReadError;

/// Deployments whose outcome is looked up: a request each.
const MOST: usize = 10;
/// Files that one comparison lists at most, by its documentation.
const FILES: usize = 300;
/// Jobs of a run that are told; its documentation gives 30 a page.
const JOBS: usize = 30;

/// One repository.
pub struct GitHubDeploys {
    http: Http,
    owner: String,
    name: String,
    environment: Option<String>,
}

impl GitHubDeploys {
    /// The repository `owner/name` at this API, and its deployments to this environment (to all without one). Nothing
    /// is sent yet.
    pub fn new(
        url: &str,
        repository: &str,
        environment: Option<String>,
        token: SecretString,
        clock: SharedClock,
    ) -> Result<Self, Misconfigured> {
        let (owner, name) = repository.split_once('/').ok_or(Misconfigured::Address)?;
        let (owner, name) = (owner.to_owned(), name.to_owned());
        Ok(Self { http: Http::new(url, token, clock)?, owner, name, environment })
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["repos", self.owner.as_str(), self.name.as_str()], rest].concat()
    }

    fn what(&self, things: &str) -> String {
        deploy::name(&format!("{things} of `{}/{}` on GitHub", self.owner, self.name))
    }

    async fn deployments(&self, most: usize) -> Result<Vec<Deploy>, ForgeError> {
        let most = most.clamp(1, MOST).to_string();
        let mut query = vec![("per_page", most.as_str())];
        query.extend(self.environment.iter().map(|it| ("environment", it.as_str())));
        let parts = self.path(&["deployments"]);
        let found: Vec<Deployment> =
            self.http.read(Call { query: &query, ..Call::get("the deployments", &parts) }).await?;
        try_join_all(found.iter().take(MOST).map(|one| self.with_status(one))).await
    }

    async fn with_status(&self, deployment: &Deployment) -> Result<Deploy, ForgeError> {
        let id = deployment.id.to_string();
        let parts = self.path(&["deployments", &id, "statuses"]);
        let query = [("per_page", "10")];
        let call = Call { query: &query, ..Call::get("the state of a deployment", &parts) };
        let statuses: Vec<Status> = self.http.read(call).await?;
        let newest = statuses.iter().max_by_key(|status| status.created_at);
        Ok(deployment.deploy(newest))
    }

    async fn runs(&self, most: usize) -> Result<Vec<Pipeline>, ForgeError> {
        let most = most.clamp(1, MOST).to_string();
        let (parts, query) = (self.path(&["actions", "runs"]), [("per_page", most.as_str())]);
        let runs: Runs =
            self.http.read(Call { query: &query, ..Call::get("the workflow runs", &parts) }).await?;
        let told = runs.workflow_runs.iter().enumerate().map(|(place, run)| async move {
            let mut told = run.pipeline();
            if place == 0 {
                told.stages = self.jobs(run.id).await?;
            }
            if run.status.as_deref() == Some("waiting") {
                told.waits_for = self.pending(run.id).await?;
            }
            Ok(told)
        });
        join_all(told).await.into_iter().collect()
    }

    async fn jobs(&self, run: u64) -> Result<Vec<Stage>, ForgeError> {
        let id = run.to_string();
        let parts = self.path(&["actions", "runs", &id, "jobs"]);
        let jobs: Jobs = self.http.read(Call::get("the jobs of a workflow run", &parts)).await?;
        let stage = |job: &Job| Stage {
            name: deploy::name(&job.name),
            outcome: outcome(job.status.as_deref(), job.conclusion.as_deref()),
        };
        Ok(jobs.jobs.iter().take(JOBS).map(stage).collect())
    }

    async fn pending(&self, run: u64) -> Result<Vec<String>, ForgeError> {
        let id = run.to_string();
        let parts = self.path(&["actions", "runs", &id, "pending_deployments"]);
        let pending: Vec<Pending> = self.http.read(Call::get("the pending approvals", &parts)).await?;
        Ok(pending.iter().map(Pending::words).collect())
    }
}

#[derive(Deserialize)]
struct Deployment {
    id: u64,
    sha: String,
    #[serde(rename = "ref")]
    reference: String,
    environment: String,
    description: Option<String>,
    creator: Option<User>,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Status {
    state: String,
    #[serde(default)]
    description: String,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    name: Option<String>,
    head_branch: Option<String>,
    head_sha: String,
    #[serde(rename = "run_number")]
    number: u64,
    event: String,
    status: Option<String>,
    conclusion: Option<String>,
    created_at: Timestamp,
    actor: Option<User>,
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    name: String,
    status: Option<String>,
    conclusion: Option<String>,
}

#[derive(Deserialize)]
struct Pending {
    environment: Environment,
    #[serde(default)]
    reviewers: Vec<Reviewer>,
}

#[derive(Deserialize)]
struct Environment {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Reviewer {
    reviewer: Option<Reviews>,
}

/// A user, or a team.
#[derive(Deserialize)]
struct Reviews {
    login: Option<String>,
    slug: Option<String>,
}

#[derive(Deserialize)]
struct Comparison {
    total_commits: u64,
    #[serde(default)]
    files: Vec<IgnoredAny>,
}

impl Deployment {
    fn deploy(&self, status: Option<&Status>) -> Deploy {
        let state = status.map(|status| status.state.as_str());
        let said = status.map(|status| status.description.as_str()).filter(|text| !text.is_empty());
        Deploy {
            source: Source::Github,
            name: format!("deployment {}", self.id),
            at: Some(self.created_at),
            by: self.creator.as_ref().map(|user| deploy::name(&user.login)),
            what: vec![deploy::name(&format!("{} to {}", self.reference, self.environment))],
            commit: deploy::commit(&self.sha),
            outcome: state.map_or(Outcome::Unknown, deployed),
            note: deploy::message(said.or(self.description.as_deref()).unwrap_or_default()),
            changes: Vec::new(),
        }
    }
}

impl Run {
    fn pipeline(&self) -> Pipeline {
        let name = self.name.as_deref().unwrap_or("workflow");
        Pipeline {
            source: Source::Github,
            name: deploy::name(&format!("{name} #{}", self.number)),
            at: Some(self.created_at),
            by: self.actor.as_ref().map(|user| deploy::name(&user.login)),
            reference: self.head_branch.as_deref().map(deploy::name),
            commit: deploy::commit(&self.head_sha),
            outcome: outcome(self.status.as_deref(), self.conclusion.as_deref()),
            stages: Vec::new(),
            tests: None,
            waits_for: Vec::new(),
            note: deploy::message(&format!("by {}", self.event)),
        }
    }
}

impl Pending {
    fn words(&self) -> String {
        let environment = deploy::name(self.environment.name.as_deref().unwrap_or("an environment"));
        let name = |one: &Reviewer| {
            let Reviews { login, slug } = one.reviewer.as_ref()?;
            login.as_ref().or(slug.as_ref()).map(|name| deploy::name(name))
        };
        let names: Vec<String> = self.reviewers.iter().filter_map(name).collect();
        if names.is_empty() {
            format!("environment `{environment}`")
        } else {
            format!("the approval of {} for environment `{environment}`", names.join(" or "))
        }
    }
}

/// The state of a deployment.
fn deployed(state: &str) -> Outcome {
    match state {
        "success" => Outcome::Succeeded,
        "failure" | "error" => Outcome::Failed,
        "in_progress" => Outcome::Running,
        "pending" | "queued" | "waiting" => Outcome::Waiting,
        "inactive" => Outcome::Replaced,
        _ => Outcome::Unknown,
    }
}

/// Status and conclusion of a run or a job.
fn outcome(status: Option<&str>, conclusion: Option<&str>) -> Outcome {
    match (status, conclusion) {
        (_, Some("success")) => Outcome::Succeeded,
        (_, Some("failure" | "timed_out" | "startup_failure")) => Outcome::Failed,
        (_, Some("cancelled" | "skipped" | "neutral" | "stale")) => Outcome::Cancelled,
        (_, Some("action_required")) | (Some("waiting" | "queued" | "pending" | "requested"), None) => {
            Outcome::Waiting
        }
        (Some("in_progress"), None) => Outcome::Running,
        _ => Outcome::Unknown,
    }
}

#[async_trait]
impl Delivery for GitHubDeploys {
    fn source(&self) -> Source {
        Source::Github
    }

    async fn history(&self, most: usize) -> Result<Vec<Deploy>, ReadError> {
        within(&self.what("deployments"), self.deployments(most)).await
    }

    async fn pipelines(&self, most: usize) -> Result<Vec<Pipeline>, ReadError> {
        within(&self.what("workflow runs"), self.runs(most)).await
    }

    async fn compare(&self, base: &str, head: &str) -> Result<Option<Compared>, ReadError> {
        let (Some(base), Some(head)) = (deploy::commit(base), deploy::commit(head)) else { return Ok(None) };
        let range = format!("{base}...{head}");
        let parts = self.path(&["compare", &range]);
        let comparing = async {
            let found: Comparison = self.http.read(Call::get("the comparison", &parts)).await?;
            let Comparison { total_commits: commits, files } = found;
            Ok(Some(Compared { commits, files: files.len() as u64, more: files.len() >= FILES }))
        };
        within(&self.what("commits"), comparing).await
    }
}
