//! `belay doctor`: how everything is that the configuration names, and what belay would decide blindly.

mod html;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::terminal::look;
use crate::adapters::terminal::paragraph;
use crate::app::doctor;
use crate::config;
use crate::domain::sight::{Answer, Checkup, Other, Sight, Source};
use crate::ports::clock::{SharedClock, SystemClock};

/// It could not be looked at all.
const NOT_LOOKED: u8 = 2;
/// Services and alerts that are listed for people; the JSON has all.
const LISTED: usize = 20;

/// What to look at, and how to tell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 all that is configured can be used and the minimum grade is reached, 1 something is \
    wrong, 2 it could not be looked at all.\nIt asks with the daemon's own credentials, changes nothing and calls nobody: \
    the pager is not tried.\nThe grades and the JSON are described in docs/doctor.md."
)]
pub(super) struct Args {
    /// The daemon's configuration
    #[arg(long, short, default_value = "belay.yaml", value_name = "FILE")]
    config: PathBuf,
    /// How to tell what was found
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Look for monitoring among the Services of the cluster, and print the configuration that names it
    #[arg(long)]
    discover: bool,
    /// Which cluster of the configuration to discover in; its first one unless given
    #[arg(long, value_name = "NAME", requires = "discover")]
    cluster: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Text,
    Json,
    Html,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let told = if args.discover { discover(args) } else { examine(args) };
    match told {
        Ok(code) => code,
        // whoever reads has read enough
        Err(e) if e.chain().any(super::is_closed_pipe) => ExitCode::SUCCESS,
        Err(why) => {
            super::fail(&why);
            ExitCode::from(NOT_LOOKED)
        }
    }
}

fn examine(args: &Args) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.config)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let checkup = super::runtime()?.block_on(doctor::examine(&config, &clock))?;
    let mut out = io::stdout().lock();
    match args.output {
        Output::Text => write!(out, "{}", text(&checkup, look().width))?,
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, &checkup)?;
            writeln!(out)?;
        }
        Output::Html => write!(out, "{}", html::page(&checkup))?,
    }
    Ok(ExitCode::from(u8::from(checkup.is_bad())))
}

fn discover(args: &Args) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.config)?;
    let (found, more) = super::runtime()?.block_on(async {
        let probe = doctor::probe_of(&config, args.cluster.as_deref()).await?;
        anyhow::Ok(doctor::discovered(&probe).await?)
    })?;
    let mut out = io::stdout().lock();
    write!(out, "{}", doctor::proposal(&found))?;
    if let Some(more) = more {
        writeln!(out, "# {more}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(checkup: &Checkup, width: usize) -> String {
    let mut text = String::new();
    for sight in &checkup.clusters {
        text.push_str(&cluster(sight, width));
        text.push('\n');
    }
    if !checkup.others.is_empty() {
        text.push_str("for all clusters\n");
        for Other { name, key, answer } in &checkup.others {
            text.push_str(&paragraph("  ", &format!("{name} ({key}): {}", said(answer)), width));
        }
        text.push('\n');
    }
    text.push_str(&paragraph("", &verdict(checkup), width));
    text
}

fn verdict(checkup: &Checkup) -> String {
    let Checkup { grade, minimum, .. } = checkup;
    if grade > minimum {
        return format!(
            "grade {grade}, below the minimum of {minimum}: what belay does above level 1 it would do blindly"
        );
    }
    let bad = if checkup.is_bad() { "; what is marked `!` is to be put right" } else { "" };
    format!("grade {grade}{bad}")
}

fn cluster(sight: &Sight, width: usize) -> String {
    let mut text = paragraph("", &format!("cluster {}: grade {}", sight.cluster, sight.grade), width);
    for source in &sight.sources {
        text.push_str(&one(source, width));
    }
    section(
        &mut text,
        "decided blindly",
        sight.blind_to.iter().map(|(s, why)| format!("{}: {why}", s.name())),
        width,
    );
    let lacking: Vec<&str> = sight.lacking.iter().map(|s| s.name()).collect();
    section(
        &mut text,
        "the next grade needs",
        (!lacking.is_empty()).then(|| lacking.join(", ")).into_iter(),
        width,
    );
    let vague = sight.vague_alerts.iter().map(|v| {
        format!("{}: no {} label", v.alert, v.lacks.iter().copied().collect::<Vec<_>>().join(" and no "))
    });
    section(&mut text, "alerts that do not say what they are about", vague, width);
    let dark = sight.dark_services.iter().map(|d| {
        let lacks: Vec<&str> = d.lacks.iter().map(|s| s.name()).collect();
        format!("{}/{}: no {}", d.namespace, d.service, lacks.join(", no "))
    });
    section(&mut text, "services that are seen in part", dark, width);
    section(&mut text, "not read", sight.not_read.iter().cloned(), width);
    text
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>, width: usize) {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return;
    }
    text.push_str(&paragraph("  ", title, width));
    for line in lines.iter().take(LISTED) {
        text.push_str(&paragraph("    - ", line, width));
    }
    let more = lines.len().saturating_sub(LISTED);
    if more > 0 {
        text.push_str(&paragraph("    - ", &format!("and {more} more: see `--output json`"), width));
    }
}

fn one(source: &Source, width: usize) -> String {
    let Source { sense, name, key, answer, too_little, too_much } = source;
    let wrong = !too_little.is_empty() || !too_much.is_empty() || matches!(answer, Answer::Unusable { .. });
    let lead = if wrong { "! " } else { "  " };
    let mut text = paragraph(lead, &format!("{}: {name} ({key}), {}", sense.name(), said(answer)), width);
    for (what, rights) in [("too little", too_little), ("too much", too_much)] {
        for right in rights.iter().take(LISTED) {
            text.push_str(&paragraph("    - ", &format!("{what}: {right}"), width));
        }
    }
    text
}

/// An answer in words.
fn said(answer: &Answer) -> String {
    match answer {
        Answer::Usable { version, retention, took } => {
            let version = version.as_ref().map_or(String::new(), |v| format!("{v}, "));
            let kept = retention.as_ref().map_or(String::new(), |r| format!(", keeps {r}"));
            format!("{version}answered in {} ms{kept}", took.as_millis())
        }
        Answer::Unusable { why } => format!("cannot be used: {why}"),
        Answer::Untried => "not tried: it would call somebody".to_owned(),
    }
}
