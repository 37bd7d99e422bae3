//! `belay pause` and `belay resume`.

use std::process::ExitCode;

use crate::app::admin::Request;

use super::StateDir;
use super::incidents::{send, user};

/// Why acting is paused.
#[derive(Debug, clap::Args)]
pub(super) struct PauseArgs {
    /// Why, for whoever reads it later
    reason: String,
    /// The hold's name; two holders never lift each other's
    #[arg(long, default_value = "cli")]
    hold: String,
    #[command(flatten)]
    state: StateDir,
}

/// Which hold is lifted.
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    /// The hold's name
    #[arg(default_value = "cli")]
    hold: String,
    #[command(flatten)]
    state: StateDir,
}

pub(super) fn pause(args: PauseArgs) -> anyhow::Result<ExitCode> {
    let PauseArgs { reason, hold, state } = args;
    send(&state, &Request::Pause { hold, reason, name: user() })
}

pub(super) fn resume(args: ResumeArgs) -> anyhow::Result<ExitCode> {
    send(&args.state, &Request::Resume { hold: args.hold, name: user() })
}
