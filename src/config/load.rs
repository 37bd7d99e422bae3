//! Reading the configuration and what it points to. Errors say which file, which place, and what to do.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::models;
use super::{
    AlertmanagerConfig, ClusterConfig, Config, DeploysConfig, LimitsConfig, LogsConfig, PrometheusConfig,
    ServerConfig, ServiceMapConfig, Site, SiteConfig, TracesConfig,
};

/// A setting cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The configuration does not say what it has to.
    #[error("`{name}` is not a usable configuration:\n{why}")]
    Parse {
        /// Which file.
        name: String,
        /// Where and what, for people.
        why: String,
    },
    /// Two settings exclude each other, or one needs another.
    #[error("{0}")]
    Conflict(String),
    /// A file that should hold a secret holds nothing.
    #[error("`{}` is empty; put the secret there, in one line", path.display())]
    EmptySecret {
        /// Which.
        path: PathBuf,
    },
}

/// Reads `belay.yaml`. Paths in it are relative to its folder.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = read(path)?;
    let mut config = parse(&path.display().to_string(), &text)?;
    let base = path.parent().unwrap_or(Path::new(""));
    rebase(&mut config, base);
    Ok(config)
}

/// Reads a configuration from text.
pub fn parse(name: &str, text: &str) -> Result<Config, ConfigError> {
    let config: Config = yaml(name, text)?;
    check(&config)?;
    Ok(config)
}

/// Reads a file's text; what is wrong is said without what stands there.
pub(super) fn yaml<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, ConfigError> {
    serde_saphyr::from_str(text).map_err(|e| ConfigError::Parse {
        name: name.to_owned(),
        // the snippet would print neighbouring lines, and with them whatever stands there
        why: e.without_snippet().to_string(),
    })
}

fn check(config: &Config) -> Result<(), ConfigError> {
    let conflict = |text: &str| Err(ConfigError::Conflict(text.into()));
    let hook = &config.webhook;
    let basic = hook.username.is_some() || hook.password_file.is_some();
    if basic && hook.bearer_token_file.is_some() {
        return conflict("`webhook` takes `bearerTokenFile` or `username` and `passwordFile`, not both");
    }
    if hook.username.is_some() != hook.password_file.is_some() {
        return conflict("`webhook.username` and `webhook.passwordFile` belong together");
    }
    if !basic && hook.bearer_token_file.is_none() && !config.listen.ip().is_loopback() {
        return conflict(
            "`webhook` has no credentials, which is allowed only on a loopback address: set \
             `webhook.bearerTokenFile`, or `listen` on 127.0.0.1",
        );
    }
    models::check(config)?;
    config.sites().try_for_each(check_site)?;
    super::mcp::check(&config.mcp_servers, config.mcp_pins.as_ref(), &config.mcp_reads)?;
    config.pagerduty.as_ref().map_or(Ok(()), super::on_call::check)?;
    config.mcp.as_ref().map_or(Ok(()), super::mcp_access::check)?;
    apart(config)
}

fn check_site(site: Site<'_>) -> Result<(), ConfigError> {
    let name = &site.cluster.name;
    if site.actions.is_some() && site.cluster.write_token_file.is_some() {
        return Err(ConfigError::Conflict(format!(
            "cluster `{name}`: `cluster.writeTokenFile` is for the action server in this process, and `actions` \
             names another: leave one of them out"
        )));
    }
    if let (Some(_), Some(_), ClusterConfig { url, kubeconfig, context, token_file, .. }) =
        (site.reads, site.actions, site.cluster)
        && (url.is_some() || kubeconfig.is_some() || context.is_some() || token_file.is_some())
    {
        return Err(ConfigError::Conflict(format!(
            "cluster `{name}` is reached by `reads` and `actions` only: `cluster.url`, `cluster.kubeconfig`, \
             `cluster.context` and `cluster.tokenFile` would be used by nothing; leave them out"
        )));
    }
    if let Some(logs) = site.logs {
        super::logs::check(name, logs)?;
    }
    site.deploys.map_or(Ok(()), DeploysConfig::check)?;
    super::traces::check(site)?;
    check_cluster(site.cluster)
}

