//! belay's own read-only MCP servers: which of them a cluster's configuration has the sources for, as they join the
//! hub of the model and as `belay mcp serve` offers them.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::adapters::mcp::{self, ConnectError, Hub, InProcess};
use crate::config::{self, Config};
use crate::domain::authority::Caller;
use crate::ports::clock::SharedClock;
use crate::ports::reads::Listing;
use crate::servers::guard::{Guard, Guarded};
use crate::servers::kit::{self, Scope};
use crate::servers::kubernetes::{self, KubernetesServer, Paced};

use super::build::{BuildError, Server};

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
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 1] = [Self::Kubernetes];

    /// Its name: that of its tools in the hub, and of its scopes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
        }
    }

    /// Its tools, by name.
    pub const fn tools(self) -> &'static [&'static str] {
        match self {
            Self::Kubernetes => &kubernetes::TOOLS,
        }
    }

    /// The key of the configuration that it needs and that is missing, if any is.
    fn missing(self, _: &Sources<'_>) -> Option<&'static str> {
        match self {
            Self::Kubernetes => None,
        }
    }
}

/// One of the servers, ready to be served.
pub enum Own {
    /// The cluster.
    Kubernetes(KubernetesServer),
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
        })
    }

    /// Every server that the configuration has sources for.
    pub fn all(sources: &Sources<'_>) -> Result<Vec<(Kind, Self)>, BuildError> {
        let there = Kind::ALL.into_iter().filter(|kind| kind.missing(sources).is_none());
        there.map(|kind| Ok((kind, Self::build(kind, sources)?))).collect()
    }

    /// Serves on standard input and output, behind its guard, until the client goes away.
    pub async fn stdio(self, guard: Arc<Guard>, caller: Caller) -> Result<(), BuildError> {
        let served = match self {
            Self::Kubernetes(server) => kit::serve_stdio(Guarded::of_process(server, guard, caller)).await,
        };
        served.map_err(|e| BuildError::Served(e.to_string()))
    }

    /// As a service of HTTP behind its guard; it ends with `stop`.
    pub fn over_http(self, guard: Arc<Guard>, stop: &CancellationToken) -> kit::HttpService {
        match self {
            Self::Kubernetes(server) => kit::with_sessions(Guarded::over_http(server, guard), stop),
        }
    }

    /// Runs it as a task of this process, and connects to it.
    async fn connect(self) -> Result<InProcess, ConnectError> {
        match self {
            Self::Kubernetes(server) => mcp::connect_in_process(server).await,
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
