//! The prompts: templates that an operator may override, around constraints that nobody can. Everything
//! that others wrote reaches a template already fenced, so that no override can set it free.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;

use super::fence::{Fence, bounded, clean, one_line};
use crate::domain::alert::Alert;
use crate::domain::brief::Point;
use crate::domain::canonical::Hash;
use crate::domain::evidence::{Evidence, Source};
use crate::domain::finding::{Certainty, Finding};
use crate::domain::ids::{Cluster, EvidenceId, IncidentId};
use crate::domain::record::Diagnosis;
use crate::domain::suspicion::{self, Flag};

const SYSTEM: &str = "system.md";
const INCIDENT: &str = "incident.md";
const ASK: &str = "ask.md";
const QUESTION: &str = "question.md";
const CONSTRAINTS: &str = "constraints.md";

/// The version of the shipped prompts: any change of any of them is another one (a test holds it against their
/// hash), so that what was seen with one is never taken for the other.
pub const VERSION: u32 = 1;

/// A template is a page or two; this is thirty.
const TEMPLATE_BYTES: usize = 64 * 1024;
/// What a rendered message may have: about a third of the token budget.
const RENDERED_BYTES: usize = 48 * 1024;
/// Instructions of the template engine; the shipped templates need a few hundred.
const FUEL: u64 = 50_000;
/// Bytes of a question: a screen of text.
pub const QUESTION_BYTES: usize = 4 * 1024;
/// Bytes of one list (findings, evidence, what is missing): about 1,500 tokens.
const LIST_BYTES: usize = 6 * 1024;
/// Bytes of the brief: six points of a few lines, and two sections of runbooks of a screen each.
const BRIEF_BYTES: usize = 8 * 1024;

/// The prompts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// There is no such prompt.
    #[error(
        "`{0}` is not a prompt: the ones that can be overridden are `{SYSTEM}`, `{INCIDENT}`, `{ASK}` and `{QUESTION}`"
    )]
    Unknown(String),
    /// The constraints are not for overriding.
    #[error("`{CONSTRAINTS}` is compiled in and cannot be overridden: remove it from the prompts folder")]
    Fixed,
    /// More text than a prompt can have.
    #[error("prompt `{name}` gives {bytes} bytes, and may give {max}")]
    TooLong {
        /// Which.
        name: String,
        /// How many bytes.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
    /// The template is wrong.
    #[error("prompt `{name}` cannot be rendered: {why}")]
    Template {
        /// Which.
        name: String,
        /// What is wrong, with its line.
        why: String,
    },
}

/// The prompts in force.
#[derive(Debug, Clone)]
pub struct Prompts {
    env: Environment<'static>,
    hash: Hash,
}

/// What an investigation is about.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The incident.
    pub incident: &'a IncidentId,
    /// Which cluster.
    pub cluster: &'a Cluster,
    /// The namespace of the target; empty for what has none.
    pub namespace: &'a str,
    /// The alert that opened it.
    pub alert: &'a Alert,
    /// What the analysers found, and the closed set of candidates.
    pub diagnosis: &'a Diagnosis,
}

impl Case<'_> {
    /// What the text of others in it does that data does not.
    pub fn flags(&self) -> BTreeSet<Flag> {
        let Diagnosis { evidence, findings, candidates: _, missing, brief } = self.diagnosis;
        let pairs = self.alert.labels.iter().chain(&self.alert.annotations);
        let texts = pairs.flat_map(|(name, value)| [name, value]);
        let texts = texts.chain(evidence.iter().flat_map(|e| [&e.title, &e.summary]));
        let texts = texts.chain(findings.iter().flat_map(|f| f.rules_out.iter().chain([&f.summary])));
        let texts = texts.chain(brief.points.iter().flat_map(|point| point.says.iter().chain(&point.quoted)));
        let read = texts.chain(missing).flat_map(|text| suspicion::flags(text));
        read.chain(evidence.iter().flat_map(|e| e.flags.iter().copied())).collect()
    }
}

/// What somebody asks.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// About which cluster.
    pub cluster: &'a Cluster,
    /// The namespaces that they may see; nothing: all.
    pub namespaces: Option<&'a BTreeSet<String>>,
    /// The incident that it is about.
    pub incident: Option<Case<'a>>,
    /// What was asked in this conversation before, and answered, the oldest first.
    pub earlier: &'a [(String, String)],
    /// The question.
    pub question: &'a str,
}

#[derive(Serialize)]
struct AskView {
    cluster: String,
    namespaces: String,
    fence: String,
}

#[derive(Serialize)]
struct QuestionView {
    incident: Option<IncidentView>,
    earlier: String,
    question: String,
}

#[derive(Serialize)]
struct SystemView {
    cluster: String,
    namespace: String,
    fence: String,
}

#[derive(Serialize)]
struct IncidentView {
    incident: String,
    alert: String,
    findings: String,
    evidence: String,
    brief: String,
    missing: String,
    candidates: Vec<CandidateView>,
}

