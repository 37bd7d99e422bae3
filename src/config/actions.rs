//! What an action server is held to as a process of its own: one file, and nothing outside of it loosens it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::load::{self, ConfigError};
use super::{ClusterConfig, LimitsConfig, Log, defaults};

/// The file of `belay mcp serve actions --limits`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ActionServerConfig {
    /// The one cluster that it reaches, with the account that it writes with.
    pub cluster: ClusterConfig,
    /// The public keys that warrants are verified with: Ed25519, base64; two while one is being replaced.
    pub warrant_keys: Vec<String>,
    /// What it refuses, whoever signed.
    pub limits: LimitsConfig,
    /// Where used warrants are kept. One server each.
    #[serde(default = "defaults::state_dir")]
    pub state_dir: PathBuf,
    /// A file with the bearer token that clients show, where it listens.
    #[serde(default)]
    pub client_token_file: Option<PathBuf>,
    /// Logs.
    #[serde(default)]
    pub log: Log,
}

/// Reads the file. Paths in it are relative to its folder.
pub fn load_actions(path: &Path) -> Result<ActionServerConfig, ConfigError> {
    let mut config = parse_actions(&path.display().to_string(), &load::read(path)?)?;
    let base = path.parent().unwrap_or(Path::new(""));
    let ActionServerConfig { cluster, state_dir, client_token_file, limits, .. } = &mut config;
    let files = [Some(state_dir), client_token_file.as_mut()];
    let tokens = limits.repositories.iter_mut().map(|repository| Some(&mut repository.token_file));
    let of_cluster = [&mut cluster.ca_file, &mut cluster.token_file, &mut cluster.kubeconfig];
    let files = files.into_iter().chain(tokens).chain(of_cluster.map(Option::as_mut));
    for file in files.chain(limits.jobs.iter_mut().map(Some)).flatten() {
        *file = base.join(&*file);
    }
    Ok(config)
}

/// The file of `belay mcp serve reads --reads`: a read server by itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReadServerConfig {
    /// The one cluster that it reads, with the account that it reads with.
    pub cluster: ClusterConfig,
    /// A file with the bearer token that clients show.
    pub client_token_file: PathBuf,
    /// Logs.
    #[serde(default)]
    pub log: Log,
}

