//! `belay diagnose`: what is wrong in a cluster, as a linter tells it. Reads, and writes nothing.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::terminal::{look, plain};
use crate::adapters::kube::Access;
use crate::adapters::terminal::paragraph;
use crate::app::checkup::{self, Found, LookedAt, Place, Report, Scope};
use crate::config;
use crate::domain::finding::Certainty;

/// Nothing could be looked at.
const NOT_LOOKED: u8 = 2;
/// The largest file with alerts: what the webhook takes.
const ALERTS: u64 = 16 << 20;
/// Workloads that a finding names; the rest is counted.
const NAMED: usize = 5;

/// Where to look, and how to tell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 nothing was found, 1 something was found, 2 nothing could be looked at.\n\
    It reads and never writes; of Secrets it asks for names and times, never for values.\n\
    The JSON is described in docs/diagnose.md."
)]
pub(super) struct Args {
    /// In this namespace; in all that may be read unless given
    #[arg(long, short, value_name = "NAMESPACE", conflicts_with = "alert")]
    namespace: Option<String>,
    /// Only what this alert is about: a webhook body of Alertmanager's, or one alert; `-` for standard input
    #[arg(long, value_name = "FILE")]
    alert: Option<PathBuf>,
    /// How to tell what was found
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// The kubeconfig; the one that `kubectl` would take unless given
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one unless given
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The daemon's configuration, for how it reaches its cluster
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["kubeconfig", "context"])]
    config: Option<PathBuf>,
    /// Which cluster of the configuration; its first one unless given
    #[arg(long, value_name = "NAME", requires = "config")]
    cluster: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let report = match report(args) {
        Ok(report) => report,
        Err(why) => {
            super::fail(&why);
            return ExitCode::from(NOT_LOOKED);
        }
    };
    match tell(&report, args.output) {
        Ok(()) => {}
        // whoever reads has read enough
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
        Err(e) => {
            super::fail(&anyhow::Error::new(e).context("what was found cannot be written"));
            return ExitCode::from(NOT_LOOKED);
        }
    }
    ExitCode::from(u8::from(!report.findings.is_empty()))
}

fn report(args: &Args) -> anyhow::Result<Report> {
    let access = access(args)?;
    let scope = match &args.alert {
        Some(file) => Scope::Alerts(alert(file)?),
        None => Scope::Everything(args.namespace.clone()),
    };
    Ok(super::runtime()?.block_on(checkup::look(&access, scope))?)
}

fn access(args: &Args) -> anyhow::Result<Access> {
    if let Some(file) = &args.config {
        let config = config::load(file)?;
        return Ok(checkup::access(checkup::configured(&config, args.cluster.as_deref())?));
    }
    Ok(match (&args.kubeconfig, &args.context) {
        (None, None) => Access::Infer,
        (file, context) => Access::Kubeconfig { file: file.clone(), context: context.clone() },
    })
}

fn alert(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(ALERTS).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(ALERTS).read_to_string(&mut text))
    };
    read.with_context(|| format!("the alert in `{}` cannot be read", file.display()))?;
    Ok(text)
}

fn tell(report: &Report, output: Output) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match output {
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, report)?;
            writeln!(out)
        }
        Output::Text => write!(out, "{}", text(report, look().width)),
    }
}

/// The report for people, `width` columns wide.
fn text(report: &Report, width: usize) -> String {
    let mut text = String::new();
    for found in &report.findings {
        text.push_str(&one(found, width));
        text.push('\n');
    }
    if !report.not_read.is_empty() {
        text.push_str("not read\n");
        for why in &report.not_read {
            text.push_str(&paragraph("  - ", why, width));
        }
        text.push('\n');
    }
    text.push_str(&paragraph("", &summary(report), width));
    text
}

fn summary(report: &Report) -> String {
    let LookedAt { namespaces, workloads, pods, nodes } = report.looked_at;
    let found = match report.findings.len() {
        0 => "nothing found".to_owned(),
        n => count(n, "finding"),
    };
    let place = match &report.namespace {
        Some(name) => format!("namespace {}", plain(name)),
        None => count(namespaces, "namespace"),
    };
    let unread = match report.not_read.len() {
        0 => String::new(),
        n => format!("; {} could not be read", count(n, "part")),
    };
    let (workloads, pods, nodes) = (count(workloads, "workload"), count(pods, "pod"), count(nodes, "node"));
    format!("{found}: {place}, {workloads}, {pods}, {nodes}{unread}")
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn one(found: &Found, width: usize) -> String {
    let certainty = match found.certainty {
        Certainty::Certain => "certain",
        Certainty::Likely => "likely",
        Certainty::Possible => "possible",
    };
    let mut text = paragraph("", &format!("{certainty}: {} in {}", found.cause, place(&found.object)), width);
    text.push_str(&paragraph("  ", &found.summary, width));
    let mut row = |lead: &str, said: &str| text.push_str(&paragraph(&format!("  {lead:<10} "), said, width));
    let others: Vec<String> = found.workloads.iter().filter(|one| **one != found.object).map(place).collect();
    if !others.is_empty() {
        let more = others.len().saturating_sub(NAMED);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named: Vec<&str> = others.iter().take(NAMED).map(String::as_str).collect();
        row("concerns", &format!("{}{rest}", named.join(", ")));
    }
    for shown in &found.evidence {
        row("evidence", &format!("{}: {}", shown.title, shown.summary.replace('\n', "; ")));
    }
    for out in &found.ruled_out {
        row("not", out);
    }
    let actions =
        if found.actions.is_empty() { "a person's part".to_owned() } else { found.actions.join(", ") };
    row("actions", &actions);
    text
}

fn place(place: &Place) -> String {
    match place.namespace.as_str() {
        "" => format!("{} {}", place.kind, place.name),
        namespace => format!("{} {namespace}/{}", place.kind, place.name),
    }
}
