//! What an account may do against what the enabled actions need: pure, so that every case of it is a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Right, qualified};

/// Rights as the API server lists them: each verb on each resource of each group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// API groups; `*` for all.
    pub groups: Vec<String>,
    /// Resources, with their subresources; `*` for all.
    pub resources: Vec<String>,
    /// Verbs; `*` for all.
    pub verbs: Vec<String>,
    /// Only on objects of these names; empty, or with `*`: on all.
    pub names: Vec<String>,
}

/// What an account may do in one namespace, what it may do everywhere included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The namespace.
    pub namespace: String,
    /// What is known of it.
    pub rules: Vec<Rule>,
    /// Why there may be more than that, where there may be.
    pub incomplete: Option<String>,
}

/// Something that an enabled action needs and the account may not do there, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Where.
    pub namespace: String,
    /// What.
    pub right: Right,
}

/// Something that the account may do and no enabled action needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excess {
    /// The verb.
    pub verb: String,
    /// The resource, as in `deployments.apps`; `*` stands for all.
    pub resource: String,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)
    }
}

/// A right that the account may have although no action needs it: `delete pods`, and `* *` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exempt {
    verb: String,
    resource: String,
}

/// The text names no right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no right: give a verb and a resource, as in `delete pods` or `create jobs.batch`")]
pub struct NotExempt(pub String);

impl std::str::FromStr for Exempt {
    type Err = NotExempt;

    fn from_str(text: &str) -> Result<Self, NotExempt> {
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            [verb, resource] => Ok(Self { verb: (*verb).to_owned(), resource: (*resource).to_owned() }),
            _ => Err(NotExempt(text.to_owned())),
        }
    }
}

impl Exempt {
    fn covers(&self, excess: &Excess) -> bool {
        [(&self.verb, &excess.verb), (&self.resource, &excess.resource)]
            .iter()
            .all(|(named, held)| *named == "*" || named == held)
    }
}

/// What came of weighing rights against needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Too little: in order.
    pub missing: Vec<Missing>,
    /// Too much, and where.
    pub excess: BTreeMap<Excess, BTreeSet<String>>,
    /// Namespaces where the API server could not name everything, and why.
    pub unsure: BTreeMap<String, String>,
}

/// More lines than this are counted and not listed: an account that may do everything could fill pages.
const LISTED: usize = 20;

impl Verdict {
    /// Whether it is neither too little nor too much.
    pub fn is_right(&self) -> bool {
        self.missing.is_empty() && self.excess.is_empty()
    }

    /// Both verdicts as one.
    pub fn add(&mut self, other: Self) {
        let Self { missing, excess, unsure } = other;
        self.missing.extend(missing);
        for (excess, places) in excess {
            self.excess.entry(excess).or_default().extend(places);
        }
        self.unsure.extend(unsure);
    }
}

/// What is wrong, a line for each.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self.missing.iter().map(|Missing { namespace, right }| {
            format!("too little: the account may not `{right}` in namespace `{namespace}`")
        });
        let unsure = self.unsure.iter().filter(|_| !self.missing.is_empty()).map(|(namespace, why)| {
            format!("what it may do in namespace `{namespace}` could not be named in full ({why}): the rest counts as missing")
        });
        let excess = self.excess.iter().map(|(excess, places)| {
            let places: Vec<String> = places.iter().map(|place| format!("`{place}`")).collect();
            format!("too much: no action needs `{excess}`, which it may in {}", places.join(", "))
        });
        let lines: Vec<String> = missing.chain(unsure).chain(excess).collect();
        let listed: Vec<&str> = lines.iter().take(LISTED).map(String::as_str).collect();
        f.write_str(&listed.join("\n"))?;
        match lines.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// Weighs what is held against what is needed. What is not listed is not held; only what is listed can be
/// too much, whatever else there may be.
pub fn weigh(held: &[Held], needs: &BTreeSet<Right>, exempt: &[Exempt]) -> Verdict {
    let mut verdict = Verdict::default();
    for Held { namespace, rules, incomplete } in held {
        let lacking = needs.iter().filter(|need| !rules.iter().any(|rule| covers(rule, need)));
        let missing = |right: &Right| Missing { namespace: namespace.clone(), right: *right };
        verdict.missing.extend(lacking.map(missing));
        let too_much = rules.iter().flat_map(|rule| excess(rule, needs));
        for excess in too_much.filter(|excess| !exempt.iter().any(|named| named.covers(excess))) {
            verdict.excess.entry(excess).or_default().insert(namespace.clone());
        }
        if let Some(why) = incomplete {
            verdict.unsure.insert(namespace.clone(), why.clone());
        }
    }
    verdict
}

/// Whether the rule gives this right on every object.
fn covers(rule: &Rule, right: &Right) -> bool {
    let named = |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
    (rule.names.is_empty() || rule.names.iter().any(|name| name == "*"))
        && named(&rule.verbs, right.verb.name())
        && named(&rule.groups, right.resource.group)
        && named(&rule.resources, right.resource.name)
}

/// What of the rule no action needs, one by one.
fn excess(rule: &Rule, needs: &BTreeSet<Right>) -> Vec<Excess> {
    let mut found = Vec::new();
    for group in &rule.groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                let needed = needs.iter().any(|need| {
                    need.verb.name() == verb && need.resource.group == group && need.resource.name == resource
                });
                if !needed && is_power((group, resource), verb) {
                    found.push(Excess { verb: verb.clone(), resource: qualified(group, resource) });
                }
            }
        }
    }
    found
}

