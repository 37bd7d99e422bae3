//! Where the logs of a cluster are kept: which store, how it is asked, and by which names it keeps things.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::load::ConfigError;

/// CloudWatch's own bound on the log groups of one query.
const MOST_GROUPS: usize = 50;

/// A store of logs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LogsConfig {
    /// Whose API it has.
    pub kind: LogStore,
    /// The base of that API; https, unless it is this machine, for credentials to be sent there.
    #[serde(default)]
    pub url: Option<String>,
    /// A file with a bearer token.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
    /// The user of basic credentials.
    #[serde(default)]
    pub username: Option<String>,
    /// A file with the password of basic credentials.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// A file with an API key of Elasticsearch's, encoded.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// Loki's tenant.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Elasticsearch's index, data stream or pattern.
    #[serde(default)]
    pub index: Option<String>,
    /// CloudWatch's log groups.
    #[serde(default)]
    pub log_groups: Vec<String>,
    /// CloudWatch's region.
    #[serde(default)]
    pub region: Option<String>,
    /// A file with the id of AWS' access key.
    #[serde(default)]
    pub access_key_id_file: Option<PathBuf>,
    /// A file with AWS' secret access key.
    #[serde(default)]
    pub secret_access_key_file: Option<PathBuf>,
    /// A file with the session's token of a temporary key.
    #[serde(default)]
    pub session_token_file: Option<PathBuf>,
    /// By which labels or fields it keeps things.
    #[serde(default)]
    pub fields: LogFieldsConfig,
    /// What it calls services, by the names that people give them.
    #[serde(default)]
    pub services: BTreeMap<String, String>,
}

/// Whose API a store of logs has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum LogStore {
    Kubernetes,
    Loki,
    Elasticsearch,
    CloudWatch,
}

impl LogStore {
    const fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Loki => "loki",
            Self::Elasticsearch => "elasticsearch",
            Self::CloudWatch => "cloudwatch",
        }
    }

    /// The keys that it has, besides `kind` and `services`.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Kubernetes => &["fields.service"],
            Self::Loki => &[
                "url",
                "bearerTokenFile",
                "username",
                "passwordFile",
                "tenant",
                "fields.namespace",
                "fields.service",
                "fields.pod",
                "fields.container",
                "fields.host",
                "fields.severity",
                "fields.trace",
            ],
            Self::Elasticsearch => &[
                "url",
                "bearerTokenFile",
                "username",
                "passwordFile",
                "apiKeyFile",
                "index",
                "fields.namespace",
                "fields.service",
                "fields.pod",
                "fields.container",
                "fields.host",
                "fields.severity",
                "fields.trace",
                "fields.text",
                "fields.time",
            ],
            Self::CloudWatch => &[
                "url",
                "logGroups",
                "region",
                "accessKeyIdFile",
                "secretAccessKeyFile",
                "sessionTokenFile",
                "fields.namespace",
                "fields.service",
                "fields.pod",
                "fields.container",
                "fields.host",
                "fields.trace",
                "fields.text",
            ],
        }
    }

    const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Kubernetes => &[],
            Self::Loki => &["url"],
            Self::Elasticsearch => &["url", "index"],
            Self::CloudWatch => &["logGroups", "region", "accessKeyIdFile", "secretAccessKeyFile"],
        }
    }
}

/// The labels (Loki, Kubernetes) or fields (Elasticsearch, CloudWatch) by which a store keeps things.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub struct LogFieldsConfig {
    pub namespace: Option<String>,
    pub service: Option<String>,
    pub pod: Option<String>,
    pub container: Option<String>,
    pub host: Option<String>,
    pub severity: Option<String>,
    pub trace: Option<String>,
    pub text: Option<String>,
    pub time: Option<String>,
}

impl LogFieldsConfig {
    /// Each, by its key.
    fn each(&self) -> [(&'static str, &Option<String>); 9] {
        let Self { namespace, service, pod, container, host, severity, trace, text, time } = self;
        [
            ("fields.namespace", namespace),
            ("fields.service", service),
            ("fields.pod", pod),
            ("fields.container", container),
            ("fields.host", host),
            ("fields.severity", severity),
            ("fields.trace", trace),
            ("fields.text", text),
            ("fields.time", time),
        ]
    }
}

impl LogsConfig {
    /// Its files.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Self { bearer_token_file, password_file, api_key_file, access_key_id_file, .. } = self;
        let Self { secret_access_key_file, session_token_file, .. } = self;
        let files = [bearer_token_file, password_file, api_key_file, access_key_id_file];
        files.into_iter().chain([secret_access_key_file, session_token_file]).flatten()
    }