/// Several clusters have different names, and labels by which every alert is at most one's.
fn apart(config: &Config) -> Result<(), ConfigError> {
    let conflict = |text: String| Err(ConfigError::Conflict(text));
    let all: Vec<&ClusterConfig> = config.sites().map(|site| site.cluster).collect();
    if all.len() < 2 {
        return Ok(());
    }
    for (i, cluster) in all.iter().enumerate() {
        let ClusterConfig { name, labels, .. } = cluster;
        if labels.is_empty() {
            return conflict(format!(
                "cluster `{name}` needs `cluster.labels`, as in `labels: {{ cluster: {name} }}`: there are several, \
                 and an alert has to say whose it is"
            ));
        }
        for other in all.iter().take(i) {
            if other.name == *name {
                return conflict(format!(
                    "two clusters are named `{name}`: records and policies go by the name"
                ));
            }
            if labels
                .iter()
                .all(|(label, value)| other.labels.get(label).is_none_or(|theirs| theirs == value))
            {
                return conflict(format!(
                    "an alert could be of cluster `{}` and of cluster `{name}` both: give them different values of \
                     one label in `cluster.labels`",
                    other.name
                ));
            }
        }
    }
    Ok(())
}

pub(super) fn check_cluster(cluster: &ClusterConfig) -> Result<(), ConfigError> {
    let conflict = |text: &str| Err(ConfigError::Conflict(text.into()));
    if !is_cluster_name(&cluster.name) {
        return conflict(
            "`cluster.name` must be 1 to 63 letters, digits, `-`, `_` and `.`: records, policies and files go by it",
        );
    }
    let with_url = [&cluster.ca_file, &cluster.token_file, &cluster.write_token_file];
    if cluster.url.is_none() && with_url.iter().any(|file| file.is_some()) {
        return conflict(
            "`cluster.caFile`, `cluster.tokenFile` and `cluster.writeTokenFile` are used with `cluster.url` \
             only: set it, or leave them out and the kubeconfig or the service account says who belay is",
        );
    }
    if cluster.url.is_some() && (cluster.kubeconfig.is_some() || cluster.context.is_some()) {
        return conflict(
            "`cluster.url` says where the API server is, and `cluster.kubeconfig` or `cluster.context` say it too: \
             leave one of them out",
        );
    }
    Ok(())
}

fn is_cluster_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=63).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.')
}

fn rebase(config: &mut Config, base: &Path) {
    let Config { state_dir, policies, prompts, runbooks, webhook, slack, pager, model, models, .. } = config;
    let Config { other_clusters, warrant_key_file, .. } = config;
    let Config { cluster, alertmanager, prometheus, actions, reads, limits, .. } = config;
    let Config { mcp_servers, mcp_pins, mcp, logs, deploys, .. } = config;
    let Config { pagerduty, on_call, .. } = config;
    let mut files = vec![state_dir, policies];
    files.extend(pagerduty.as_mut().map(|p| &mut p.token_file));
    files.extend(on_call);
    files.extend(prompts);
    files.extend(runbooks);
    files.extend(warrant_key_file);
    files.extend(mcp_pins);
    files.extend(mcp.as_mut().and_then(|mcp| mcp.tokens.as_mut()));
    files.extend(
        mcp_servers.values_mut().flat_map(|s| s.token_file.iter_mut().chain(s.env_files.values_mut())),
    );
    files.extend([&mut webhook.bearer_token_file, &mut webhook.password_file].into_iter().flatten());
    files.extend(slack.iter_mut().flat_map(|s| [&mut s.token_file, &mut s.signing_secret_file]));
    files.extend(pager.as_mut().and_then(|p| p.bearer_token_file.as_mut()));
    files.extend(model.iter_mut().chain(models).filter_map(|m| m.api_key_file.as_mut()));
    files.extend(files_of(cluster, tokens(alertmanager, prometheus), [actions, reads]));
    files.extend(files_within(limits));
    files.extend(logs.iter_mut().flat_map(LogsConfig::files));
    files.extend(deploys.iter_mut().flat_map(DeploysConfig::files));
    let Config { traces, service_map, .. } = config;
    files.extend(files_of_ways(traces, service_map));
    for SiteConfig {
        cluster,
        alertmanager,
        prometheus,
        logs,
        deploys,
        actions,
        reads,
        limits,
        traces,
        service_map,
    } in other_clusters
    {
        files.extend(logs.iter_mut().flat_map(LogsConfig::files));
        files.extend(deploys.iter_mut().flat_map(DeploysConfig::files));
        files.extend(files_of_ways(traces, service_map));
        files.extend(files_of(cluster, tokens(alertmanager, prometheus), [actions, reads]));
        files.extend(files_within(limits));
    }
    for file in files {
        *file = base.join(&*file);
    }
}

/// The files that the limits of one cluster name.
fn files_within(limits: &mut LimitsConfig) -> impl Iterator<Item = &mut PathBuf> {
    limits.jobs.iter_mut().chain(limits.repositories.iter_mut().map(|repository| &mut repository.token_file))
}

