//! Golden inputs: a question written so that people can read it, what a test changes in it, and what a
//! policy's tests expect of it. Runs at load.

mod action;
pub(super) mod input;
mod past;

use super::cel::Rule;
use super::compile::{Test, origin};
use super::decide::{conclude, decide};
use super::explain::explain;
use super::judge::{Place, judge_at};
use super::problem::{Problem, Section, meant};
use super::raw::{Key, Node, Yaml};
use super::reader::{Fields, Reader};
use super::set::{Environment, Offer, PolicySet};
use crate::domain::decision::{Decision, Level, Outcome, Question};
use input::question;
use jiff::SignedDuration;

/// The question that an example which was loaded with the set asks, with `changes` made to it: dotted
/// paths and YAML scalars, as in a test's `set`.
pub fn example(set: &PolicySet, name: &str, changes: &[(&str, &str)]) -> Result<Question, String> {
    let mut node = find(set, name).cloned().ok_or_else(|| no_example(set, name))?;
    for (path, value) in changes {
        let value = super::raw::parse(value).map_err(|(_, why)| why)?;
        put(&mut node, path, &value);
    }
    let mut reader = Reader::new(name, "");
    let question = question(&mut reader, set, &node);
    match (question, reader.problems.first()) {
        (Some(question), None) => Ok(question),
        (_, Some(problem)) => Err(problem.plainly()),
        (None, None) => Err("the example could not be read".to_owned()),
    }
}

fn no_example(set: &PolicySet, name: &str) -> String {
    let known: Vec<&str> = set.examples().collect();
    format!("there is no file and no example `{name}`; {}", meant(name, &known))
}

pub(super) fn find<'s>(set: &'s PolicySet, name: &str) -> Option<&'s Node> {
    let suffix = format!("/{name}");
    set.examples.iter().find(|(n, _)| n == name || n.ends_with(&suffix)).map(|(_, node)| node)
}

/// Whether a test is about its owner's rules alone: one that assumes an environment.
pub(super) fn stands_alone(test: &Test) -> bool {
    let Yaml::Map(entries) = &test.node.value else { return false };
    entries.iter().any(|(key, _)| key.text == "environment")
}

/// Runs one test; what is wrong with it, or with the set.
pub(super) fn run(set: &PolicySet, test: &Test) -> Vec<Problem> {
    let mut reader = Reader::new(&test.file, &test.text);
    reader.section = Section::Golden;
    let _ = check(&mut reader, test.own.as_deref().unwrap_or(set), &test.node);
    reader.problems
}

fn check(reader: &mut Reader<'_>, set: &PolicySet, node: &Node) -> Option<()> {
    let fields = reader.fields(node, "a test", &["name", "given", "set", "environment", "expect"], &[])?;
    let name = fields.need(reader, "name").and_then(|node| reader.text(node));
    let asked = asked(reader, set, &fields)?;
    let assumed = match fields.get("environment") {
        Some(node) => Some(assumed(reader, node)?),
        None => None,
    };
    let decision = match &assumed {
        Some(environment) => conclude(set, &asked, judge_at(set, &asked, Place::In(environment))),
        None => decide(set, &asked),
    };
    let expect = fields.need(reader, "expect")?;
    let wrong = differences(reader, &decision, expect)?;
    if !wrong.is_empty() {
        let mut explanation = explain(set, &asked);
        let shown = explanation.lines.iter().filter(|line| !explanation.is_aside(line)).cloned();
        explanation.lines = shown.collect();
        let explanation = explanation.to_string();
        let assumption =
            if assumed.is_some() { "\n\nshown without the environment that the test assumes" } else { "" };
        let explanation = format!("{}{assumption}", explanation.trim_end()).replace('\n', "\n     ");
        reader.wrong(expect.at, format!("test `{}` fails: {}", name?, wrong.join(", ")), Some(explanation));
    }
    Some(())
}

/// The environment that a test assumes the target to be in, whatever the set declares: so the tests of a
/// pack hold beside every policy that it is loaded with.
fn assumed(reader: &mut Reader<'_>, node: &Node) -> Option<Environment> {
    let fields = reader.fields(node, "a test's environment", &["name", "maxLevel"], &[])?;
    let named = fields.get("name").map_or(Some("assumed".to_owned()), |node| reader.name(node));
    let max_level = fields.need(reader, "maxLevel").and_then(|node| reader.level(node))?;
    let when = Rule::compile("true").ok()?;
    let origin = origin(reader, node);
    Some(Environment { name: named?, when, max_level, strict: false, origin })
}

/// What a test asks: its golden input with its changes.
fn asked(reader: &mut Reader<'_>, set: &PolicySet, fields: &Fields<'_>) -> Option<Question> {
    let given = fields.need(reader, "given")?;
    let mut input = if matches!(given.value, Yaml::Map(_)) {
        given.clone()
    } else {
        let name = reader.text(given)?;
        let found = find(set, &name).cloned();
        if found.is_none() {
            let known: Vec<&str> = set.examples().collect();
            reader.wrong(given.at, format!("there is no example `{name}`"), Some(meant(&name, &known)));
        }
        found?
    };
    if let Some(changes) = fields.get("set").and_then(|node| reader.map(node, "set")) {
        for (path, value) in changes.entries() {
            put(&mut input, &path.text, value);
        }
    }
    // Problems of an example are shown where the test names it: the file at hand is the test's.
    let mut inner = Reader::new(reader.file, reader.text);
    let asked = question(&mut inner, set, &input);
    for problem in inner.problems {
        reader.wrong(given.at, format!("the golden input: {}", problem.message), problem.help);
    }
    asked
}

