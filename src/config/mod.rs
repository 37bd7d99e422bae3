//! Configuration: one struct tree, read once. The only room that reads files and the environment for
//! settings; secrets come from files and live in secret types.

mod actions;
mod checkout;
mod deploys;
mod grade;
mod load;
mod logs;
mod mcp;
mod mcp_access;
mod models;
mod on_call;
mod runbooks;
mod traces;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::telemetry::LogFormat;

pub use actions::{
    ActionServerConfig, ReadServerConfig, actions_schema, load_actions, load_reads, parse_actions,
};
pub use checkout::commit_of;
pub use deploys::{DeliveredConfig, DelivererConfig, DeploysConfig};
pub use grade::MinimumGrade;
pub use logs::{LogFieldsConfig, LogStore, LogsConfig};
pub use models::{Amount, BudgetConfig, ModelBudgetConfig, ModelConfig, PriceConfig};

pub use load::{
    ConfigError, columns, documents, load, mounted, no_color, parse, policies, prompts, secret,
    text_if_there, user,
};
pub use mcp::{Argument, McpReadConfig, McpReadsConfig, McpServerConfig};
pub use mcp_access::{McpAccessConfig, OAuthConfig, TokenConfig, Who, tokens};
pub use on_call::{
    DayConfig, HandoffConfig, LayerConfig, OnCallFile, OverrideConfig, PagedConfig, PagerDutyConfig,
    TeamConfig, on_call,
};
pub use runbooks::{
    CheckFront, Expected, Front, Placed, RunbookFile, State, StepFront, runbook_schema, runbooks,
};
pub use traces::{
    MeshName, ServiceEntry, ServiceMapConfig, ServiceMapFile, TracesConfig, TracesKind, service_map,
    service_map_schema,
};

/// `belay.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Where the webhook and Slack's clicks arrive.
    #[serde(default = "defaults::listen")]
    pub listen: SocketAddr,
    /// The journal, its projection, keys and the admin socket. One daemon each.
    #[serde(default = "defaults::state_dir")]
    pub state_dir: PathBuf,
    /// The policy files (`*.yaml`).
    pub policies: PathBuf,
    /// Prompts that replace the shipped ones (`*.md`); the constraints cannot be replaced.
    #[serde(default)]
    pub prompts: Option<PathBuf>,
    /// Runbooks (`*.md`, also in sub-folders): shown where they match, and given to the model as data.
    #[serde(default)]
    pub runbooks: Option<PathBuf>,
    /// Logs.
    #[serde(default)]
    pub log: Log,
    /// The cluster.
    pub cluster: ClusterConfig,
    /// Further clusters, each with its own way in, its own limits and its own action server.
    #[serde(default)]
    pub other_clusters: Vec<SiteConfig>,
    /// Who may deliver alerts.
    #[serde(default)]
    pub webhook: WebhookConfig,
    /// Where Alertmanager's own list can be read: without it, whether an alert is gone cannot be seen.
    #[serde(default)]
    pub alertmanager: Option<AlertmanagerConfig>,
    /// Where measurements are had: without it, metrics that a grant names cannot be verified.
    #[serde(default)]
    pub prometheus: Option<PrometheusConfig>,
    /// Where logs are kept; without it, those of the cluster's pods are read.
    #[serde(default)]
    pub logs: Option<LogsConfig>,
    /// Who delivers which service: for the history of deploys.
    #[serde(default)]
    pub deploys: Option<DeploysConfig>,
    /// Where traces are had.
    #[serde(default)]
    pub traces: Option<TracesConfig>,
    /// What is known of who calls whom, besides what traces show.
    #[serde(default)]
    pub service_map: Option<ServiceMapConfig>,
    /// Slack; without it people answer on the command line.
    #[serde(default)]
    pub slack: Option<SlackConfig>,
    /// How people are called.
    #[serde(default)]
    pub pager: Option<PagerConfig>,
    /// PagerDuty, to see who is on call and who was called.
    #[serde(default)]
    pub pagerduty: Option<PagerDutyConfig>,
    /// A file with rotations: who is on call where no service says it.
    #[serde(default)]
    pub on_call: Option<PathBuf>,
    /// The model; without it playbooks and diagnosis carry on alone.
    #[serde(default)]
    pub model: Option<ModelConfig>,
    /// Several endpoints instead of one, in the order in which they are tried.
    #[serde(default)]
    pub models: Vec<ModelConfig>,
    /// What may be spent on them.
    #[serde(default)]
    pub model_budget: ModelBudgetConfig,
    /// What the action server refuses, whatever policy says.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// An action server of its own; without it, one runs in this process.
    #[serde(default)]
    pub actions: Option<ServerConfig>,
    /// A read server inside the cluster; without it, the API server is read from this process.
    #[serde(default)]
    pub reads: Option<ServerConfig>,
    /// MCP servers of others, by the names that they go by here.
    #[serde(default)]
    pub mcp_servers: BTreeMap<String, McpServerConfig>,
    /// The file with the definitions of their tools that people have accepted.
    #[serde(default)]
    pub mcp_pins: Option<PathBuf>,
    /// Which of their tools answer which of belay's own questions.
    #[serde(default)]
    pub mcp_reads: McpReadsConfig,
    /// Who may ask belay's own read-only MCP servers over HTTP, and for what.
    #[serde(default)]
    pub mcp: Option<McpAccessConfig>,
    /// The key that signs warrants, in PEM; without it, belay makes one in its state directory.
    #[serde(default)]
    pub warrant_key_file: Option<PathBuf>,
    /// That the action server runs in this process also above level 2: whoever takes over the daemon then has
    /// its key for warrants and its write credentials both.
    #[serde(default)]
    pub one_process_holds_everything: bool,
    /// How well every cluster must be seen for policy to let belay act above level 1.
    #[serde(default = "defaults::minimum_grade")]
    pub minimum_grade: MinimumGrade,
}

