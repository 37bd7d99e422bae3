//! The API server as second witness: a `ValidatingAdmissionPolicy` made from the set, so that even a
//! defect of belay cannot write what no grant allows. No `paramRef`: what is generated is all there is.

mod writes;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use self::writes::{FORMS, Form, Seen, WRITES, Write};
use super::raw::{self, Node, Yaml};
use super::set::{Blast, Grant, PolicySet};
use crate::domain::action::ActionKind;
use crate::domain::decision::Level;
use crate::domain::plan::INTENT_ANNOTATION;

/// Who is held to it, and what holds whatever a policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// The user name that belay writes with: `system:serviceaccount:belay:belay`.
    pub identity: String,
    /// The cluster's name in policies, where it is known.
    pub cluster: Option<String>,
    /// Only these namespaces; empty: those that environments allow.
    pub namespaces: Vec<String>,
    /// Whether nodes may be cordoned and uncordoned.
    pub nodes: bool,
    /// The most replicas.
    pub max_replicas: u32,
    /// The largest step in replicas.
    pub max_replica_delta: u32,
    /// The namespace and the service account of each job template.
    pub jobs: BTreeSet<(String, String)>,
}

/// What is done to nodes.
const NODES: [ActionKind; 2] = [ActionKind::CordonNode, ActionKind::UncordonNode];

/// The policy and its binding, and the stop policy without one, as YAML documents. `files` are those that
/// the set was loaded from. Only what is enforced counts: a grant on trial writes nothing.
pub fn admission<N, T>(set: &PolicySet, files: &[(N, T)], bounds: &Bounds) -> Result<String, String>
where
    N: AsRef<str>,
    T: AsRef<str>,
{
    let own = bounds.checked()?;
    let (acting, mut kinds) = (acting(set), granted(set));
    if !bounds.nodes {
        kinds.retain(|kind| !NODES.contains(kind));
    }
    let places = Places::of(set, files, bounds);
    let writes: Vec<&Write> = WRITES.iter().filter(|w| w.kinds.iter().any(|k| kinds.contains(k))).collect();
    let mut rules = vec![rule(&allowed(&writes), "belay may only do what the grants of its policy need")];
    rules.push(rule(&format!("variables.place != {}", quoted(own)), "belay never acts where it runs itself"));
    if !bounds.namespaces.is_empty() {
        let names: Vec<String> = bounds.namespaces.iter().map(|name| quoted(name)).collect();
        // nodes are in no namespace
        let apart = if bounds.nodes { "variables.what == 'node' || " } else { "" };
        let expression = format!("{apart}variables.place in [{}]", names.join(", "));
        rules.push(rule(&expression, "belay may not act in this namespace"));
    }
    rules.extend(write_rules(&writes, (&kinds, &acting), &places, &bounds.jobs));
    if kinds.contains(&ActionKind::ScaleWorkload) {
        rules.extend(replica_rules(&acting, bounds));
    }
    if kinds.contains(&ActionKind::SetHpaBounds) {
        rules.push(ceiling_rule(&acting, bounds));
    }
    let mut text = format!(
        "# Made by `belay policy admission` from the policy set {}. Do not edit it: make it anew.\n{}",
        set.hash().short(),
        places.remarks()
    );
    text.push_str(&policy("belay-policy", &bounds.identity, &variables(&writes, &kinds), &rules));
    text.push_str(&binding("belay-policy"));
    text.push_str("---\n# Without a binding it does nothing. `belay policy admission --stop` prints it with its binding.\n");
    text.push_str(&stopper(bounds));
    Ok(text)
}

/// The grants by which something is ever written.
fn acting(set: &PolicySet) -> Vec<&Grant> {
    let acts = |grant: &&Grant| !grant.shadow && grant.level > Level::Observe && !grant.actions.is_empty();
    set.grants.iter().filter(acts).collect()
}

/// The kinds that some grant allows, at least once a person has approved.
pub fn granted(set: &PolicySet) -> BTreeSet<ActionKind> {
    acting(set).into_iter().flat_map(|grant| grant.actions.iter().copied()).collect()
}

