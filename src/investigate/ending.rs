//! The ways to end. They are offered to the model as tools and are no tools: calling one is the only thing the
//! model writes that belay reads, and each byte of it that matters is checked against a closed set. An
//! investigation ends with `choose`, `no_action` or `escalate`; a question with `answer`, `cannot_tell` or
//! `only_reads`.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::domain::evidence::{Evidence, Source};
use crate::domain::ids::{CandidateId, EvidenceId};
use crate::domain::record::{Conclusion, Diagnosis, Said};
use crate::ports::model::ToolSpec;

/// Takes one of the candidates.
pub const CHOOSE: &str = "choose";
/// Says that nothing should be done.
pub const NO_ACTION: &str = "no_action";
/// Calls a person.
pub const ESCALATE: &str = "escalate";

/// Answers the question.
pub const ANSWER: &str = "answer";
/// Says that the answer cannot be read.
pub const CANNOT_TELL: &str = "cannot_tell";
/// Says that a change was asked for.
pub const ONLY_READS: &str = "only_reads";

/// Whether this name ends a conversation of either kind: no tool may have it.
pub fn is_ending(name: &str) -> bool {
    matches!(name, CHOOSE | NO_ACTION | ESCALATE | ANSWER | CANNOT_TELL | ONLY_READS)
}

/// Why an ending was not accepted, in words for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// It ends a conversation of the other kind.
    #[error("`{0}` is not a way to end this; the ways are: {1}")]
    NotHere(String, &'static str),
    /// Nothing was said.
    #[error("`text` is empty: say what you found, or call `cannot_tell`")]
    NoText,
    /// The arguments are not what the schema says.
    #[error("the arguments of `{0}` do not follow its schema")]
    Arguments(&'static str),
    /// Not one of the candidates.
    #[error("there is no such candidate; the candidates are: {0}")]
    Candidate(String),
    /// Nothing was cited.
    #[error("`evidence` is empty: cite what the choice rests on")]
    NoEvidence,
    /// Something was cited that does not exist.
    #[error("some of the cited evidence does not exist; the evidence is: {0}")]
    Evidence(String),
    /// Only text that workloads write was cited.
    #[error("cite at least one of {0}: log lines, events and tool results alone carry no act")]
    OnlyText(String),
}

/// A sound ending, and what the model gives as its reason (words for people).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Of an investigation.
    Concluded {
        /// The conclusion.
        conclusion: Conclusion,
        /// The model's words.
        reason: String,
    },
    /// Of a question.
    Said(Said),
}

/// The closed sets that an ending may name. Fixed before the model is asked, but for tool results.
#[derive(Debug, Clone)]
pub struct Endings {
    of: Of,
    known: BTreeSet<EvidenceId>,
}