/// Subresources through which even reading is a way into pods and nodes: a websocket begins with `get`.
const DOORS: [&str; 4] = ["exec", "attach", "portforward", "proxy"];

/// Whether more than looking at named things comes with it.
fn is_power((group, resource): (&str, &str), verb: &str) -> bool {
    // everybody may ask what they may do
    let asks = ["authorization.k8s.io", "authentication.k8s.io"].contains(&group);
    if asks && verb == "create" && resource.starts_with("selfsubject") {
        return false;
    }
    let wide = [group, resource, verb].iter().any(|part| part.contains('*'));
    let secret = group.is_empty() && resource.split('/').next() == Some("secrets");
    let door = resource.split_once('/').is_some_and(|(_, sub)| DOORS.contains(&sub));
    wide || secret || door || !["get", "list", "watch"].contains(&verb)
}

#[cfg(test)]
mod tests {
    use super::super::{ActionKind, of};
    use super::*;

    fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Rule {
        let own = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        Rule { groups: own(groups), resources: own(resources), verbs: own(verbs), names: Vec::new() }
    }

    fn held(rules: Vec<Rule>) -> Held {
        Held { namespace: "shop".into(), rules, incomplete: None }
    }

    fn pausing() -> Vec<Rule> {
        vec![
            rule(&["apps"], &["deployments"], &["get", "patch"]),
            rule(&["policy"], &["poddisruptionbudgets"], &["list"]),
        ]
    }

    /// The verdict on pausing rollouts with these rules besides, as text.
    fn told(more: Vec<Rule>, exempt: &[&str]) -> Vec<String> {
        let needs = of([ActionKind::PauseRollout]);
        let exempt: Vec<Exempt> = exempt.iter().map(|text| text.parse().unwrap()).collect();
        let verdict = weigh(&[held([pausing(), more].concat())], &needs, &exempt);
        assert!(verdict.missing.is_empty(), "{verdict:?}");
        verdict.excess.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn exactly_what_is_needed_is_neither_too_little_nor_too_much() {
        let looking = rule(&["", "apps"], &["pods", "events", "daemonsets"], &["get", "list", "watch"]);
        let asking = rule(&["authorization.k8s.io"], &["selfsubjectrulesreviews"], &["create"]);
        assert_eq!(told(vec![looking, asking], &[]), [""; 0]);
    }

    #[test]
    fn each_power_that_nothing_needs_is_named() {
        for (given, named) in [
            (rule(&[""], &["pods"], &["delete"]), "delete pods"),
            (rule(&["apps"], &["deployments"], &["update"]), "update deployments.apps"),
            (rule(&["apps"], &["deployments/scale"], &["patch"]), "patch deployments/scale.apps"),
            (rule(&["*"], &["*"], &["*"]), "* *.*"),
            (rule(&["apps"], &["*"], &["get"]), "get *.apps"),
            (rule(&[""], &["pods"], &["*"]), "* pods"),
            (rule(&[""], &["secrets"], &["get"]), "get secrets"),
            (rule(&[""], &["pods/exec"], &["get"]), "get pods/exec"),
            (rule(&[""], &["serviceaccounts"], &["impersonate"]), "impersonate serviceaccounts"),
            (rule(&["authorization.k8s.io"], &["subjectaccessreviews"], &["create"]), {
                "create subjectaccessreviews.authorization.k8s.io"
            }),
        ] {
            assert_eq!(told(vec![given.clone()], &[]), [named]);
            assert_eq!(told(vec![given.clone()], &[named]), [""; 0], "{named} allowed by name");
            assert_eq!(told(vec![given.clone()], &["* *"]), [""; 0]);
            assert_eq!(told(vec![given], &["create jobs.batch"]), [named], "something else is allowed");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_place() {
        let needs = of([ActionKind::PauseRollout]);
        let verdict =
            weigh(&[held(pausing()), Held { namespace: "stg".into(), ..held(vec![]) }], &needs, &[]);
        let told: Vec<String> =
            verdict.missing.iter().map(|m| format!("{}: {}", m.namespace, m.right)).collect();
        let all = [
            "stg: get deployments.apps",
            "stg: patch deployments.apps",
            "stg: list poddisruptionbudgets.policy",
        ];
        assert_eq!(told, all);
        // only on some objects is not on those of the next incident
        let mut some = pausing();
        some[0].names = vec!["web".into()];
        assert_eq!(weigh(&[held(some)], &needs, &[]).missing.len(), 2);
    }

    #[test]
    fn what_is_not_known_is_missing_and_never_too_much() {
        let needs = of([ActionKind::PauseRollout]);
        let unsure = Held { incomplete: Some("a webhook".into()), ..held(vec![]) };
        let verdict = weigh(&[unsure], &needs, &[]);
        assert_eq!((verdict.missing.len(), verdict.excess.len()), (3, 0));
        assert_eq!(verdict.unsure["shop"], "a webhook");
    }

    #[test]
    fn only_a_verb_and_a_resource_are_a_right() {
        for wrong in ["", "delete", "delete pods now"] {
            assert!(wrong.parse::<Exempt>().is_err(), "{wrong}");
        }
    }
}
