//! Who is entitled at this moment: the groups that others keep, filled in with what is known of them.

use crate::domain::decision::{ApprovalRule, Fact, Question};

/// The rule with everybody in it who is known to be in one of its groups. A group that is empty, that
/// could not be fetched, or that nobody fetched is nobody.
pub(super) fn resolved(rule: &ApprovalRule, question: &Question) -> ApprovalRule {
    let mut rule = rule.clone();
    for group in &mut rule.groups {
        for key in &group.outside {
            let members = question.people.get(key).and_then(Fact::known);
            group.slack_users.extend(members.into_iter().flatten().cloned());
        }
        group.slack_users.sort_unstable();
        group.slack_users.dedup();
        rule.slack_users.extend(group.slack_users.iter().cloned());
    }
    rule.slack_users.sort_unstable();
    rule.slack_users.dedup();
    rule
}
