//! Who delivers which service: applications of Argo CD, repositories on GitHub and GitLab. Names that anybody could
//! write on an object never say where to look: this does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;

/// Services of one cluster: its namespaces times some.
const SERVICES: usize = 2_000;

/// Who delivers the services of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct DeploysConfig {
    /// Argo CD's API server.
    pub argocd: Option<DelivererConfig>,
    /// GitHub's REST API.
    pub github: Option<DelivererConfig>,
    /// GitLab's REST API.
    pub gitlab: Option<DelivererConfig>,
    /// Who delivers a workload, by its `namespace/name`.
    pub services: BTreeMap<String, DeliveredConfig>,
}

/// An API that is only read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DelivererConfig {
    /// Its base: `https://argocd.example`, `https://api.github.com`, `https://gitlab.example/api/v4`; https unless it is
    /// this machine.
    pub url: String,
    /// A file with a token that may read, and nothing else.
    pub token_file: PathBuf,
}

/// By whom one workload is delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct DeliveredConfig {
    /// The application of Argo CD: `name`, or `namespace/name` where it is not in Argo CD's own namespace.
    pub application: Option<String>,
    /// The repository on GitHub: `owner/name`.
    pub github: Option<String>,
    /// The project on GitLab: its path.
    pub gitlab: Option<String>,
    /// Only deployments to this environment of them.
    pub environment: Option<String>,
}

impl DeploysConfig {
    /// The files that it names.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Self { argocd, github, gitlab, services: _ } = self;
        [argocd, github, gitlab].into_iter().flatten().map(|one| &mut one.token_file)
    }

    /// Refuses what names nothing, or what cannot be asked.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |why: String| Err(ConfigError::Conflict(format!("`deploys.services`: {why}")));
        if self.services.len() > SERVICES {
            return wrong(format!("there are {}, and may be {SERVICES}", self.services.len()));
        }
        for (service, by) in &self.services {
            let DeliveredConfig { application, github, gitlab, environment } = by;
            let parts: Vec<&str> = service.split('/').collect();
            if parts.len() != 2 || !parts.iter().all(|part| plain(part)) {
                return wrong(format!("`{service}` is no workload: give it as `namespace/name`"));
            }
            for (named, there, key) in [
                (application, self.argocd.is_some(), "argocd"),
                (github, self.github.is_some(), "github"),
                (gitlab, self.gitlab.is_some(), "gitlab"),
            ] {
                let Some(named) = named else { continue };
                if !there {
                    return wrong(format!(
                        "`{service}` needs `deploys.{key}`, which says how to ask for `{named}`"
                    ));
                }
                let most = if key == "gitlab" { 20 } else { 2 };
                let least = if key == "argocd" { 1 } else { 2 };
                let count = named.split('/').count();
                if !(least..=most).contains(&count) || !named.split('/').all(plain) {
                    return wrong(format!("`{named}` of `{service}` is no name that `{key}` knows"));
                }
            }
            if application.is_none() && github.is_none() && gitlab.is_none() {
                return wrong(format!("`{service}` names neither `application` nor `github` nor `gitlab`"));
            }
            if environment.is_some() && github.is_none() && gitlab.is_none() {
                return wrong(format!("`environment` of `{service}` is for `github` or `gitlab`"));
            }
        }
        Ok(())
    }
}

/// A part of a name, as both forges and Kubernetes take it.
fn plain(part: &str) -> bool {
    let fit = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=253).contains(&part.len())
        && part.bytes().all(fit)
        && !part.starts_with(['.', '-'])
        && !part.contains("..")
}
