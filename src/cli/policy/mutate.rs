//! `belay policy mutate`: what could be lost without a test that says so.

use std::io::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use serde::Serialize;

use crate::policy::{self, Mutant};

/// How strict.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Fail if anything could be lost unnoticed
    #[arg(long)]
    strict: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found, for programs.
#[derive(Serialize)]
struct Found<'m> {
    version: u32,
    set: String,
    tried: usize,
    survivors: Vec<&'m Mutant>,
    noticed: Vec<Noticed<'m>>,
}

#[derive(Serialize)]
struct Noticed<'m> {
    #[serde(flatten)]
    mutant: &'m Mutant,
    by: &'m str,
}

pub(super) fn run(args: &Args, dir: &Path) -> anyhow::Result<ExitCode> {
    // the untouched set must pass first: otherwise every loss would seem to be noticed
    let Some(set) = super::load(dir)? else { return Ok(ExitCode::FAILURE) };
    let files = super::files(dir)?;
    let mutants = policy::mutants(&files);
    let fates = fates(&files, &mutants)?;
    let survivors: Vec<&Mutant> =
        mutants.iter().zip(&fates).filter(|(_, by)| by.is_none()).map(|(mutant, _)| mutant).collect();
    let good = survivors.is_empty() || !args.strict;
    if args.json {
        let noticed = mutants.iter().zip(&fates);
        let noticed = noticed.filter_map(|(mutant, by)| Some(Noticed { mutant, by: by.as_deref()? }));
        let noticed = noticed.collect();
        super::json(&Found {
            version: 1,
            set: set.hash().to_string(),
            tried: mutants.len(),
            survivors,
            noticed,
        })?;
    } else {
        print(&mutants, &survivors)?;
    }
    Ok(super::code(good))
}

/// What noticed each of them, worked out on every core: each is a set of its own.
fn fates(files: &[(String, String)], mutants: &[Mutant]) -> anyhow::Result<Vec<Option<String>>> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = mutants.len().div_ceil(cores).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = mutants
            .chunks(share)
            .map(|part| {
                scope.spawn(move || part.iter().map(|m| policy::noticed(files, m)).collect::<Vec<_>>())
            })
            .collect();
        let mut fates = Vec::with_capacity(mutants.len());
        for worker in workers {
            fates.extend(worker.join().map_err(|_| anyhow::anyhow!("a mutant could not be tried"))?);
        }
        Ok(fates)
    })
}

fn print(mutants: &[Mutant], survivors: &[&Mutant]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if survivors.is_empty() {
        writeln!(out, "every loss is noticed: {} grants, guards, caps and limits tried", mutants.len())?;
        return Ok(());
    }
    writeln!(out, "no test notices if these are lost:\n")?;
    for Mutant { kind, what, file, line, .. } in survivors {
        writeln!(out, "  {kind:<6} {what}  {file}:{line}")?;
    }
    writeln!(out, "\n{} of {} could be lost: write a test for each", survivors.len(), mutants.len())?;
    Ok(())
}
