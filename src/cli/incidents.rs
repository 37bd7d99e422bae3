//! `belay incidents`: see them and answer them, through the daemon's admin socket.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Subcommand;

use crate::app::admin::{self, Request, Response};
use crate::domain::record::Answer;

use super::policy::explained::Show;
use super::{StateDir, runtime, terminal};

/// What about them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    state: StateDir,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The open incidents
    List {
        /// Closed ones too
        #[arg(long)]
        all: bool,
    },
    /// One incident, as people read it
    Show {
        /// Its name, or the beginning of it
        incident: String,
    },
    /// The pods, events and logs that were kept before an act took the pods away, as JSON
    Evidence {
        /// Its name, or the beginning of it
        incident: String,
    },
    /// Why policy decided as it did, and what would change it
    Why {
        /// Its name, or the beginning of it
        incident: String,
        #[command(flatten)]
        show: Show,
    },
    /// Have it once more from what the journal kept, without cluster and model, and say where it differs
    Replay(super::replay::Args),
    /// Approve the plan that is asked about
    Approve {
        /// Its name, or the beginning of it
        incident: String,
    },
    /// Reject the plan that is asked about
    Reject {
        /// Its name, or the beginning of it
        incident: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Confirm that the act is well
    Confirm {
        /// Its name, or the beginning of it
        incident: String,
    },
    /// Put the act back
    Revert {
        /// Its name, or the beginning of it
        incident: String,
    },
    /// Stop automation on this incident and call a person
    HandOver {
        /// Its name, or the beginning of it
        incident: String,
    },
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let name = user();
    let show = if let What::Why { show, .. } = &args.what { *show } else { Show::default() };
    let answer = |incident, answer| Request::Answer { incident, answer, name };
    let request = match args.what {
        What::Replay(replay) => return super::replay::run(&replay, &args.state.state_dir, args.json),
        What::List { all } => Request::List { all },
        What::Show { incident } => Request::Show { incident },
        What::Evidence { incident } => Request::Evidence { incident },
        What::Why { incident, .. } => Request::Why { incident },
        What::Approve { incident } => answer(incident, Answer::Approve),
        What::Reject { incident, reason } => answer(incident, Answer::Reject { reason }),
        What::Confirm { incident } => answer(incident, Answer::Confirm),
        What::Revert { incident } => answer(incident, Answer::Revert),
        What::HandOver { incident } => answer(incident, Answer::HandOver),
    };
    if args.json { json(&args.state, &request) } else { said(&args.state, &request, show) }
}

/// Asks the daemon and prints its answer for programs.
pub(super) fn json(state: &StateDir, request: &Request) -> anyhow::Result<ExitCode> {
    let response = ask(state, request)?;
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &response)?;
    writeln!(out)?;
    Ok(code(&response))
}

/// Asks the daemon and prints what it says.
pub(super) fn send(state: &StateDir, request: &Request) -> anyhow::Result<ExitCode> {
    said(state, request, Show::default())
}

fn said(state: &StateDir, request: &Request, show: Show) -> anyhow::Result<ExitCode> {
    let response = ask(state, request)?;
    terminal::print(&response, show)?;
    Ok(code(&response))
}

pub(super) fn ask(state: &StateDir, request: &Request) -> anyhow::Result<Response> {
    runtime()?.block_on(admin::ask(&state.state_dir, request)).map_err(|error| unreached(state, error))
}

/// Nobody answered on the socket.
pub(super) fn unreached(state: &StateDir, error: std::io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context(format!(
        "no daemon answers in `{}`; is `belay serve` running, and is this its `--state-dir`?",
        state.state_dir.display()
    ))
}

const fn code(response: &Response) -> ExitCode {
    match response {
        Response::Refused(_) => ExitCode::FAILURE,
        Response::List(_)
        | Response::View(_)
        | Response::Text(_)
        | Response::Explanation(_)
        | Response::Done(_)
        | Response::Holds(_)
        | Response::Tracks(_)
        | Response::InForce(_)
        | Response::Undo(_)
        | Response::Reading(_)
        | Response::Incidents(_)
        | Response::Inquired(_) => ExitCode::SUCCESS,
    }
}

/// Who is at the keyboard, as the system calls them.
pub(super) fn user() -> String {
    crate::config::user()
}
