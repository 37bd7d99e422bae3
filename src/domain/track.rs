//! What became of acts, as the journal's stream `acts` keeps it, and what policy is told of it: the past
//! of one root owner, and the track record of one grant.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::action::ActionKind;
use super::decision::{Level, Person};
use super::ids::{GrantId, IncidentId, IntentId};
use super::target::RootOwner;

/// What became of an act. Ordered by how much is known and how bad it is: of two notes about one act the
/// greater one holds, so that neither order nor repetition matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It is not known yet.
    Open,
    /// Nothing was sent, and no call failed: the world had moved on, or policy said no at the write.
    Withdrawn,
    /// It helped.
    Helped,
    /// Whether it helped could not be seen, or nobody waited for it.
    Unseen,
    /// The call failed.
    Failed,
    /// It worked and did not help, or the cause came again.
    Ineffective,
}

impl Became {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Withdrawn => "withdrawn",
            Self::Helped => "helped",
            Self::Unseen => "unseen",
            Self::Failed => "failed",
            Self::Ineffective => "ineffective",
        }
    }
}

/// An act that was put back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PutBack {
    /// When.
    pub at: Timestamp,
    /// Who wanted it; nobody where a rule of the grant did.
    pub by: Option<Person>,
}

/// Everything that is known of one act when the note is written. A later note says more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActNote {
    /// Which act.
    pub intent: IntentId,
    /// Its incident.
    pub incident: IncidentId,
    /// The grant that carried it.
    pub grant: GrantId,
    /// The environment of its target, by the policy of that moment.
    pub environment: Option<String>,
    /// The root owner of its target.
    pub owner: RootOwner,
    /// What was done.
    pub action: ActionKind,
    /// The cause that it was to remedy.
    pub cause: String,
    /// When it was intended.
    pub at: Timestamp,
    /// Who approved it beforehand.
    pub approved_by: Vec<Person>,
    /// Who confirmed it afterwards.
    pub confirmed_by: Option<Person>,
    /// What became of it.
    pub became: Became,
    /// When that was known.
    pub became_at: Option<Timestamp>,
    /// Whether it was put back.
    pub put_back: Option<PutBack>,
}

impl ActNote {
    /// What both notes together say. It does not matter which comes first, nor how often.
    pub fn join(&mut self, other: &Self) {
        self.environment = self.environment.take().max(other.environment.clone());
        self.confirmed_by = self.confirmed_by.take().max(other.confirmed_by.clone());
        if other.approved_by > self.approved_by {
            self.approved_by.clone_from(&other.approved_by);
        }
        if other.became > self.became {
            (self.became, self.became_at) = (other.became, other.became_at);
        } else if other.became == self.became {
            self.became_at = self.became_at.into_iter().chain(other.became_at).min();
        }
        self.put_back = self.put_back.take().into_iter().chain(other.put_back.clone()).min();
    }
}

/// What a person says about an act afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Nothing was wrong: there was nothing to act on.
    FalsePositive,
    /// It did harm.
    Harmful,
}

/// What a person resets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Reset {
    /// A grant's demotion; it begins anew at level 2.
    Grant {
        /// Which.
        grant: GrantId,
    },
    /// The breaker.
    Breaker,
}

/// An act as policy is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastAct {
    /// Which.
    pub intent: IntentId,
    /// When it was intended.
    pub at: Timestamp,
    /// What was done.
    pub action: ActionKind,
    /// The cause that it was to remedy.
    pub cause: String,
    /// The grant that carried it.
    pub grant: GrantId,
    /// What became of it.
    pub became: Became,
    /// When that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub became_at: Option<Timestamp>,
    /// It was put back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reverted: bool,
}

/// A verdict on an act, anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastVerdict {
    /// When.
    pub at: Timestamp,
    /// It was seen to help.
    pub helped: bool,
}

/// A person signed a promotion.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Promotion {
    /// When.
    pub at: Timestamp,
    /// To which level.
    pub level: Level,
    /// Who.
    pub by: Person,
}

/// What speaks against a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setback {
    /// An act of it was put back.
    Reverted,
    /// A person called an act of it a false positive.
    FalsePositive,
    /// A person called an act of it harmful.
    Harmful,
}

/// The track record of one grant in one environment, since a person last reset it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Since when it stands at level 2: its first act, or its reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// Acts that people approved, confirmed or signed off, and that verified as helped.
    pub proven: u32,
    /// Acts that took effect and cannot be called proven by anybody: they did not help, could not be seen
    /// to help, were put back, or were judged badly.
    pub missed: u32,
    /// Promotions that people signed, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promotions: Vec<Promotion>,
    /// What speaks against it, in all environments, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setbacks: Vec<(Timestamp, Setback)>,
    /// Weekly reports about it that nobody has signed.
    #[serde(default)]
    pub unsigned_reports: u32,
    /// Its acts of the last 24 hours, in all environments.
    #[serde(default)]
    pub last_day: u32,
}