/// The highest level at which this set lets anything be done anywhere: where no environment is declared, nothing is.
pub fn highest(set: &PolicySet) -> Level {
    let granted = acting(set).into_iter().map(|grant| grant.level).max();
    let reached = set.environments.iter().map(|environment| environment.max_level).max();
    granted.zip(reached).map_or(Level::Observe, |(granted, reached)| granted.min(reached))
}

/// The stop policy with its binding: once the binding is there, this identity writes nothing at all.
pub fn stop(bounds: &Bounds) -> Result<String, String> {
    bounds.checked()?;
    let text = "# Applied, it stops every write of belay's, whatever state belay is in. Delete the binding to let it go on.\n";
    Ok(format!("{text}{}{}", stopper(bounds), binding("belay-stop")))
}

fn stopper(bounds: &Bounds) -> String {
    policy("belay-stop", &bounds.identity, &[], &[rule("false", "belay is stopped")])
}

impl Bounds {
    /// The namespace that belay runs in. Names stand in expressions: one that is none is refused.
    fn checked(&self) -> Result<&str, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:@/".contains(c);
        if self.identity.is_empty() || !self.identity.chars().all(plain) {
            return Err(format!("`{}` is not the name of a Kubernetes user", self.identity));
        }
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if let Some(wrong) = self.namespaces.iter().find(|n| n.is_empty() || !n.chars().all(label)) {
            return Err(format!("`{wrong}` is not the name of a namespace"));
        }
        if let Some(wrong) = self.cluster.iter().find(|name| !name.chars().all(plain)) {
            return Err(format!("`{wrong}` is not the name of a cluster"));
        }
        let parts: Vec<&str> = self.identity.split(':').collect();
        match parts.as_slice() {
            ["system", "serviceaccount", namespace, _] => Ok(namespace),
            _ => Err(format!(
                "`{}` is not a service account: give it as `system:serviceaccount:NAMESPACE:NAME`",
                self.identity
            )),
        }
    }
}

/// Where each environment is, as the API server can tell.
struct Places {
    /// Name, and its expression over the request; `None` where it speaks of what a request does not show.
    environments: Vec<(String, Option<String>)>,
}

impl Places {
    fn of<N: AsRef<str>, T: AsRef<str>>(set: &PolicySet, files: &[(N, T)], bounds: &Bounds) -> Self {
        let mut environments = Vec::new();
        // nothing is done at level 1
        for environment in set.environments.iter().filter(|e| e.max_level > Level::Observe) {
            let told = environment.when.facts().iter().all(|fact| match fact.as_str() {
                "target.namespace" => true,
                "target.cluster" => bounds.cluster.is_some(),
                _ => false,
            });
            let source = if told { source(files, &environment.name) } else { None };
            let cluster = bounds.cluster.as_deref().map(quoted).unwrap_or_default();
            let expression = source.and_then(|source| translated(&source, &cluster));
            environments.push((environment.name.clone(), expression));
        }
        Self { environments }
    }

    /// Where these grants reach: in one of the environments that they list, or in any.
    fn reach(&self, grants: &[&Grant]) -> String {
        let anywhere = grants.iter().any(|grant| grant.environments.is_empty());
        let listed: BTreeSet<&str> =
            grants.iter().flat_map(|grant| grant.environments.iter().map(String::as_str)).collect();
        let here = self.environments.iter().filter(|(name, _)| anywhere || listed.contains(name.as_str()));
        let parts: Option<Vec<String>> =
            here.map(|(_, told)| told.as_ref().map(|told| format!("({told})"))).collect();
        match parts {
            Some(parts) if parts.is_empty() => "false".to_owned(),
            Some(parts) => parts.join(" || "),
            None => "true".to_owned(),
        }
    }

