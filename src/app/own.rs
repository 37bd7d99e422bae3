//! belay's own read-only MCP servers: which of them a cluster's configuration has the sources for, as they join the
//! hub of the model and as `belay mcp serve` offers them.

mod deploys;
pub(super) mod logs;
mod monitoring;
mod runbooks;
mod ways;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::adapters::mcp::{self, ConnectError, Hub, InProcess};
use crate::config::{self, Config};
use crate::domain::authority::Caller;
use crate::ports::clock::SharedClock;
use crate::ports::deploys::Recorded;
use crate::ports::inventory::Inventory;
use crate::ports::reads::Listing;
use crate::servers;
use crate::servers::alerts::AlertsServer;
use crate::servers::deploys::DeploysServer;
use crate::servers::guard::{Guard, Guarded};
use crate::servers::kit::{self, Scope};
use crate::servers::kubernetes::{KubernetesServer, Paced};
use crate::servers::logs::LogServer;
use crate::servers::map::MapServer;
use crate::servers::metrics::MetricsServer;
use crate::servers::runbooks::RunbooksServer;
use crate::servers::traces::TracesServer;

use super::build::{BuildError, Server};

pub(super) use deploys::delivered;
pub(super) use monitoring::{pager, roster};
pub(super) use ways::{map, traces};

/// The key of the traces server, and that of the map.
const TRACES: &str = "traces";
const MAP: &str = "serviceMap";

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
    /// Measurements.
    Metrics,
    /// Alerts, and who is on call.
    Alerts,
    /// Deploys.
    Deploys,
    /// Runbooks.
    Runbooks,
    /// Traces.
    Traces,
    /// Who calls whom.
    Map,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Kubernetes,
        Self::Logs,
        Self::Metrics,
        Self::Alerts,
        Self::Deploys,
        Self::Runbooks,
        Self::Traces,
        Self::Map,
    ];

    /// Its name: that of its tools in the hub, and of its scopes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Alerts => "alerts",
            Self::Deploys => "deploys",
            Self::Runbooks => "runbooks",
            Self::Traces => "traces",
            Self::Map => "map",
        }
    }

    /// Its tools, by name.
    pub const fn tools(self) -> &'static [&'static str] {
        match self {
            Self::Kubernetes => &servers::kubernetes::TOOLS,
            Self::Logs => &servers::logs::TOOLS,
            Self::Metrics => &servers::metrics::TOOLS,
            Self::Alerts => &servers::alerts::TOOLS,
            Self::Deploys => &servers::deploys::TOOLS,
            Self::Runbooks => &servers::runbooks::TOOLS,
            Self::Traces => &servers::traces::TOOLS,
            Self::Map => &servers::map::TOOLS,
        }
    }

    /// The key of the configuration that it needs and that is missing, if any is.
    fn missing(self, sources: &Sources<'_>) -> Option<&'static str> {
        let Sources { config, site, .. } = sources;
        match self {
            // without `logs` those of the cluster's pods; its own revisions are a history, too
            Self::Kubernetes | Self::Logs | Self::Deploys => None,
            Self::Metrics => site.prometheus.is_none().then_some("prometheus"),
            Self::Alerts => {
                let some = site.alertmanager.is_some() || site.prometheus.is_some();
                let people = config.pagerduty.is_some() || config.on_call.is_some();
                (!some && !people).then_some("alertmanager")
            }
            Self::Runbooks => config.runbooks.is_none().then_some(runbooks::KEY),
            Self::Traces => site.traces.is_none().then_some(TRACES),
            Self::Map => (site.service_map.is_none() && site.traces.is_none()).then_some(MAP),
        }
    }
}

/// One of the servers, ready to be served.
pub enum Own {
    /// The cluster.
    Kubernetes(KubernetesServer),
    /// Its logs.
    Logs(LogServer),
    /// Measurements.
    Metrics(MetricsServer),
    /// Alerts, and who is on call.
    Alerts(AlertsServer),
    /// Deploys.
    Deploys(DeploysServer),
    /// Runbooks.
    Runbooks(RunbooksServer),
    /// Traces.
    Traces(TracesServer),
    /// Who calls whom.
    Map(MapServer),
}

/// The same with whichever server it is: each is of a type of its own.
macro_rules! with_server {
    ($own:expr, $server:ident => $done:expr) => {
        match $own {
            Own::Kubernetes($server) => $done,
            Own::Logs($server) => $done,
            Own::Metrics($server) => $done,
            Own::Alerts($server) => $done,
            Own::Deploys($server) => $done,
            Own::Runbooks($server) => $done,
            Own::Traces($server) => $done,
            Own::Map($server) => $done,
        }
    };
}

impl Own {
    /// The server of this kind; an error that names the key where the configuration has no source for it.
    pub fn build(kind: Kind, sources: &Sources<'_>) -> Result<Self, BuildError> {
        let none = |key| BuildError::NoSource { server: kind.name(), key };
        if let Some(key) = kind.missing(sources) {
            return Err(none(key));
        }
        Ok(match kind {
            Kind::Kubernetes => Self::Kubernetes(kubernetes(sources)),
            Kind::Logs => Self::Logs(LogServer::new(
                logs::source(sources.site, sources.listing, sources.clock)?,
                sources.scope(),
                Arc::clone(sources.clock),
            )),
            Kind::Metrics => Self::Metrics(monitoring::metrics(sources)?),
            Kind::Alerts => Self::Alerts(monitoring::alerts(sources)?),
            Kind::Deploys => Self::Deploys(deploys::server(sources)?),
            Kind::Runbooks => {
                let dir = sources.config.runbooks.as_deref().ok_or_else(|| none(runbooks::KEY))?;
                Self::Runbooks(runbooks::server(dir, sources)?)
            }
            Kind::Traces => {
                let (traces, placed) = traces(sources.site)?.ok_or_else(|| none(TRACES))?;
                Self::Traces(TracesServer::new(traces, Arc::clone(sources.clock), sources.scope(), placed))
            }
            Kind::Map => {
                let told = map(sources.site, sources.listing, sources.clock)?.ok_or_else(|| none(MAP))?;
                Self::Map(MapServer::new(told, sources.scope()))
            }
        })
    }

    /// Every server that the configuration has sources for.
    pub fn all(sources: &Sources<'_>) -> Result<Vec<(Kind, Self)>, BuildError> {
        let there = Kind::ALL.into_iter().filter(|kind| kind.missing(sources).is_none());
        there.map(|kind| Ok((kind, Self::build(kind, sources)?))).collect()
    }

    /// Serves on standard input and output, behind its guard, until the client goes away.
    pub async fn stdio(self, guard: Arc<Guard>, caller: Caller) -> Result<(), BuildError> {
        let served =
            with_server!(self, server => kit::serve_stdio(Guarded::of_process(server, guard, caller)).await);
        served.map_err(|e| BuildError::Served(e.to_string()))
    }

    /// As a service of HTTP behind its guard; it ends with `stop`.
    pub fn over_http(self, guard: Arc<Guard>, stop: &CancellationToken) -> kit::HttpService {
        with_server!(self, server => kit::with_sessions(Guarded::over_http(server, guard), stop))
    }

    /// Runs it as a task of this process, and connects to it.
    pub async fn connect(self) -> Result<InProcess, ConnectError> {
        with_server!(self, server => mcp::connect_in_process(server).await)
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
