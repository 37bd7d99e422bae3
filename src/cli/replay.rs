//! `belay incidents replay`: an incident once more, from the journal alone. It reads the state directory,
//! whether or not a daemon runs, and writes nothing there.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::app::build;
use crate::app::replay::{self, Again, Kept};
use crate::config;
use crate::domain::action::job::Templates;
use crate::investigate::Prompts;
use crate::store;

use super::terminal::{look, plain};
use crate::adapters::terminal::paragraph;

/// What is replayed, and with what.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its name, or the beginning of it
    incident: String,
    /// The configuration whose prompts and job templates are used; without it, the shipped prompts and no job
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write its investigation to this file, for `belay eval`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

pub(super) fn run(args: &Args, state_dir: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let (entries, daemon) = replay::records(state_dir, &args.incident)
        .with_context(|| format!("the journal in `{}` cannot be read", state_dir.display()))?;
    if entries.is_empty() {
        bail!("there is no incident `{}` in `{}`", args.incident, state_dir.display());
    }
    if replay::only_incident(&entries).is_none() {
        bail!("`{}` could be several incidents; type more of it", args.incident);
    }
    let (prompts, jobs) = setting(args.config.as_deref())?;
    let blob = |hash| store::blob(state_dir, hash).ok().flatten();
    let kept = Kept { blob: &blob, sets: replay::sets(&daemon), prompts: &prompts, jobs: &jobs };
    let steps = replay::again(&entries, &kept)?;
    if let Some(file) = &args.save {
        let recording = replay::last_recording(&entries, &kept).map_err(anyhow::Error::msg)?;
        std::fs::write(file, serde_json::to_vec_pretty(&recording)?)
            .with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    let same = steps.iter().all(|step| step.differs.is_empty());
    if json {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &steps)?;
        writeln!(out)?;
    } else {
        print(&steps)?;
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The prompts and the job templates to replay with.
pub(super) fn setting(file: Option<&Path>) -> anyhow::Result<(Prompts, Templates)> {
    let Some(file) = file else { return Ok((Prompts::load([])?, Templates::default())) };
    let config = config::load(file)?;
    let texts = config.prompts.as_deref().map(config::prompts).transpose()?.unwrap_or_default();
    let jobs = build::templates(&config.limits, &std::collections::BTreeMap::default())?;
    Ok((Prompts::load(texts)?, jobs))
}

fn print(steps: &[Again]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let width = look().width;
    for Again { seq, at, what, words, differs, unmade } in steps {
        let verdict = match (unmade, differs.is_empty()) {
            (Some(_), _) => "unknown",
            (None, true) => "same",
            (None, false) => "differs",
        };
        writeln!(
            out,
            "{seq:>4}  {}  {what:<9}  {verdict:<7}  {}",
            at.strftime("%m-%d %H:%M:%S"),
            plain(words)
        )?;
        for line in differs.iter().chain(unmade) {
            write!(out, "{}", paragraph("      ", &plain(line), width))?;
        }
    }
    let count = |keep: &dyn Fn(&&Again) -> bool| steps.iter().filter(keep).count();
    let (differ, unknown) = (count(&|s| !s.differs.is_empty()), count(&|s| s.unmade.is_some()));
    writeln!(out, "{} steps made again: {differ} differ, {unknown} cannot be told", steps.len())
}
