//! `grants`: what may be done, and all that goes with a yes.

use jiff::SignedDuration;

use super::super::raw::Node;
use super::super::reader::{Fields, Reader};
use super::super::set::{Blast, Grant, Limit, Override, Per};
use super::rules::settled_rule;
use super::{Gathered, Spec, mode};
use crate::domain::action::{ActionKind, Reversibility};
use crate::domain::decision::{ConfirmRule, Expectation, Level, OnFailure, OnSilence, VerifyRule};
use crate::domain::ids::GrantId;
use crate::domain::measure::MeasureRule;

/// Pods that fail usually fail again within a minute or two of their start.
const STABILISE: SignedDuration = SignedDuration::from_mins(2);
/// What a person on call needs to see a message and look, twice over.
const CONFIRM: SignedDuration = SignedDuration::from_mins(30);

const KNOWN: [&str; 16] = [
    "id",
    "description",
    "alerts",
    "when",
    "actions",
    "environments",
    "level",
    "actFrom",
    "mode",
    "limits",
    "blastRadius",
    "verify",
    "confirm",
    "playbook",
    "expires",
    "override",
];
const LATER: [&str; 2] = ["target", "offer"];
/// Each is asked for twice at every look.
const MEASURES: usize = 8;

/// Reads `grants`.
pub(super) fn grants(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let read = reader.list(spec.fields.get("grants"), |reader, node| grant(all, reader, node, spec.shadow));
    all.grants.extend(read);
}

fn grant(all: &mut Gathered, reader: &mut Reader<'_>, node: &Node, shadow: bool) -> Option<Grant> {
    let fields = reader.fields(node, "a grant", &KNOWN, &LATER)?;
    let id = fields.need(reader, "id").and_then(|node| Some((node, reader.name(node)?)));
    let description = fields.get("description").and_then(|node| reader.text(node)).unwrap_or_default();
    let alerts = filled(reader, &fields, "alerts", Reader::matchers);
    let when = match fields.get("when") {
        Some(node) => settled_rule(reader, node).map(|rule| Some((node, rule))),
        None => Some(None),
    };
    let actions = filled(reader, &fields, "actions", action);
    let environments = all.environments(reader, fields.get("environments"));
    let level = fields.need(reader, "level").and_then(|node| Some((node, reader.level(node)?)));
    let act_from = fields.get("actFrom").and_then(|node| reader.level(node));
    let shadow = fields.get("mode").and_then(|node| mode(reader, node)).unwrap_or(false) || shadow;
    let limits = fields.get("limits").map(|node| limits(reader, node)).unwrap_or_default();
    let blast = fields.get("blastRadius").and_then(|node| blast(reader, node)).unwrap_or_default();
    let verify = fields.need(reader, "verify").and_then(|node| verify(reader, node, &actions));
    let confirm = fields.need(reader, "confirm").and_then(|node| confirm(all, reader, node, &actions));
    let within = verify.as_ref().map(|verify| verify.within);
    let expires = fields.get("expires").and_then(|node| expires(reader, node, &actions, within));
    let lifted = fields.get("override").and_then(|node| lifted(reader, node, level.map(|(_, level)| level)));
    let playbook = fields.get("playbook").and_then(|node| reader.boolean(node)).unwrap_or(false);
    let (node, id) = id?;
    let origin = all.claim(reader, "grant", &id, node);
    let ((level_node, level), verify, confirm, when) = (level?, verify?, confirm?, when?);
    all.place(reader, "grant level", &id, level_node);
    if let Some((node, _)) = &when {
        all.place(reader, "grant when", &id, node);
    }
    // a template may declare an undo
    let undoes_any = actions.iter().any(|action| has_undo(&[*action]) || *action == ActionKind::RunJob);
    if level == Level::Autonomous && verify.on_failure != OnFailure::Revert && undoes_any {
        let help = "add `onFailure: revert` to `verify`; actions without an undo need a grant of their own"
            .to_owned();
        reader.wrong(node.at, format!("grant `{id}` is at level 5 without an automatic revert"), Some(help));
    }
    Some(Grant {
        id: GrantId::new(id),
        description,
        alerts,
        when: when.map(|(_, rule)| rule),
        actions,
        environments,
        level,
        act_from,
        shadow,
        limits,
        blast,
        verify,
        confirm,
        playbook,
        expires,
        lifted,
        origin,
    })
}

