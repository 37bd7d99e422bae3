//! What is written down, for ever: version 1 of the journal's records. Each is self-contained; an
//! incident's state is the fold of its records. Frozen samples in `tests/data/records/v1/` must decode
//! in every later version.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::action::Candidate;
use super::alert::Alert;
use super::canonical::Hash;
use super::decision::{ApprovalRule, Decided, Level, Person, Terms};
use super::evidence::{Evidence, Preserved};
use super::finding::Finding;
use super::ids::{CandidateId, Cluster, EvidenceId, GrantId, IncidentId, IntentId, QuestionId, StreamId};
use super::plan::{Plan, Refusal};
use super::target::{RootOwner, Targeted};
use super::track::{ActNote, Judgement, Reset};
use super::warrant::Applied;

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
    /// The cluster was read and diagnosed.
    Diagnosed(Box<Diagnosis>),
    /// Somebody chose among the candidates.
    Chosen(Choice),
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

/// How an incident begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Its name.
    pub incident: IncidentId,
    /// Which cluster.
    pub cluster: Cluster,
    /// The alert.
    pub alert: Alert,
    /// What its labels name.
    pub target: Targeted,
    /// Who answers for it, where that could be read.
    pub owner: Option<RootOwner>,
}

/// What reading the cluster gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// What was read.
    pub evidence: Vec<Evidence>,
    /// What follows from it, the surest first.
    pub findings: Vec<Finding>,
    /// The closed set of remedies.
    pub candidates: Vec<Candidate>,
    /// What could not be read, one sentence each.
    pub missing: Vec<String>,
}

/// How an investigation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// By whom.
    pub by: Investigator,
    /// The conclusion.
    pub conclusion: Conclusion,
    /// Why it is not what the model said, in belay's own words, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What the model said besides: shown to people as the model's words, never read by belay.
    pub said: String,
    /// The transcript, where there is one.
    pub transcript: Option<Hash>,
    /// Tokens used (prompt and completion), where a model was asked.
    pub tokens: u64,
}

/// Who investigated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Investigator {
    /// No model: the surest finding's first candidate.
    Playbook {
        /// Why no model had a part.
        why: String,
    },
    /// A model.
    Model {
        /// Its name as configured.
        model: String,
        /// The hash of the prompts in force.
        prompts: Hash,
    },
}

/// The three ways in which an investigation ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum Conclusion {
    /// One of the candidates.
    Choose {
        /// Which.
        candidate: CandidateId,
        /// What it rests on; each exists.
        evidence: Vec<EvidenceId>,
    },
    /// Nothing should be done.
    NoAction,
    /// A person should look.
    Escalate,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// May this plan be carried out?
    Approve,
    /// It was done and can be put back: keep it?
    ConfirmOrRevert,
    /// It was done and cannot be put back: is it well, or will a person take over?
    ConfirmOrHandOver,
}

/// A question to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its opaque name: the only thing a button carries.
    pub id: QuestionId,
    /// What is asked.
    pub ask: Ask,
    /// The plan that is spoken of.
    pub plan: Hash,
    /// The act that is spoken of, once it was done.
    pub intent: Option<IntentId>,
    /// Who may answer.
    pub rule: ApprovalRule,
    /// How long they have: from now for an approval, from when a channel accepted it for a confirmation.
    pub within: jiff::SignedDuration,
}

/// What a person can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Carry out the plan.
    Approve,
    /// Do not.
    Reject {
        /// Why, in their words.
        reason: String,
    },
    /// It is well.
    Confirm,
    /// Put it back.
    Revert,
    /// Stop automation here and call a person.
    HandOver,
}

/// A write that is meant: everything needed to carry it out, judge it and put it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its name, which will stand on the object.
    pub id: IntentId,
    /// The incident.
    pub incident: IncidentId,
    /// What exactly will be done; carries its own undo.
    pub plan: Plan,
    /// The plan's name.
    pub plan_hash: Hash,
    /// What policy obliges us to.
    pub terms: Terms,
    /// The grant acting by itself, or the people who approved.
    pub approved_by: String,
    /// The policy set that allowed it.
    pub set: Hash,
    /// For an undo: the act that is put back.
    pub reverts: Option<IntentId>,
    /// By then it must have an outcome.
    pub deadline: Timestamp,
}

impl Intent {
    /// The grant that carries it.
    pub const fn grant(&self) -> &GrantId {
        &self.terms.grant
    }
}

/// Whether an act helped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was expected held long enough.
    Helped {
        /// What was seen.
        seen: Vec<String>,
    },
    /// It did not, or the cause came again.
    DidNotHelp {
        /// What was seen.
        seen: Vec<String>,
    },
    /// It could not be seen: a person decides.
    CannotTell {
        /// What could not be read.
        why: Vec<String>,
    },
}

/// A message as its channel names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRef {
    /// Which messenger: `slack`, `terminal`.
    pub through: String,
    /// The channel's id, where there is one.
    pub channel: String,
    /// The message's own id (Slack: `ts`).
    pub id: String,
}

/// How an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was over before anything was done.
    ResolvedBySelf,
    /// An act helped (confirmed, or its silence rule keeps it).
    Remedied,
    /// An act was put back.
    Reverted,
    /// A person has it.
    HandedOver,
    /// Only told.
    Notified,
    /// Advice says to say nothing.
    Dropped,
    /// A person said no.
    Rejected,
}
