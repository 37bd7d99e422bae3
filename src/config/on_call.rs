//! PagerDuty, and the file with rotations: as they are written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::load::{ConfigError, read, yaml};

/// Namespaces that can be mapped: more than any one belay watches over.
const MOST: usize = 1_000;
/// Ids of one namespace: each makes the address of a request 30 bytes longer, and 4 KiB are taken everywhere.
const IDS: usize = 50;

/// PagerDuty's REST API, read only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PagerDutyConfig {
    /// Its base; https unless it is this machine.
    #[serde(default = "url")]
    pub url: String,
    /// A file with the API key; a read-only one is enough.
    pub token_file: PathBuf,
    /// What of it belongs to which namespace; `*` is every one that is not named.
    pub namespaces: BTreeMap<String, PagedConfig>,
}

fn url() -> String {
    "https://api.pagerduty.com".into()
}

/// What of PagerDuty belongs to a namespace, by its ids there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PagedConfig {
    /// The services that its alerts call.
    pub services: Vec<String>,
    /// The schedules of who is on call for it.
    pub schedules: Vec<String>,
}

/// What cannot be used of it, if anything.
pub(super) fn check(config: &PagerDutyConfig) -> Result<(), ConfigError> {
    let wrong = |why: String| Err(ConfigError::Conflict(format!("`pagerduty.namespaces`: {why}")));
    if config.namespaces.is_empty() || config.namespaces.len() > MOST {
        return wrong(format!("name 1 to {MOST} namespaces, or `*`"));
    }
    for (namespace, PagedConfig { services, schedules }) in &config.namespaces {
        let all = || services.iter().chain(schedules);
        if all().count() == 0 || services.len().max(schedules.len()) > IDS {
            return wrong(format!("`{namespace}` needs 1 to {IDS} `services` or `schedules`"));
        }
        let fit = |id: &str| (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if let Some(id) = all().find(|id| !fit(id)) {
            return wrong(format!(
                "`{}` of `{namespace}` is no id of PagerDuty's: take it from the address of its page, as in `PIJ90N7`",
                id.escape_debug()
            ));
        }
    }
    Ok(())
}

/// The file with rotations.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(missing_docs, reason = "as in `docs/servers/alerts.md`")]
pub struct OnCallFile {
    pub teams: Vec<TeamConfig>,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(missing_docs, reason = "as in `docs/servers/alerts.md`")]
pub struct TeamConfig {
    pub name: String,
    pub namespaces: Vec<String>,
    pub time_zone: String,
    pub layers: Vec<LayerConfig>,
    #[serde(default)]
    pub overrides: Vec<OverrideConfig>,
}

/// A rotation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(missing_docs, reason = "as in `docs/servers/alerts.md`")]
pub struct LayerConfig {
    pub name: String,
    pub members: Vec<String>,
    pub start: String,
    pub handoff: HandoffConfig,
}

/// When a rotation goes on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(missing_docs, reason = "as in `docs/servers/alerts.md`")]
pub struct HandoffConfig {
    #[serde(default)]
    pub day: Option<DayConfig>,
    pub time: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum DayConfig {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Somebody who stands in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(missing_docs, reason = "as in `docs/servers/alerts.md`")]
pub struct OverrideConfig {
    pub layer: String,
    pub member: String,
    pub from: String,
    pub until: String,
}

/// Reads the file with rotations.
pub fn on_call(path: &Path) -> Result<OnCallFile, ConfigError> {
    yaml(&path.display().to_string(), &read(path)?)
}
