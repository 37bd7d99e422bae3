//! `belay policy lint`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::app;
use crate::config::{self, Config};
use crate::policy::{self, Around, PolicySet};
use crate::ports::clock::{Clock as _, SystemClock};

/// What to check.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The daemon's configuration: its `policies`, and whether the brakes can see there
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &Args, dir: Option<&Path>) -> anyhow::Result<ExitCode> {
    let config = args.config.as_deref().map(config::load).transpose()?;
    let own = config.as_ref().map(|config| config.policies.as_path());
    let dir = dir.or(own).unwrap_or(Path::new(super::USUAL));
    let Some(set) = super::load(dir)? else { return Ok(ExitCode::FAILURE) };
    let around = config.as_ref().map(|config| around(config, &set)).unwrap_or_default();
    let mut notes = policy::lint(&set, SystemClock.now());
    notes.extend(policy::blind(&set, around));
    for site in config.iter().flat_map(Config::sites) {
        notes.extend(policy::unmeasured(&set, &site.cluster.name, &app::build::measures(site)?));
    }
    let mut out = std::io::stdout().lock();
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    writeln!(out, "the policy is sound and its tests pass; set {}", set.hash().short())?;
    Ok(ExitCode::SUCCESS)
}

/// What the configuration and the journal say of where the set is used. A journal that cannot be read says
/// nothing: there may be none yet.
fn around(config: &Config, set: &PolicySet) -> Around {
    let (alert, _) = policy::watchdog(set);
    let every = config.sites().all(|site| site.alertmanager.is_some());
    Around { list: Some(every), armed: app::armed(&config.state_dir, alert).ok() }
}
