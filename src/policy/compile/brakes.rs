//! `brakes`: tuned, never switched off. A bound ten times as loose as the default is still a brake that
//! was thought about; what is looser yet is a brake that is off, and is refused. Tighter is bounded only
//! against slips of the pen.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::super::brakes::{Blind, Brakes, Breaker, Global, HoldOff, OnTarget, Storm, Trust};
use super::super::raw::Node;
use super::super::reader::{Fields, Reader};
use super::{Gathered, Spec};
use crate::domain::decision::Level;

/// The longest that anything holds on by itself: after a week somebody has looked.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Reads `brakes`.
pub(super) fn brakes(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let Some(node) = spec.fields.get("brakes") else { return };
    let known = ["global", "storm", "breaker", "blind", "trust", "target"];
    let Some(fields) = reader.fields(node, "brakes", &known, &[]) else { return };
    let Brakes { global, storm, breaker, blind, trust, target } = &mut all.brakes;
    let mut set = Vec::new();
    for key in known {
        let Some(node) = fields.get(key) else { continue };
        set.push((key, node));
        let read = match key {
            "global" => read_global(global, reader, node),
            "storm" => read_storm(storm, reader, node),
            "breaker" => read_breaker(breaker, reader, node),
            "blind" => read_blind(blind, reader, node),
            "trust" => read_trust(trust, reader, node),
            _ => read_target(target, reader, node),
        };
        // what could not be read has been reported, and the set is refused
        let _ = read;
    }
    for (key, node) in set {
        all.claim(reader, "brake", key, node);
    }
}

/// Puts what was read into its place.
fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// One key of a brake, if it is there.
fn key<'f, T>(
    reader: &mut Reader<'f>,
    fields: &Fields<'_>,
    key: &str,
    read: impl FnOnce(&mut Reader<'f>, &Node) -> Option<T>,
) -> Option<T> {
    fields.get(key).and_then(|node| read(reader, node))
}

/// From level 3 upwards belay acts by itself: a brake that lets it is none.
fn braking(reader: &mut Reader<'_>, node: &Node) -> Option<Level> {
    let level = reader.level(node)?;
    if level > Level::InTheLoop {
        let help = "at most 2: above that belay would still act by itself".to_owned();
        reader.wrong(node.at, format!("level {} is no brake", level.number()), Some(help));
        return None;
    }
    Some(level)
}

/// From a tenth of the default to the longest hold.
fn hold(default: SignedDuration) -> RangeInclusive<SignedDuration> {
    default / 10..=WEEK
}

fn read_global(global: &mut Global, reader: &mut Reader<'_>, node: &Node) -> Option<()> {
    let fields =
        reader.fields(node, "the global brake", &["maxInFlight", "maxActions", "window", "ramp"], &[])?;
    put(&mut global.max_in_flight, key(reader, &fields, "maxInFlight", |r, n| r.count(n, 1..=1000)));
    put(&mut global.max_actions, key(reader, &fields, "maxActions", |r, n| r.count(n, 1..=1000)));
    put(&mut global.window, key(reader, &fields, "window", Reader::duration));
    if let Some(node) = fields.get("ramp") {
        put(&mut global.ramp, ramp(reader, node, global.max_in_flight));
    }
    Some(())
}

fn ramp(reader: &mut Reader<'_>, node: &Node, max: u32) -> Option<Vec<u32>> {
    let steps = reader.list(Some(node), |reader, node| reader.count(node, 1..=1000));
    let mut wrong = |message: String| reader.wrong(node.at, message, Some("as in `[1, 2, 4]`".to_owned()));
    if steps.is_empty() {
        wrong("a ramp needs at least one step".to_owned());
    } else if !steps.is_sorted() {
        wrong("a ramp must not go down: trust grows with verified acts".to_owned());
    } else if let Some(step) = steps.iter().find(|step| **step > max) {
        wrong(format!("step {step} is above `maxInFlight`, which is {max}: it would never be reached"));
    } else {
        return Some(steps);
    }
    None
}

