//! The facts that an expression may use: their names, their types, and how each is read from a question.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::domain::action::{Action, Class, Reversibility, Risk};
use crate::domain::alert::{Labels, Severity};
use crate::domain::decision::{Asked, Fact, Question};
use crate::domain::finding::Certainty;
use crate::domain::plan::{BlastRadius, Plan};
use crate::domain::track::{Became, PastAct};

/// What a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    /// A fraction.
    Share,
    Text,
    Labels,
    Time,
    Span,
}

/// A fact's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'q> {
    Bool(bool),
    Int(i64),
    /// In thousandths.
    Share(u32),
    Text(Cow<'q, str>),
    Labels(&'q Labels),
    Time(Timestamp),
    Span(SignedDuration),
}

/// Every fact there is.
pub(super) const FACTS: [(&str, Type); 53] = [
    ("alert.labels", Type::Labels),
    ("alert.name", Type::Text),
    ("alert.severity", Type::Text),
    ("alert.age", Type::Span),
    ("alert.age_minutes", Type::Int),
    ("alert.flaps", Type::Int),
    ("alert.flapping", Type::Bool),
    ("finding.cause", Type::Text),
    ("finding.certainty", Type::Text),
    ("finding.services", Type::Int),
    ("target.kind", Type::Text),
    ("target.name", Type::Text),
    ("target.namespace", Type::Text),
    ("target.cluster", Type::Text),
    ("target.labels", Type::Labels),
    ("target.annotations", Type::Labels),
    ("target.lookalikes", Type::Int),
    ("target.grounded", Type::Bool),
    ("target.named_by_alert", Type::Bool),
    ("owner.kind", Type::Text),
    ("owner.name", Type::Text),
    ("owner.replicas", Type::Int),
    ("owner.ready", Type::Int),
    ("owner.stateful", Type::Bool),
    ("owner.busy", Type::Bool),
    ("owner.gitops.selfHeal", Type::Bool),
    ("owner.hpa", Type::Bool),
    ("owner.minutes_since_rollout", Type::Int),
    ("owner.changed_by_person_minutes", Type::Int),
    ("owner.budget", Type::Int),
    ("owner.migration", Type::Bool),
    ("action.kind", Type::Text),
    ("action.params.replicas", Type::Int),
    ("action.params.template", Type::Text),
    ("action.params.given", Type::Labels),
    ("action.class.undo", Type::Text),
    ("action.class.risk", Type::Text),
    ("action.transient", Type::Bool),
    ("plan.unavailable_after", Type::Int),
    ("plan.replica_delta", Type::Int),
    ("plan.diff_size", Type::Int),
    ("cluster.firing_groups", Type::Int),
    ("cluster.unhealthy_fraction", Type::Share),
    ("cluster.actions_in_flight", Type::Int),
    ("cluster.major_incident", Type::Bool),
    ("history.per_target", Type::Int),
    ("history.per_grant", Type::Int),
    ("history.failures", Type::Int),
    ("history.ineffective", Type::Int),
    ("incident.acknowledged_elsewhere", Type::Bool),
    ("incident.severity", Type::Text),
    ("incident.flagged", Type::Bool),
    ("now", Type::Time),
];

/// Facts that the format names and that nothing fills in yet.
pub(super) const LATER: [&str; 0] = [];

/// An alert that began anew so often within one incident is flapping: up, down, up, down, up.
const FLAPPING: u32 = 2;

/// How far `history` looks back: a day, the longest window that people still call "again".
const HISTORY: SignedDuration = SignedDuration::from_hours(24);

/// The type of the fact with this name.
pub(super) fn type_of(name: &str) -> Option<Type> {
    FACTS.iter().find(|(known, _)| *known == name).map(|(_, ty)| *ty)
}

/// Reads one fact. A name that is not in `FACTS` is unknown; the compiler lets none through.
pub(super) fn read<'q>(question: &'q Question, name: &str) -> Fact<Value<'q>> {
    let (object, rest) = name.split_once('.').unwrap_or((name, ""));
    match object {
        "alert" => alert(question, rest),
        "finding" => finding(question, rest),
        "target" => target(question, rest),
        "owner" => owner(question, rest),
        "action" => action(question, rest),
        "plan" => plan(question, rest),
        "cluster" => cluster(question, rest),
        "history" => history(question, rest),
        "incident" => incident(question, rest),
        "now" => Fact::Known(Value::Time(question.now)),
        _ => no_such(name),
    }
}

