//! `belay eval`: recorded investigations, had again with other prompts or another model, and compared.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::app::eval::{self, Evaluated, Went};
use crate::app::models;
use crate::config;
use crate::investigate::replay::Recording;
use crate::ports::clock::SystemClock;

use super::terminal::plain;

/// Which cases, and with what.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder of recordings (`*.json`, as `belay incidents replay --save` writes them), or one of them
    cases: PathBuf,
    /// The configuration whose prompts are used, and whose models with `--live`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask each model of the configuration, instead of playing the recorded answers; tools answer as recorded
    #[arg(long, requires = "config")]
    live: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let cases = cases(&args.cases)?;
    let (prompts, _) = super::replay::setting(args.config.as_deref())?;
    let prompts = Arc::new(prompts);
    let mut results = Vec::new();
    if args.live {
        let file = args.config.as_deref().context("`--live` needs `--config`")?;
        let config = config::load(file)?;
        let endpoints = config.endpoints().map(models::endpoint).collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            bail!("`{}` names no `model` and no `models`", file.display());
        }
        let clock: crate::ports::clock::SharedClock = Arc::new(SystemClock);
        let runtime = super::runtime()?;
        for (name, recording) in &cases {
            for endpoint in &endpoints {
                results.push(runtime.block_on(eval::live(name, recording, endpoint, &prompts, &clock)));
            }
        }
    } else {
        results.extend(cases.iter().map(|(name, recording)| eval::replayed(name, recording, &prompts)));
    }
    let same = results.iter().all(|result| result.same);
    if args.json {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &results)?;
        writeln!(out)?;
    } else {
        print(&results)?;
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cases(path: &Path) -> anyhow::Result<Vec<(String, Recording)>> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let listed = std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
        files = listed.collect::<Result<Vec<_>, _>>()?;
        files.retain(|file| file.extension().is_some_and(|e| e == "json"));
        files.sort();
    }
    if files.is_empty() {
        bail!("`{}` holds no recording (`*.json`)", path.display());
    }
    let read = |file: PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let recording = serde_json::from_slice(&bytes)
            .with_context(|| format!("`{}` is no recording of this version", file.display()))?;
        Ok((name, recording))
    };
    files.into_iter().map(read).collect()
}

fn print(results: &[Evaluated]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{:<20} {:<28} {:<7} {:<24} {:>5} {:>8} {:>10}",
        "case", "with", "", "ends", "turns", "tokens", "cost"
    )?;
    for Evaluated { case, endpoint, then, now, same, notes } in results {
        let row = |with: &str, verdict: &str, Went { conclusion, turns, tokens, cost }: &Went| {
            let cost = cost.map_or_else(String::new, |cost| cost.to_string());
            let (case, with, ends) = (plain(case), plain(with), plain(conclusion));
            format!("{case:<20} {with:<28} {verdict:<7} {ends:<24} {turns:>5} {tokens:>8} {cost:>10}")
        };
        writeln!(out, "{}", row("as recorded", "", then))?;
        let verdict = if *same { "same" } else { "differs" };
        writeln!(out, "{}", row(endpoint.as_deref().unwrap_or("the recorded answers"), verdict, now))?;
        for note in notes {
            writeln!(out, "{:<20} {}", "", plain(note))?;
        }
    }
    let differ = results.iter().filter(|result| !result.same).count();
    writeln!(out, "{} of {} end otherwise", differ, results.len())
}
