//! A policy set: every file of it, checked and ready to decide.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::brakes::Brakes;
use super::calendar::Window;
use super::cel::Rule;
use super::raw::Node;
use super::scope::Home;
use crate::domain::action::ActionKind;
use crate::domain::canonical::Hash;
use crate::domain::decision::{ApprovalRule, ConfirmRule, Level, Outcome, VerifyRule};
use crate::domain::ids::GrantId;
use crate::domain::matchers::Matchers;

/// Where a rule stands, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub file: Arc<str>,
    pub line: u32,
    pub home: Arc<Home>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Everything that was loaded. Only `load` makes one, and only from files without an error.
#[derive(Debug)]
pub struct PolicySet {
    pub(super) hash: Hash,
    pub(super) environments: Vec<Environment>,
    pub(super) grants: Vec<Grant>,
    pub(super) ceilings: Vec<Ceiling>,
    pub(super) advice: Vec<Advice>,
    pub(super) guards: Vec<Guard>,
    pub(super) freezes: Vec<Freeze>,
    pub(super) brakes: Brakes,
    pub(super) index: Index,
    pub(super) examples: Vec<(String, Node)>,
    pub(super) notes: Vec<String>,
}

impl PolicySet {
    /// The hash of all files: what a decision says it was made by.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// What the author should know though nothing is wrong: one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The names of the golden inputs that were loaded with the set.
    pub fn examples(&self) -> impl Iterator<Item = &str> {
        self.examples.iter().map(|(name, _)| name.as_str())
    }
}

/// A named part of the world and how far belay may go there.
#[derive(Debug)]
pub(super) struct Environment {
    pub name: String,
    pub when: Rule,
    pub max_level: Level,
    /// Grants must earn their level here.
    pub strict: bool,
    pub origin: Origin,
}

/// A rule that allows.
#[derive(Debug)]
pub(super) struct Grant {
    pub id: GrantId,
    pub description: String,
    pub alerts: Vec<Matchers>,
    pub when: Option<Rule>,
    pub actions: Vec<ActionKind>,
    pub environments: Vec<String>,
    pub level: Level,
    pub act_from: Option<Level>,
    pub shadow: bool,
    pub limits: Vec<Limit>,
    pub blast: Blast,
    pub verify: VerifyRule,
    pub confirm: ConfirmRule,
    pub playbook: bool,
    /// A temporary measure: undone after this long.
    pub expires: Option<SignedDuration>,
    /// A person lifted its earned level for a while.
    pub lifted: Option<Override>,
    pub origin: Origin,
}

/// How far any grant may go: what the platform says over all teams.
#[derive(Debug)]
pub(super) struct Ceiling {
    /// Empty: wherever the target is.
    pub environments: Vec<String>,
    /// Empty: every action.
    pub actions: Vec<ActionKind>,
    pub max_level: Level,
    pub origin: Origin,
}

/// A person's word that a grant may do more than it has earned, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    pub level: Level,
    pub by: String,
    pub reason: String,
    pub until: Timestamp,
}

/// No override is for longer: what is needed for more than a month is a grant, not an exception.
const LONGEST_OVERRIDE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Whether an override does anything at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    InForce,
    /// Its end is past.
    Over,
    /// Its end is more than 30 days ahead: so long it may not last, so it does not count until then.
    TooLong,
}

impl Override {
    /// Whether it counts at this moment. A policy has no clock when it is loaded, so that this is judged
    /// with every decision.
    pub fn standing(&self, now: Timestamp) -> Standing {
        if self.until <= now {
            Standing::Over
        } else if self.until.duration_since(now) > LONGEST_OVERRIDE {
            Standing::TooLong
        } else {
            Standing::InForce
        }
    }
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Per {
    Target,
    Grant,
    Namespace,
    Cluster,
}

impl Per {
    /// The key in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Target => "perTarget",
            Self::Grant => "perGrant",
            Self::Namespace => "perNamespace",
            Self::Cluster => "perCluster",
        }
    }
}

/// So many acts within a sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub per: Per,
    pub max: u32,
    pub window: SignedDuration,
}

/// How much a plan may disturb.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Blast {
    pub max_unavailable: Option<u32>,
    pub keep_ready: Option<u32>,
    pub respect_budgets: bool,
    pub max_replica_delta: Option<u32>,
    pub max_replicas: Option<u32>,
}

/// What to say where nothing may be done.
#[derive(Debug)]
pub(super) struct Advice {
    pub alerts: Vec<Matchers>,
    pub outcome: Outcome,
    pub look: Vec<String>,
    pub home: Arc<Home>,
}

/// A rule that forbids or lowers.
#[derive(Debug)]
pub(super) struct Guard {
    pub id: String,
    pub when: Rule,
    pub max_level: Option<Level>,
    pub deny: bool,
    pub message: Option<String>,
    pub approval: Option<ApprovalRule>,
    pub offer: Option<Offer>,
    pub origin: Origin,
}

/// What a guard proposes instead of what it lowers or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    OpenPullRequest,
}

impl Offer {
    /// Every one, with its word in policies.
    pub const ALL: [(&str, Self); 1] = [("open_pull_request", Self::OpenPullRequest)];

    /// The word in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenPullRequest => "open_pull_request",
        }
    }
}

/// A time in which less is allowed.
#[derive(Debug)]
pub(super) struct Freeze {
    pub name: String,
    pub window: Window,
    pub environments: Vec<String>,
    pub when: Option<Rule>,
    pub max_level: Level,
    pub origin: Origin,
}

/// Finds the grants that may match without looking at the others.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_alert: HashMap<ActionKind, HashMap<String, Vec<usize>>>,
    any_alert: HashMap<ActionKind, Vec<usize>>,
}

impl Index {
    pub fn of(grants: &[Grant]) -> Self {
        let mut index = Self::default();
        for (i, grant) in grants.iter().enumerate() {
            let names: Option<Vec<&str>> = grant.alerts.iter().map(Matchers::alertname).collect();
            for action in &grant.actions {
                match &names {
                    None => index.any_alert.entry(*action).or_default().push(i),
                    Some(names) => {
                        let by_name = index.by_alert.entry(*action).or_default();
                        for name in names {
                            by_name.entry((*name).to_owned()).or_default().push(i);
                        }
                    }
                }
            }
        }
        index
    }

    /// The grants that list this action and may match alerts of this name, as positions in the set; one
    /// may come twice.
    pub fn candidates(&self, action: ActionKind, alertname: &str) -> impl Iterator<Item = usize> {
        let named = self.by_alert.get(&action).and_then(|by_name| by_name.get(alertname));
        named.into_iter().chain(self.any_alert.get(&action)).flatten().copied()
    }
}
