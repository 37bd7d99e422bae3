//! `belay mcp`: belay's own MCP servers, over standard input and output for any MCP client; the read-only ones over HTTP
//! too, for callers with tokens, and the action server as a process of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::{build, incidents_server, open, own};
use crate::config;
use crate::http;
use crate::servers::{actions, kit, reads};

/// What about MCP.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serve one of belay's servers on standard input and output, or with `--listen` over HTTP
    Serve(Serve),
    /// Print the public keys that a daemon's warrants are verified with, for `warrantKeys`: the one that signs, and
    /// the one that will
    Key {
        /// The daemon's configuration
        #[arg(long, short, default_value = "belay.yaml", value_name = "FILE")]
        config: PathBuf,
        /// Prepare the key that will sign, unless one is prepared, and print its public key alone
        #[arg(long)]
        next: bool,
        /// Put the prepared key in the place of the one that signs; the daemon takes it at its next start
        #[arg(long, conflicts_with = "next")]
        rotate: bool,
    },
    /// See what the tools of third-party MCP servers say of themselves beside what was accepted, and accept it
    Pin(super::pin::Args),
    /// Print the JSON Schema of the file that `serve actions --limits` takes, for editors
    Schema,
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Which one
    server: Server,
    /// The configuration that names the cluster
    #[arg(long, short, default_value = "belay.yaml", value_name = "FILE")]
    config: PathBuf,
    /// What the action server is held to: cluster, limits and the keys of warrants, all in this file
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    limits: Option<PathBuf>,
    /// What the read server reads, and who may ask it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "limits"], requires = "listen")]
    reads: Option<PathBuf>,
    /// Which cluster of the configuration; its first one unless given
    #[arg(long, value_name = "NAME", conflicts_with_all = ["limits", "reads"])]
    cluster: Option<String>,
    /// Serve over HTTP at this address: read-only servers under `/mcp/<server>`, to callers that `mcp` of the
    /// configuration lets in; the action server and the read server under `/mcp`, to clients with the token in
    /// `clientTokenFile`
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// belay's own servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Server {
    /// Look at pods, logs, deployments, events and rollouts; read-only
    Kubernetes,
    /// Search logs, and sum up what went wrong in them; read-only
    Logs,
    /// Tell of deploys, configuration changes and pipelines, and plan rollbacks; read-only
    Deploys,
    /// Find runbooks, and walk their steps; read-only
    Runbooks,
    /// Measure services by their Prometheus, and find what changed; read-only
    Metrics,
    /// Look at alerts, silences, who is on call and who was called; read-only
    Alerts,
    /// All read-only servers that the configuration has sources for, on one listener
    All,
    /// Tell of belay's own incidents, and take proposals for them; through the daemon whose `stateDir` this is
    Incidents,
    /// Tell which services call which, and how each is; read-only
    Map,
    /// Look at traces of requests; read-only
    Traces,
    /// Plan actions, and carry out those that belay signed
    Actions,
    /// What belay's core reads of a cluster, for a daemon in another one
    Reads,
}

