//! What policy is asked and what it answers. The whole input is kept with the answer, so that replay
//! needs nothing else. No field of it holds anything a model wrote.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::action::Action;
pub use super::approval::{ApprovalGroup, ApprovalRule};
use super::canonical::Hash;
pub use super::facts::{
    AlertFacts, ClusterFacts, Fact, FindingFacts, Heartbeat, HistoryFacts, IncidentFacts, OwnerFacts,
    TargetFacts,
};
use super::ids::{GrantId, IncidentId};
use super::measure::MeasureRule;
use super::plan::Plan;

/// An approval that people gave for this very plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalFacts {
    /// The plan they saw.
    pub plan: Hash,
    /// Who, each once.
    pub by: Vec<Person>,
    /// The last of them.
    pub at: Timestamp,
}

/// Somebody who answered, as far as the channel can vouch for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "snake_case")]
pub enum Person {
    /// A Slack user, by a signed click.
    Slack {
        /// `U…`; the only thing that authority is looked up by.
        user: String,
        /// The workspace, `T…`.
        team: String,
        /// For people to read.
        name: String,
    },
    /// Somebody with access to the admin socket (the daemon's own user) or its terminal.
    Operator {
        /// The name of the operating system's user, or `terminal`.
        name: String,
    },
}

impl Person {
    /// What makes two answers come from the same person: a display name never does for Slack.
    pub fn identity(&self) -> (&str, &str) {
        match self {
            Self::Slack { user, .. } => ("slack", user),
            Self::Operator { name } => ("operator", name),
        }
    }

    /// How people call them.
    pub fn name(&self) -> &str {
        match self {
            Self::Slack { name, .. } | Self::Operator { name } => name,
        }
    }
}

/// Which of the three times policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// About a candidate, before anything was planned.
    Candidate,
    /// About the finished plan.
    Plan,
    /// At the write, with the facts of that moment.
    Write,
}

/// The whole input of one decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Which of the three times.
    pub asked: Asked,
    /// The incident.
    pub incident: IncidentId,
    /// What would be done.
    pub action: Action,
    /// The finished plan, from the second time on.
    pub plan: Option<Plan>,
    /// Whether a model chose it; a grant that is not a playbook needs one.
    pub chosen_by_model: bool,
    /// Somebody outside of belay proposed it: a person decides, whatever the grant allows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// The facts.
    pub alert: AlertFacts,
    /// The incident as a whole.
    #[serde(default, skip_serializing_if = "IncidentFacts::is_not_recorded")]
    pub incident_facts: IncidentFacts,
    /// The finding.
    pub finding: FindingFacts,
    /// The target.
    pub target: TargetFacts,
    /// Its owner.
    pub owner: OwnerFacts,
    /// What was done before.
    pub history: HistoryFacts,
    /// The cluster and belay.
    pub cluster: ClusterFacts,
    /// What people approved, if anything.
    pub approval: Option<ApprovalFacts>,
    /// Who is in the groups that others keep (`slackUserGroup/…`, `schedule/…`, `oidcGroup/…`), by Slack id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub people: BTreeMap<String, Fact<Vec<String>>>,
    /// For an undo: the grant that carried the act which is put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<GrantId>,
    /// The moment.
    pub now: Timestamp,
}

/// The five maturity levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[expect(missing_docs, reason = "named as in the documentation")]
pub enum Level {
    Observe = 1,
    InTheLoop = 2,
    OnTheLoop = 3,
    Supervised = 4,
    Autonomous = 5,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Self; 5] =
        [Self::Observe, Self::InTheLoop, Self::OnTheLoop, Self::Supervised, Self::Autonomous];

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observability assistant",
            Self::InTheLoop => "human-in-the-loop",
            Self::OnTheLoop => "human-on-the-loop",
            Self::Supervised => "supervised autonomy",
            Self::Autonomous => "full autonomy",
        }
    }

    /// Its number, 1 to 5.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl TryFrom<u8> for Level {
    type Error = String;

    fn try_from(n: u8) -> Result<Self, String> {
        Self::ALL.into_iter().find(|l| l.number() == n).ok_or_else(|| format!("`{n}` is not a level: 1 to 5"))
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level.number()
    }
}

/// What policy says. Authority grows downwards except for `Escalate`, which is loud and not authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Say nothing (advice only).
    Drop,
    /// Tell people; do nothing.
    Notify,
    /// Wait for people's approval of the plan.
    Ask,
    /// Do it.
    Act,
    /// Hand it to a person now.
    Escalate,
}