fn alert<'q>(question: &'q Question, name: &str) -> Fact<Value<'q>> {
    let alert = &question.alert;
    match name {
        "labels" => Fact::Known(Value::Labels(&alert.labels)),
        "name" => text(alert.labels.get("alertname").map_or("", String::as_str)),
        "severity" => text(severity(alert.severity)),
        "age" => Fact::Known(Value::Span(question.now.duration_since(alert.starts_at))),
        "age_minutes" => int(question.now.duration_since(alert.starts_at).as_mins()),
        "flaps" => int(alert.flaps),
        "flapping" => Fact::Known(Value::Bool(alert.flaps >= FLAPPING)),
        _ => no_such(name),
    }
}

fn finding<'q>(question: &'q Question, name: &str) -> Fact<Value<'q>> {
    match name {
        "cause" => text(&question.finding.cause),
        "certainty" => text(match question.finding.certainty {
            Certainty::Possible => "possible",
            Certainty::Likely => "likely",
            Certainty::Certain => "certain",
        }),
        "services" => number(&question.finding.services),
        _ => no_such(name),
    }
}

fn target<'q>(question: &'q Question, name: &str) -> Fact<Value<'q>> {
    let facts = &question.target;
    let named = &facts.object.named;
    match name {
        "kind" => text(named.kind.name()),
        "name" => text(&named.name),
        "namespace" => text(&named.namespace),
        "cluster" => text(named.cluster.as_str()),
        "labels" => map(&facts.labels, Value::Labels),
        "annotations" => map(&facts.annotations, Value::Labels),
        "lookalikes" => number(&facts.lookalikes),
        "grounded" => Fact::Known(Value::Bool(facts.grounded)),
        "named_by_alert" => Fact::Known(Value::Bool(facts.named_by_alert)),
        _ => no_such(name),
    }
}

fn owner<'q>(question: &'q Question, name: &str) -> Fact<Value<'q>> {
    let facts = &question.owner;
    let named = &facts.owner.0.named;
    match name {
        "kind" => text(named.kind.name()),
        "name" => text(&named.name),
        "replicas" => number(&facts.replicas),
        "ready" => number(&facts.ready),
        "stateful" => boolean(&facts.stateful),
        "busy" => boolean(&facts.busy),
        "gitops.selfHeal" => boolean(&facts.gitops_self_heal),
        "hpa" => boolean(&facts.hpa),
        "minutes_since_rollout" => number(&facts.minutes_since_rollout),
        "changed_by_person_minutes" => number(&facts.changed_by_person_minutes),
        "budget" => number(&facts.budget),
        "migration" => boolean(&facts.migration),
        _ => no_such(name),
    }
}

fn action<'q>(question: &'q Question, name: &str) -> Fact<Value<'q>> {
    let class = class(question);
    match (name, &question.action) {
        ("kind", action) => text(action.kind().name()),
        ("params.replicas", action) => action.replicas().map_or(Fact::NotApplicable, int),
        ("params.template", Action::RunJob { template, .. }) => text(template),
        ("params.given", Action::RunJob { parameters, .. }) => Fact::Known(Value::Labels(parameters)),
        ("params.template" | "params.given", _) => Fact::NotApplicable,
        ("class.undo", _) => text(undo_name(class.undo)),
        ("class.risk", _) => text(risk_name(class.risk)),
        ("transient", action) => Fact::Known(Value::Bool(action.kind().entry().transient)),
        _ => no_such(name),
    }
}

fn plan<'q>(question: &'q Question, name: &str) -> Fact<Value<'q>> {
    let Some(Plan { blast: BlastRadius { unavailable_after, replica_delta, .. }, changes, .. }) =
        &question.plan
    else {
        return match question.asked {
            Asked::Candidate => Fact::NotApplicable,
            Asked::Plan | Asked::Write => Fact::Unknown("there is no plan".to_owned()),
        };
    };
    match name {
        "unavailable_after" => int(*unavailable_after),
        "replica_delta" => int(*replica_delta),
        "diff_size" => int(i64::try_from(changes.len()).unwrap_or(i64::MAX)),
        _ => no_such(name),
    }
}

fn cluster<'q>(question: &'q Question, name: &str) -> Fact<Value<'q>> {
    match name {
        "firing_groups" => number(&question.cluster.firing_groups),
        "unhealthy_fraction" => map(&question.cluster.unhealthy_permille, |share| Value::Share(*share)),
        "actions_in_flight" => int(question.cluster.actions_in_flight),
        "major_incident" => boolean(&question.cluster.major_incident),
        _ => no_such(name),
    }
}

