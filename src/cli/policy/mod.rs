//! `belay policy`: are the files sound, do their own tests pass, and what would they say? One file a
//! subcommand.

mod admission;
mod explain;
pub(super) mod explained;
mod lint;
mod mutate;
mod replay;
mod schema;
mod shadow;
mod test;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use crate::config;
use crate::policy::{self, PolicySet};

/// What about the policy.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    /// The folder with the policy files; golden inputs are read from its `examples/` [default: policies]
    #[arg(long, value_name = "DIR", global = true)]
    policies: Option<PathBuf>,
}

/// Where policies are looked for that nobody said where they are.
const USUAL: &str = "policies";

#[derive(Debug, Subcommand)]
enum What {
    /// Load the files as the daemon would: every error at once, then the files' own tests
    Lint(lint::Args),
    /// Run the files' own tests one by one
    Test(test::Args),
    /// Take out each grant, guard, cap and limit in turn and list those whose loss no test notices
    Mutate(mutate::Args),
    /// What the policy says about a live incident, a golden input or a case given by flags, why, and what
    /// would change it
    Explain(explain::Args),
    /// Decide every past decision of the journal again, and print what changes
    Replay(replay::Args),
    /// What grants on trial would have done, against what happened
    Shadow(shadow::Args),
    /// Print the JSON Schema of policy files, for editors
    Schema,
    /// Print a Kubernetes ValidatingAdmissionPolicy that holds belay to the policy
    Admission(admission::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let given = args.policies.as_deref();
    let dir = given.unwrap_or(Path::new(USUAL));
    match &args.what {
        What::Lint(args) => lint::run(args, given),
        What::Test(args) => test::run(args, dir),
        What::Mutate(args) => mutate::run(args, dir),
        What::Explain(args) => explain::run(args, dir),
        What::Replay(args) => replay::run(args, dir),
        What::Shadow(args) => shadow::run(args, dir),
        What::Schema => schema::run(),
        What::Admission(args) => admission::run(args, dir),
    }
}

/// The files of the folder; there must be some.
fn files(dir: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let files = config::policies(dir)?;
    anyhow::ensure!(!files.is_empty(), "`{}` holds no policy (`*.yaml`)", dir.display());
    Ok(files)
}

/// The sound set of the folder. Without one, everything that is wrong was printed.
pub(super) fn load(dir: &Path) -> anyhow::Result<Option<PolicySet>> {
    match policy::load(files(dir)?) {
        Ok(set) => Ok(Some(set)),
        Err(errors) => {
            writeln!(std::io::stderr().lock(), "{errors}")?;
            Ok(None)
        }
    }
}

/// JSON for programs, on standard output.
fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

const fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
