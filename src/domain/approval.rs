//! Who may approve or confirm, and how many of them it takes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::decision::Person;

/// Who may approve or confirm, and how many of them it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// The rule's name in the policy.
    pub name: String,
    /// The entitled Slack users, by id.
    pub slack_users: Vec<String>,
    /// Whether people at the admin socket or the terminal are entitled.
    pub operators: bool,
    /// How many distinct people.
    pub count: u32,
    /// After how long an open question expires; what then is always escalation.
    pub expires: SignedDuration,
    /// The groups that it is made of, where it matters who is in which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<ApprovalGroup>,
    /// How many of each group, each person counting for one of them; 0: it does not matter.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub each_group: u32,
    /// A click in Slack is not enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub step_up: bool,
}

/// One of the groups that an approval is asked of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalGroup {
    /// Its name in the policy.
    pub name: String,
    /// Its Slack users, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slack_users: Vec<String>,
    /// Whether people at the admin socket or the terminal are in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operators: bool,
    /// Keys of `Question::people` whose members are in it, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl ApprovalGroup {
    fn has(&self, person: &Person) -> bool {
        match person {
            Person::Slack { user, .. } => self.slack_users.contains(user),
            Person::Operator { .. } => self.operators,
        }
    }
}

impl ApprovalRule {
    /// Whether this person may answer under this rule.
    pub fn entitles(&self, person: &Person) -> bool {
        match person {
            Person::Slack { user, .. } => !self.step_up && self.slack_users.contains(user),
            Person::Operator { .. } => self.operators,
        }
    }

    /// Whether enough distinct entitled people are among these, and enough of each group.
    pub fn satisfied_by(&self, people: &[Person]) -> bool {
        let entitled = people.iter().filter(|person| self.entitles(person));
        let distinct: BTreeMap<_, &Person> = entitled.map(|person| (person.identity(), person)).collect();
        let people: Vec<&Person> = distinct.into_values().collect();
        people.len() >= usize::try_from(self.count.max(1)).unwrap_or(usize::MAX) && self.every_group(&people)
    }

    /// Whether each group's seats can be filled at once, nobody sitting on two: a matching, found by
    /// augmenting paths (Kuhn). Both sides are small: at most 20 seats, and as many people as answered.
    fn every_group(&self, people: &[&Person]) -> bool {
        let seats = self.groups.iter().flat_map(|group| (0..self.each_group).map(move |_| group));
        let mut seated: BTreeMap<usize, &ApprovalGroup> = BTreeMap::new();
        seats.into_iter().all(|group| seat(group, people, &mut seated, &mut BTreeSet::new()))
    }
}

/// Gives a seat of this group to somebody, moving others to their other groups where that makes room.
fn seat<'r>(
    group: &'r ApprovalGroup,
    people: &[&Person],
    seated: &mut BTreeMap<usize, &'r ApprovalGroup>,
    tried: &mut BTreeSet<usize>,
) -> bool {
    for (i, person) in people.iter().enumerate() {
        if !group.has(person) || !tried.insert(i) {
            continue;
        }
        let free = match seated.get(&i).copied() {
            None => true,
            Some(other) => seat(other, people, seated, tried),
        };
        if free {
            seated.insert(i, group);
            return true;
        }
    }
    false
}