    fn remarks(&self) -> String {
        let untold = self.environments.iter().filter(|(_, told)| told.is_none());
        untold.fold(String::new(), |mut text, (name, _)| {
            let _ = writeln!(
                text,
                "# Environment {name} cannot be told from a request: every namespace counts as in it here. Bound it by --namespace."
            );
            text
        })
    }
}

/// The text of an environment's expression.
fn source<N: AsRef<str>, T: AsRef<str>>(files: &[(N, T)], environment: &str) -> Option<String> {
    let get = |node: &Node, key: &str| match &node.value {
        Yaml::Map(entries) => entries.iter().find(|(k, _)| k.text == key).map(|(_, n)| n.clone()),
        _ => None,
    };
    files.iter().find_map(|(_, text)| {
        let spec = get(&raw::parse(text.as_ref()).ok()?, "spec")?;
        let Yaml::List(items) = get(&spec, "environments")?.value else { return None };
        let named = |item: &&Node| {
            get(item, "name").and_then(|name| name.value.scalar()).as_deref() == Some(environment)
        };
        get(items.iter().find(named)?, "when")?.value.scalar()
    })
}

/// The same expression over a request. Text in quotes stays; quotes of three are not understood.
fn translated(source: &str, cluster: &str) -> Option<String> {
    if source.contains("'''") || source.contains("\"\"\"") {
        return None;
    }
    let (mut out, mut rest, mut raw) = (String::new(), source, false);
    while let Some(c) = rest.chars().next() {
        if c == '\'' || c == '"' {
            let end = closing(rest, c, raw)?;
            out.push_str(rest.get(..end)?);
            rest = rest.get(end..)?;
            raw = false;
            continue;
        }
        let word =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        let word = word.max(c.len_utf8());
        let (this, after) = rest.split_at(word);
        raw = matches!(this, "r" | "R");
        let (path, call) =
            this.strip_prefix("target.namespace").map_or((this, None), |call| (this, Some(call)));
        match call {
            Some(call) if call.is_empty() || call.starts_with('.') => {
                let _ = write!(out, "variables.place{call}");
            }
            _ => match path.strip_prefix("target.cluster") {
                Some(call) if call.is_empty() || call.starts_with('.') => {
                    let _ = write!(out, "{cluster}{call}");
                }
                _ => out.push_str(this),
            },
        }
        rest = after;
    }
    Some(out)
}

/// Where the text in quotes at the beginning ends.
fn closing(text: &str, quote: char, raw: bool) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            '\\' if !raw && !escaped => escaped = true,
            c if c == quote && !escaped => return Some(i + c.len_utf8()),
            _ => escaped = false,
        }
    }
    None
}

/// A validation: what must hold, and what is said if it does not.
struct Validation {
    expression: String,
    message: String,
}

fn rule(expression: &str, message: &str) -> Validation {
    Validation { expression: expression.to_owned(), message: message.to_owned() }
}

fn allowed(writes: &[&Write]) -> String {
    let names: Vec<String> = writes.iter().map(|write| quoted(write.name)).collect();
    if names.is_empty() { "false".to_owned() } else { format!("variables.what in [{}]", names.join(", ")) }
}

/// What the expressions share. Each is worked out only where it is used. No name may be a reserved word of
/// CEL (`namespace` is one): the API server refuses the whole policy then.
fn variables(writes: &[&Write], kinds: &BTreeSet<ActionKind>) -> Vec<(&'static str, String)> {
    let mut what = String::new();
    for write in writes {
        let _ = write!(what, "{} ? {} : ", write.is(), quoted(write.name));
    }
    what.push_str("'other'");
    let notes = |of: &str| format!("has({of}.metadata.annotations) ? {of}.metadata.annotations : {{}}");
    let mut all = vec![
        ("sub", "has(request.subResource) ? request.subResource : ''".to_owned()),
        ("place", "has(request.namespace) ? request.namespace : ''".to_owned()),
        ("what", what),
        ("notes", notes("object")),
        ("oldNotes", notes("oldObject")),
    ];
    if kinds.contains(&ActionKind::RestartWorkload) {
        all.push(("podNotes", notes("object.spec.template")));
        all.push(("oldPodNotes", notes("oldObject.spec.template")));
    }
    let used = FORMS.iter().filter(|form| form.kinds.iter().any(|kind| kinds.contains(kind)));
    all.extend(used.map(|form| (form.name, form.expression())));
    all
}

