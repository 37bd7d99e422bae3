//! What is known of a set only when it is whole: which rules no golden input reaches, which expressions
//! fail, which grants are above their ceiling; and what its author should know though nothing is wrong.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::cel::{Rule, Verdict};
use super::super::golden;
use super::super::judge::{self, Place as Where};
use super::super::problem::{Problem, meant};
use super::super::reader::Reader;
use super::super::set::{Ceiling, Grant, PolicySet, Standing};
use super::alerts::USUAL;
use super::{Compiled, Place, Places};
use crate::domain::action::ActionKind;
use crate::domain::decision::Question;
use crate::domain::measure::Measures;

/// Evaluations of expressions over golden inputs: at about 2 µs each they take well under the 150 ms that
/// a thousand rules may take to load.
const MAX_EVALUATIONS: usize = 20_000;

/// What is known of the daemon that a set is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Around {
    /// Whether Alertmanager's own list is read there.
    pub list: Option<bool>,
    /// Whether the alert that always fires was ever seen there.
    pub armed: Option<bool>,
}

/// Everything that an author should know at this moment, though nothing is wrong: one sentence each.
pub fn lint(set: &PolicySet, now: Timestamp) -> Vec<String> {
    let mut notes = set.notes.clone();
    for grant in &set.grants {
        let Some(lifted) = &grant.lifted else { continue };
        let (origin, id, by, until) = (&grant.origin, &grant.id, &lifted.by, lifted.until);
        notes.extend(match lifted.standing(now) {
            Standing::InForce => None,
            Standing::Over => Some(format!(
                "{origin}: the override of grant `{id}` by {by} ended at {until}: it does nothing"
            )),
            Standing::TooLong => Some(format!(
                "{origin}: the override of grant `{id}` by {by} lasts until {until}: more than 30 days ahead it does nothing"
            )),
        });
    }
    let over = set.freezes.iter().filter(|freeze| freeze.window.is_over(now));
    notes.extend(over.map(|freeze| format!("{}: freeze `{}` is over", freeze.origin, freeze.name)));
    notes.sort();
    notes
}

/// Whether the blind brake can work. Alertmanager's list is read each minute; by webhooks alone the alert
/// that always fires is seen once in each `repeat_interval` of its route, of which belay is not told.
pub fn blind(set: &PolicySet, Around { list, armed }: Around) -> Vec<String> {
    let (alert, missing_for) = (&set.brakes.blind.alert, set.brakes.blind.missing_for);
    let half = missing_for / 2;
    let only = match list {
        Some(true) => None,
        Some(false) => Some("only webhooks bring alerts (there is no `alertmanager` in the configuration)"),
        // a set without an environment is not put to use yet
        None if set.environments.is_empty() => None,
        None => Some("where only webhooks bring alerts (without `alertmanager` in the configuration)"),
    };
    let only = only.map(|only| {
        format!("brake `blind`: {only}, the route of `{alert}` needs a `repeat_interval` below {half:#}, half of `missingFor`: otherwise `{alert}` counts as missing between two of them")
    });
    let unarmed = armed.filter(|armed| !armed).map(|_| {
        format!("brake `blind` is not armed: `{alert}` was never seen, so that nobody would notice if alerts stopped arriving")
    });
    only.into_iter().chain(unarmed).collect()
}

/// Measures that a grant names and a cluster does not have: there nobody could tell whether its acts helped.
pub fn unmeasured(set: &PolicySet, cluster: &str, measures: &Measures) -> Vec<String> {
    let missing = |grant: &Grant, name: &str| {
        let (origin, id) = (&grant.origin, &grant.id);
        format!(
            "{origin}: grant `{id}` verifies by `{name}`, which `prometheus.measures` of cluster `{cluster}` does not have: \
             whether its acts helped is left to a person there"
        )
    };
    let named = set
        .grants
        .iter()
        .flat_map(|grant| grant.verify.metrics.iter().map(move |rule| (grant, &rule.measure)));
    named
        .filter(|(_, name)| !measures.names().any(|known| known == *name))
        .map(|(grant, name)| missing(grant, name))
        .collect()
}