/// One of several clusters: the keys that the configuration has for one, once more for another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SiteConfig {
    /// The cluster.
    pub cluster: ClusterConfig,
    /// Where its Alertmanager's own list can be read.
    #[serde(default)]
    pub alertmanager: Option<AlertmanagerConfig>,
    /// Where its measurements are had.
    #[serde(default)]
    pub prometheus: Option<PrometheusConfig>,
    /// Where its logs are kept.
    #[serde(default)]
    pub logs: Option<LogsConfig>,
    /// Who delivers which of its services.
    #[serde(default)]
    pub deploys: Option<DeploysConfig>,
    /// Where its traces are had.
    #[serde(default)]
    pub traces: Option<TracesConfig>,
    /// What is known of who calls whom in it.
    #[serde(default)]
    pub service_map: Option<ServiceMapConfig>,
    /// What its action server refuses, whatever policy says.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// An action server of its own; without it, one runs in this process.
    #[serde(default)]
    pub actions: Option<ServerConfig>,
    /// A read server inside the cluster; without it, the API server is read from this process.
    #[serde(default)]
    pub reads: Option<ServerConfig>,
}

/// What belongs to one cluster.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as in the configuration")]
pub struct Site<'a> {
    pub cluster: &'a ClusterConfig,
    pub alertmanager: Option<&'a AlertmanagerConfig>,
    pub prometheus: Option<&'a PrometheusConfig>,
    pub logs: Option<&'a LogsConfig>,
    pub deploys: Option<&'a DeploysConfig>,
    pub traces: Option<&'a TracesConfig>,
    pub service_map: Option<&'a ServiceMapConfig>,
    pub limits: &'a LimitsConfig,
    pub actions: Option<&'a ServerConfig>,
    pub reads: Option<&'a ServerConfig>,
}

