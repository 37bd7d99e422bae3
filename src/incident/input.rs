//! The one closed set of things that can happen to an incident.

use crate::domain::alert::Alert;
use crate::domain::decision::{Decided, Decision, Person};
use crate::domain::evidence::Preserved;
use crate::domain::ids::{CandidateId, Fingerprint, IncidentId, IntentId, QuestionId};
use crate::domain::plan::{Plan, Refusal};
use crate::domain::record::{Answer, Choice, Diagnosis, MessageRef, Suggestion};
use crate::domain::target::RootOwner;
use crate::domain::warrant::Applied;

use super::effect::{Effect, TimerName};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "inputs are handed over one at a time and never kept in a list")]
pub enum Input {
    /// An alert of this incident was delivered.
    Alert(Alert),
    /// Reconciliation found an alert gone.
    Vanished {
        /// Which.
        fingerprint: Fingerprint,
        /// Why it counts as over.
        why: String,
    },
    /// The cluster was read and diagnosed.
    Diagnosed(Box<Diagnosis>),
    /// What policy advises where nothing can be done.
    Advised(Decision),
    /// Another object answers for the target than before.
    Rehomed(RootOwner),
    /// Another incident is about the same owner and goes on for both.
    Merge {
        /// Which.
        into: IncidentId,
    },
    /// The investigation ended.
    Chosen(Choice),
    /// Somebody outside of belay proposed something; which candidate it is, if any, is looked up here.
    Suggested(Suggestion),
    /// Policy decided.
    Decided {
        /// The question and the answer.
        decided: Box<Decided>,
        /// Policy issued a permit: it may act by itself, or enough entitled people approved this plan.
        cleared: bool,
    },
    /// A candidate was planned, or could not be.
    Planned {
        /// Which.
        candidate: CandidateId,
        /// The outcome.
        result: Result<Box<Plan>, Refusal>,
        /// What was kept of what the act takes away, where it takes anything away.
        kept: Option<Preserved>,
    },
    /// An undo was planned and cleared by policy, or could not be.
    RevertPlanned {
        /// The act to put back.
        intent: IntentId,
        /// Who wants it.
        by: Option<Person>,
        /// The plan, or why not.
        result: Result<Box<Plan>, Refusal>,
    },
    /// What became of an intended act.
    Applied {
        /// Which.
        intent: IntentId,
        /// What became of it.
        applied: Applied,
    },
    /// Policy said no at the write; nothing was sent.
    NotSent {
        /// Which.
        intent: IntentId,
        /// What it said.
        decided: Box<Decided>,
    },
    /// The act was looked at.
    Checked {
        /// Which.
        intent: IntentId,
        /// What was seen.
        check: Check,
    },
    /// The cause of an act that had helped came again, and the owner's open incident is another one by now:
    /// it is written down here, and the other one goes on with it.
    AgainElsewhere {
        /// Which act.
        intent: IntentId,
        /// What was seen.
        seen: Vec<String>,
        /// The owner's open incident, where it can be told.
        other: Option<IncidentId>,
    },
    /// A person answered.
    Answered {
        /// Which question.
        question: QuestionId,
        /// What.
        answer: Answer,
        /// Who.
        by: Person,
    },
    /// A timer went off.
    Timer(TimerName),
    /// A channel accepted the message.
    Published {
        /// Its name for it.
        message: MessageRef,
        /// What it showed.
        version: u64,
        /// The question it carries.
        carries: Option<QuestionId>,
    },
    /// No channel accepts the message.
    Undelivered {
        /// What was said.
        why: String,
    },
    /// A person was called.
    Paged {
        /// Through what.
        through: String,
    },
    /// A limit, lock or hold stopped the step that would have intended the act.
    Blocked {
        /// The reason's code: `limit/perTarget`, `hold`, `lock`.
        code: String,
        /// In words.
        why: String,
    },
    /// A piece of work could not be done, however often it was tried.
    Failed {
        /// Which.
        effect: Effect,
        /// Why.
        why: String,
    },
}

/// One look at an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Whether what is expected holds.
    pub held: Held,
    /// What was seen, for people.
    pub seen: Vec<String>,
}

/// Whether what is expected of an act holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// All of it.
    Yes,
    /// Not all of it, yet.
    NotYet,
    /// The cause came again: no need to wait longer.
    Again,
    /// Something could not be read.
    CannotTell,
    /// Nothing has changed yet: it waits for people to merge it.
    Pending,
    /// People decided against it.
    Declined,
}