/// Golden inputs that cannot be read, whether or not a test uses them.
pub(super) fn examples(set: &PolicySet, files: &[(String, String)]) -> Vec<Problem> {
    let texts: BTreeMap<&str, &str> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let mut problems = Vec::new();
    for (name, node) in &set.examples {
        let mut reader = Reader::new(name, texts.get(name.as_str()).copied().unwrap_or_default());
        golden::of_example(&mut reader, set, node);
        problems.append(&mut reader.problems);
    }
    problems
}

/// Judges the whole set by its golden inputs.
pub(super) fn check(compiled: &mut Compiled, files: &[(String, String)], problems: &mut Vec<Problem>) {
    let Compiled { set, tests, places } = compiled;
    let examples: Vec<(String, Question)> = set
        .examples
        .iter()
        .filter_map(|(name, node)| {
            let mut reader = Reader::new(name, "");
            Some((name.clone(), golden::of_example(&mut reader, set, node)?))
        })
        .collect();
    let asked = tests.iter().filter_map(|test| {
        let at = format!("{}:{}", test.file, test.node.at.line);
        Some((at, golden::of_test(set, test)?))
    });
    let inputs: Vec<(String, Question)> = examples.iter().cloned().chain(asked).collect();
    let mut found = Vec::new();
    coverage(set, &inputs, &mut found);
    faults(set, &inputs, &mut found);
    ceilings(set, &mut found);
    problems.extend(found.into_iter().filter_map(|found| placed(found, places, files)));
    let mut notes = overlaps(set, &inputs);
    notes.extend(unheard(set, &examples));
    set.notes.extend(notes);
    set.notes.sort();
}

/// Something that is wrong: with what, and what to do about it.
struct Found {
    what: &'static str,
    name: String,
    message: String,
    help: Option<String>,
}

fn placed(found: Found, places: &Places, files: &[(String, String)]) -> Option<Problem> {
    let Found { what, name, message, help } = found;
    let Place { file, at, section } = places.get(&(what, name))?;
    let text = files.iter().find(|(name, _)| **name == **file).map_or("", |(_, text)| text);
    let mut reader = Reader::new(file, text);
    reader.section = *section;
    reader.wrong(*at, message, help);
    reader.problems.pop()
}

/// Grants and guards that no golden input reaches: nothing has ever shown what they do.
fn coverage(set: &PolicySet, inputs: &[(String, Question)], found: &mut Vec<Found>) {
    let (mut grants, mut guards) = (BTreeSet::new(), BTreeSet::new());
    for (_, question) in inputs {
        let place = judge::place(set, question);
        grants.extend(judge::matching(set, question, &place).into_iter().map(|grant| grant.id.as_str()));
        let fire = |when: &Rule| when.ask(question) == Verdict::Yes;
        let here = set.guards.iter().filter(|guard| !guards.contains(guard.id.as_str()));
        let here = here.filter(|guard| guard.origin.home.reaches(&question.target.object.named));
        let firing: Vec<&str> =
            here.filter(|guard| fire(&guard.when)).map(|guard| guard.id.as_str()).collect();
        guards.extend(firing);
    }
    let help = "add a test, or an example, with facts that it is about".to_owned();
    let mut report = |what, name: &str, verb: &str| {
        let message = format!("{what} `{name}` {verb} no golden input: nothing shows what it does");
        found.push(Found { what, name: name.to_owned(), message, help: Some(help.clone()) });
    };
    for grant in set.grants.iter().filter(|grant| !grants.contains(grant.id.as_str())) {
        report("grant", grant.id.as_str(), "matches");
    }
    for guard in set.guards.iter().filter(|guard| !guards.contains(guard.id.as_str())) {
        report("guard", &guard.id, "fires on");
    }
}

/// Expressions that fail although every fact they read is known.
fn faults(set: &PolicySet, inputs: &[(String, Question)], found: &mut Vec<Found>) {
    let environments = set.environments.iter().map(|e| ("environment when", e.name.as_str(), Some(&e.when)));
    let grants = set.grants.iter().map(|g| ("grant when", g.id.as_str(), g.when.as_ref()));
    let guards = set.guards.iter().map(|g| ("guard when", g.id.as_str(), Some(&g.when)));
    let freezes = set.freezes.iter().map(|f| ("freeze when", f.name.as_str(), f.when.as_ref()));
    let rules: Vec<_> = environments
        .chain(grants)
        .chain(guards)
        .chain(freezes)
        .filter_map(|(what, name, rule)| Some((what, name, rule?)))
        .collect();
    let each = (MAX_EVALUATIONS / rules.len().max(1)).max(1);
    for (what, name, rule) in rules {
        let fault = inputs.iter().take(each).find_map(|(input, q)| Some((input, rule.fault(q)?)));
        if let Some((input, why)) = fault {
            let message = format!("the expression fails on golden input `{input}`: {why}");
            let help = "every fact that it reads is known there: it would fail in earnest, too".to_owned();
            found.push(Found { what, name: name.to_owned(), message, help: Some(help) });
        }
    }
}

