//! Everything that is not a grant: environments, guards, freezes, advice and brakes.

use super::super::brakes::{Brakes, Global};
use super::super::cel::Rule;
use super::super::raw::Node;
use super::super::reader::{Fields, Reader};
use super::super::set::{Advice, Environment, Freeze, Guard};
use super::{Gathered, Spec};
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
    let when = fields.need(reader, "when").and_then(|node| settled_rule(reader, node));
    let max_level = fields.need(reader, "maxLevel").and_then(|node| reader.level(node));
    let ladder = [("strict", true), ("off", false)];
    let strict = fields.get("ladder").map_or(Some(true), |node| reader.word(node, "a ladder", &ladder));
    let (name, node) = named?;
    let origin = all.claim(reader, "environment", &name, node);
    let environment = Environment { name, when: when?, max_level: max_level?, strict: strict?, origin };
    if environment.strict && environment.max_level > Level::InTheLoop {
        all.notes.push(format!(
            "{}: environment `{}` has the strict ladder: until track records are kept, everything there is capped at level 2",
            environment.origin, environment.name
        ));
    }
    Some(environment)
}

fn name<'n>(reader: &mut Reader<'_>, fields: &Fields<'n>, key: &str) -> Option<(String, &'n Node)> {
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
    let known = ["id", "when", "maxLevel", "deny", "message", "approval"];
    let fields = reader.fields(node, "a guard", &known, &["offer", "target"])?;
    let named = name(reader, &fields, "id");
    let when = fields.need(reader, "when").and_then(|node| reader.rule(node));
    let max_level = fields.get("maxLevel").and_then(|node| reader.level(node));
    let deny = fields.get("deny").and_then(|node| reader.boolean(node)).unwrap_or(false);
    let message = fields.get("message").and_then(|node| reader.text(node));
    let approval = fields.get("approval").and_then(|node| all.approval(reader, node));
    if !deny && fields.get("maxLevel").is_none() && fields.get("approval").is_none() {
        let help = "give it `maxLevel`, `deny: true` or `approval`".to_owned();
        reader.wrong(node.at, "this guard changes nothing", Some(help));
    }
    let (id, node) = named?;
    let origin = all.claim(reader, "guard", &id, node);
    Some(Guard { id, when: when?, max_level, deny, message, approval, origin })
}

/// Reads `freezes`.
pub(super) fn freezes(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let read = reader.list(spec.fields.get("freezes"), |reader, node| freeze(all, reader, node));
    all.freezes.extend(read);
}

fn freeze(all: &mut Gathered, reader: &mut Reader<'_>, node: &Node) -> Option<Freeze> {
    let known = ["name", "from", "to", "environments", "when", "maxLevel"];
    let fields = reader.fields(node, "a freeze", &known, &["cron", "for", "timezone", "ics"])?;
    let named = name(reader, &fields, "name");
    let from = fields.need(reader, "from").and_then(|node| reader.moment(node));
    let to = fields.need(reader, "to").and_then(|node| Some((node, reader.moment(node)?)));
    let environments = all.environments(reader, fields.get("environments"));
    let when = match fields.get("when") {
        Some(node) => Some(reader.rule(node)?),
        None => None,
    };
    let max_level = fields.need(reader, "maxLevel").and_then(|node| reader.level(node));
    let (name, node) = named?;
    let origin = all.claim(reader, "freeze", &name, node);
    let (from, (at, to)) = (from?, to?);
    if to <= from {
        reader.wrong(
            at.at,
            format!("freeze `{name}` ends before it starts"),
            Some(format!("it starts at {from}")),
        );
    }
    Some(Freeze { name, from, to, environments, when, max_level: max_level?, origin })
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
        Some(Advice { alerts, outcome: outcome?, look })
    });
    all.advice.extend(read);
}

/// Reads `brakes`.
pub(super) fn brakes(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let later = ["storm", "breaker", "blind", "trust", "target"];
    let Some(node) = spec.fields.get("brakes") else { return };
    let Some(fields) = reader.fields(node, "brakes", &["global"], &later) else { return };
    let Some(node) = fields.get("global") else { return };
    let known = ["maxInFlight", "maxActions", "window"];
    let Some(global) = reader.fields(node, "the global brake", &known, &["ramp"]) else { return };
    all.claim(reader, "brake", "global", node);
    let standard = Global::default();
    let count =
        |reader: &mut Reader<'_>, key: &str| global.get(key).and_then(|node| reader.count(node, 1..=1000));
    let max_in_flight = count(reader, "maxInFlight").unwrap_or(standard.max_in_flight);
    let max_actions = count(reader, "maxActions").unwrap_or(standard.max_actions);
    let window = global.get("window").and_then(|node| reader.duration(node)).unwrap_or(standard.window);
    let global = Global { max_in_flight, max_actions, window, ..standard };
    all.brakes = Some(Brakes { global, ..Brakes::default() });
}