/// The files that traces and the service map of one cluster name.
fn files_of_ways<'a>(
    traces: &'a mut Option<TracesConfig>,
    service_map: &'a mut Option<ServiceMapConfig>,
) -> impl Iterator<Item = &'a mut PathBuf> {
    let token = traces.as_mut().and_then(|traces| traces.token_file.as_mut());
    token.into_iter().chain(service_map.as_mut().and_then(|map| map.file.as_mut()))
}

/// The tokens for the monitoring of one cluster.
fn tokens<'a>(
    alertmanager: &'a mut Option<AlertmanagerConfig>,
    prometheus: &'a mut Option<PrometheusConfig>,
) -> [Option<&'a mut PathBuf>; 2] {
    let alertmanager = alertmanager.as_mut().and_then(|a| a.bearer_token_file.as_mut());
    [alertmanager, prometheus.as_mut().and_then(|p| p.bearer_token_file.as_mut())]
}

/// The files that one cluster's keys name.
fn files_of<'a>(
    cluster: &'a mut ClusterConfig,
    tokens: [Option<&'a mut PathBuf>; 2],
    servers: [&'a mut Option<ServerConfig>; 2],
) -> impl Iterator<Item = &'a mut PathBuf> {
    let ClusterConfig { kubeconfig, ca_file, token_file, write_token_file, .. } = cluster;
    let files = [kubeconfig, ca_file, token_file, write_token_file].into_iter().flatten();
    files
        .chain(tokens.into_iter().flatten())
        .chain(servers.into_iter().flatten().map(|server| &mut server.token_file))
}

/// Reads a file that need not be there.
pub fn text_if_there(path: &Path) -> Result<Option<String>, ConfigError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Read { path: path.to_owned(), source }),
    }
}

/// Reads a secret from its file; surrounding white space is not part of it.
pub fn secret(path: &Path) -> Result<SecretString, ConfigError> {
    let text = read(path)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(ConfigError::EmptySecret { path: path.to_owned() });
    }
    Ok(SecretString::from(text))
}

/// What kubelet swaps when a mounted ConfigMap changes: a link to the folder with the files of one moment.
const MOUNTED: &str = "..data";

/// The policy files and calendars of a folder and the golden inputs in its `examples`, by path, in a fixed
/// order. Those of a mounted ConfigMap are all of one moment.
pub fn policies(dir: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let now = fs::canonicalize(dir.join(MOUNTED)).unwrap_or_else(|_| dir.to_owned());
    let mut files = files(&now, "yaml")?;
    files.extend(self::files(&now, "ics")?);
    let examples = now.join("examples");
    if examples.is_dir() {
        files.extend(self::files(&examples, "yaml")?);
    }
    // they go by the folder's own name: where a ConfigMap keeps them changes with every edit
    let named = |path: PathBuf| {
        let name = dir.join(path.strip_prefix(&now).unwrap_or(&path));
        Ok((name.display().to_string(), read(&path)?))
    };
    files.into_iter().map(named).collect()
}

/// Reads each of these files, and each `*.yaml` of those that are folders, as one document; by file name, in a
/// fixed order.
pub fn documents<T: serde::de::DeserializeOwned>(paths: &[PathBuf]) -> Result<Vec<(String, T)>, ConfigError> {
    let mut all = Vec::new();
    for path in paths {
        let folder = path.is_dir();
        let now = fs::canonicalize(path.join(MOUNTED)).unwrap_or_else(|_| path.clone());
        for file in if folder { files(&now, "yaml")? } else { vec![path.clone()] } {
            let name = file.display().to_string();
            let document = yaml(&name, &read(&file)?)?;
            all.push((name, document));
        }
    }
    Ok(all)
}

/// Whether the folder is a mounted ConfigMap, whose files change all at once.
pub fn mounted(dir: &Path) -> bool {
    dir.join(MOUNTED).is_dir()
}

/// The prompts of a folder, by file name, in a fixed order.
pub fn prompts(dir: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let named = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, read(&path)?))
    };
    files(dir, "md")?.into_iter().map(named).collect()
}

fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read { path: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|e| e == extension) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// The name of the operating system's user, as the environment has it: for people to read, never for
/// authority.
#[expect(clippy::disallowed_methods, reason = "config is the one reader of the environment")]
pub fn user() -> String {
    std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "somebody".into())
}

/// Whether the environment asks for no colour (no-color.org).
#[expect(clippy::disallowed_methods, reason = "config is the one reader of the environment")]
pub fn no_color() -> bool {
    std::env::var("NO_COLOR").is_ok_and(|v| !v.is_empty())
}

/// How wide the terminal is, where the shell says so.
#[expect(clippy::disallowed_methods, reason = "config is the one reader of the environment")]
pub fn columns() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|n| *n >= 20)
}