/// A list that must not be empty.
fn filled<'f, T>(
    reader: &mut Reader<'f>,
    fields: &Fields<'_>,
    key: &str,
    item: impl FnMut(&mut Reader<'f>, &Node) -> Option<T>,
) -> Vec<T> {
    let Some(node) = fields.need(reader, key) else { return Vec::new() };
    if matches!(&node.value, super::Yaml::List(items) if items.is_empty()) {
        reader.wrong(node.at, format!("`{key}` is empty: this grant could never match"), None);
    }
    let mut item = item;
    reader.list(Some(node), |reader, node| item(reader, node))
}

/// An action of the catalogue.
pub(super) fn action(reader: &mut Reader<'_>, node: &Node) -> Option<ActionKind> {
    let words: Vec<(&str, ActionKind)> = ActionKind::ALL.iter().map(|kind| (kind.name(), *kind)).collect();
    reader.word(node, "an action", &words)
}

/// Whether each of these has an undo.
fn has_undo(actions: &[ActionKind]) -> bool {
    actions.iter().all(|action| match action.class().undo {
        Reversibility::Exact | Reversibility::SideEffects => true,
        Reversibility::SelfHealing | Reversibility::None => false,
    })
}

fn refuse_revert(reader: &mut Reader<'_>, node: &Node, actions: &[ActionKind]) {
    if !has_undo(actions) {
        let without: Vec<&str> =
            actions.iter().filter(|action| !has_undo(&[**action])).map(|action| action.name()).collect();
        let help = "use `escalate`".to_owned();
        reader.wrong(
            node.at,
            format!("`{}` has no undo: there is nothing to revert", without.join("`, `")),
            Some(help),
        );
    }
}

/// How long a temporary measure stays. It must be judged before it is put back, and what stays for more
/// than a month is no longer temporary.
fn expires(
    reader: &mut Reader<'_>,
    node: &Node,
    actions: &[ActionKind],
    within: Option<SignedDuration>,
) -> Option<SignedDuration> {
    refuse_revert(reader, node, actions);
    let longest = SignedDuration::from_hours(30 * 24);
    let expires = reader.duration_in(node, SignedDuration::from_mins(1)..=longest)?;
    if within.is_some_and(|within| expires <= within) {
        let help = "it would be put back before `verify.within` is over".to_owned();
        reader.wrong(node.at, "`expires` is not longer than the verification", Some(help));
    }
    Some(expires)
}

/// A person's word that lifts the earned level for a while.
fn lifted(reader: &mut Reader<'_>, node: &Node, granted: Option<Level>) -> Option<Override> {
    let fields = reader.fields(node, "an override", &["level", "by", "reason", "until"], &[])?;
    let level = fields.need(reader, "level").and_then(|node| Some((node, reader.level(node)?)));
    let by = fields.need(reader, "by").and_then(|node| reader.text(node));
    let reason = fields.need(reader, "reason").and_then(|node| reader.text(node));
    let until = fields.need(reader, "until").and_then(|node| reader.moment(node));
    let (node, level) = level?;
    let help = |text: &str| Some(text.to_owned());
    if granted.is_some_and(|granted| level > granted) {
        let help = help("it lifts what is earned, never what is granted");
        reader.wrong(node.at, "this override is above the grant's own level", help);
    } else if level <= Level::InTheLoop {
        let help = help("level 2 needs no earning");
        reader.wrong(node.at, "this override lifts nothing", help);
    }
    Some(Override { level, by: by?, reason: reason?, until: until? })
}

fn limits(reader: &mut Reader<'_>, node: &Node) -> Vec<Limit> {
    let kinds = [Per::Target, Per::Grant, Per::Namespace, Per::Cluster];
    let Some(fields) = reader.fields(node, "limits", &kinds.map(Per::name), &[]) else { return Vec::new() };
    kinds.into_iter().filter_map(|per| limit(reader, fields.get(per.name())?, per)).collect()
}

fn limit(reader: &mut Reader<'_>, node: &Node, per: Per) -> Option<Limit> {
    let fields = reader.fields(node, "a limit", &["max", "window"], &[])?;
    let max = fields.need(reader, "max").and_then(|node| reader.count(node, 1..=1000));
    let window = fields.need(reader, "window").and_then(|node| reader.duration(node));
    Some(Limit { per, max: max?, window: window? })
}

