//! What is written down, for ever: version 1 of the journal's records. Each is self-contained; an
//! incident's state is the fold of its records. Frozen samples in `tests/data/records/v1/` must decode
//! in every later version.

mod parts;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::alert::Alert;
use crate::domain::canonical::Hash;
use crate::domain::decision::{Decided, Level, Person};
use crate::domain::evidence::Preserved;
use crate::domain::ids::{CandidateId, GrantId, IncidentId, IntentId, QuestionId, StreamId};
use crate::domain::past::IncidentNote;
use crate::domain::plan::{Plan, Refusal};
use crate::domain::spend::Invocation;
use crate::domain::target::RootOwner;
use crate::domain::track::{ActNote, Judgement, Reset};
use crate::domain::warrant::Applied;

pub use parts::{
    Answer, Ask, Choice, Conclusion, Diagnosis, Inquiry, Intent, Investigator, MessageRef, Minutes, Opening,
    Outcome, Question, Said, Suggestion, Verdict,
};

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// One fact, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    // ---- streams of the daemon ----
    /// A webhook body was taken in (stream `intake`).
    Received {
        /// The body as it came: the evidence itself, which `intake::parse` reads whenever it is worked on.
        body: String,
    },
    /// A body over the limit was drained and not read (stream `intake`); reconciliation makes up for it.
    Oversize {
        /// How many bytes came.
        bytes: u64,
    },
    /// The daemon started (stream `daemon`).
    Started {
        /// The program's version.
        version: String,
        /// The policy set it loaded.
        set: Hash,
        /// The blob with its files.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<Hash>,
        /// It acts above level 2 with its action server in the daemon's own process, as a person accepted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        one_process: bool,
    },
    /// Another policy set was taken up while running (stream `daemon`).
    PolicyLoaded {
        /// The set.
        set: Hash,
        /// The set before it.
        before: Hash,
        /// The blob with its files.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<Hash>,
    },
    /// Policy files were found and refused; the set in force stays (stream `daemon`).
    PolicyRefused {
        /// Why, one sentence a problem.
        why: Vec<String>,
        /// The set that stays in force.
        stays: Hash,
    },
    /// Acting was paused (stream `daemon`).
    Held {
        /// The hold's name; two holders never lift each other's.
        hold: String,
        /// Why.
        reason: String,
        /// Who.
        by: Person,
    },
    /// A hold was lifted (stream `daemon`).
    Lifted {
        /// The hold's name.
        hold: String,
        /// Who.
        by: Person,
    },
    /// A Merkle checkpoint over all stream heads was taken (stream `daemon`).
    Checkpoint {
        /// The root.
        root: Hash,
        /// Over how many streams.
        streams: u64,
    },
    // ---- stream `acts`: what track records are folded from ----
    /// What is known of an act; of several notes about one act the fullest holds.
    Noted(Box<ActNote>),
    /// A person judged an act afterwards.
    Judged {
        /// Which act.
        intent: IntentId,
        /// As what.
        judgement: Judgement,
        /// Why.
        reason: String,
        /// Who.
        by: Person,
    },
    /// A person reset a grant's demotion, or the breaker.
    Reset {
        /// What.
        #[serde(flatten)]
        reset: Reset,
        /// Why.
        reason: String,
        /// Who.
        by: Person,
    },
    /// A person signed a grant's promotion by one level.
    Promoted {
        /// Which grant.
        grant: GrantId,
        /// In which environment.
        environment: String,
        /// To which level.
        level: Level,
        /// Why.
        reason: String,
        /// Who.
        by: Person,
    },
    /// A weekly report was handed out.
    Reported {
        /// Its name.
        report: String,
        /// What it covers: from here …
        from: Timestamp,
        /// … to before here.
        to: Timestamp,
        /// The grants it speaks of; none: all.
        grants: Vec<GrantId>,
    },
    /// A person signed a weekly report.
    SignedOff {
        /// Which.
        report: String,
        /// Who.
        by: Person,
    },
    // ---- stream `memory`: what past incidents are recalled from ----
    /// What is remembered of an incident; of several notes about one incident the last holds.
    Remembered(Box<IncidentNote>),
    // ---- stream `brakes`: only changes ----
    /// A brake that depends on what is seen began to hold, or let go.
    Braked {
        /// Which: `storm` or `blind`.
        brake: String,
        /// Whether it holds from now on.
        on: bool,
        /// What was seen.
        why: String,
    },
    // ---- stream `models`: what asking them costs ----
    /// A model is about to be asked, at most for so much; or it was asked, for so much.
    Invoked(Box<Invocation>),
    // ---- streams of conversations ----
    /// Somebody asked a question about a cluster, and this came of it.
    Inquired(Box<Inquiry>),
    // ---- streams of incidents ----
    /// An alert opened this incident.
    Opened(Box<Opening>),
    /// An alert of this incident was seen: again, anew, resolved, or another one of the same owner.
    Observed {
        /// The alert.
        alert: Alert,
    },
    /// Reconciliation found that an alert is no longer known to Alertmanager, or its object is gone.
    Vanished {
        /// Its fingerprint.
        fingerprint: super::ids::Fingerprint,
        /// Why it counts as over.
        why: String,
    },
    /// Another object answers for the target than before: it was adopted, or let go.
    Rehomed {
        /// Who answers now.
        owner: RootOwner,
    },
    /// Another incident is about the same owner and goes on for both.
    Merged {
        /// Which.
        into: IncidentId,
    },
    /// It waits for another act on its owner to end.
    Waits {
        /// What for.
        why: String,
    },
    /// The cluster was read and diagnosed.
    Diagnosed(Box<Diagnosis>),
    /// Somebody chose among the candidates.
    Chosen(Choice),
    /// Somebody outside of belay proposed something.
    Suggested(Box<Suggestion>),
    /// Policy decided about a candidate, a plan or a write.
    Decided(Box<Decided>),
    /// A plan was made.
    Planned {
        /// For this candidate.
        candidate: CandidateId,
        /// The plan.
        plan: Box<Plan>,
        /// What was kept of what the act takes away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<Preserved>,
    },
    /// No plan could be made.
    NotPlanned {
        /// For this candidate.
        candidate: CandidateId,
        /// Why.
        refusal: Refusal,
    },
    /// A question was put to people.
    Asked(Question),
    /// Somebody answered a question.
    Answered {
        /// Which question.
        question: QuestionId,
        /// What they said.
        answer: Answer,
        /// Who.
        by: Person,
    },
    /// A question ended without the answers it needed.
    Lapsed {
        /// Which question.
        question: QuestionId,
        /// Why it is over.
        why: String,
    },
    /// An act is intended: written and flushed before anything is sent.
    Intended(Box<Intent>),
    /// What became of an intended act.
    Acted {
        /// Which.
        intent: IntentId,
        /// What became of it.
        applied: Applied,
    },
    /// While an act is being verified: what is expected began to hold, or ceased to.
    Watched {
        /// Which.
        intent: IntentId,
        /// Whether all of it holds now.
        held: bool,
        /// What was seen.
        seen: Vec<String>,
    },
    /// The verdict on an act.
    Verified {
        /// Which.
        intent: IntentId,
        /// What was seen.
        verdict: Verdict,
    },
    /// After an act had helped, while it was still watched, its cause came again.
    Recurred {
        /// Which act.
        intent: IntentId,
        /// What was seen.
        seen: Vec<String>,
    },
    /// A channel accepted the incident's message.
    Published {
        /// The channel's name for it.
        message: MessageRef,
        /// Which version of the incident it shows: the number of records it was made from.
        version: u64,
        /// The questions it carries; their windows run from here.
        carries: Vec<QuestionId>,
    },
    /// A person was called.
    Escalated {
        /// Why.
        why: String,
        /// Automation stands down on this incident from here on.
        hands_off: bool,
    },
    /// A pager or channel accepted the call.
    Paged {
        /// Which one.
        through: String,
    },
    /// The incident is over (until one of its alerts fires anew).
    Closed {
        /// How.
        outcome: Outcome,
        /// For people.
        summary: String,
        /// Nothing had to be done: the same alert is quiet for a day.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        nothing_to_do: bool,
    },
}

/// One entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which stream.
    pub stream: StreamId,
    /// Its place in the stream, from 1.
    pub seq: u64,
    /// When it was written, by the writer's clock.
    pub at: Timestamp,
    /// What it says.
    pub record: Record,
    /// `SHA-256(previous hash ‖ SHA-256(body))`, where the body is the exact bytes that are stored.
    pub hash: Hash,
}
