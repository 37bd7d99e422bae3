//! `belay audit`: is the journal whole, and what does it say?

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::domain::canonical::Hash;
use crate::store;

use super::StateDir;

/// What about the journal.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    state: StateDir,
    /// The journal file, in place of the state directory's own
    #[arg(long, global = true, value_name = "FILE")]
    journal: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check every hash and chain of the journal
    Verify {
        /// The last line's hash as it was noted elsewhere: finds truncation too
        #[arg(long, value_name = "HASH")]
        head: Option<Hash>,
    },
    /// Print every entry, one JSON object a line
    Export,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let journal = args.journal.unwrap_or_else(|| args.state.state_dir.join(store::LOG_FILE));
    let mut out = std::io::stdout().lock();
    match args.what {
        What::Export => {
            store::export(&journal, &mut out)?;
            Ok(ExitCode::SUCCESS)
        }
        What::Verify { head } => match store::verify(&journal, &[]) {
            Ok(found) if head.is_none_or(|head| head == found.head) => {
                writeln!(
                    out,
                    "the journal is whole: {} steps, {} entries in {} streams; head {}",
                    found.lines,
                    found.entries,
                    found.streams.len(),
                    found.head
                )?;
                Ok(ExitCode::SUCCESS)
            }
            Ok(found) => {
                writeln!(out, "the journal ends elsewhere than noted: its head is {}", found.head)?;
                Ok(ExitCode::FAILURE)
            }
            Err(broken) => {
                writeln!(out, "the journal is not whole: {broken}")?;
                Ok(ExitCode::FAILURE)
            }
        },
    }
}
