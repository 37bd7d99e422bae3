//! What the tools answer, as structure. Texts are redacted and cut, each by itself.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::log::summary::Kind;
use crate::domain::log::{Instance, Line};
use crate::domain::redact;

/// The longest name.
const NAME: usize = 253;
/// As much of a line as tells what it says: four lines of a terminal.
const TEXT: usize = 400;
/// As much of a sample as is read of a stack trace: its message, and some ten frames.
const SAMPLE: usize = 1_200;
/// A reason, in a line or two.
const REASON: usize = 240;

/// Lines that were found.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Lines {
    /// The namespace.
    pub namespace: String,
    /// The service that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// From here.
    pub since: String,
    /// To here.
    pub until: String,
    /// The store.
    pub source: String,
    /// How many of the lines match.
    pub matched: u64,
    /// Whether there may be more that do.
    pub more: bool,
    /// The lines, oldest first.
    pub lines: Vec<LineRow>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

/// A line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LineRow {
    /// When it was written.
    pub at: Option<String>,
    /// The service, as the store names it.
    pub service: Option<String>,
    /// The pod and container, or the host, that wrote it.
    pub instance: String,
    /// How grave it is.
    pub severity: Option<&'static str>,
    /// Its trace.
    pub trace_id: Option<String>,
    /// Whether it matches, and does not only stand near a line that does.
    pub matched: bool,
    /// Which lines belong together.
    pub block: u64,
    /// What it says: text.
    pub text: String,
}

/// Errors by kind.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Errors {
    /// The namespace.
    pub namespace: String,
    /// The service that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// From here.
    pub since: String,
    /// To here.
    pub until: String,
    /// The store.
    pub source: String,
    /// Errors in all.
    pub errors: u64,
    /// Kinds in all.
    pub kinds: u64,
    /// The most frequent kinds.
    pub types: Vec<ErrorType>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

/// Errors of one kind.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorType {
    /// What they have in common: text, with `<*>` and the like where they differ.
    pub template: String,
    /// The exception, where one is shown.
    pub exception: Option<String>,
    /// How grave the gravest is.
    pub severity: &'static str,
    /// How many.
    pub count: u64,
    /// When the first was.
    pub first_seen: Option<String>,
    /// When the last was.
    pub last_seen: Option<String>,
    /// How many instances wrote them.
    pub instances: u64,
    /// Some of their traces.
    pub trace_ids: Vec<String>,
    /// One of them.
    pub sample: Sample,
}

/// An error with its stack trace.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sample {
    /// When it was.
    pub at: Option<String>,
    /// The service, as the store names it.
    pub service: Option<String>,
    /// The pod and container, or the host, that wrote it.
    pub instance: String,
    /// All of it: text.
    pub text: String,
}

/// A moment, to the millisecond.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A reason in one line.
pub fn reason(why: &str) -> String {
    redact::line(why, REASON)
}

fn name(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| redact::line(text, NAME))
}

fn instance(of: &Instance) -> String {
    let Instance { pod, container, host, previous } = of;
    let parts: Vec<String> = [pod, container].into_iter().filter_map(|part| name(part)).collect();
    let place = if parts.is_empty() { name(host).unwrap_or_else(|| "-".to_owned()) } else { parts.join("/") };
    if *previous { format!("{place} (previous)") } else { place }
}

impl LineRow {
    /// The line as it is shown.
    pub fn new(line: &Line, block: u64) -> Self {
        Self {
            at: line.at.map(moment),
            service: name(&line.service),
            instance: instance(&line.instance),
            severity: line.severity.map(crate::domain::log::Severity::name),
            trace_id: line.trace.as_deref().and_then(name),
            matched: line.matched,
            block,
            text: redact::safe(line.text.trim_end(), TEXT),
        }
    }

    /// What it takes as text, about.
    pub fn bytes(&self) -> usize {
        // the time, the severity, and what stands between
        const AROUND: usize = 40;
        let trace = self.trace_id.as_ref().map_or(0, String::len);
        self.text.len() + self.instance.len() + trace + AROUND
    }
}

impl From<&Kind> for ErrorType {
    fn from(kind: &Kind) -> Self {
        let Kind { template, raised, count, severity, first, last, instances, traces, sample } = kind;
        Self {
            template: redact::line(template, TEXT),
            exception: raised.as_deref().and_then(name),
            severity: severity.name(),
            count: *count,
            first_seen: first.map(moment),
            last_seen: last.map(moment),
            instances: *instances as u64,
            trace_ids: traces.iter().filter_map(|id| name(id)).collect(),
            sample: Sample {
                at: sample.head.at.map(moment),
                service: name(&sample.head.service),
                instance: instance(&sample.head.instance),
                text: redact::safe(&sample.text(), SAMPLE),
            },
        }
    }
}