#[derive(Debug, Clone)]
enum Of {
    Investigation {
        candidates: Vec<CandidateId>,
        /// What the API server or a measurement states: at least one of these must be cited.
        stated: BTreeSet<EvidenceId>,
    },
    Question,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChooseArgs {
    candidate: String,
    evidence: Vec<String>,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerArgs {
    text: String,
    evidence: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonArgs {
    reason: String,
}

impl Endings {
    /// What this diagnosis allows.
    pub fn of(diagnosis: &Diagnosis) -> Self {
        let stated = diagnosis.evidence.iter().filter(|e| is_stated(e)).map(|e| e.id.clone()).collect();
        let candidates = diagnosis.candidates.iter().map(|c| c.id.clone()).collect();
        let known = diagnosis.evidence.iter().map(|e| e.id.clone()).collect();
        Self { of: Of::Investigation { candidates, stated }, known }
    }

    /// Those of a question, in whose context this evidence stands.
    pub fn of_question(known: impl IntoIterator<Item = EvidenceId>) -> Self {
        Self { of: Of::Question, known: known.into_iter().collect() }
    }

    /// From now on this tool result may be cited, too.
    pub fn add(&mut self, evidence: EvidenceId) {
        self.known.insert(evidence);
    }

    /// Whether the diagnosis uses this id already.
    pub fn knows(&self, evidence: &EvidenceId) -> bool {
        self.known.contains(evidence)
    }

    /// The ending tools to offer; without candidates there is nothing to choose.
    pub fn specs(&self) -> Vec<ToolSpec> {
        let Of::Investigation { candidates, .. } = &self.of else {
            return vec![
                spec(ANSWER, "Ends it: what you found, in plain words, with what shows it.", ANSWERED),
                spec(CANNOT_TELL, "Ends it: what would answer the question cannot be read.", REASON),
                spec(ONLY_READS, "Ends it: a change is asked for, and you only read.", REASON),
            ];
        };
        let mut specs = Vec::with_capacity(3);
        if !candidates.is_empty() {
            let schema = choose(candidates);
            specs.push(spec(CHOOSE, "Ends the investigation: take exactly this candidate.", &schema));
        }
        specs.push(spec(NO_ACTION, "Ends the investigation: nothing should be done.", REASON));
        specs.push(spec(ESCALATE, "Ends the investigation: a person should look at this.", REASON));
        specs
    }

    /// Checks an ending call.
    pub fn check(&self, name: &str, arguments: &str) -> Result<Ended, Unsound> {
        let concluded = |conclusion| move |reason| Ended::Concluded { conclusion, reason };
        match (&self.of, name) {
            (Of::Investigation { candidates, stated }, CHOOSE) => {
                self.check_choice(candidates, stated, arguments)
            }
            (Of::Investigation { .. }, NO_ACTION) => {
                reason(NO_ACTION, arguments).map(concluded(Conclusion::NoAction))
            }
            (Of::Investigation { .. }, ESCALATE) => {
                reason(ESCALATE, arguments).map(concluded(Conclusion::Escalate))
            }
            (Of::Investigation { .. }, _) => {
                Err(Unsound::NotHere(name.to_owned(), "choose, no_action, escalate"))
            }
            (Of::Question, ANSWER) => self.check_answer(arguments),
            (Of::Question, CANNOT_TELL) => {
                reason(CANNOT_TELL, arguments).map(|reason| Ended::Said(Said::CannotTell { reason }))
            }
            (Of::Question, ONLY_READS) => {
                reason(ONLY_READS, arguments).map(|reason| Ended::Said(Said::OnlyReads { reason }))
            }
            (Of::Question, _) => Err(Unsound::NotHere(name.to_owned(), "answer, cannot_tell, only_reads")),
        }
    }

    fn check_choice(
        &self,
        candidates: &[CandidateId],
        stated: &BTreeSet<EvidenceId>,
        arguments: &str,
    ) -> Result<Ended, Unsound> {
        let args: ChooseArgs = serde_json::from_str(arguments).map_err(|_| Unsound::Arguments(CHOOSE))?;
        let candidate = candidates
            .iter()
            .find(|c| c.as_str() == args.candidate)
            .ok_or_else(|| Unsound::Candidate(list(candidates.iter().map(CandidateId::as_str))))?;
        let cited = self.cited(args.evidence)?;
        if cited.is_disjoint(stated) {
            return Err(Unsound::OnlyText(list(stated.iter().map(EvidenceId::as_str))));
        }
        let conclusion =
            Conclusion::Choose { candidate: candidate.clone(), evidence: cited.into_iter().collect() };
        Ok(Ended::Concluded { conclusion, reason: args.reason })
    }

    fn check_answer(&self, arguments: &str) -> Result<Ended, Unsound> {
        let AnswerArgs { text, evidence } =
            serde_json::from_str(arguments).map_err(|_| Unsound::Arguments(ANSWER))?;
        if text.trim().is_empty() {
            return Err(Unsound::NoText);
        }
        let evidence = self.cited(evidence)?.into_iter().collect();
        Ok(Ended::Said(Said::Answer { text, evidence }))
    }

    /// What was cited: something, and nothing that does not exist.
    fn cited(&self, evidence: Vec<String>) -> Result<BTreeSet<EvidenceId>, Unsound> {
        let cited: BTreeSet<EvidenceId> = evidence.into_iter().map(EvidenceId::new).collect();
        if cited.is_empty() {
            return Err(Unsound::NoEvidence);
        }
        if !cited.is_subset(&self.known) {
            return Err(Unsound::Evidence(list(self.known.iter().map(EvidenceId::as_str))));
        }
        Ok(cited)
    }
}

fn choose(candidates: &[CandidateId]) -> String {
    let ids: Vec<String> = candidates.iter().map(|c| json_text(c.as_str())).collect();
    format!(
        concat!(
            r#"{{"type":"object","properties":{{"candidate":{{"type":"string","enum":[{}]}},"#,
            r#""evidence":{{"type":"array","items":{{"type":"string"}},"minItems":1,"#,
            r#""description":"ids of the evidence it rests on"}},"reason":{{"type":"string"}}}},"#,
            r#""required":["candidate","evidence"],"additionalProperties":false}}"#
        ),
        ids.join(",")
    )
}

/// Whether code read it where workloads cannot write it.
const fn is_stated(evidence: &Evidence) -> bool {
    match evidence.source {
        Source::Api | Source::Metrics | Source::Alerts => true,
        Source::Logs | Source::Events | Source::Tool => false,
    }
}

const REASON: &str = r#"{"type":"object","properties":{"reason":{"type":"string"}},"required":["reason"],"additionalProperties":false}"#;

const ANSWERED: &str = r#"{"type":"object","properties":{"text":{"type":"string"},"evidence":{"type":"array","items":{"type":"string"},"minItems":1,"description":"ids of the evidence it rests on"}},"required":["text","evidence"],"additionalProperties":false}"#;

fn reason(name: &'static str, arguments: &str) -> Result<String, Unsound> {
    let args: ReasonArgs = serde_json::from_str(arguments).map_err(|_| Unsound::Arguments(name))?;
    Ok(args.reason)
}

fn spec(name: &str, description: &str, schema: &str) -> ToolSpec {
    ToolSpec { name: name.into(), description: description.into(), schema: schema.into() }
}

/// A JSON string literal.
fn json_text(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn list<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    // forty ids are more than any incident has had; the list goes into the prompt
    ids.take(40).collect::<Vec<_>>().join(", ")
}