#[derive(Serialize)]
struct CandidateView {
    id: String,
    words: String,
    cause: String,
    evidence: String,
}

impl Prompts {
    /// The shipped prompts, some of them replaced by `overrides` (file name and text). Each template is
    /// rendered once, so that a name it does not know is found here and not during an incident.
    pub fn load(overrides: impl IntoIterator<Item = (String, String)>) -> Result<Self, PromptError> {
        let mut texts = BTreeMap::from([
            (SYSTEM.to_owned(), include_str!("../../prompts/system.md").to_owned()),
            (INCIDENT.to_owned(), include_str!("../../prompts/incident.md").to_owned()),
            (ASK.to_owned(), include_str!("../../prompts/ask.md").to_owned()),
            (QUESTION.to_owned(), include_str!("../../prompts/question.md").to_owned()),
        ]);
        for (name, text) in overrides {
            if name == CONSTRAINTS {
                return Err(PromptError::Fixed);
            }
            let Some(known) = texts.get_mut(&name) else {
                return Err(PromptError::Unknown(one_line(&name, 80)));
            };
            at_most(&name, &text, TEMPLATE_BYTES)?;
            *known = text;
        }
        texts.insert(CONSTRAINTS.to_owned(), include_str!("../../prompts/constraints.md").to_owned());
        let parts: Vec<&[u8]> = texts.iter().flat_map(|(k, v)| [k.as_bytes(), v.as_bytes()]).collect();
        let hash = Hash::of_parts(&parts);
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(FUEL));
        for (name, text) in texts {
            env.add_template_owned(name.clone(), text).map_err(|e| template(&name, &e))?;
        }
        let prompts = Self { env, hash };
        prompts.try_out()?;
        Ok(prompts)
    }

    /// Names these prompts: any change of any text changes it.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The system message: the frame, and the constraints after it.
    pub fn system(&self, case: &Case<'_>, fence: &Fence) -> Result<String, PromptError> {
        let view = SystemView {
            // the longest names that Kubernetes allows have 253 characters
            cluster: one_line(case.cluster.as_str(), 253),
            namespace: match one_line(case.namespace, 253) {
                none if none.is_empty() => "(none)".to_owned(),
                name => name,
            },
            fence: fence.tag().to_owned(),
        };
        let frame = self.render(SYSTEM, &view)?;
        let constraints = self.render(CONSTRAINTS, &view)?;
        Ok(format!("{}\n\n{}", frame.trim_end(), constraints.trim_end()))
    }

    /// The first user message: alert, findings, evidence, candidates.
    pub fn incident(&self, case: &Case<'_>, fence: &Fence) -> Result<String, PromptError> {
        self.render(INCIDENT, &incident_view(case, fence)).map(|text| text.trim_end().to_owned())
    }

    /// The system message of a question: the frame, and the constraints after it.
    pub fn ask(&self, query: &Query<'_>, fence: &Fence) -> Result<String, PromptError> {
        let namespaces = match query.namespaces {
            None => "all".to_owned(),
            Some(names) => one_line(&names.iter().map(String::as_str).collect::<Vec<_>>().join(", "), 2000),
        };
        let fence = fence.tag().to_owned();
        let view = AskView { cluster: one_line(query.cluster.as_str(), 253), namespaces, fence };
        let (frame, constraints) = (self.render(ASK, &view)?, self.render(CONSTRAINTS, &view)?);
        Ok(format!("{}\n\n{}", frame.trim_end(), constraints.trim_end()))
    }

    /// The first user message of a question: its context, and the question.
    pub fn question(&self, query: &Query<'_>, fence: &Fence) -> Result<String, PromptError> {
        let pair = |(question, answer): &(String, String)| {
            format!("asked: {}\nanswered: {}", one_line(question, 400), one_line(answer, 1500))
        };
        let earlier = match query.earlier {
            [] => String::new(),
            earlier => fence.data("earlier", &lines(earlier, pair), LIST_BYTES),
        };
        let view = QuestionView {
            incident: query.incident.as_ref().map(|case| incident_view(case, fence)),
            earlier,
            question: bounded(clean(query.question).trim(), QUESTION_BYTES),
        };
        self.render(QUESTION, &view).map(|text| text.trim_end().to_owned())
    }

    fn render<V: Serialize>(&self, name: &str, view: &V) -> Result<String, PromptError> {
        let text = self
            .env
            .get_template(name)
            .and_then(|t| t.render(Serde(view)))
            .map_err(|e| template(name, &e))?;
        at_most(name, &text, RENDERED_BYTES)?;
        Ok(text)
    }

    fn try_out(&self) -> Result<(), PromptError> {
        let system = SystemView { cluster: "c".into(), namespace: "n".into(), fence: "f".into() };
        self.render(SYSTEM, &system)?;
        self.render(CONSTRAINTS, &system)?;
        self.render(ASK, &AskView { cluster: "c".into(), namespaces: "n".into(), fence: "f".into() })?;
        for (count, missing) in [(0, ""), (2, "m")] {
            let text = || "x".to_owned();
            let candidate = || CandidateView { id: text(), words: text(), cause: text(), evidence: text() };
            let candidates = std::iter::repeat_with(candidate).take(count).collect();
            let (incident, alert, findings, evidence) = (text(), text(), text(), text());
            let missing = missing.to_owned();
            let brief = missing.clone();
            let view = IncidentView { incident, alert, findings, evidence, brief, missing, candidates };
            self.render(INCIDENT, &view)?;
            let earlier = if count == 0 { String::new() } else { text() };
            let about = (count > 0).then_some(view);
            self.render(QUESTION, &QuestionView { incident: about, earlier, question: text() })?;
        }
        Ok(())
    }
}

