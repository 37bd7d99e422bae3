//! The way without a model: the surest finding's first candidate, or nothing, or a person.

use std::collections::BTreeSet;

use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::record::{Choice, Conclusion, Diagnosis, Investigator};

/// What follows from the diagnosis alone; `why` says why no model had a part.
pub fn playbook(diagnosis: &Diagnosis, why: impl Into<String>) -> Choice {
    Choice {
        by: Investigator::Playbook { why: why.into() },
        conclusion: conclude(diagnosis),
        why: None,
        said: String::new(),
        transcript: None,
        tokens: 0,
        flags: BTreeSet::new(),
        minutes: None,
    }
}

fn conclude(diagnosis: &Diagnosis) -> Conclusion {
    if diagnosis.findings.iter().any(Finding::is_for_a_person) {
        return Conclusion::Escalate;
    }
    let Some(surest) = surest(&diagnosis.findings) else {
        return Conclusion::Escalate;
    };
    let remedy = diagnosis.candidates.iter().find(|c| c.cause == surest.cause.name());
    match (remedy, &surest.cause) {
        (Some(candidate), _) => {
            Conclusion::Choose { candidate: candidate.id.clone(), evidence: candidate.evidence.clone() }
        }
        (None, Cause::NothingWrong) => Conclusion::NoAction,
        (None, _) => Conclusion::Escalate,
    }
}

/// The first of the surest. What only text says chooses nothing.
fn surest(findings: &[Finding]) -> Option<&Finding> {
    // `max_by_key` takes the last of equals; reversed, that is the first
    findings.iter().rev().filter(|f| !f.cause.is_told()).max_by_key(|f| f.certainty)
}

/// A cause that is certain and has a remedy: nobody may call that nothing.
pub fn certain_remedy(diagnosis: &Diagnosis) -> Option<&'static str> {
    diagnosis
        .findings
        .iter()
        .filter(|f| f.certainty == Certainty::Certain && !f.cause.is_told() && f.cause != Cause::NothingWrong)
        .map(|f| f.cause.name())
        .find(|cause| diagnosis.candidates.iter().any(|c| c.cause == *cause))
}