/// Grants whose level is above the ceiling wherever they could hold.
fn ceilings(set: &PolicySet, found: &mut Vec<Found>) {
    let all: Vec<&str> = set.environments.iter().map(|e| e.name.as_str()).collect();
    for grant in &set.grants {
        let listed: Vec<&str> = grant.environments.iter().map(String::as_str).collect();
        let places = match (listed.is_empty(), all.is_empty()) {
            (false, _) => listed,
            (true, false) => all.clone(),
            (true, true) => vec![""],
        };
        let lowest = |place: &&str| {
            grant.actions.iter().filter_map(|action| ceiling(set, place, *action)).max_by_key(|c| c.max_level)
        };
        let bounded = |place: &&str| {
            grant
                .actions
                .iter()
                .all(|action| ceiling(set, place, *action).is_some_and(|c| c.max_level < grant.level))
        };
        if places.is_empty() || !places.iter().all(bounded) {
            continue;
        }
        let Some(highest) = places.iter().filter_map(lowest).max_by_key(|c| c.max_level) else { continue };
        found.push(above(grant, highest));
    }
}

fn above(grant: &Grant, ceiling: &Ceiling) -> Found {
    let message =
        format!("grant `{}` is above its ceiling, which is level {}", grant.id, ceiling.max_level.number());
    let help = format!("the ceiling of `{}` stands at {}", ceiling.origin.home.owner, ceiling.origin);
    Found { what: "grant level", name: grant.id.to_string(), message, help: Some(help) }
}

/// The lowest ceiling for an action in an environment.
fn ceiling<'s>(set: &'s PolicySet, environment: &str, action: ActionKind) -> Option<&'s Ceiling> {
    set.ceilings
        .iter()
        .filter(|c| c.environments.is_empty() || c.environments.iter().any(|name| name == environment))
        .filter(|c| c.actions.is_empty() || c.actions.contains(&action))
        .min_by_key(|c| c.max_level)
}

/// Environments that overlap on a golden input: such targets are at level 1.
fn overlaps(set: &PolicySet, inputs: &[(String, Question)]) -> Vec<String> {
    let mut seen = BTreeMap::new();
    for (input, question) in inputs {
        if let Where::Several(environments) = judge::place(set, question) {
            let names: Vec<&str> = environments.iter().map(|e| e.name.as_str()).collect();
            seen.entry(names.join("` and `")).or_insert(input);
        }
    }
    let note = |(names, input): (String, &String)| {
        format!(
            "environments `{names}` overlap: the target of golden input `{input}` is in each, and so at level 1"
        )
    };
    seen.into_iter().map(note).collect()
}

/// Grants for alerts of which nobody has heard: neither usual nor in an example.
fn unheard(set: &PolicySet, examples: &[(String, Question)]) -> Vec<String> {
    let own = examples.iter().filter_map(|(_, question)| question.alert.labels.get("alertname"));
    let known: BTreeSet<&str> = USUAL.into_iter().chain(own.map(String::as_str)).collect();
    let reached = |grant: &&Grant| grant.alerts.iter().any(|a| known.iter().any(|name| a.could_be(name)));
    let unheard = set.grants.iter().filter(|grant| !reached(grant));
    let note = |grant: &Grant| {
        let names: Vec<&str> = grant.alerts.iter().filter_map(|matchers| matchers.alertname()).collect();
        let near = meant(names.first().unwrap_or(&""), &known.iter().copied().collect::<Vec<_>>());
        let near = if near.starts_with("did you") { format!("; {near}") } else { String::new() };
        format!("{}: no alert that belay knows reaches grant `{}`{near}", grant.origin, grant.id)
    };
    unheard.map(note).collect()
}