impl Server {
    /// Which of the read-only servers it is; none where it is all of them, or another.
    const fn kind(self) -> Option<own::Kind> {
        match self {
            Self::Kubernetes => Some(own::Kind::Kubernetes),
            Self::Logs => Some(own::Kind::Logs),
            Self::Metrics => Some(own::Kind::Metrics),
            Self::Alerts => Some(own::Kind::Alerts),
            Self::Deploys => Some(own::Kind::Deploys),
            Self::Runbooks => Some(own::Kind::Runbooks),
            Self::Traces => Some(own::Kind::Traces),
            Self::Map => Some(own::Kind::Map),
            Self::All | Self::Incidents | Self::Actions | Self::Reads => None,
        }
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Serve(args) => match args {
            Serve { server: Server::Actions, limits: Some(limits), listen, .. } => alone(&limits, listen),
            Serve { server: Server::Reads, reads: Some(reads), listen: Some(listen), .. } => {
                reading(&reads, listen)
            }
            Serve { server: Server::Reads, .. } => {
                anyhow::bail!("`belay mcp serve reads` needs `--reads FILE` and `--listen ADDRESS`")
            }
            Serve { limits: Some(_), .. } => {
                anyhow::bail!("`--limits` is for `belay mcp serve actions`")
            }
            Serve { reads: Some(_), .. } => anyhow::bail!("`--reads` is for `belay mcp serve reads`"),
            Serve { server: Server::Actions, listen: Some(_), .. } => {
                anyhow::bail!(
                    "over HTTP the action server is held by a file of its own: name it in `--limits`"
                )
            }
            Serve { server, config, cluster, listen: Some(listen), .. } => {
                open(server.kind(), &config, cluster.as_deref(), listen)
            }
            Serve { server, config, cluster, .. } => serve(server, &config, cluster.as_deref()),
        },
        What::Key { config, next, rotate } => {
            let config = config::load(&config)?;
            let keys = match (next, rotate) {
                (true, _) => vec![build::prepare(&config)?],
                (false, true) => vec![build::rotate(&config)?],
                (false, false) => build::public_keys(&config)?,
            };
            let mut out = std::io::stdout().lock();
            keys.iter().try_for_each(|key| writeln!(out, "{key}"))?;
            Ok(ExitCode::SUCCESS)
        }
        What::Pin(args) => super::pin::run(&args),
        What::Schema => {
            let mut out = std::io::stdout().lock();
            serde_json::to_writer_pretty(&mut out, &config::actions_schema())?;
            writeln!(out)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn serve(server: Server, config: &Path, cluster: Option<&str>) -> anyhow::Result<ExitCode> {
    let config = config::load(config)?;
    let site = config.site(cluster)?;
    // standard output belongs to the protocol
    crate::telemetry::init(&config.log.filter, config.log.format).map_err(anyhow::Error::msg)?;
    super::runtime()?.block_on(async {
        match (server, server.kind()) {
            (_, Some(kind)) => build::serve_own(kind, &config, site).await?,
            (Server::Incidents, None) => incidents_server::serve(&config, site).await?,
            (Server::Actions, None) => build::serve_actions(&config, site).await?,
            (_, None) => anyhow::bail!(
                "several servers need `--listen ADDRESS`: standard input and output are for one"
            ),
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Read-only servers over HTTP: this one, or all.
fn open(
    kind: Option<own::Kind>,
    config: &Path,
    cluster: Option<&str>,
    address: SocketAddr,
) -> anyhow::Result<ExitCode> {
    let config = config::load(config)?;
    let site = config.site(cluster)?;
    crate::telemetry::init(&config.log.filter, config.log.format).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (listener, stop) = (bind(address).await?, CancellationToken::new());
        let opened = open::open(kind, &config, site, listener.local_addr()?, &stop).await?;
        for (server, _) in &opened.servers {
            tracing::info!(server, url = opened.door.resource(server), "served");
        }
        let routes = http::server_routes(&opened.door, opened.servers);
        serve_on(listener, routes.context("this machine gives no random numbers")?, stop).await
    })
}

/// The action server that one file holds.
fn alone(limits: &Path, listen: Option<SocketAddr>) -> anyhow::Result<ExitCode> {
    let config = config::load_actions(limits)?;
    crate::telemetry::init(&config.log.filter, config.log.format).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let Some(address) = listen else {
            kit::serve_stdio(build::actions_alone(&config).await?).await?;
            return Ok(ExitCode::SUCCESS);
        };
        let token = config.client_token_file.as_deref();
        let token =
            token.context("name the token that clients show in `clientTokenFile`: without it nobody may")?;
        let server = build::actions_alone(&config).await?;
        let (token, stop) = (config::secret(token)?, CancellationToken::new());
        listen_on(address, http::mcp_routes(actions::service(server, &stop), token), stop).await
    })
}

/// The read server that one file describes.
fn reading(file: &Path, address: SocketAddr) -> anyhow::Result<ExitCode> {
    let config = config::load_reads(file)?;
    crate::telemetry::init(&config.log.filter, config.log.format).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = build::reads_alone(&config).await?;
        let (token, stop) = (config::secret(&config.client_token_file)?, CancellationToken::new());
        listen_on(address, http::mcp_routes(reads::service(server, &stop), token), stop).await
    })
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address}"))
}

async fn listen_on(
    address: SocketAddr,
    routes: http::Routes,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    serve_on(bind(address).await?, routes, stop).await
}

/// Serves over HTTP until a signal comes.
async fn serve_on(
    listener: TcpListener,
    routes: http::Routes,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    tracing::info!(listen = %listener.local_addr()?, "ready");
    let mut terminate = signal(SignalKind::terminate())?;
    let serving = http::serve(listener, routes, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended.map(|()| ExitCode::SUCCESS)?),
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    stop.cancel();
    // what is under way is finished
    serving.await?;
    Ok(ExitCode::SUCCESS)
}
