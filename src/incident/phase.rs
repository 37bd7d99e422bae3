//! Where an incident is on its way, and what people are asked there.

use jiff::Timestamp;

use crate::domain::decision::Person;
use crate::domain::ids::{CandidateId, IntentId};
use crate::domain::record::{Answer, Question};

/// Where an incident is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The cluster is being read.
    Looking,
    /// Somebody chooses among the candidates.
    Choosing,
    /// Policy is asked about a candidate, which is then planned.
    Deciding(CandidateId),
    /// Policy is asked about the plan.
    Judging,
    /// People are asked about the plan.
    Approving,
    /// An intent is written; its outcome is not known yet.
    Acting(IntentId),
    /// The act is done; whether it helped is being watched.
    Verifying(IntentId),
    /// It helped; people have not answered yet.
    Confirming(IntentId),
    /// The undo of this act is being planned.
    PlanningRevert(IntentId),
    /// A person has it.
    Escalated,
    /// Over.
    Closed,
}

/// An open question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenQuestion {
    /// What is asked.
    pub question: Question,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When a channel accepted it.
    pub accepted_at: Option<Timestamp>,
    /// Who answered what so far.
    pub answers: Vec<(Person, Answer, Timestamp)>,
}
