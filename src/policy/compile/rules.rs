//! Everything that is neither grant, freeze nor brake: environments, ceilings, guards and advice.

use std::sync::Arc;

use super::super::cel::Rule;
use super::super::raw::Node;
use super::super::reader::{Fields, Reader};
use super::super::set::{Advice, Ceiling, Environment, Guard, Offer};
use super::grants::action;
use super::{Gathered, Spec, origin};
use crate::domain::decision::{Level, Outcome};

/// Reads `environments`.
pub(super) fn environments(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let read = reader.list(spec.fields.get("environments"), |reader, node| environment(all, reader, node));
    all.environments.extend(read);
}

fn environment(all: &mut Gathered, reader: &mut Reader<'_>, node: &Node) -> Option<Environment> {
    let fields =
        reader.fields(node, "an environment", &["name", "when", "maxLevel", "ladder"], &["override"])?;
    let named = name(reader, &fields, "name");
    let when = fields.need(reader, "when").and_then(|node| Some((node, settled_rule(reader, node)?)));
    let max_level = fields.need(reader, "maxLevel").and_then(|node| reader.level(node));
    let ladder = [("strict", true), ("off", false)];
    let strict = fields.get("ladder").map_or(Some(true), |node| reader.word(node, "a ladder", &ladder));
    let (name, node) = named?;
    let origin = all.claim(reader, "environment", &name, node);
    let (node, when) = when?;
    all.place(reader, "environment when", &name, node);
    let environment = Environment { name, when, max_level: max_level?, strict: strict?, origin };
    if environment.strict && environment.max_level > Level::InTheLoop {
        all.notes.push(format!(
            "{}: environment `{}` has the strict ladder: a grant begins at level 2 there and earns more (`docs/track-records.md`)",
            environment.origin, environment.name
        ));
    }
    Some(environment)
}

/// Reads `ceilings`.
pub(super) fn ceilings(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let read = reader.list(spec.fields.get("ceilings"), |reader, node| {
        let fields = reader.fields(node, "a ceiling", &["environments", "actions", "maxLevel"], &[])?;
        let environments = all.environments(reader, fields.get("environments"));
        let actions = reader.list(fields.get("actions"), action);
        let max_level = fields.need(reader, "maxLevel").and_then(|node| reader.level(node))?;
        Some(Ceiling { environments, actions, max_level, origin: origin(reader, node) })
    });
    all.ceilings.extend(read);
}

/// The name under this key.
pub(super) fn name<'n>(
    reader: &mut Reader<'_>,
    fields: &Fields<'n>,
    key: &str,
) -> Option<(String, &'n Node)> {
    let node = fields.need(reader, key)?;
    reader.name(node).map(|name| (name, node))
}

/// A rule that must already hold for a candidate, so it cannot speak of the plan.
pub(super) fn settled_rule(reader: &mut Reader<'_>, node: &Node) -> Option<Rule> {
    let rule = reader.rule(node)?;
    if let Some(fact) = rule.facts().iter().find(|fact| fact.starts_with("plan.")) {
        let help = "use `blastRadius`, or a guard: a candidate has no plan yet".to_owned();
        reader.wrong(node.at, format!("`{fact}` can be used in guards only"), Some(help));
        return None;
    }
    Some(rule)
}

/// Reads `guards`.
pub(super) fn guards(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let read = reader.list(spec.fields.get("guards"), |reader, node| guard(all, reader, node));
    all.guards.extend(read);
}

fn guard(all: &mut Gathered, reader: &mut Reader<'_>, node: &Node) -> Option<Guard> {
    let known = ["id", "when", "maxLevel", "deny", "message", "approval", "offer"];
    let fields = reader.fields(node, "a guard", &known, &["target"])?;
    let named = name(reader, &fields, "id");
    let when = fields.need(reader, "when").and_then(|node| Some((node, reader.rule(node)?)));
    let max_level = fields.get("maxLevel").and_then(|node| reader.level(node));
    let deny = fields.get("deny").and_then(|node| reader.boolean(node)).unwrap_or(false);
    let message = fields.get("message").and_then(|node| reader.text(node));
    let approval = fields.get("approval").and_then(|node| all.approval(reader, node));
    let offer = fields.get("offer").and_then(|node| reader.word(node, "what a guard can offer", &Offer::ALL));
    if !deny && fields.get("maxLevel").is_none() && fields.get("approval").is_none() {
        let help = "give it `maxLevel`, `deny: true` or `approval`".to_owned();
        reader.wrong(node.at, "this guard changes nothing", Some(help));
    }
    let (id, node) = named?;
    let origin = all.claim(reader, "guard", &id, node);
    let (node, when) = when?;
    all.place(reader, "guard when", &id, node);
    Some(Guard { id, when, max_level, deny, message, approval, offer, origin })
}

/// Reads `advice`.
pub(super) fn advice(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let read = reader.list(spec.fields.get("advice"), |reader, node| {
        let fields = reader.fields(node, "advice", &["alerts", "outcome", "look"], &[])?;
        let alerts = fields.need(reader, "alerts");
        let alerts = reader.list(alerts, Reader::matchers);
        let outcome = fields.need(reader, "outcome").and_then(|node| {
            let words =
                [("drop", Outcome::Drop), ("notify", Outcome::Notify), ("escalate", Outcome::Escalate)];
            reader.word(node, "an outcome of advice", &words)
        });
        let look = reader.list(fields.get("look"), Reader::text);
        Some(Advice { alerts, outcome: outcome?, look, home: Arc::clone(&reader.home) })
    });
    all.advice.extend(read);
}
