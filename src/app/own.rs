//! belay's own read-only MCP servers: which of them a cluster's configuration has the sources for, as they join the
//! hub of the model and as `belay mcp serve` offers them.

pub(super) mod logs;
mod deploys;
mod runbooks;
mod monitoring;

use std::sync::Arc;

use crate::adapters::mcp::{self, ConnectError, Hub, InProcess};
use crate::config::{self, Config};
use crate::ports::clock::SharedClock;
use crate::ports::inventory::Inventory;
use crate::ports::deploys::Recorded;
use crate::ports::reads::Listing;
use crate::servers::deploys::DeploysServer;
use crate::servers::kit::{self, Scope};
use crate::servers::kubernetes::{self, KubernetesServer, Paced};
use crate::servers::logs::{self as log_server, LogServer};
use crate::servers::runbooks::RunbooksServer;
use crate::servers::alerts::{self, AlertsServer};
use crate::servers::kit::{self, Scope};
use crate::servers::kubernetes::{self, KubernetesServer, Paced};
use crate::servers::metrics::{self, MetricsServer};

use super::build::{BuildError, Server};

/// What the servers of one cluster are made of.
#[derive(Clone)]
pub struct Sources<'a> {
    /// The whole configuration.
    pub config: &'a Config,
    /// The cluster's part of it.
    pub site: config::Site<'a>,
    /// Plain reads of the cluster.
    pub listing: &'a Arc<dyn Listing>,
    /// Lists of every kind of the cluster.
    pub inventory: &'a Arc<dyn Inventory>,
    /// What time it is.
    pub clock: &'a SharedClock,
    /// What a daemon recorded of it; nothing where none runs in this process.
    pub recorded: Option<Arc<dyn Recorded>>,
}

