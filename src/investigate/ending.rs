//! The three ways to end. They are offered to the model as tools and are no tools: calling one is the only
//! thing the model writes that belay reads, and each byte of it is checked against a closed set.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::domain::evidence::{Evidence, Source};
use crate::domain::ids::{CandidateId, EvidenceId};
use crate::domain::record::{Conclusion, Diagnosis};
use crate::ports::model::ToolSpec;

/// Takes one of the candidates.
pub const CHOOSE: &str = "choose";
/// Says that nothing should be done.
pub const NO_ACTION: &str = "no_action";
/// Calls a person.
pub const ESCALATE: &str = "escalate";

/// Whether this name ends the investigation.
pub fn is_ending(name: &str) -> bool {
    matches!(name, CHOOSE | NO_ACTION | ESCALATE)
}

/// Why an ending was not accepted, in words for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
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

/// A sound ending: the conclusion, and what the model gives as its reason (words for people).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The conclusion.
    pub conclusion: Conclusion,
    /// The model's words.
    pub reason: String,
}

/// The closed sets that an ending may name. Fixed before the model is asked, but for tool results.
#[derive(Debug, Clone)]
pub struct Endings {
    candidates: Vec<CandidateId>,
    /// What the API server or a measurement states: at least one of these must be cited.
    stated: BTreeSet<EvidenceId>,
    known: BTreeSet<EvidenceId>,
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
struct ReasonArgs {
    reason: String,
}

impl Endings {
    /// What this diagnosis allows.
    pub fn of(diagnosis: &Diagnosis) -> Self {
        let stated = diagnosis.evidence.iter().filter(|e| is_stated(e)).map(|e| e.id.clone()).collect();
        Self {
            candidates: diagnosis.candidates.iter().map(|c| c.id.clone()).collect(),
            stated,
            known: diagnosis.evidence.iter().map(|e| e.id.clone()).collect(),
        }
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
        let mut specs = Vec::with_capacity(3);
        if !self.candidates.is_empty() {
            specs.push(spec(CHOOSE, "Ends the investigation: take exactly this candidate.", &self.choose()));
        }
        specs.push(spec(NO_ACTION, "Ends the investigation: nothing should be done.", REASON));
        specs.push(spec(ESCALATE, "Ends the investigation: a person should look at this.", REASON));
        specs
    }

    fn choose(&self) -> String {
        let ids: Vec<String> = self.candidates.iter().map(|c| json_text(c.as_str())).collect();
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

    /// Checks an ending call.
    pub fn check(&self, name: &str, arguments: &str) -> Result<Ended, Unsound> {
        match name {
            CHOOSE => self.check_choice(arguments),
            NO_ACTION => reason(NO_ACTION, arguments, Conclusion::NoAction),
            _ => reason(ESCALATE, arguments, Conclusion::Escalate),
        }
    }

    fn check_choice(&self, arguments: &str) -> Result<Ended, Unsound> {
        let args: ChooseArgs = serde_json::from_str(arguments).map_err(|_| Unsound::Arguments(CHOOSE))?;
        let candidate = self
            .candidates
            .iter()
            .find(|c| c.as_str() == args.candidate)
            .ok_or_else(|| Unsound::Candidate(list(self.candidates.iter().map(CandidateId::as_str))))?;
        let cited: BTreeSet<EvidenceId> = args.evidence.into_iter().map(EvidenceId::new).collect();
        if cited.is_empty() {
            return Err(Unsound::NoEvidence);
        }
        if !cited.is_subset(&self.known) {
            return Err(Unsound::Evidence(list(self.known.iter().map(EvidenceId::as_str))));
        }
        if cited.is_disjoint(&self.stated) {
            return Err(Unsound::OnlyText(list(self.stated.iter().map(EvidenceId::as_str))));
        }
        let conclusion =
            Conclusion::Choose { candidate: candidate.clone(), evidence: cited.into_iter().collect() };
        Ok(Ended { conclusion, reason: args.reason })
    }
}

/// Whether code read it where workloads cannot write it.
const fn is_stated(evidence: &Evidence) -> bool {
    match evidence.source {
        Source::Api | Source::Metrics | Source::Alerts => true,
        Source::Logs | Source::Events | Source::Tool => false,
    }
}

const REASON: &str = r#"{"type":"object","properties":{"reason":{"type":"string"}},"required":["reason"],"additionalProperties":false}"#;

fn reason(name: &'static str, arguments: &str, conclusion: Conclusion) -> Result<Ended, Unsound> {
    let args: ReasonArgs = serde_json::from_str(arguments).map_err(|_| Unsound::Arguments(name))?;
    Ok(Ended { conclusion, reason: args.reason })
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