/// The question of an example, with what is wrong in it in its own file.
pub(super) fn of_example(reader: &mut Reader<'_>, set: &PolicySet, node: &Node) -> Option<Question> {
    reader.section = Section::Golden;
    question(reader, set, node)
}

/// The question that a test asks, if it can be read; what is wrong with it is said when it runs.
pub(super) fn of_test(set: &PolicySet, test: &Test) -> Option<Question> {
    let mut reader = Reader::new(&test.file, &test.text);
    let fields = reader.map(&test.node, "a test")?;
    asked(&mut reader, set, &fields)
}

/// Puts a value at a dotted path, making maps on the way. A label's own dots are kept: the longest key
/// that is there wins.
pub(super) fn put(node: &mut Node, path: &str, value: &Node) {
    let at = value.at;
    if !matches!(node.value, Yaml::Map(_)) {
        node.value = Yaml::Map(Vec::new());
    }
    let Yaml::Map(entries) = &mut node.value else { return };
    let split = if entries.iter().any(|(key, _)| key.text == path) { None } else { path.split_once('.') };
    // Labels and annotations have dots in their names: what follows them is one key.
    let (key, rest) = split.map_or((path, None), |(key, rest)| (key, Some(rest)));
    let position = entries.iter().position(|(k, _)| k.text == key);
    let position = position.unwrap_or_else(|| {
        entries.push((Key { at, text: key.to_owned() }, Node { at, value: Yaml::Null }));
        entries.len() - 1
    });
    let Some((_, inner)) = entries.get_mut(position) else { return };
    match rest {
        None => *inner = value.clone(),
        Some(rest) if ["labels", "annotations"].contains(&key) => {
            put_key(inner, rest, value);
        }
        Some(rest) => put(inner, rest, value),
    }
}

fn put_key(node: &mut Node, key: &str, value: &Node) {
    if !matches!(node.value, Yaml::Map(_)) {
        node.value = Yaml::Map(Vec::new());
    }
    if let Yaml::Map(entries) = &mut node.value {
        entries.retain(|(k, _)| k.text != key);
        entries.push((Key { at: value.at, text: key.to_owned() }, value.clone()));
    }
}

/// What is otherwise than expected; nothing can be said where the expectation cannot be read.
fn differences(reader: &mut Reader<'_>, decision: &Decision, expect: &Node) -> Option<Vec<String>> {
    let known = ["outcome", "level", "grant", "reason", "offer", "expires"];
    let fields = reader.fields(expect, "expect", &known, &[])?;
    let outcomes = [Outcome::Drop, Outcome::Notify, Outcome::Ask, Outcome::Act, Outcome::Escalate];
    let words = outcomes.map(|outcome| (outcome.name(), outcome));
    let outcome = fields.need(reader, "outcome").and_then(|node| reader.word(node, "an outcome", &words));
    let level = fields.get("level").and_then(|node| reader.level(node));
    let grant = fields.get("grant").and_then(|node| reader.text(node));
    let reason = fields.get("reason").and_then(|node| reader.text(node));
    let offer = fields.get("offer").and_then(|node| reader.word(node, "what a guard can offer", &Offer::ALL));
    let reason = reason.into_iter().chain(offer.map(|offer| format!("offer/{}", offer.name())));
    let expires = fields.get("expires").and_then(|node| reader.duration(node));
    let mut wrong = compare(decision, outcome?, level, grant);
    wrong.extend(reason.filter_map(|reason| without(decision, &reason)));
    wrong.extend(expires.and_then(|expires| stays(decision, expires)));
    Some(wrong)
}

/// What is wrong if the decision does not have this reason.
fn without(decision: &Decision, reason: &str) -> Option<String> {
    if decision.reasons.iter().any(|r| r.code == reason) {
        return None;
    }
    let got: Vec<&str> = decision.reasons.iter().map(|r| r.code.as_str()).collect();
    Some(format!("expected reason `{reason}`, got `{}`", got.join("`, `")))
}

/// What is wrong if what is done does not stay for just so long.
fn stays(decision: &Decision, expires: SignedDuration) -> Option<String> {
    let got = decision.terms.as_ref().and_then(|terms| terms.expires);
    let said = got.map_or("never".to_owned(), |got| format!("after {got:#}"));
    (got != Some(expires)).then(|| format!("expected that it expires after {expires:#}, got {said}"))
}

fn compare(
    decision: &Decision,
    outcome: Outcome,
    level: Option<Level>,
    grant: Option<String>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if decision.outcome != outcome {
        wrong.push(format!("expected outcome `{}`, got `{}`", outcome.name(), decision.outcome.name()));
    }
    if let Some(level) = level
        && decision.level != Some(level)
    {
        let got = decision.level.map_or("none".to_owned(), |level| level.number().to_string());
        wrong.push(format!("expected level {}, got {got}", level.number()));
    }
    if let Some(grant) = grant
        && decision.terms.as_ref().is_none_or(|terms| terms.grant.as_str() != grant)
    {
        let got = decision.terms.as_ref().map_or("none", |terms| terms.grant.as_str());
        wrong.push(format!("expected grant `{grant}`, got `{got}`"));
    }
    wrong
}