impl Config {
    /// Every cluster, the first one first.
    pub fn sites(&self) -> impl Iterator<Item = Site<'_>> {
        let Self { cluster, alertmanager, prometheus, limits, actions, reads, other_clusters, .. } = self;
        let Self { logs, deploys, .. } = self;
        let Self { traces, service_map, .. } = self;
        let first = Site {
            cluster,
            alertmanager: alertmanager.as_ref(),
            prometheus: prometheus.as_ref(),
            logs: logs.as_ref(),
            deploys: deploys.as_ref(),
            traces: traces.as_ref(),
            service_map: service_map.as_ref(),
            limits,
            actions: actions.as_ref(),
            reads: reads.as_ref(),
        };
        std::iter::once(first).chain(other_clusters.iter().map(|other| Site {
            cluster: &other.cluster,
            alertmanager: other.alertmanager.as_ref(),
            prometheus: other.prometheus.as_ref(),
            logs: other.logs.as_ref(),
            deploys: other.deploys.as_ref(),
            traces: other.traces.as_ref(),
            service_map: other.service_map.as_ref(),
            limits: &other.limits,
            actions: other.actions.as_ref(),
            reads: other.reads.as_ref(),
        }))
    }

    /// Every endpoint of a model, in the order in which they are tried.
    pub fn endpoints(&self) -> impl Iterator<Item = &ModelConfig> {
        self.model.iter().chain(&self.models)
    }

    /// The cluster of this name; without one, the first.
    pub fn site(&self, name: Option<&str>) -> Result<Site<'_>, ConfigError> {
        let found = self.sites().find(|site| name.is_none_or(|name| site.cluster.name == name));
        found.ok_or_else(|| {
            let known: Vec<String> = self.sites().map(|site| format!("`{}`", site.cluster.name)).collect();
            let name = name.unwrap_or_default();
            ConfigError::Conflict(format!("there is no cluster `{name}`: there is {}", known.join(", ")))
        })
    }
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Log {
    /// `tracing`'s filter syntax.
    pub filter: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Text }
    }
}

/// How the cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClusterConfig {
    /// Its name in records and policies.
    pub name: String,
    /// The labels by which an alert is this cluster's; none where there is one cluster: every alert is.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The API server; without it the kubeconfig or the pod's own service account is used.
    #[serde(default)]
    pub url: Option<String>,
    /// A kubeconfig; without it `KUBECONFIG` or `~/.kube/config`.
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; without it its current one.
    #[serde(default)]
    pub context: Option<String>,
    /// The certificates of the authority that signed the API server's, in PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A file with the bearer token for reading.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// A file with the bearer token of the action server, where it has its own identity.
    #[serde(default)]
    pub write_token_file: Option<PathBuf>,
}

/// Who may deliver alerts. Nothing set: only this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct WebhookConfig {
    /// A file with the bearer token.
    pub bearer_token_file: Option<PathBuf>,
    /// The user of basic credentials.
    pub username: Option<String>,
    /// A file with the password of basic credentials.
    pub password_file: Option<PathBuf>,
}

/// Alertmanager's API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AlertmanagerConfig {
    /// Its base URL.
    pub url: String,
    /// A file with a bearer token.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
}

/// Prometheus' HTTP API, or one like it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PrometheusConfig {
    /// Its base URL.
    pub url: String,
    /// A file with a bearer token.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
    /// What grants may measure, by name: PromQL with `$namespace`, `$workload` and `$pods`, beside what is shipped.
    #[serde(default)]
    pub measures: BTreeMap<String, String>,
}

/// Slack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SlackConfig {
    /// The channel's id (`C…`).
    pub channel: String,
    /// The channel that hears of policies taken up and refused; without it, the same.
    #[serde(default)]
    pub policy_channel: Option<String>,
    /// The app's id (`A…`): clicks of other apps are refused.
    pub app: String,
    /// The workspace's id (`T…`): clicks of other workspaces are refused.
    pub team: String,
    /// A file with the bot token (`xoxb-…`).
    pub token_file: PathBuf,
    /// A file with the signing secret.
    pub signing_secret_file: PathBuf,
    /// Slack's API; https unless it is this machine.
    #[serde(default = "defaults::slack_url")]
    pub url: String,
}

