//! `belay policy replay`: the past, decided by another set. What a policy review looks at.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;

use super::super::since::Since;
use crate::cli::StateDir;
use crate::cli::terminal::plain;
use crate::domain::decision::Reason;
use crate::domain::record::Record;
use crate::policy::{self, Change, PolicySet, Replay, Said};
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
struct Found<'r> {
    version: u32,
    since: Timestamp,
    set: String,
    #[serde(flatten)]
    replay: &'r Replay,
}

pub(super) fn run(args: &Args, dir: &Path) -> anyhow::Result<ExitCode> {
    let Some(set) = super::load(dir)? else { return Ok(ExitCode::FAILURE) };
    let since = args.since.moment();
    let replay = replay(&set, since, &args.state)?;
    if args.json {
        super::json(&Found { version: 1, since, set: set.hash().to_string(), replay: &replay })?;
    } else {
        print(&mut io::stdout().lock(), &set, since, &replay)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn replay(set: &PolicySet, since: Timestamp, state: &StateDir) -> anyhow::Result<Replay> {
    let journal = state.state_dir.join(store::LOG_FILE);
    let mut replay = Replay::default();
    let wanted = store::Wanted { since, kinds: &["decided"] };
    let read = store::read(&journal, wanted, &mut |entry| {
        if let Record::Decided(decided) = &entry.record {
            replay.add(set, entry.at, decided);
        }
    });
    read.with_context(|| {
        format!("the journal `{}` cannot be replayed; is this the daemon's `--state-dir`?", journal.display())
    })?;
    Ok(replay.finish())
}

fn print(out: &mut impl Write, set: &PolicySet, since: Timestamp, replay: &Replay) -> io::Result<()> {
    let day = since.strftime("%Y-%m-%d %H:%M");
    let (all, changed) = (replay.decisions, replay.changed);
    writeln!(
        out,
        "{all} decisions since {day} UTC, decided again by set {}: {changed} change",
        set.hash().short()
    )?;
    if all > 0 {
        writeln!(out, "\n  {:<10} {:<10} {:>8}", "before", "after", "count")?;
    }
    for policy::Counted { before, after, count } in &replay.outcomes {
        writeln!(out, "  {before:<10} {after:<10} {count:>8}{}", if before == after { "" } else { "  <" })?;
    }
    for change in &replay.changes {
        writeln!(out)?;
        one(out, change)?;
    }
    let listed = u64::try_from(replay.changes.len()).unwrap_or(u64::MAX);
    if changed > listed {
        writeln!(out, "\n{} more changes are not listed", changed - listed)?;
    }
    Ok(())
}

fn one(out: &mut impl Write, change: &Change) -> io::Result<()> {
    let Change { at, incident, action, target, before, after, gone, new } = change;
    let at = at.strftime("%Y-%m-%d %H:%M:%S");
    writeln!(out, "{incident}  {at}  {action}  {}", plain(target))?;
    writeln!(out, "  {} -> {}", said(before), said(after))?;
    let mut each = |mark: char, reasons: &[Reason]| {
        reasons.iter().try_for_each(|r| writeln!(out, "  {mark} {}: {}", plain(&r.code), plain(&r.text)))
    };
    each('-', gone)?;
    each('+', new)
}

fn said(said: &Said) -> String {
    let Said { outcome, level, grant, approvals, page } = said;
    let mut with = Vec::new();
    with.extend(level.map(|level| format!("level {}", level.number())));
    with.extend(grant.as_ref().map(|grant| format!("grant {grant}")));
    if !approvals.is_empty() {
        with.push(format!("approval {}", approvals.join("+")));
    }
    if *page {
        with.push("page".to_owned());
    }
    if with.is_empty() {
        outcome.name().to_owned()
    } else {
        format!("{} ({})", outcome.name(), with.join(", "))
    }
}