impl Sources<'_> {
    /// What the servers may look at.
    fn scope(&self) -> Scope {
        Scope::new(self.site.limits.namespaces.clone())
    }
}

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The cluster.
    Kubernetes,
    /// Its logs.
    Logs,
    /// Deploys.
    Deploys,
    /// Runbooks.
    Runbooks,
    /// Measurements.
    Metrics,
    /// Alerts, and who is on call.
    Alerts,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Kubernetes, Self::Logs];
    pub const ALL: [Self; 3] = [Self::Kubernetes, Self::Deploys, Self::Runbooks];
    pub const ALL: [Self; 3] = [Self::Kubernetes, Self::Metrics, Self::Alerts];

    /// Its name: that of its tools in the hub, and of its scopes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Logs => "logs",
            Self::Deploys => "deploys",
            Self::Runbooks => "runbooks",
            Self::Metrics => "metrics",
            Self::Alerts => "alerts",
        }
    }

    /// Its tools, by name.
    pub const fn tools(self) -> &'static [&'static str] {
        match self {
            Self::Kubernetes => &kubernetes::TOOLS,
            Self::Logs => &log_server::TOOLS,
            Self::Deploys => &crate::servers::deploys::TOOLS,
            Self::Runbooks => &crate::servers::runbooks::TOOLS,
            Self::Metrics => &metrics::TOOLS,
            Self::Alerts => &alerts::TOOLS,
        }
    }

    /// The key of the configuration that it needs and that is missing, if any is.
    fn missing(self, sources: &Sources<'_>) -> Option<&'static str> {
        match self {
            Self::Kubernetes => None,
            // without `logs`, those of the cluster's pods
            Self::Logs => None,
            // the cluster's own revisions are a history, too
            Self::Kubernetes | Self::Deploys => None,
            Self::Runbooks => sources.config.runbooks.is_none().then_some(runbooks::KEY),
        let Sources { config, site, .. } = sources;
        match self {
            Self::Kubernetes => None,
            Self::Metrics => site.prometheus.is_none().then_some("prometheus"),
            Self::Alerts => {
                let some = site.alertmanager.is_some() || site.prometheus.is_some();
                let people = config.pagerduty.is_some() || config.on_call.is_some();
                (!some && !people).then_some("alertmanager")
            }
        }
    }
}

/// One of the servers, ready to be served.
pub enum Own {
    /// The cluster.
    Kubernetes(KubernetesServer),
    /// Its logs.
    Logs(LogServer),
    /// Deploys.
    Deploys(DeploysServer),
    /// Runbooks.
    Runbooks(RunbooksServer),
    /// Measurements.
    Metrics(MetricsServer),
    /// Alerts, and who is on call.
    Alerts(AlertsServer),
}

impl Own {
    /// The server of this kind; an error that names the key where the configuration has no source for it.
    pub fn build(kind: Kind, sources: &Sources<'_>) -> Result<Self, BuildError> {
        if let Some(key) = kind.missing(sources) {
            return Err(BuildError::NoSource { server: kind.name(), key });
        }
        Ok(match kind {
            Kind::Kubernetes => Self::Kubernetes(kubernetes(sources)),
            Kind::Logs => Self::Logs(LogServer::new(
                logs::source(sources.site, sources.listing, sources.clock)?,
                sources.scope(),
                Arc::clone(sources.clock),
            )),
            Kind::Deploys => Self::Deploys(deploys::server(sources)?),
            Kind::Runbooks => {
                let (server, key) = (kind.name(), runbooks::KEY);
                let dir = sources.config.runbooks.as_deref();
                let dir = dir.ok_or(BuildError::NoSource { server, key })?;
                Self::Runbooks(runbooks::server(dir, sources)?)
            }
            Kind::Metrics => Self::Metrics(monitoring::metrics(sources)?),
            Kind::Alerts => Self::Alerts(monitoring::alerts(sources)?),
        })
    }

    /// Every server that the configuration has sources for.
    pub fn all(sources: &Sources<'_>) -> Result<Vec<(Kind, Self)>, BuildError> {
        let there = Kind::ALL.into_iter().filter(|kind| kind.missing(sources).is_none());
        there.map(|kind| Ok((kind, Self::build(kind, sources)?))).collect()
    }

    /// Serves on standard input and output until the client goes away.
    pub async fn stdio(self) -> Result<(), BuildError> {
        let served = match self {
            Self::Kubernetes(server) => kit::serve_stdio(server).await,
            Self::Logs(server) => kit::serve_stdio(server).await,
            Self::Deploys(server) => kit::serve_stdio(server).await,
            Self::Runbooks(server) => kit::serve_stdio(server).await,
            Self::Metrics(server) => kit::serve_stdio(server).await,
            Self::Alerts(server) => kit::serve_stdio(server).await,
        };
        served.map_err(|e| BuildError::Served(e.to_string()))
    }

    /// Runs it as a task of this process, and connects to it.
    pub async fn connect(self) -> Result<InProcess, ConnectError> {
        match self {
            Self::Kubernetes(server) => mcp::connect_in_process(server).await,
            Self::Logs(server) => mcp::connect_in_process(server).await,
            Self::Deploys(server) => mcp::connect_in_process(server).await,
            Self::Runbooks(server) => mcp::connect_in_process(server).await,
            Self::Metrics(server) => mcp::connect_in_process(server).await,
            Self::Alerts(server) => mcp::connect_in_process(server).await,
        }
    }
}

/// The cluster's server: whoever asks without end costs the API server no more than a person's dashboard.
fn kubernetes(sources: &Sources<'_>) -> KubernetesServer {
    let listing = Paced::new(Arc::clone(sources.listing), Arc::clone(sources.clock));
    let inventory = listing.beside(Arc::clone(sources.inventory));
    KubernetesServer::new(Arc::new(listing), Arc::new(inventory), sources.scope())
}

/// All of them join the hub; they end with what is returned.
pub(super) async fn join(hub: &mut Hub, sources: &Sources<'_>) -> Result<Vec<Server>, BuildError> {
    let mut running = Vec::new();
    for (kind, own) in Own::all(sources)? {
        let started = own.connect().await?;
        hub.join(kind.name(), started.client, &mcp::Allow::only(kind.tools().iter().copied())).await?;
        running.push(started.server);
    }
    Ok(running)
}