fn read_storm(storm: &mut Storm, reader: &mut Reader<'_>, node: &Node) -> Option<()> {
    let known = ["firingGroupsAbove", "unhealthyFractionAbove", "cooldown", "maxLevel"];
    let fields = reader.fields(node, "the storm brake", &known, &[])?;
    let loosest = storm.firing_groups_above * 10;
    put(
        &mut storm.firing_groups_above,
        key(reader, &fields, "firingGroupsAbove", |r, n| r.count(n, 0..=loosest)),
    );
    put(
        &mut storm.unhealthy_permille_above,
        key(reader, &fields, "unhealthyFractionAbove", Reader::permille),
    );
    let bounds = hold(storm.cooldown);
    put(&mut storm.cooldown, key(reader, &fields, "cooldown", |r, n| r.duration_in(n, bounds)));
    put(&mut storm.max_level, key(reader, &fields, "maxLevel", braking));
    Some(())
}

fn read_breaker(breaker: &mut Breaker, reader: &mut Reader<'_>, node: &Node) -> Option<()> {
    let known = ["failedVerifications", "window", "maxLevel", "resetBy"];
    let fields = reader.fields(node, "the breaker", &known, &[])?;
    let loosest = breaker.failed_verifications * 10;
    put(
        &mut breaker.failed_verifications,
        key(reader, &fields, "failedVerifications", |r, n| r.count(n, 1..=loosest)),
    );
    let bounds = hold(breaker.window);
    put(&mut breaker.window, key(reader, &fields, "window", |r, n| r.duration_in(n, bounds)));
    put(&mut breaker.max_level, key(reader, &fields, "maxLevel", braking));
    key(reader, &fields, "resetBy", |r, n| r.word(n, "who resets a breaker", &[("person", ())]));
    Some(())
}

fn read_blind(blind: &mut Blind, reader: &mut Reader<'_>, node: &Node) -> Option<()> {
    let fields = reader.fields(node, "the blind brake", &["alert", "missingFor", "maxLevel"], &[])?;
    put(&mut blind.alert, key(reader, &fields, "alert", Reader::text));
    // Alertmanager and Prometheus look each minute or so: what is missing for less is not missing
    let bounds = SignedDuration::from_mins(1)..=blind.missing_for * 10;
    put(&mut blind.missing_for, key(reader, &fields, "missingFor", |r, n| r.duration_in(n, bounds)));
    put(&mut blind.max_level, key(reader, &fields, "maxLevel", braking));
    Some(())
}

fn read_trust(trust: &mut Trust, reader: &mut Reader<'_>, node: &Node) -> Option<()> {
    let fields = reader.fields(node, "the trust brake", &["alerts", "maxLevel"], &[])?;
    if let Some(node) = fields.get("alerts") {
        let alerts = reader.list(Some(node), |reader, node| {
            let matchers = reader.matchers(node)?;
            if let Some(label) = matchers.labels().find(|label| *label != "alertname") {
                let help = "only the name of an alert tells whether belay can trust what it sees".to_owned();
                reader.wrong(node.at, format!("`{label}` cannot be matched here"), Some(help));
            }
            Some(matchers)
        });
        if alerts.is_empty() {
            reader.wrong(node.at, "`alerts` is empty: a brake cannot be switched off", None);
        }
        trust.alerts = alerts;
    }
    put(&mut trust.max_level, key(reader, &fields, "maxLevel", braking));
    Some(())
}

fn read_target(target: &mut OnTarget, reader: &mut Reader<'_>, node: &Node) -> Option<()> {
    let known = ["sameActionCooldown", "failures", "ineffective"];
    let fields = reader.fields(node, "the brake on a target", &known, &[])?;
    let bounds = hold(target.same_action_cooldown);
    let cooldown = key(reader, &fields, "sameActionCooldown", |r, n| r.duration_in(n, bounds));
    put(&mut target.same_action_cooldown, cooldown);
    for (name, off) in [("failures", &mut target.failures), ("ineffective", &mut target.ineffective)] {
        if let Some(node) = fields.get(name) {
            put(off, hold_off(reader, node, *off));
        }
    }
    Some(())
}

fn hold_off(reader: &mut Reader<'_>, node: &Node, default: HoldOff) -> Option<HoldOff> {
    let fields = reader.fields(node, "a hold-off", &["count", "hold"], &[])?;
    let mut found = default;
    put(&mut found.count, key(reader, &fields, "count", |r, n| r.count(n, 1..=default.count * 10)));
    put(&mut found.hold, key(reader, &fields, "hold", |r, n| r.duration_in(n, hold(default.hold))));
    Some(found)
}
