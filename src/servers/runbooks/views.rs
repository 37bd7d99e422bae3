//! What the tools answer, as structure and as text. What stands in a runbook is quoted line by line, so that none of its
//! lines can be taken for one of the server's own.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::redact;
use crate::domain::runbook::{Outcome, Runbook, Walked};
use crate::ports::runbooks::Fit;
use crate::servers::kit::{Readable, grouped, quoted, table};

/// A title is a line.
const TITLE: usize = 160;
/// What git shows of a commit.
const SHORT: usize = 12;

/// Runbooks that fit.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    /// The namespace.
    pub namespace: String,
    /// How many runbooks were looked through.
    pub of: u64,
    /// The commit that they were checked out at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Those that fit, the surest first.
    pub runbooks: Vec<FoundRow>,
}

/// A runbook that fits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FoundRow {
    /// Its name here.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Where people read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Why it fits.
    pub why: String,
    /// The section that fits best.
    pub heading: String,
    /// Its beginning: text of others.
    pub section: String,
    /// How many steps it has.
    pub steps: u64,
    /// How many of them `check_runbook` can look at.
    pub checks: u64,
}

/// A runbook that was walked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Checked {
    /// The namespace.
    pub namespace: String,
    /// The workload.
    pub service: String,
    /// The runbook's name.
    pub runbook: String,
    /// The commit that it was checked out at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its steps, in order.
    pub steps: Vec<StepRow>,
}

/// A step that was looked at.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepRow {
    /// From 1.
    pub number: u64,
    /// What it is called.
    pub title: String,
    /// `passed`, `failed`, `could not tell` or `needs a person`.
    pub outcome: &'static str,
    /// What was seen.
    pub seen: String,
    /// A line of a log that shows it: text of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<String>,
}

impl From<&Fit> for FoundRow {
    fn from(fit: &Fit) -> Self {
        let Runbook { name, title, link, steps, .. } = fit.book.as_ref();
        Self {
            name: quoted_name(name),
            title: redact::line(title, TITLE),
            link: link.clone(),
            why: fit.why.to_owned(),
            heading: fit.heading.clone(),
            section: fit.section.clone(),
            steps: steps.len() as u64,
            checks: steps.iter().filter(|step| step.check.is_some()).count() as u64,
        }
    }
}

/// A name as it can be given back: one that had to be cleaned names no runbook.
fn quoted_name(name: &str) -> String {
    redact::clean(name, 500)
}

impl From<&Walked> for StepRow {
    fn from(walked: &Walked) -> Self {
        let Walked { number, title, outcome, seen, quoted } = walked;
        Self {
            number: *number as u64,
            title: title.clone(),
            outcome: outcome.name(),
            seen: seen.clone(),
            quoted: quoted.clone(),
        }
    }
}

fn at(version: Option<&String>) -> String {
    version.map_or_else(String::new, |commit| {
        format!(" at commit {}", commit.chars().take(SHORT).collect::<String>())
    })
}

impl Readable for Found {
    fn text(&self) -> String {
        let Self { namespace, of, version, runbooks } = self;
        let (all, at) = (grouped(*of), at(version.as_ref()));
        if runbooks.is_empty() {
            return format!("none of the {all} runbooks{at} fits this in namespace `{namespace}`");
        }
        let head = format!("{} of {all} runbooks{at} fit this in namespace `{namespace}`", runbooks.len());
        let parts: Vec<String> = std::iter::once(head).chain(runbooks.iter().map(found_text)).collect();
        parts.join("\n\n")
    }
}

fn found_text(row: &FoundRow) -> String {
    let FoundRow { name, title, link, why, heading, section, steps, checks } = row;
    let link = link.as_ref().map_or_else(String::new, |link| format!(" ({link})"));
    let at = if heading.is_empty() { String::new() } else { format!(", section `{}`", ticks(heading)) };
    let head = format!(
        "`{}` (`{}`){link} {why}{at}; {steps} steps, {checks} of them can be checked",
        ticks(title),
        ticks(name)
    );
    let lines: Vec<String> =
        std::iter::once(head).chain(section.lines().map(|line| format!("> {line}"))).collect();
    lines.join("\n")
}

impl Readable for Checked {
    fn text(&self) -> String {
        let Self { namespace, service, runbook, version, steps } = self;
        let (runbook, at) = (ticks(&quoted(runbook)), at(version.as_ref()));
        let head = format!("runbook `{runbook}`{at}, walked for `{service}` in namespace `{namespace}`");
        if steps.is_empty() {
            return format!("{head}: it names no steps");
        }
        let count = |outcome: Outcome| {
            let n = steps.iter().filter(|step| step.outcome == outcome.name()).count();
            (n > 0).then(|| format!("{n} {}", outcome.name()))
        };
        let all = [Outcome::Passed, Outcome::Failed, Outcome::CouldNotTell, Outcome::NeedsAPerson];
        let counts: Vec<String> = all.into_iter().filter_map(count).collect();
        let row = |step: &StepRow| {
            vec![step.number.to_string(), step.outcome.to_owned(), step.title.clone(), step.seen.clone()]
        };
        let rows: Vec<Vec<String>> = steps.iter().map(row).collect();
        let table = table(&["STEP", "OUTCOME", "TITLE", "SEEN"], &rows);
        let lines = steps.iter().filter_map(|step| Some((step.number, step.quoted.as_ref()?)));
        let lines = lines.map(|(n, line)| format!("step {n} saw:\n> {line}"));
        let head = format!("{head}: {}", counts.join(", "));
        let parts: Vec<String> = [head, table].into_iter().chain(lines).collect();
        parts.join("\n\n")
    }
}

/// Nothing in it ends the marks that it stands between.
fn ticks(text: &str) -> String {
    text.replace('`', "'")
}