fn incident<'q>(question: &'q Question, name: &str) -> Fact<Value<'q>> {
    let facts = &question.incident_facts;
    match name {
        "acknowledged_elsewhere" => boolean(&facts.acknowledged_elsewhere),
        "flagged" => boolean(&facts.flagged),
        "severity" => map(&facts.severity, |loud| Value::Text(Cow::Borrowed(severity(*loud)))),
        _ => no_such(name),
    }
}

/// What was done before, within the last 24 hours.
fn history<'q>(question: &'q Question, name: &str) -> Fact<Value<'q>> {
    let since = question.now.saturating_sub(HISTORY).unwrap_or(Timestamp::MIN);
    let recent = |wanted: fn(&PastAct) -> bool| {
        map(&question.history.acts, |acts| {
            let found = acts.iter().filter(|act| act.at > since && wanted(act)).count();
            i64::try_from(found).unwrap_or(i64::MAX)
        })
    };
    match name {
        "per_target" => match recent(|_| true) {
            Fact::Known(n) => int(n.max(per_target(question))),
            Fact::Unknown(_) | Fact::NotApplicable => int(per_target(question)),
        },
        "per_grant" => int(question.history.tracks.values().map(|track| track.last_day).max().unwrap_or(0)),
        "failures" => then_int(recent(|act| act.became == Became::Failed)),
        "ineffective" => then_int(recent(|act| act.became == Became::Ineffective)),
        _ => no_such(name),
    }
}

fn then_int<'q>(fact: Fact<i64>) -> Fact<Value<'q>> {
    match fact {
        Fact::Known(n) => int(n),
        Fact::Unknown(why) => Fact::Unknown(why),
        Fact::NotApplicable => Fact::NotApplicable,
    }
}

/// Acts on this root owner by any grant, as far as the limits remember them. One act draws upon several
/// limits at one moment, so moments are counted.
fn per_target(question: &Question) -> i64 {
    let owner = question.owner.owner.key();
    let since = question.now.saturating_sub(HISTORY).unwrap_or(Timestamp::MIN);
    let moments: BTreeSet<_> = question
        .history
        .taken
        .iter()
        .filter(|(key, _)| {
            key.strip_prefix("perTarget/")
                .and_then(|k| k.strip_suffix(&owner))
                .is_some_and(|k| k.ends_with('/'))
        })
        .flat_map(|(_, moments)| moments)
        .filter(|moment| **moment > since)
        .collect();
    i64::try_from(moments.len()).unwrap_or(i64::MAX)
}

/// The class of the concrete action: a plan raises what the catalogue says and never lowers it.
pub(super) fn class(question: &Question) -> Class {
    let listed = question.action.class();
    question.plan.as_ref().map_or(listed, |plan| Class {
        undo: listed.undo.max(plan.class.undo),
        risk: listed.risk.max(plan.class.risk),
    })
}

/// Every severity.
pub(super) const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

/// The word for a severity.
pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// The word for a risk.
pub(super) const fn risk_name(risk: Risk) -> &'static str {
    risk.name()
}

/// The word for what can be put back.
pub(super) const fn undo_name(undo: Reversibility) -> &'static str {
    undo.name()
}

fn map<'q, T, U>(fact: &'q Fact<T>, f: impl FnOnce(&'q T) -> U) -> Fact<U> {
    match fact {
        Fact::Known(value) => Fact::Known(f(value)),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
        Fact::NotApplicable => Fact::NotApplicable,
    }
}

fn number<T: Copy + Into<i64>>(fact: &Fact<T>) -> Fact<Value<'_>> {
    map(fact, |n| Value::Int((*n).into()))
}

fn boolean(fact: &Fact<bool>) -> Fact<Value<'_>> {
    map(fact, |b| Value::Bool(*b))
}

fn int<'q>(n: impl Into<i64>) -> Fact<Value<'q>> {
    Fact::Known(Value::Int(n.into()))
}

const fn text(text: &str) -> Fact<Value<'_>> {
    Fact::Known(Value::Text(Cow::Borrowed(text)))
}

fn no_such<'q>(name: &str) -> Fact<Value<'q>> {
    Fact::Unknown(format!("there is no fact `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_none_is_both_there_and_later() {
        let names: BTreeSet<_> = FACTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), FACTS.len());
        assert!(LATER.iter().all(|later| !names.contains(later)));
    }
}