fn blast(reader: &mut Reader<'_>, node: &Node) -> Option<Blast> {
    let known = ["maxUnavailable", "keepReady", "respectBudgets", "maxReplicaDelta", "maxReplicas"];
    let fields = reader.fields(node, "blastRadius", &known, &[])?;
    let mut count = |key| fields.get(key).and_then(|node| reader.count(node, 1..=u32::MAX));
    let (keep_ready, max_replica_delta, max_replicas) =
        (count("keepReady"), count("maxReplicaDelta"), count("maxReplicas"));
    let max_unavailable = fields.get("maxUnavailable").and_then(|node| reader.percent(node));
    let respect_budgets = fields.get("respectBudgets").and_then(|node| reader.boolean(node)).unwrap_or(false);
    Some(Blast { max_unavailable, keep_ready, respect_budgets, max_replica_delta, max_replicas })
}

fn verify(reader: &mut Reader<'_>, node: &Node, actions: &[ActionKind]) -> Option<VerifyRule> {
    let fields =
        reader.fields(node, "verify", &["within", "stabilise", "expect", "metrics", "onFailure"], &[])?;
    let within = fields.need(reader, "within").and_then(|node| reader.duration(node));
    let stabilise = fields.get("stabilise").map_or(Some(STABILISE), |node| reader.duration(node));
    let words = [
        ("workload_ready", Expectation::WorkloadReady),
        ("no_new_restarts", Expectation::NoNewRestarts),
        ("alert_gone", Expectation::AlertGone),
    ];
    let expect =
        filled(reader, &fields, "expect", |reader, node| reader.word(node, "an expectation", &words));
    let metrics = reader.list(fields.get("metrics"), measure);
    if let (Some(node), true) = (fields.get("metrics"), metrics.len() > MEASURES) {
        reader.wrong(node.at, format!("more than {MEASURES} measures"), None);
    }
    let outcomes = [("escalate", OnFailure::Escalate), ("revert", OnFailure::Revert)];
    let on_failure = fields.get("onFailure").map_or(Some(OnFailure::Escalate), |node| {
        let found = reader.word(node, "what a failure may lead to", &outcomes);
        if found == Some(OnFailure::Revert) {
            // whether a job has an undo is for its template to say: without one, a person is called
            let listed: Vec<ActionKind> =
                actions.iter().copied().filter(|kind| *kind != ActionKind::RunJob).collect();
            refuse_revert(reader, node, &listed);
        }
        found
    });
    let (within, stabilise) = (within?, stabilise?);
    if stabilise >= within {
        let help = "it must hold for `stabilise` before `within` is over".to_owned();
        reader.wrong(node.at, "`stabilise` is not shorter than `within`", Some(help));
    }
    Some(VerifyRule { within, stabilise, expect, metrics, on_failure: on_failure? })
}

/// A measure, and what has to become of it.
fn measure(reader: &mut Reader<'_>, node: &Node) -> Option<MeasureRule> {
    let text = reader.text(node)?;
    let rule = MeasureRule::try_from(text);
    rule.map_err(|why| reader.wrong(node.at, why, None)).ok()
}

fn confirm(
    all: &Gathered,
    reader: &mut Reader<'_>,
    node: &Node,
    actions: &[ActionKind],
) -> Option<ConfirmRule> {
    let fields = reader.fields(node, "confirm", &["approval", "within", "onSilence"], &[])?;
    let approval = fields.need(reader, "approval").and_then(|node| all.approval(reader, node));
    let within = fields.get("within").map_or(Some(CONFIRM), |node| reader.duration(node));
    let words = [("keep", OnSilence::Keep), ("escalate", OnSilence::Escalate), ("revert", OnSilence::Revert)];
    let on_silence = fields.get("onSilence").map_or(Some(OnSilence::Escalate), |node| {
        let found = reader.word(node, "what silence may mean", &words);
        if found == Some(OnSilence::Revert) {
            refuse_revert(reader, node, actions);
        }
        found
    });
    Some(ConfirmRule { approval: approval?, within: within?, on_silence: on_silence? })
}
