//! `belay mcp serve`: belay's own MCP servers, over standard input and output, for any MCP client.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use crate::app::build;
use crate::config;

/// What about MCP.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serve one of belay's servers on standard input and output
    Serve {
        /// Which one
        server: Server,
        /// The configuration that names the cluster
        #[arg(long, short, default_value = "belay.yaml", value_name = "FILE")]
        config: PathBuf,
    },
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
    let What::Serve { server, config } = args.what;
    let config = config::load(&config)?;
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