impl Outcome {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Notify => "notify",
            Self::Ask => "ask",
            Self::Act => "act",
            Self::Escalate => "escalate",
        }
    }
}

/// One reason, in a form that programs match and people read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `grant/…`, `guard/…`, `limit/perTarget`, `freeze/…`, `environment/…`, `hold/…`, `no-grant`, ….
    pub code: String,
    /// One sentence.
    pub text: String,
}

/// What silence after an act means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnSilence {
    /// It stays.
    Keep,
    /// A person is called.
    Escalate,
    /// It is undone, if it did not verify as helped.
    Revert,
}

/// What a failed verification leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// A person is called.
    Escalate,
    /// It is undone and a person is told.
    Revert,
}

/// What must hold for an act to have helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// The owner has as many ready replicas as it wants, of the current generation.
    WorkloadReady,
    /// No container of any pod of the owner restarted or ended since the act.
    NoNewRestarts,
    /// No alert of that name fires for the owner or any of its pods, suppressed or not.
    AlertGone,
    /// What was changed still holds what was written. Always looked at; no policy can leave it out.
    StillOurs,
    /// The Job that was made is complete. Always looked at, and first; no policy can leave it out.
    JobComplete,
    /// Every measure that the grant names has become what it says. Looked at wherever one is named.
    Measures,
}

/// How an act is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyRule {
    /// By when all of it must hold.
    pub within: SignedDuration,
    /// For how long it must hold without a break.
    pub stabilise: SignedDuration,
    /// What must hold.
    pub expect: Vec<Expectation>,
    /// What has to have become of which measures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MeasureRule>,
    /// What follows if it does not.
    pub on_failure: OnFailure,
}

/// How an act is put before people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmRule {
    /// Who may answer.
    pub approval: ApprovalRule,
    /// How long they have, from when a channel accepted the question.
    pub within: SignedDuration,
    /// What silence means.
    pub on_silence: OnSilence,
}

/// One limit that an act draws upon: how the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// `perTarget/<grant>/<owner>`, `global`, …: who shares the limit.
    pub key: String,
    /// For people: `limit/perTarget`.
    pub code: String,
    /// How many within the window.
    pub max: u32,
    /// The sliding window; `None`: until released (in flight, locks).
    pub window: Option<SignedDuration>,
}

/// Everything that a yes obliges the execution to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The grant that carries the decision.
    pub grant: GrantId,
    /// Limits it draws upon.
    pub draws: Vec<Draw>,
    /// Who may approve it.
    pub approval: ApprovalRule,
    /// Rules of guards that must be met besides, so that a guard never loosens who is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ApprovalRule>,
    /// How it is judged.
    pub verify: VerifyRule,
    /// Whether and how people are asked afterwards (levels 3; `None` at 4 and 5).
    pub confirm: Option<ConfirmRule>,
    /// A temporary measure: how long after the act it is put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<SignedDuration>,
}

impl Terms {
    /// Whether an answer of this person counts for anything.
    pub fn entitles(&self, person: &Person) -> bool {
        self.rules().any(|rule| rule.entitles(person))
    }

    /// Whether these people are enough: every rule must be met.
    pub fn satisfied_by(&self, people: &[Person]) -> bool {
        self.rules().all(|rule| rule.satisfied_by(people))
    }

    /// Every rule that an approval must meet.
    pub fn rules(&self) -> impl Iterator<Item = &ApprovalRule> {
        std::iter::once(&self.approval).chain(&self.also)
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What to do.
    pub outcome: Outcome,
    /// The effective level; `None` where no grant matched.
    pub level: Option<Level>,
    /// Every reason that mattered, the decisive first.
    pub reasons: Vec<Reason>,
    /// What a yes obliges to; `Some` whenever a grant matched.
    pub terms: Option<Terms>,
    /// Whether a person must be called whatever else happens (severity critical).
    pub page: bool,
    /// The policy set that decided.
    pub set: Hash,
}

impl Decision {
    /// The first reason, as text for people.
    pub fn because(&self) -> &str {
        self.reasons.first().map_or("no reason was given", |r| &r.text)
    }

    /// Whether all that is in the way is another act on the same owner, which will end.
    pub fn waits(&self) -> bool {
        self.reasons.first().is_some_and(|reason| reason.code == LOCK)
    }
}

/// The code of the one act at a time on an owner.
pub const LOCK: &str = "lock";

/// A decision together with what it was decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The input.
    pub question: Question,
    /// The answer.
    pub decision: Decision,
}