/// Reads the file of a read server. Paths in it are relative to its folder.
pub fn load_reads(path: &Path) -> Result<ReadServerConfig, ConfigError> {
    let mut config: ReadServerConfig = load::yaml(&path.display().to_string(), &load::read(path)?)?;
    load::check_cluster(&config.cluster)?;
    if config.cluster.write_token_file.is_some() || !config.cluster.labels.is_empty() {
        let why = "a read server has one account and one cluster: leave `cluster.writeTokenFile` and \
                   `cluster.labels` out";
        return Err(ConfigError::Conflict(why.to_owned()));
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let ReadServerConfig { cluster: ClusterConfig { ca_file, token_file, kubeconfig, .. }, .. } = &mut config;
    for file in [ca_file, token_file, kubeconfig].into_iter().flatten() {
        *file = base.join(&*file);
    }
    config.client_token_file = base.join(&config.client_token_file);
    Ok(config)
}

/// Reads it from text.
pub fn parse_actions(name: &str, text: &str) -> Result<ActionServerConfig, ConfigError> {
    let config: ActionServerConfig = load::yaml(name, text)?;
    load::check_cluster(&config.cluster)?;
    let conflict = |text: &str| Err(ConfigError::Conflict(text.to_owned()));
    if !config.cluster.labels.is_empty() {
        return conflict("`cluster.labels` say which alerts are whose, and an action server hears of none");
    }
    if config.cluster.write_token_file.is_some() {
        return conflict("an action server has one account: name its token in `cluster.tokenFile`");
    }
    if config.warrant_keys.is_empty() {
        return conflict(
            "`warrantKeys` must name a key: `belay mcp key` prints the one that a daemon signs with",
        );
    }
    Ok(config)
}

/// The JSON Schema of the file, for editors. `docs/configuration.md` says what the keys change.
pub fn actions_schema() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let texts =
        |about: &str| json!({ "type": "array", "items": text, "uniqueItems": true, "description": about });
    let said = |kind: &str, about: &str| json!({ "type": kind, "description": about });
    let number =
        |about: &str| json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX, "description": about });
    let object = |about: &str, required: &[&str], fields: Value| json!({ "type": "object", "description": about, "additionalProperties": false, "required": required, "properties": fields });
    let cluster = object(
        "The one cluster that it reaches.",
        &["name"],
        json!({
            "name": said("string", "Its name in plans."),
            "url": said("string", "The API server; without it the kubeconfig, or the pod's own service account."),
            "kubeconfig": said("string", "A kubeconfig; without it `KUBECONFIG`, or `~/.kube/config`."),
            "context": said("string", "The context of the kubeconfig; without it its current one."),
            "caFile": said("string", "The authority of the API server's certificate, in PEM."),
            "tokenFile": said("string", "The bearer token that it writes with."),
        }),
    );
    let file = object(
        "Objects, and the file that holds them.",
        &["path"],
        json!({
            "namespace": said("string", "Only objects in this namespace."),
            "kind": said("string", "Only objects of this kind, as in `Deployment`."),
            "name": said("string", "Only the object of this name."),
            "path": said("string", "The file; `{namespace}`, `{kind}` (in lower case) and `{name}` stand for the object's own."),
        }),
    );
    let repository = object(
        "A repository that changes may be proposed to.",
        &["forge", "url", "repository", "tokenFile", "files"],
        json!({
            "forge": { "enum": ["github", "gitlab"], "description": "Whose API it is reached by." },
            "url": said("string", "The base of that API: `https://api.github.com`, `https://gitlab.example/api/v4`."),
            "repository": said("string", "`owner/name`, or the path of a project."),
            "branch": said("string", "The branch that people merge into; `main` without it."),
            "tokenFile": said("string", "The token: it may push branches and open pull requests there, and nothing else."),
            "files": { "type": "array", "items": file, "minItems": 1, "description": "Which of its files hold which objects; the first that fits counts." },
        }),
    );
    let limits = object(
        "What it refuses, whoever signed.",
        &[],
        json!({
            "namespaces": texts("Where it acts; empty is nowhere."),
            "ownNamespace": said("string", "Where belay runs: never acted in."),
            "ownNode": said("string", "The node that belay runs on: never acted on."),
            "protected": texts("What belay stands on besides: namespaces, or objects in them (`data/postgres`). Never acted on."),
            "nodes": said("boolean", "Whether nodes may be cordoned and uncordoned."),
            "maxReplicas": number("The most replicas that are ever set."),
            "maxReplicaDelta": number("The largest step in replicas."),
            "actions": texts("The actions that it carries out; without it, all."),
            "extraRights": texts("What its account may do although no action needs it, as in `delete pods`."),
            "jobs": texts("The job templates that `run_job` runs: files, or folders of them (`*.yaml`)."),
            "repositories": { "type": "array", "items": repository, "description": "Where the desired state of objects is kept, for changes that are proposed instead of made." },
        }),
    );
    let key = json!({ "type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$" });
    let keys = json!({ "type": "array", "items": key, "minItems": 1, "description": "The public keys that warrants are verified with." });
    let log = object(
        "Logs.",
        &[],
        json!({
            "filter": said("string", "What is logged, as in `info,belay::app=debug`."),
            "format": { "enum": ["text", "json"], "description": "How a line looks." },
        }),
    );
    let mut schema = object(
        "What an action server of belay's is held to.",
        &["cluster", "warrantKeys", "limits"],
        json!({
            "cluster": cluster,
            "warrantKeys": keys,
            "limits": limits,
            "stateDir": said("string", "Where used warrants are kept."),
            "clientTokenFile": said("string", "The bearer token that clients show, where it listens."),
            "log": log,
        }),
    );
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        fields.insert("title".to_owned(), "belay mcp serve actions --limits".into());
    }
    schema
}
