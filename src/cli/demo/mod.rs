//! `belay demo`: a simulated shop breaks twice, alerts arrive through the real webhook, belay mends it and
//! asks. Nothing is stubbed inside belay: only the cluster and its Alertmanager are simulated.

mod stage;
mod talk;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::domain::decision::Level;

/// How the demo runs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Confirm everything without asking (also when there is no terminal)
    #[arg(long)]
    yes: bool,
    /// Revert what can be reverted, without asking
    #[arg(long, conflicts_with = "yes")]
    revert: bool,
    /// The highest maturity level in the demo, 1 to 5
    #[arg(long, default_value = "3", value_parser = level, value_name = "N")]
    level: Level,
    /// Keep the daemon running afterwards, to look around with the other commands
    #[arg(long)]
    serve: bool,
    /// Keep the journal here rather than in a new temporary folder
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Simulated seconds a second
    #[arg(long, default_value = "40", value_name = "FACTOR", value_parser = speed)]
    speed: f64,
}

/// How questions are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// By the person at the terminal.
    Person,
    /// Confirm, always.
    Confirm,
    /// Revert where there is something to revert.
    Revert,
}

fn level(text: &str) -> Result<Level, String> {
    let number: u8 = text.parse().map_err(|_| format!("`{text}` is not a level: 1 to 5"))?;
    Level::try_from(number)
}

fn speed(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    // above this the loops' real milliseconds become simulated minutes
    if (1.0..=200.0).contains(&factor) { Ok(factor) } else { Err("1 to 200".into()) }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let answers = match (args.yes, args.revert) {
        (_, true) => Answers::Revert,
        (false, false) if terminal => Answers::Person,
        (true | false, false) => Answers::Confirm,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(stage::play(args, answers));
    // a thread may still wait for a line that nobody will type
    runtime.shutdown_background();
    done
}
