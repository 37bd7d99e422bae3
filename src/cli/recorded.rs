//! `belay recorded`: what the daemon remembers from before a fault.

use std::process::ExitCode;

use super::StateDir;
use super::incidents::send;
use crate::app::admin::Request;

/// Of what.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A namespace, or an object in one: `shop`, `shop/ConfigMap/flags`; all of it unless given
    #[arg(default_value = "", hide_default_value = true)]
    what: String,
    #[command(flatten)]
    state: StateDir,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    send(&args.state, &Request::Recorded { what: args.what })
}