fn template(name: &str, error: &minijinja::Error) -> PromptError {
    PromptError::Template { name: name.to_owned(), why: error.to_string() }
}

fn at_most(name: &str, text: &str, max: usize) -> Result<(), PromptError> {
    match text.len() {
        bytes if bytes > max => Err(PromptError::TooLong { name: name.to_owned(), bytes, max }),
        _ => Ok(()),
    }
}

fn incident_view(case: &Case<'_>, fence: &Fence) -> IncidentView {
    let Diagnosis { evidence, findings, candidates, missing, brief } = case.diagnosis;
    let gaps: Vec<String> = missing.iter().cloned().chain(brief.missing()).collect();
    let candidates = candidates
        .iter()
        .map(|c| CandidateView {
            id: one_line(c.id.as_str(), 32),
            words: one_line(&c.action.words(), 300),
            cause: one_line(&c.cause, 64),
            evidence: ids(&c.evidence),
        })
        .collect();
    IncidentView {
        incident: one_line(case.incident.as_str(), 64),
        alert: fence.data("alert", &alert_text(case.alert), LIST_BYTES),
        findings: fence.data("findings", &lines(findings, finding_line), LIST_BYTES),
        evidence: fence.data("evidence", &lines(evidence, evidence_line), LIST_BYTES),
        brief: match brief.points.as_slice() {
            [] => String::new(),
            points => fence.data("brief", &lines(points, point_lines), BRIEF_BYTES),
        },
        missing: match gaps.as_slice() {
            [] => String::new(),
            missing => fence.data("missing", &lines(missing, |m| one_line(m, 300)), LIST_BYTES),
        },
        candidates,
    }
}

fn lines<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    match items {
        [] => "(none)".to_owned(),
        items => items.iter().map(line).collect::<Vec<_>>().join("\n"),
    }
}

fn ids(ids: &[EvidenceId]) -> String {
    one_line(&ids.iter().map(EvidenceId::as_str).collect::<Vec<_>>().join(", "), 200)
}

fn alert_text(alert: &Alert) -> String {
    let pair = |(name, value): (&String, &String)| {
        // Alertmanager bounds neither; 64 pairs of a line each are more than a rule sensibly has
        format!("{}: {}", one_line(name, 80), one_line(value, 400))
    };
    let mut out = vec![format!("firing since {}", alert.starts_at), "labels".to_owned()];
    out.extend(alert.labels.iter().take(64).map(pair).map(|l| format!("  {l}")));
    out.push("annotations".to_owned());
    out.extend(alert.annotations.iter().take(64).map(pair).map(|l| format!("  {l}")));
    out.join("\n")
}

fn point_lines(point: &Point) -> String {
    let mut out = vec![format!("{}:", point.about.name())];
    out.extend(point.says.iter().map(|said| format!("  {}", one_line(said, 400))));
    // a runbook keeps its lines: its steps are in them
    let quoted = point.quoted.iter().flat_map(|text| text.lines());
    out.extend(quoted.map(|line| format!("  > {}", one_line(line, 400))));
    out.join("\n")
}

fn finding_line(finding: &Finding) -> String {
    let certainty = match finding.certainty {
        Certainty::Possible => "possible",
        Certainty::Likely => "likely",
        Certainty::Certain => "certain",
    };
    let mut line = format!(
        "{} ({certainty}) on {}: {} (evidence: {})",
        finding.cause.name(),
        one_line(&finding.subject.to_string(), 300),
        one_line(&finding.summary, 400),
        ids(&finding.evidence)
    );
    for out in finding.rules_out.iter().take(8) {
        line.push_str("; not so: ");
        line.push_str(&one_line(out, 160));
    }
    line
}

fn evidence_line(evidence: &Evidence) -> String {
    let source = match evidence.source {
        Source::Api => "api",
        Source::Metrics => "metrics",
        Source::Logs => "logs",
        Source::Events => "events",
        Source::Alerts => "alerts",
        Source::Tool => "tool",
    };
    format!(
        "{} [{source}] {}: {}",
        one_line(evidence.id.as_str(), 32),
        one_line(&evidence.title, 160),
        one_line(&evidence.summary, 400)
    )
}