/// A pager that takes a JSON object by POST.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PagerConfig {
    /// Where to.
    pub webhook: String,
    /// A file with a bearer token.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
}

/// One of belay's own servers in another process, over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServerConfig {
    /// Its URL, `/mcp` included; https unless it is this machine.
    pub url: String,
    /// A file with the bearer token for it.
    pub token_file: PathBuf,
}

/// The action server's own limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct LimitsConfig {
    /// Namespaces in which it may act; empty: none.
    pub namespaces: Vec<String>,
    /// Where belay itself runs: never acted in, even if it is listed.
    pub own_namespace: String,
    /// The node that belay runs on: never acted on.
    pub own_node: Option<String>,
    /// What belay itself stands on besides: namespaces, or objects in them (`data/postgres`). Never acted on.
    pub protected: Vec<String>,
    /// Whether it may cordon and uncordon nodes.
    pub nodes: bool,
    /// The most replicas that it ever sets.
    pub max_replicas: u32,
    /// The largest step in replicas.
    pub max_replica_delta: u32,
    /// The actions that it ever carries out, by name; without it, all.
    pub actions: Option<Vec<String>>,
    /// What its account may do although no action needs it, as in `delete pods`.
    pub extra_rights: Vec<String>,
    /// The job templates that `run_job` runs: files, or folders of them (`*.yaml`).
    pub jobs: Vec<PathBuf>,
    /// Where the desired state of objects is kept, for changes that are proposed instead of made.
    pub repositories: Vec<RepositoryConfig>,
}

/// A repository that changes may be proposed to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RepositoryConfig {
    /// Whose API it is reached by.
    pub forge: ForgeName,
    /// The base of that API: `https://api.github.com`, `https://gitlab.example/api/v4`; https unless it is this
    /// machine.
    pub url: String,
    /// `owner/name`, or the path of a project.
    pub repository: String,
    /// The branch that people merge into.
    #[serde(default = "defaults::branch")]
    pub branch: String,
    /// A file with the token: it may push branches and open pull requests there, and nothing else.
    pub token_file: PathBuf,
    /// Which of its files hold which objects; the first that fits counts.
    pub files: Vec<FileConfig>,
}

/// Whose API a repository is reached by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum ForgeName {
    GitHub,
    GitLab,
}

/// Objects, and the file that holds them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FileConfig {
    /// Only objects in this namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Only objects of this kind, as in `Deployment`.
    #[serde(default)]
    pub kind: Option<String>,
    /// Only the object of this name.
    #[serde(default)]
    pub name: Option<String>,
    /// The file; `{namespace}`, `{kind}` (in lower case) and `{name}` stand for the object's own.
    pub path: String,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            own_namespace: "belay".into(),
            own_node: None,
            protected: Vec::new(),
            nodes: false,
            max_replicas: 20,
            max_replica_delta: 5,
            actions: None,
            extra_rights: Vec::new(),
            jobs: Vec::new(),
            repositories: Vec::new(),
        }
    }
}

mod defaults {
    use super::{MinimumGrade, PathBuf, SocketAddr};

    pub(super) fn listen() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 9099))
    }

    pub(super) fn state_dir() -> PathBuf {
        "belay-state".into()
    }

    /// With the cluster and its alerts, what was done can be verified.
    pub(super) const fn minimum_grade() -> MinimumGrade {
        MinimumGrade::C
    }

    pub(super) fn branch() -> String {
        "main".into()
    }

    pub(super) fn slack_url() -> String {
        "https://slack.com/api".into()
    }
}
