//! Who may do what: bearer tokens with a degree of access or exact rights, and what a review of them says.

use serde_json::{Value, json};

use super::json::text;
use super::route::{Request, Target, Verb};
use super::state::State;
use super::status::{Answer, Refusal};

/// The path of the review of one's own rights.
const REVIEW: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";

/// One rule of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Only in this namespace; `None`: everywhere.
    pub namespace: Option<String>,
    /// API groups.
    pub groups: Vec<String>,
    /// Resources with their subresources.
    pub resources: Vec<String>,
    /// Verbs.
    pub verbs: Vec<String>,
}

/// What a token's owner may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Known, and allowed nothing.
    Nothing,
    /// Reads and dry runs.
    Read,
    /// Reads and writes; deleting is never granted.
    Write,
    /// Exactly this.
    Exactly {
        /// What roles say.
        rules: Vec<Granted>,
        /// Why a review cannot name everything, where it cannot.
        unlisted: Option<String>,
    },
}

/// A bearer token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The secret that the client sends.
    pub secret: String,
    /// The name in refusals.
    pub user: String,
    /// What it may do.
    pub access: Access,
}

/// The name of whoever asks when no tokens are configured.
const ANONYMOUS: &str = "system:anonymous";

/// Who asks, and what they may do; anonymous may do all but delete when there are no tokens.
fn who<'t>(tokens: &'t [Token], secret: Option<&str>) -> Result<(&'t str, &'t Access), Refusal> {
    if tokens.is_empty() {
        return Ok((ANONYMOUS, &Access::Write));
    }
    let known = tokens.iter().find(|token| Some(token.secret.as_str()) == secret);
    known.map(|token| (token.user.as_str(), &token.access)).ok_or_else(Refusal::unauthorized)
}

/// Checks one request.
pub(crate) fn admit(
    tokens: &[Token],
    secret: Option<&str>,
    target: &Target,
    verb: Verb,
    dry_run: bool,
) -> Result<(), Refusal> {
    let (user, access) = who(tokens, secret)?;
    let allowed = match access {
        Access::Nothing => false,
        Access::Read => !verb.mutates() || (dry_run && verb != Verb::Delete),
        Access::Write => verb != Verb::Delete,
        Access::Exactly { rules, .. } => rules.iter().any(|rule| grants(rule, target, verb)),
    };
    if allowed {
        return Ok(());
    }
    let subresource = target.sub.map_or("", super::route::Sub::as_str);
    let at = (subresource, target.name.as_str(), target.namespace.as_str());
    Err(Refusal::forbidden(target.kind, user, verb.as_str(), at))
}

fn grants(rule: &Granted, target: &Target, verb: Verb) -> bool {
    let named = |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
    let spelling = target.kind.spelling();
    let resource = match target.sub {
        Some(sub) => format!("{}/{}", spelling.plural, sub.as_str()),
        None => spelling.plural.to_owned(),
    };
    rule.namespace.as_ref().is_none_or(|namespace| *namespace == target.namespace)
        && named(&rule.verbs, verb.as_str())
        && named(&rule.groups, spelling.group)
        && named(&rule.resources, &resource)
}

/// Whether somebody asks what they may do.
pub(crate) fn asks(path: &str) -> bool {
    path == REVIEW
}

/// What whoever asks may do in the namespace that they name.
pub(crate) fn review(state: &State, request: &Request) -> Answer {
    let access = match who(&state.tokens, request.token.as_deref()) {
        Ok((_, access)) => access,
        Err(refusal) => return refusal.into(),
    };
    let asked: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let place = text(&asked, "/spec/namespace");
    if place.is_empty() {
        return Refusal::bad_request("no namespace on request").into();
    }
    let all = |verbs: &[&str]| vec![json!({ "verbs": verbs, "apiGroups": ["*"], "resources": ["*"] })];
    let (rules, unlisted) = match access {
        Access::Nothing => (Vec::new(), None),
        Access::Read => (all(&["get", "list", "watch"]), None),
        Access::Write => (all(&["get", "list", "watch", "create", "patch", "update"]), None),
        Access::Exactly { rules, unlisted } => {
            let here = |rule: &&Granted| rule.namespace.as_deref().is_none_or(|namespace| namespace == place);
            let told = |rule: &Granted| json!({ "verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources });
            (rules.iter().filter(here).map(told).collect(), unlisted.clone())
        }
    };
    // what every account may do
    let asking = json!({
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    });
    let rules: Vec<Value> = rules.into_iter().chain([asking]).collect();
    let paths = json!([{ "verbs": ["get"], "nonResourceURLs": ["/api", "/apis", "/healthz", "/version"] }]);
    let mut status =
        json!({ "resourceRules": rules, "nonResourceRules": paths, "incomplete": unlisted.is_some() });
    if let Some(why) = unlisted {
        super::json::put(&mut status, &["evaluationError"], why);
    }
    Answer::json(
        201,
        json!({
            "kind": "SelfSubjectRulesReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {},
            "spec": {},
            "status": status,
        }),
    )
}