    /// The keys that are set.
    fn set(&self) -> Vec<&'static str> {
        let Self {
            kind: _,
            url,
            bearer_token_file,
            username,
            password_file,
            api_key_file,
            tenant,
            index,
            ..
        } = self;
        let Self {
            log_groups, region, access_key_id_file, secret_access_key_file, session_token_file, ..
        } = self;
        let all = [
            ("url", url.is_some()),
            ("bearerTokenFile", bearer_token_file.is_some()),
            ("username", username.is_some()),
            ("passwordFile", password_file.is_some()),
            ("apiKeyFile", api_key_file.is_some()),
            ("tenant", tenant.is_some()),
            ("index", index.is_some()),
            ("logGroups", !log_groups.is_empty()),
            ("region", region.is_some()),
            ("accessKeyIdFile", access_key_id_file.is_some()),
            ("secretAccessKeyFile", secret_access_key_file.is_some()),
            ("sessionTokenFile", session_token_file.is_some()),
        ];
        let fields = self.fields.each().map(|(key, field)| (key, field.is_some()));
        all.into_iter().chain(fields).filter_map(|(key, set)| set.then_some(key)).collect()
    }
}

/// What cannot be used of it, if anything.
pub(super) fn check(cluster: &str, logs: &LogsConfig) -> Result<(), ConfigError> {
    let wrong = |why: String| Err(ConfigError::Conflict(format!("cluster `{cluster}`: {why}")));
    let (kind, set) = (logs.kind, logs.set());
    if let Some(key) = set.iter().find(|key| !kind.keys().contains(key)) {
        return wrong(format!("`logs.{key}` is nothing that `kind: {}` has: leave it out", kind.name()));
    }
    if let Some(key) = kind.needs().iter().find(|key| !set.contains(key)) {
        return wrong(format!("`logs.kind: {}` needs `logs.{key}`", kind.name()));
    }
    let ways = ["bearerTokenFile", "username", "apiKeyFile"].iter().filter(|way| set.contains(way)).count();
    if ways > 1 {
        return wrong("`logs` takes one of `bearerTokenFile`, `username` and `apiKeyFile`".to_owned());
    }
    if logs.username.is_some() != logs.password_file.is_some() {
        return wrong("`logs.username` and `logs.passwordFile` belong together".to_owned());
    }
    if logs.log_groups.len() > MOST_GROUPS {
        return wrong(format!(
            "`logs.logGroups` names more than {MOST_GROUPS}, which is all that one query takes"
        ));
    }
    for (key, name) in logs.fields.each() {
        if let Some(name) = name.as_deref().filter(|name| !is_name(kind, name)) {
            return wrong(format!(
                "`logs.{key}` is `{}`, which cannot be the name of {}",
                name.escape_debug(),
                if kind == LogStore::Loki { "a label: letters, digits and `_`" } else { "a field or label" }
            ));
        }
    }
    if let Some(index) = logs.index.as_deref().filter(|index| !is_index(index)) {
        return wrong(format!("`logs.index` is `{}`, which cannot name indices", index.escape_debug()));
    }
    if let Some(region) = logs.region.as_deref().filter(|region| !is_region(region)) {
        return wrong(format!(
            "`logs.region` is `{}`, which is none, as in `eu-central-1`",
            region.escape_debug()
        ));
    }
    Ok(())
}

fn is_name(kind: LogStore, name: &str) -> bool {
    let more = match kind {
        LogStore::Loki => "_",
        LogStore::Kubernetes | LogStore::Elasticsearch | LogStore::CloudWatch => "_.@/-",
    };
    let fit = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
    (1..=253).contains(&name.len())
        && name.chars().all(fit)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// As Elasticsearch's own rule for names, with patterns and lists.
fn is_index(index: &str) -> bool {
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.*,:".contains(c);
    (1..=255).contains(&index.len()) && index.chars().all(fit) && !index.starts_with(['_', '.', '-'])
}

fn is_region(region: &str) -> bool {
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (5..=30).contains(&region.len()) && region.chars().all(fit)
}
