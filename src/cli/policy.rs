//! `belay policy`: are the files sound, do their own tests pass, and what would they say?

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
    /// The folder with the policy files; golden inputs are read from its `examples/`
    #[arg(long, default_value = "policies", value_name = "DIR", global = true)]
    policies: PathBuf,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Load the files as the daemon would: every error at once, then the files' own tests
    Lint,
    /// What the policy says about a golden input, why, and what would change it
    Explain {
        /// The golden input, as tests name it: `examples/oom.yaml`
        input: String,
        /// Change a fact of it: `target.namespace=prod`
        #[arg(long, value_name = "FACT=VALUE", value_parser = pair)]
        set: Vec<(String, String)>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (fact, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not FACT=VALUE"))?;
    Ok((fact.trim().to_owned(), value.trim().to_owned()))
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let set = match load(&args.policies)? {
        Ok(set) => set,
        Err(errors) => {
            write!(std::io::stderr().lock(), "{errors}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut out = std::io::stdout().lock();
    match &args.what {
        What::Lint => {
            for note in set.notes() {
                writeln!(out, "note: {note}")?;
            }
            writeln!(out, "the policy is sound and its tests pass; set {}", set.hash().short())?;
        }
        What::Explain { input, set: changes, json } => {
            let changes: Vec<_> = changes.iter().map(|(f, v)| (f.as_str(), v.as_str())).collect();
            let question = policy::example(&set, input, &changes).map_err(anyhow::Error::msg)?;
            let explanation = policy::explain(&set, &question);
            if *json {
                serde_json::to_writer_pretty(&mut out, &explanation)?;
                writeln!(out)?;
            } else {
                writeln!(out, "{explanation}")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn load(dir: &Path) -> anyhow::Result<Result<PolicySet, policy::Errors>> {
    let files = config::policies(dir)?;
    anyhow::ensure!(!files.is_empty(), "`{}` holds no policy (`*.yaml`)", dir.display());
    Ok(policy::load(files))
}