/// Each write is of the form of a granted action, in a place where a grant for it reaches.
fn write_rules(
    writes: &[&Write],
    (kinds, acting): (&BTreeSet<ActionKind>, &[&Grant]),
    places: &Places,
    jobs: &BTreeSet<(String, String)>,
) -> Vec<Validation> {
    let mut rules = Vec::new();
    let updates: Vec<String> = writes.iter().filter(|w| w.updates()).map(|w| quoted(w.name)).collect();
    if !updates.is_empty() {
        let expression = format!("!(variables.what in [{}]) || ({})", updates.join(", "), writes::metadata());
        rules.push(rule(&expression, &format!("only the annotation {INTENT_ANNOTATION} may change")));
    }
    for write in writes {
        if matches!(write.object, Seen::Job) {
            // where it is run is for its template to say, and need not be where a grant reaches
            rules.push(rule(&format!("variables.what != 'job' || {}", job(jobs)), write.denial));
            continue;
        }
        let granted = write.kinds.iter().filter(|kind| kinds.contains(kind));
        let mut ways: Vec<String> = Vec::new();
        for kind in granted {
            let form = FORMS.iter().find(|form| write.updates() && form.kinds.contains(kind));
            let way = way(form, &places.reach(&carrying(acting, *kind)));
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        if !ways.iter().any(|way| way == "true") {
            let expression = format!("variables.what != {} || {}", quoted(write.name), ways.join(" || "));
            rules.push(rule(&expression, write.denial));
        }
        if matches!(write.object, Seen::Eviction) {
            let uid = "variables.what != 'evict' || (has(object.deleteOptions) && has(object.deleteOptions.preconditions) && has(object.deleteOptions.preconditions.uid))";
            rules.push(rule(uid, "an eviction must name the uid of its pod"));
        }
    }
    rules
}

/// A Job that carries an intent, where and as whom some template says.
fn job(places: &BTreeSet<(String, String)>) -> String {
    let place = |(namespace, account): &(String, String)| {
        format!(
            "(variables.place == {} && has(object.spec.template.spec.serviceAccountName) && object.spec.template.spec.serviceAccountName == {})",
            quoted(namespace),
            quoted(account)
        )
    };
    if places.is_empty() {
        return "false".to_owned();
    }
    let places: Vec<String> = places.iter().map(place).collect();
    format!("({} in variables.notes && ({}))", quoted(INTENT_ANNOTATION), places.join(" || "))
}

/// A change of this form, where these grants reach.
fn way(form: Option<&Form>, reach: &str) -> String {
    match (form, reach) {
        (None, "true") => "true".to_owned(),
        (None, reach) => format!("({reach})"),
        (Some(form), "true") => format!("variables.{}", form.name),
        (Some(form), reach) => format!("(variables.{} && ({reach}))", form.name),
    }
}

/// The bounds of another number of replicas. Putting back what stood there before is never more than one step
/// down.
fn replica_rules(acting: &[&Grant], bounds: &Bounds) -> [Validation; 2] {
    let carrying = carrying(acting, ActionKind::ScaleWorkload);
    let most = most(&carrying, bounds.max_replicas, |blast| blast.max_replicas);
    let step = most_step(&carrying, bounds);
    let of = "variables.what != 'deployment' || !variables.scales";
    let few =
        format!("{of} || object.spec.replicas <= {most} || object.spec.replicas <= oldObject.spec.replicas");
    let near = format!(
        "{of} || (object.spec.replicas - oldObject.spec.replicas <= {step} && oldObject.spec.replicas - object.spec.replicas <= {step})"
    );
    [
        rule(&few, &format!("no grant allows more than {most} replicas")),
        rule(&near, &format!("no grant allows a step of more than {step} replicas")),
    ]
}

/// How far an autoscaler may be let go: never further than grants and bounds allow, unless it went there before.
fn ceiling_rule(acting: &[&Grant], bounds: &Bounds) -> Validation {
    let carrying = carrying(acting, ActionKind::SetHpaBounds);
    let most = most(&carrying, bounds.max_replicas, |blast| blast.max_replicas);
    let few = format!(
        "variables.what != 'autoscaler' || object.spec.maxReplicas <= {most} || object.spec.maxReplicas <= oldObject.spec.maxReplicas"
    );
    rule(&few, &format!("no grant lets an autoscaler go beyond {most} replicas"))
}

fn carrying<'g>(acting: &[&'g Grant], kind: ActionKind) -> Vec<&'g Grant> {
    acting.iter().copied().filter(|grant| grant.actions.contains(&kind)).collect()
}

