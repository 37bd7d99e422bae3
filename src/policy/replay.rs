//! Past decisions decided again: what another set would have said, and what grants on trial would have
//! done. One decision at a time, so that a long journal needs no memory.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::decide::decide;
use super::judge::judge;
use super::set::PolicySet;
use crate::domain::decision::{Decided, Decision, Level, Outcome, Reason};
use crate::domain::ids::{GrantId, IncidentId};
use crate::domain::record;

/// How many changes are listed one by one; beyond that nobody reads them and they are only counted.
const MAX_LISTED: usize = 10_000;

/// What another set changes in the past.
#[derive(Debug, Default, Serialize)]
pub struct Replay {
    /// How many decisions were made again.
    pub decisions: u64,
    /// How often which outcome became which, those that stayed included.
    pub outcomes: Vec<Counted>,
    /// How many decisions changed.
    pub changed: u64,
    /// Each of them, in the journal's order.
    pub changes: Vec<Change>,
    #[serde(skip)]
    counts: BTreeMap<(&'static str, &'static str), u64>,
}

/// How often one outcome became another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The outcome that was recorded.
    pub before: &'static str,
    /// The outcome now.
    pub after: &'static str,
    /// How often.
    pub count: u64,
}

/// A decision that the other set makes differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// When it was decided.
    pub at: Timestamp,
    /// About which incident.
    pub incident: IncidentId,
    /// What would be done.
    pub action: &'static str,
    /// To what: its root owner.
    pub target: String,
    /// What was said.
    pub before: Said,
    /// What is said now.
    pub after: Said,
    /// Reasons that are gone.
    pub gone: Vec<Reason>,
    /// Reasons that are new.
    pub new: Vec<Reason>,
}

/// What matters of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The outcome.
    pub outcome: Outcome,
    /// The level, where a grant matched.
    pub level: Option<Level>,
    /// The grant.
    pub grant: Option<GrantId>,
    /// Who must approve, by the names of the rules.
    pub approvals: Vec<String>,
    /// Whether a person is called in any case.
    pub page: bool,
}

impl Said {
    fn of(decision: &Decision) -> Self {
        let terms = decision.terms.as_ref();
        Self {
            outcome: decision.outcome,
            level: decision.level,
            grant: terms.map(|terms| terms.grant.clone()),
            approvals: terms.iter().flat_map(|terms| terms.rules()).map(|rule| rule.name.clone()).collect(),
            page: decision.page,
        }
    }
}

impl Replay {
    /// Decides one recorded decision again.
    pub fn add(&mut self, set: &PolicySet, at: Timestamp, decided: &Decided) {
        let now = decide(set, &decided.question);
        let (before, after) = (Said::of(&decided.decision), Said::of(&now));
        self.decisions += 1;
        *self.counts.entry((before.outcome.name(), after.outcome.name())).or_default() += 1;
        if before == after {
            return;
        }
        self.changed += 1;
        if self.changes.len() >= MAX_LISTED {
            return;
        }
        let question = &decided.question;
        self.changes.push(Change {
            at,
            incident: question.incident.clone(),
            action: question.action.kind().name(),
            target: question.owner.owner.to_string(),
            before,
            after,
            gone: without(&decided.decision.reasons, &now.reasons),
            new: without(&now.reasons, &decided.decision.reasons),
        });
    }

    /// Everything was added.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.outcomes = std::mem::take(&mut self.counts)
            .into_iter()
            .map(|((before, after), count)| Counted { before, after, count })
            .collect();
        self
    }
}

/// Reasons whose code is not among the others: texts hold moments and counts, codes say what it was.
fn without(reasons: &[Reason], others: &[Reason]) -> Vec<Reason> {
    reasons.iter().filter(|r| !others.iter().any(|o| o.code == r.code)).cloned().collect()
}

/// A set in which every trial is over: what is in shadow mode is in force.
#[derive(Debug)]
pub struct Enforced(PolicySet);

/// The same set with every trial over.
pub fn enforced(mut set: PolicySet) -> Enforced {
    set.grants.iter_mut().for_each(|grant| grant.shadow = false);
    Enforced(set)
}

/// What grants on trial would have done, against what happened.
#[derive(Debug, Default, Serialize)]
pub struct Trials {
    /// By grant and incident, in order.
    pub trials: Vec<Trial>,
    /// How many incidents more there were than are listed.
    pub more: u64,
    #[serde(skip)]
    found: BTreeMap<(IncidentId, GrantId), Trial>,
}

/// One incident in which a grant on trial would have carried the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// The grant on trial.
    pub grant: GrantId,
    /// The incident.
    pub incident: IncidentId,
    /// When it was last asked about.
    pub at: Timestamp,
    /// What would be done.
    pub action: &'static str,
    /// To what.
    pub target: String,
    /// What it would have been.
    pub would: Outcome,
    /// What was decided instead.
    pub was: Outcome,
    /// How the incident ended, if it did.
    pub ended: Option<record::Outcome>,
}

impl Trials {
    /// Looks at one recorded decision: `set` says whether a grant on trial carries it, `enforced` what it
    /// would have said.
    pub fn add(&mut self, set: &PolicySet, enforced: &Enforced, at: Timestamp, decided: &Decided) {
        let question = &decided.question;
        let judged = judge(set, question);
        let Some(grant) = judged.matching.first().filter(|grant| grant.shadow) else { return };
        let key = (question.incident.clone(), grant.id.clone());
        if self.found.len() >= MAX_LISTED && !self.found.contains_key(&key) {
            self.more += 1;
            return;
        }
        let trial = Trial {
            grant: key.1.clone(),
            incident: key.0.clone(),
            at,
            action: question.action.kind().name(),
            target: question.owner.owner.to_string(),
            would: decide(&enforced.0, question).outcome,
            was: decided.decision.outcome,
            ended: None,
        };
        self.found.insert(key, trial);
    }

    /// An incident ended.
    pub fn ended(&mut self, incident: &IncidentId, outcome: record::Outcome) {
        let from = (incident.clone(), GrantId::new(""));
        let of = self.found.range_mut(from..).take_while(|((of, _), _)| of == incident);
        of.for_each(|(_, trial)| trial.ended = Some(outcome));
    }

    /// Everything was added.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.trials = std::mem::take(&mut self.found).into_values().collect();
        self.trials.sort_by(|a, b| (&a.grant, a.at, &a.incident).cmp(&(&b.grant, b.at, &b.incident)));
        self
    }
}
