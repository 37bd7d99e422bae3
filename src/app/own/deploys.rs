//! The deploys server of one cluster: who delivers which service, as the configuration says.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::adapters::argocd::ArgoCd;
use crate::adapters::github_deploys::GitHubDeploys;
use crate::adapters::gitlab_deploys::GitLabDeploys;
use crate::app::build::BuildError;
use crate::config::{self, ConfigError, DeliveredConfig, DelivererConfig, DeploysConfig};
use crate::ports::clock::SharedClock;
use crate::ports::deploys::Delivery;
use crate::servers::deploys::{Delivered, DeploysServer};
use crate::servers::kubernetes::Paced;

use super::Sources;

/// The server.
pub fn server(sources: &Sources<'_>) -> Result<DeploysServer, BuildError> {
    let listing = Arc::new(Paced::new(Arc::clone(sources.listing), Arc::clone(sources.clock)));
    let delivered = match sources.site.deploys {
        Some(config) => delivered(config, sources.clock)?,
        None => Delivered::default(),
    };
    let recorded = sources.recorded.clone();
    Ok(DeploysServer::new(listing, delivered, recorded, Arc::clone(sources.clock), sources.scope()))
}

/// Who delivers each service.
pub(in crate::app) fn delivered(
    config: &DeploysConfig,
    clock: &SharedClock,
) -> Result<Delivered, BuildError> {
    let DeploysConfig { argocd, github, gitlab, services } = config;
    let argocd = match argocd {
        Some(DelivererConfig { url, token_file }) => Some(ArgoCd::new(url, config::secret(token_file)?)?),
        None => None,
    };
    let mut all: BTreeMap<(String, String), Vec<Arc<dyn Delivery>>> = BTreeMap::new();
    for (service, by) in services {
        let DeliveredConfig { application, github: repository, gitlab: project, environment } = by;
        let mut ways: Vec<Arc<dyn Delivery>> = Vec::new();
        if let (Some(application), Some(argocd)) = (application, &argocd) {
            let (namespace, name) = match application.split_once('/') {
                Some((namespace, name)) => (Some(namespace), name),
                None => (None, application.as_str()),
            };
            ways.push(Arc::new(argocd.application(name, namespace)));
        }
        if let (Some(repository), Some(DelivererConfig { url, token_file })) = (repository, github) {
            let (token, environment) = (config::secret(token_file)?, environment.clone());
            let made = GitHubDeploys::new(url, repository, environment, token, Arc::clone(clock));
            ways.push(Arc::new(made.map_err(|e| wrong("github", &e))?));
        }
        if let (Some(project), Some(DelivererConfig { url, token_file })) = (project, gitlab) {
            let (token, environment) = (config::secret(token_file)?, environment.clone());
            let made = GitLabDeploys::new(url, project, environment, token, Arc::clone(clock));
            ways.push(Arc::new(made.map_err(|e| wrong("gitlab", &e))?));
        }
        if let Some((namespace, name)) = service.split_once('/') {
            all.insert((namespace.to_owned(), name.to_owned()), ways);
        }
    }
    Ok(Delivered::new(all))
}

fn wrong(key: &str, error: &dyn std::error::Error) -> ConfigError {
    ConfigError::Conflict(format!("`deploys.{key}`: {error}"))
}
