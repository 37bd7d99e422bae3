//! The store of logs that a cluster's configuration names; without one, the logs of its pods.

use std::path::Path;
use std::sync::Arc;

use crate::adapters::cloudwatch::{Account, CloudWatch};
use crate::adapters::elasticsearch::Elasticsearch;
use crate::adapters::logs::Names;
use crate::adapters::loki::Loki;
use crate::adapters::pod_logs::PodLogs;
use crate::adapters::prometheus::Credentials;
use crate::config::{self, LogFieldsConfig, LogStore, LogsConfig};
use crate::ports::clock::SharedClock;
use crate::ports::logs::Logs;
use crate::ports::reads::Listing;
use crate::servers::kubernetes::Paced;

use super::super::build::BuildError;

/// The store, at a bounded pace where it is the cluster itself.
pub(in crate::app) fn source(
    site: config::Site<'_>,
    listing: &Arc<dyn Listing>,
    clock: &SharedClock,
) -> Result<Arc<dyn Logs>, BuildError> {
    let paced = || Arc::new(Paced::new(Arc::clone(listing), Arc::clone(clock)));
    let Some(logs) = site.logs else {
        return Ok(Arc::new(PodLogs::new(paced(), None, std::collections::BTreeMap::new())));
    };
    let url = logs.url.as_deref().unwrap_or_default();
    Ok(match logs.kind {
        LogStore::Kubernetes => {
            Arc::new(PodLogs::new(paced(), logs.fields.service.clone(), logs.services.clone()))
        }
        LogStore::Loki => {
            let names = named(Names::loki(), logs);
            Arc::new(Loki::new(url, credentials(logs)?, logs.tenant.as_deref(), names)?)
        }
        LogStore::Elasticsearch => {
            let index = logs.index.as_deref().unwrap_or_default();
            Arc::new(Elasticsearch::new(url, credentials(logs)?, index, named(Names::ecs(), logs))?)
        }
        LogStore::CloudWatch => {
            let names = named(Names::container_insights(), logs);
            let groups = logs.log_groups.clone();
            Arc::new(CloudWatch::new(logs.url.as_deref(), account(logs)?, groups, names, Arc::clone(clock))?)
        }
    })
}

fn credentials(logs: &LogsConfig) -> Result<Credentials, BuildError> {
    let LogsConfig { bearer_token_file, username, password_file, api_key_file, .. } = logs;
    if let Some(file) = bearer_token_file {
        return Ok(Credentials::Bearer(config::secret(file)?));
    }
    if let Some(file) = api_key_file {
        return Ok(Credentials::ApiKey(config::secret(file)?));
    }
    match (username, password_file) {
        (Some(user), Some(file)) => {
            Ok(Credentials::Basic { user: user.clone(), password: config::secret(file)? })
        }
        (None, _) | (_, None) => Ok(Credentials::None),
    }
}

/// Who asks AWS; that the keys are there was checked when the configuration was loaded.
fn account(logs: &LogsConfig) -> Result<Account, BuildError> {
    let LogsConfig { region, access_key_id_file, secret_access_key_file, session_token_file, .. } = logs;
    let read = |file: &Option<std::path::PathBuf>| config::secret(file.as_deref().unwrap_or(Path::new("")));
    Ok(Account {
        region: region.clone().unwrap_or_default(),
        key: read(access_key_id_file)?,
        secret: read(secret_access_key_file)?,
        session: session_token_file.as_deref().map(config::secret).transpose()?,
    })
}

/// The names of a store, with those that the configuration gives instead.
fn named(usual: Names, logs: &LogsConfig) -> Names {
    let LogFieldsConfig { namespace, service, pod, container, host, severity, trace, text, time } =
        logs.fields.clone();
    Names {
        namespace: namespace.unwrap_or(usual.namespace),
        service: service.unwrap_or(usual.service),
        pod: pod.unwrap_or(usual.pod),
        container: container.unwrap_or(usual.container),
        host: host.unwrap_or(usual.host),
        severity: severity.or(usual.severity),
        trace: trace.unwrap_or(usual.trace),
        text: text.unwrap_or(usual.text),
        time: time.unwrap_or(usual.time),
        services: logs.services.clone(),
    }
}