fn most_step(grants: &[&Grant], bounds: &Bounds) -> u32 {
    most(grants, bounds.max_replica_delta, |blast| blast.max_replica_delta)
}

/// The most that any of the grants allows: a grant without a bound allows what the bounds do.
fn most(grants: &[&Grant], bound: u32, of: impl Fn(&Blast) -> Option<u32>) -> u32 {
    grants.iter().map(|grant| of(&grant.blast).unwrap_or(bound)).max().unwrap_or(bound).min(bound)
}

fn policy(name: &str, identity: &str, variables: &[(&str, String)], rules: &[Validation]) -> String {
    let mut text = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata:\n  name: {name}\nspec:\n  failurePolicy: Fail\n  matchConstraints:\n    resourceRules:\n      - apiGroups: [\"*\"]\n        apiVersions: [\"*\"]\n        operations: [\"*\"]\n        resources: [\"*/*\"]\n  matchConditions:\n    - name: written-by-belay\n      expression: {}\n",
        yaml(&format!("request.userInfo.username == {}", quoted(identity)))
    );
    if !variables.is_empty() {
        // asking what one may do changes nothing
        let asks = "request.resource.group != 'authorization.k8s.io'";
        let _ = writeln!(text, "    - name: changes-something\n      expression: {}", yaml(asks));
        text.push_str("  variables:\n");
    }
    for (name, expression) in variables {
        let _ = writeln!(text, "    - name: {name}\n      expression: {}", yaml(expression));
    }
    text.push_str("  validations:\n");
    for Validation { expression, message } in rules {
        let _ = writeln!(
            text,
            "    - expression: {}\n      message: {}\n      reason: Forbidden",
            yaml(expression),
            yaml(message)
        );
    }
    text
}

fn binding(name: &str) -> String {
    format!(
        "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata:\n  name: {name}\nspec:\n  policyName: {name}\n  validationActions: [Deny]\n"
    )
}

/// A CEL string.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A YAML scalar: what JSON quotes, YAML reads.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_translated_outside_of_quotes_only() {
        for (source, expected) in [
            ("target.namespace == 'shop'", "variables.place == 'shop'"),
            ("target.namespace.startsWith('stg-')", "variables.place.startsWith('stg-')"),
            ("'target.namespace' == target.namespace", "'target.namespace' == variables.place"),
            (r"target.namespace == 'it\'s target.namespace'", r"variables.place == 'it\'s target.namespace'"),
            (r"target.namespace.matches(r'a\')", r"variables.place.matches(r'a\')"),
            ("target.cluster == 'a' && target.namespace in ['b']", "'eu' == 'a' && variables.place in ['b']"),
            ("target.namespaces == 'a'", "target.namespaces == 'a'"),
            ("target.clusters == 'a'", "target.clusters == 'a'"),
            ("'' == target.namespace", "'' == variables.place"),
        ] {
            assert_eq!(translated(source, "'eu'").as_deref(), Some(expected), "{source}");
        }
        assert_eq!(translated("target.namespace == '''a'''", "''"), None);
        assert_eq!(translated("target.namespace == 'a", "''"), None);
    }
}
