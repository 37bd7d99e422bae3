//! `belay policy shadow`: grants on trial against what happened, so that a trial can end in a decision.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;

use super::super::since::Since;
use crate::cli::StateDir;
use crate::cli::terminal::plain;
use crate::domain::record::{Outcome as Ended, Record};
use crate::policy::{self, Trial, Trials};
use crate::store;

/// Which part of the journal.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How far back: a span like `30d` or `12h`, or a moment
    #[arg(long, default_value = "30d", value_name = "SPAN|MOMENT")]
    since: Since,
    #[command(flatten)]
    state: StateDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Found<'t> {
    version: u32,
    since: Timestamp,
    #[serde(flatten)]
    trials: &'t Trials,
}

pub(super) fn run(args: &Args, dir: &Path) -> anyhow::Result<ExitCode> {
    let (Some(set), Some(other)) = (super::load(dir)?, super::load(dir)?) else {
        return Ok(ExitCode::FAILURE);
    };
    let enforced = policy::enforced(other);
    let since = args.since.moment();
    let journal = args.state.state_dir.join(store::LOG_FILE);
    let mut trials = Trials::default();
    let wanted = store::Wanted { since, kinds: &["decided", "closed"] };
    let read = store::read(&journal, wanted, &mut |entry| match &entry.record {
        Record::Decided(decided) => trials.add(&set, &enforced, entry.at, decided),
        Record::Closed { outcome, .. } => {
            trials.ended(&crate::domain::ids::IncidentId::new(entry.stream.as_str()), *outcome);
        }
        _ => {}
    });
    read.with_context(|| {
        format!("the journal `{}` cannot be read; is this the daemon's `--state-dir`?", journal.display())
    })?;
    let trials = trials.finish();
    if args.json {
        super::json(&Found { version: 1, since, trials: &trials })?;
    } else {
        print(&mut io::stdout().lock(), since, &trials)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl Write, since: Timestamp, trials: &Trials) -> io::Result<()> {
    let day = since.strftime("%Y-%m-%d %H:%M");
    if trials.trials.is_empty() {
        return writeln!(out, "no grant in shadow mode would have carried a decision since {day} UTC");
    }
    let mut grants: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
    for trial in &trials.trials {
        grants.entry(trial.grant.as_str()).or_default().push(trial);
    }
    for (grant, trials) in grants {
        let incidents = if trials.len() == 1 { "incident" } else { "incidents" };
        writeln!(out, "grant {grant}, on trial: {} {incidents} since {day} UTC", trials.len())?;
        writeln!(out, "  {:<10} {:<10} {:<17} {:>8}", "would", "was", "ended", "count")?;
        let mut counts: BTreeMap<[&str; 3], u64> = BTreeMap::new();
        for trial in &trials {
            *counts.entry([trial.would.name(), trial.was.name(), ended(trial.ended)]).or_default() += 1;
        }
        for ([would, was, ended], count) in counts {
            writeln!(out, "  {would:<10} {was:<10} {ended:<17} {count:>8}")?;
        }
        writeln!(out)?;
        for Trial { incident, at, action, target, would, was, ended: end, .. } in trials {
            let (at, target) = (at.strftime("%Y-%m-%d %H:%M:%S"), plain(target));
            let (would, was, end) = (would.name(), was.name(), ended(*end));
            writeln!(out, "  {incident}  {at}  {action}  {target}: would {would}, was {was}, {end}")?;
        }
        writeln!(out)?;
    }
    if trials.more > 0 {
        writeln!(out, "{} more incidents are not listed", trials.more)?;
    }
    Ok(())
}

const fn ended(outcome: Option<Ended>) -> &'static str {
    match outcome {
        None => "open",
        Some(Ended::ResolvedBySelf) => "resolved by itself",
        Some(Ended::Remedied) => "remedied",
        Some(Ended::Reverted) => "reverted",
        Some(Ended::HandedOver) => "handed over",
        Some(Ended::Notified) => "notified",
        Some(Ended::Dropped) => "dropped",
        Some(Ended::Rejected) => "rejected",
        Some(Ended::Merged) => "merged",
    }
}
