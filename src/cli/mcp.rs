//! `belay mcp`: belay's own MCP servers, over standard input and output for any MCP client, and the action server
//! over HTTP as a process of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::build;
use crate::config;
use crate::http;
use crate::servers::actions;

/// What about MCP.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serve one of belay's servers on standard input and output, or the action server over HTTP
    Serve(Serve),
    /// Print the public key that a daemon's warrants are verified with, for `warrantKeys`
    Key {
        /// The daemon's configuration
        #[arg(long, short, default_value = "belay.yaml", value_name = "FILE")]
        config: PathBuf,
    },
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
    /// Serve over HTTP at this address, under `/mcp`, to clients with the token in `clientTokenFile`
    #[arg(long, value_name = "ADDRESS", requires = "limits")]
    listen: Option<SocketAddr>,
}

/// belay's own servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Server {
    /// Look at pods, logs, deployments, events and rollouts; read-only
    Kubernetes,
    /// Plan actions, and carry out those that belay signed
    Actions,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Serve(Serve { server, limits: Some(limits), listen, .. }) => {
            anyhow::ensure!(server == Server::Actions, "`--limits` is for `belay mcp serve actions`");
            alone(&limits, listen)
        }
        What::Serve(Serve { server, config, limits: None, listen: _ }) => serve(server, &config),
        What::Key { config } => {
            let key = build::public_key(&config::load(&config)?.state_dir)?;
            writeln!(std::io::stdout().lock(), "{key}")?;
            Ok(ExitCode::SUCCESS)
        }
        What::Schema => {
            let mut out = std::io::stdout().lock();
            serde_json::to_writer_pretty(&mut out, &config::actions_schema())?;
            writeln!(out)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn serve(server: Server, config: &Path) -> anyhow::Result<ExitCode> {
    let config = config::load(config)?;
    // standard output belongs to the protocol
    crate::telemetry::init(&config.log.filter, config.log.format).map_err(anyhow::Error::msg)?;
    super::runtime()?.block_on(async {
        match server {
            Server::Kubernetes => build::serve_kubernetes(&config).await?,
            Server::Actions => build::serve_actions(&config).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The action server that one file holds.
fn alone(limits: &Path, listen: Option<SocketAddr>) -> anyhow::Result<ExitCode> {
    let config = config::load_actions(limits)?;
    crate::telemetry::init(&config.log.filter, config.log.format).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let Some(address) = listen else {
            actions::serve_stdio(build::actions_alone(&config).await?).await?;
            return Ok(ExitCode::SUCCESS);
        };
        let token = config.client_token_file.as_deref();
        let token =
            token.context("name the token that clients show in `clientTokenFile`: without it nobody may")?;
        let token = config::secret(token)?;
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
        let stop = CancellationToken::new();
        let service = actions::service(build::actions_alone(&config).await?, &stop);
        tracing::info!(listen = %listener.local_addr()?, "ready");
        let mut terminate = signal(SignalKind::terminate())?;
        let serving = http::serve(listener, http::mcp_routes(service, token), stop.clone());
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
    })
}
