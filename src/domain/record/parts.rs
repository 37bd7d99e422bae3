//! What records are made of: how an incident begins, what was found, chosen, asked, answered and meant, and how it
//! ended.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::action::{ActionKind, Candidate};
use crate::domain::alert::Alert;
use crate::domain::brief::Brief;
use crate::domain::canonical::Hash;
use crate::domain::decision::{ApprovalRule, Person, Terms};
use crate::domain::evidence::Evidence;
use crate::domain::finding::Finding;
use crate::domain::ids::{CandidateId, Cluster, EvidenceId, GrantId, IncidentId, IntentId, QuestionId};
use crate::domain::plan::Plan;
use crate::domain::spend::{Money, Usage};
use crate::domain::suspicion::Flag;
use crate::domain::target::{Named, RootOwner, Targeted};

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
    /// The standard checklist, for people and the model.
    #[serde(default, skip_serializing_if = "Brief::is_empty")]
    pub brief: Brief,
}

impl Diagnosis {
    /// The finding that goes to a person whatever else was found, if there is one.
    pub fn for_a_person(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.is_for_a_person())
    }
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
    /// What the text that was read does that data does not: it makes decisions stricter, and only that.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<Flag>,
    /// What was asked and read on the way, where a model was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<Minutes>,
}

/// What an investigation asked, read and cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minutes {
    /// The blob with everything that passed: prompts, answers, tool calls with their arguments and results.
    pub tape: Hash,
    /// The endpoints that answered, in order.
    pub endpoints: Vec<String>,
    /// Turns taken.
    pub turns: u32,
    /// Tokens, by kind; of endpoints that failed, too.
    pub usage: Usage,
    /// Money, where the endpoints have prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// Time spent waiting for models.
    pub waited: jiff::SignedDuration,
    /// What was read besides the diagnosis; each result is kept whole as a blob.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
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
    /// Nobody of belay: an outside agent proposed it once a person had the incident. A person is asked, at any level.
    Outside {
        /// Who.
        caller: String,
    },
}

/// What somebody outside of belay proposed for an incident: a name of the closed catalogue and an object. It is looked up
/// among the candidates, and adds none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// Who, as the door that they came through knows them.
    pub by: String,
    /// What kind of action.
    pub action: ActionKind,
    /// On what.
    pub target: Named,
    /// Their reason: shown to people as theirs, never read by belay.
    pub why: String,
    /// The candidate that this is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateId>,
    /// It was put before policy, and then before a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub queued: bool,
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
    /// Another incident goes on with it.
    Merged,
}

/// A question that somebody asked about a cluster, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    /// Who.
    pub by: Person,
    /// About which cluster.
    pub cluster: Cluster,
    /// The namespaces that were to be read; nothing: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<BTreeSet<String>>,
    /// The incident that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The question, redacted.
    pub question: String,
    /// What was said to it.
    pub said: Said,
    /// What was asked and read for it, and what it cost; nothing where no model was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<Minutes>,
}

/// What was said to a question. The text is a model's, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum Said {
    /// An answer.
    Answer {
        /// The answer.
        text: String,
        /// What it rests on; never empty, and all of it exists.
        evidence: Vec<EvidenceId>,
    },
    /// What would answer it cannot be read.
    CannotTell {
        /// What is missing.
        reason: String,
    },
    /// A change was asked for.
    OnlyReads {
        /// Which.
        reason: String,
    },
    /// Nothing: there was no model, or it came to no end.
    Nothing {
        /// Why, in belay's words.
        why: String,
    },
}
