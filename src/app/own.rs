//! belay's own read-only MCP servers: which of them a cluster's configuration has the sources for, as they join the
//! hub of the model and as `belay mcp serve` offers them.

use std::sync::Arc;

use crate::adapters::mcp::{self, ConnectError, Hub, InProcess};
use crate::config::{self, Config};
use crate::ports::clock::SharedClock;
use crate::ports::reads::Listing;
use crate::servers::kit::{self, Scope};
use crate::servers::kubernetes::{self, KubernetesServer, Paced};
use crate::servers::map::{self as service_map, MapServer};
use crate::servers::traces::{self, TracesServer};

use super::build::{BuildError, Server};

mod ways;

pub(super) use ways::map;

/// What the servers of one cluster are made of.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The whole configuration.
    pub config: &'a Config,
    /// The cluster's part of it.
    pub site: config::Site<'a>,
    /// Plain reads of the cluster.
    pub listing: &'a Arc<dyn Listing>,
    /// What time it is.
    pub clock: &'a SharedClock,
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
    /// Who calls whom.
    Map,
    /// Traces.
    Traces,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Kubernetes, Self::Map, Self::Traces];

    /// Its name: that of its tools in the hub, and of its scopes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Map => "map",
            Self::Traces => "traces",
        }
    }

    /// Its tools, by name.
    pub const fn tools(self) -> &'static [&'static str] {
        match self {
            Self::Kubernetes => &kubernetes::TOOLS,
            Self::Map => &service_map::TOOLS,
            Self::Traces => &traces::TOOLS,
        }
    }

    /// The key of the configuration that it needs and that is missing, if any is.
    fn missing(self, sources: &Sources<'_>) -> Option<&'static str> {
        match self {
            Self::Kubernetes => None,
            Self::Map => {
                (sources.site.service_map.is_none() && sources.site.traces.is_none()).then_some("serviceMap")
            }
            Self::Traces => sources.site.traces.is_none().then_some("traces"),
        }
    }
}

/// One of the servers, ready to be served.
pub enum Own {
    /// The cluster.
    Kubernetes(KubernetesServer),
    /// Who calls whom.
    Map(MapServer),
    /// Traces.
    Traces(TracesServer),
}

impl Own {
    /// The server of this kind; an error that names the key where the configuration has no source for it.
    pub fn build(kind: Kind, sources: &Sources<'_>) -> Result<Self, BuildError> {
        if let Some(key) = kind.missing(sources) {
            return Err(BuildError::NoSource { server: kind.name(), key });
        }
        Ok(match kind {
            Kind::Kubernetes => Self::Kubernetes(KubernetesServer::new(
                Arc::new(Paced::new(Arc::clone(sources.listing), Arc::clone(sources.clock))),
                sources.scope(),
            )),
            Kind::Map => {
                let Sources { site, listing, clock, .. } = *sources;
                let told = map(site, listing, clock)?;
                let told = told.ok_or(BuildError::NoSource { server: kind.name(), key: "serviceMap" })?;
                Self::Map(MapServer::new(told, sources.scope()))
            }
            Kind::Traces => {
                let found = ways::traces(sources.site)?;
                let (traces, placed) =
                    found.ok_or(BuildError::NoSource { server: kind.name(), key: "traces" })?;
                Self::Traces(TracesServer::new(traces, Arc::clone(sources.clock), sources.scope(), placed))
            }
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
            Self::Map(server) => kit::serve_stdio(server).await,
            Self::Traces(server) => kit::serve_stdio(server).await,
        };
        served.map_err(|e| BuildError::Served(e.to_string()))
    }

    /// Runs it as a task of this process, and connects to it.
    async fn connect(self) -> Result<InProcess, ConnectError> {
        match self {
            Self::Kubernetes(server) => mcp::connect_in_process(server).await,
            Self::Map(server) => mcp::connect_in_process(server).await,
            Self::Traces(server) => mcp::connect_in_process(server).await,
        }
    }
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
