//! `approvers` and `approvals`: who is entitled, and how many of them it takes.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::super::problem::meant;
use super::super::raw::{Key, Node};
use super::super::reader::Reader;
use super::{Gathered, Spec};
use crate::domain::decision::ApprovalRule;

/// An open question is not open for longer: whoever answers later answers something else.
const MAX_EXPIRY: SignedDuration = SignedDuration::from_hours(24);

/// The people of one name.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    slack_users: Vec<String>,
    operators: bool,
}

/// Reads `approvers`.
pub(super) fn groups(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let Some(map) = spec.fields.get("approvers").and_then(|node| reader.map(node, "approvers")) else {
        return;
    };
    for (key, node) in map.entries() {
        if let Some(group) = group(reader, node) {
            all.claim(reader, "approver", &key.text, &named(key));
            all.groups.insert(key.text.clone(), group);
        }
    }
}

fn named(key: &Key) -> Node {
    Node { at: key.at, value: super::Yaml::Text(key.text.clone()) }
}

fn group(reader: &mut Reader<'_>, node: &Node) -> Option<Group> {
    let later = ["slackUserGroup", "schedule", "oidcGroup"];
    let fields = reader.fields(node, "an approver", &["slackUsers", "operators"], &later)?;
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
    Some(Group { slack_users, operators })
}

/// Reads `approvals`.
pub(super) fn approvals(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let Some(map) = spec.fields.get("approvals").and_then(|node| reader.map(node, "approvals")) else {
        return;
    };
    for (key, node) in map.entries() {
        if let Some(rule) = approval(all, reader, key, node) {
            all.claim(reader, "approval", &key.text, &named(key));
            all.approvals.insert(key.text.clone(), rule);
        }
    }
}

fn approval(all: &Gathered, reader: &mut Reader<'_>, key: &Key, node: &Node) -> Option<ApprovalRule> {
    let known = ["from", "count", "expires", "onExpire"];
    let fields = reader.fields(node, "an approval", &known, &["eachGroup", "stepUp"])?;
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
    let (from, groups) = groups?;
    let (count, expires) = (count?, expires?);
    let slack_users: BTreeSet<String> = groups.iter().flat_map(|group| group.slack_users.clone()).collect();
    let operators = groups.iter().any(|group| group.operators);
    // How many people reach the admin socket cannot be told from here, so operators count as enough.
    if !operators && slack_users.len() < usize::try_from(count).unwrap_or(usize::MAX) {
        let message = format!("approval `{}` takes {count} and {} are entitled", key.text, slack_users.len());
        reader.wrong(from.at, message, Some("add people, or lower `count`".to_owned()));
    }
    let slack_users = slack_users.into_iter().collect();
    Some(ApprovalRule { name: key.text.clone(), slack_users, operators, count, expires })
}

fn from(all: &Gathered, reader: &mut Reader<'_>, node: &Node) -> Vec<Group> {
    reader.list(Some(node), |reader, item| {
        let name = reader.text(item)?;
        let found = all.groups.get(&name).cloned();
        if found.is_none() {
            let mut known: Vec<&str> = all.groups.keys().map(String::as_str).collect();
            known.sort_unstable();
            reader.wrong(item.at, format!("there is no approver `{name}`"), Some(meant(&name, &known)));
        }
        found
    })
}
