//! `approvers` and `approvals`: who is entitled, and how many of them it takes.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::super::raw::{Key, Node};
use super::super::reader::Reader;
use super::{Gathered, Spec};
use crate::domain::decision::{ApprovalGroup, ApprovalRule};

/// An open question is not open for longer: whoever answers later answers something else.
const MAX_EXPIRY: SignedDuration = SignedDuration::from_hours(24);

/// Groups that others keep: the key, the kind of name it takes, and how that is told apart from others.
const OUTSIDE: [(&str, &str); 3] = [
    ("slackUserGroup", "the id of a Slack user group, like `S0A1B2C3D`"),
    ("schedule", "the name of a schedule"),
    ("oidcGroup", "the name of a group"),
];

/// Reads `approvers`.
pub(super) fn groups(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let Some(map) = spec.fields.get("approvers").and_then(|node| reader.map(node, "approvers")) else {
        return;
    };
    for (key, node) in map.entries() {
        if let Some(group) = group(reader, &key.text, node) {
            all.claim(reader, "approver", &key.text, &named(key));
            all.groups.insert(key.text.clone(), group);
        }
    }
}

fn named(key: &Key) -> Node {
    Node { at: key.at, value: super::Yaml::Text(key.text.clone()) }
}

fn group(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<ApprovalGroup> {
    let known = ["slackUsers", "operators", "slackUserGroup", "schedule", "oidcGroup"];
    let fields = reader.fields(node, "an approver", &known, &[])?;
    let outside: Vec<String> =
        OUTSIDE.into_iter().filter_map(|(key, what)| outside(reader, fields.get(key)?, key, what)).collect();
    let slack_users = reader.list(fields.get("slackUsers"), |reader, node| {
        let user = reader.text(node)?;
        let fine = user.starts_with(['U', 'W'])
            && user.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if !fine {
            let help = "the id from the member's profile, like `U0A1B2C3D`; never a name".to_owned();
            reader.wrong(node.at, format!("`{user}` is not the id of a Slack user"), Some(help));
        }
        Some(user)
    });
    let operators = fields.get("operators").and_then(|node| reader.boolean(node)).unwrap_or(false);
    Some(ApprovalGroup { name: name.to_owned(), slack_users, operators, outside })
}

/// The key of `Question::people` that such a group is known by.
fn outside(reader: &mut Reader<'_>, node: &Node, key: &str, what: &str) -> Option<String> {
    let name = reader.text(node)?;
    let id = name.starts_with('S') && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let fine = if key == "slackUserGroup" { id } else { !name.contains(char::is_whitespace) };
    if !fine {
        reader.wrong(node.at, format!("`{name}` is not {what}"), None);
    }
    Some(format!("{key}/{name}"))
}

/// Reads `approvals`.
pub(super) fn approvals(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let Some(map) = spec.fields.get("approvals").and_then(|node| reader.map(node, "approvals")) else {
        return;
    };
    for (key, node) in map.entries() {
        if let Some(rule) = approval(all, reader, key, node) {
            let origin = all.claim(reader, "approval", &key.text, &named(key));
            all.notes.extend(nobody_yet(&rule).map(|note| format!("{origin}: {note}")));
            all.approvals.insert(key.text.clone(), rule);
        }
    }
}

fn approval(all: &Gathered, reader: &mut Reader<'_>, key: &Key, node: &Node) -> Option<ApprovalRule> {
    let known = ["from", "count", "expires", "onExpire", "eachGroup", "stepUp"];
    let fields = reader.fields(node, "an approval", &known, &[])?;
    let groups = fields.need(reader, "from").map(|node| (node, from(all, reader, node)));
    let count = fields.get("count").map_or(Some(1), |node| reader.count(node, 1..=20));
    let expires = fields.need(reader, "expires").and_then(|node| {
        let expires = reader.duration(node)?;
        if expires > MAX_EXPIRY {
            reader.wrong(
                node.at,
                "an approval that stays open for more than a day",
                Some("at most `24h`".to_owned()),
            );
        }
        Some(expires)
    });
    if let Some(node) = fields.get("onExpire") {
        let known = [("escalate", ())];
        reader.word(node, "what an expired approval may lead to: silence never starts anything", &known)?;
    }
    let each_group = fields.get("eachGroup").map_or(Some(0), |node| reader.count(node, 1..=20));
    let step_up = fields.get("stepUp").map_or(Some(false), |node| reader.boolean(node));
    let (from, groups) = groups?;
    let slack_users: BTreeSet<String> = groups.iter().flat_map(|group| group.slack_users.clone()).collect();
    let rule = ApprovalRule {
        name: key.text.clone(),
        slack_users: slack_users.into_iter().collect(),
        operators: groups.iter().any(|group| group.operators),
        count: count?,
        expires: expires?,
        groups,
        each_group: each_group?,
        step_up: step_up?,
    };
    satisfiable(reader, from, &rule);
    Some(lean(rule))
}

/// Who is in which group is kept where it matters only: a record holds the rule for ever.
fn lean(mut rule: ApprovalRule) -> ApprovalRule {
    if rule.each_group == 0 {
        rule.groups.retain(|group| !group.outside.is_empty());
    }
    rule
}

/// Reports a rule that nobody could ever meet. How many people reach the admin socket, or are in a group
/// that others keep, cannot be told from here: they count as enough.
fn satisfiable(reader: &mut Reader<'_>, from: &Node, rule: &ApprovalRule) {
    let ApprovalRule { name, groups, each_group, step_up, count, .. } = rule;
    let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let entitled = |group: &ApprovalGroup| match (group.operators, *step_up, group.outside.is_empty()) {
        (true, _, _) | (false, false, false) => None,
        (false, true, _) => Some(0),
        (false, false, true) => Some(group.slack_users.len()),
    };
    let help = if *step_up {
        "a click in Slack does not count here: add a group with `operators: true`"
    } else {
        "add people, or lower `count`"
    };
    let help = || Some(help.to_owned());
    let in_all = groups.iter().map(&entitled).collect::<Option<Vec<usize>>>();
    let in_all = in_all.map(|_| if *step_up { 0 } else { rule.slack_users.len() });
    if let Some(n) = in_all.filter(|n| *n < size(*count)) {
        reader.wrong(from.at, format!("approval `{name}` takes {count} and {n} are entitled"), help());
    }
    for group in groups {
        if let Some(n) = entitled(group).filter(|n| *n < size(*each_group)) {
            let what =
                format!("approval `{name}` takes {each_group} of `{}` and {n} are entitled", group.name);
            reader.wrong(from.at, what, help());
        }
    }
    if size(*count) < size(*each_group) * groups.len() {
        let what = format!(
            "approval `{name}` takes {each_group} of each of {} groups, which are more than {count}",
            groups.len()
        );
        reader.wrong(from.at, what, Some("raise `count`, or lower `eachGroup`".to_owned()));
    }
}

/// What people should know of a rule whose groups nobody looks up yet.
fn nobody_yet(rule: &ApprovalRule) -> impl Iterator<Item = String> {
    let note = |key: &String| {
        format!(
            "approval `{}` asks people of `{key}`: as long as nobody looks that up, they are nobody",
            rule.name
        )
    };
    rule.groups.iter().flat_map(|group| &group.outside).map(note)
}

fn from(all: &Gathered, reader: &mut Reader<'_>, node: &Node) -> Vec<ApprovalGroup> {
    reader.list(Some(node), |reader, item| {
        let name = reader.defined(item, "approver", all.groups.keys().map(String::as_str))?;
        all.groups.get(name).cloned()
    })
}
