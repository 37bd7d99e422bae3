//! `open_pull_request`: proposes the change of another action where the desired state is kept, for what a
//! GitOps controller would put back. Nothing in the cluster changes until people merge it.

use jiff::Timestamp;
use serde_json::Value;

use super::edit::{self, Drawn};
use super::live::{LiveObject, changed, same};
use super::{
    Action, ActionKind, Class, Entry, Reversibility, Risk, Verb, cronjob, diff, expiry, hpa_bounds,
    resources, rollout, scale_workload,
};
use crate::domain::ids::IntentId;
use crate::domain::plan::{
    BlastRadius, Direction, FieldChange, Opened, Plan, Preconditions, Proposal, Refusal, Undo, unescaped,
};
use crate::domain::quantity;
use crate::domain::target::{Named, is_dns_name};

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "open_pull_request",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "it is undone by closing it, and nothing changes until people merge it",
    raised_by: "never; refused where no repository is configured for the object, and where its file is a template",
    does: "proposes the change of another action on a branch, for people to merge",
    verb: Verb { plain: "open", doing: "opening", done: "opened" },
    transient: true,
};

/// "a pull request to roll back Deployment `web` to template `7c9f`".
pub fn what(instead_of: &Action) -> String {
    format!("a pull request to {}", instead_of.words())
}

/// The branch of an intent: its name is what a retry knows the first try by.
pub fn branch(intent: &IntentId) -> String {
    format!("{BRANCHES}{intent}")
}

/// What the names of belay's branches begin with.
pub const BRANCHES: &str = "belay/";

/// One step on the way to a field of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The field of this name.
    Key(String),
    /// The item whose `name` is this: positions differ, since webhooks add containers.
    Item(String),
}

/// One field that a manifest is to hold another value in.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// JSON pointer into the live object.
    pub path: String,
    /// The way to it in a manifest.
    pub steps: Vec<Step>,
    /// What it holds in the cluster, what Kubernetes takes where it is missing included.
    pub held: Value,
    /// What Kubernetes takes where it is missing; `None`: it cannot be added.
    pub missing: Option<Value>,
    /// What it is to hold.
    pub to: Value,
}

impl Wanted {
    /// Whether this value of a manifest is what the cluster holds, quantities however they are written.
    pub fn is_held(&self, value: &Value) -> bool {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if value == &self.held || !resources::is_limit(&self.path) {
            return value == &self.held;
        }
        let (one, other) = (text(value), text(&self.held));
        if self.path.ends_with("/cpu") {
            quantity::millicores(&one).is_some_and(|n| quantity::millicores(&other) == Some(n))
        } else {
            quantity::bytes(&one).is_some_and(|n| quantity::bytes(&other) == Some(n))
        }
    }
}

/// What the change of an action comes down to in a manifest of the object, as the object is now.
pub fn draw<'l>(
    live: Option<&'l LiveObject>,
    instead_of: &Action,
) -> Result<(&'l LiveObject, Drawn, Vec<Wanted>), Refusal> {
    supported(instead_of.kind())?;
    let live = same(live, |l| &l.object, instead_of.target())?;
    let drawn = edit::draw(live, instead_of)?;
    if drawn.changes.is_empty() {
        return Err(Refusal::NothingToDo(format!("`{}` is already so", live.object)));
    }
    let wanted = drawn.changes.iter().map(|change| wanted(live, instead_of, change));
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    Ok((live, drawn, wanted))
}

/// Refuses what is no change of a manifest.
pub fn supported(kind: ActionKind) -> Result<(), Refusal> {
    let why = match kind {
        ActionKind::ScaleWorkload
        | ActionKind::RollbackWorkload
        | ActionKind::PauseRollout
        | ActionKind::ResumeRollout
        | ActionKind::SuspendCronjob
        | ActionKind::ResumeCronjob
        | ActionKind::SetHpaBounds
        | ActionKind::SetResources => return Ok(()),
        ActionKind::RestartPod | ActionKind::RestartWorkload => {
            "a restart is no state that a file could hold"
        }
        ActionKind::CordonNode | ActionKind::UncordonNode => "no repository keeps whether a node takes pods",
        ActionKind::RestoreConfig => "what a repository keeps is restored by its own history",
        ActionKind::RunJob => "a Job is run, and not kept",
        ActionKind::OpenPullRequest => "it stands for another action, not for a pull request",
    };
    Err(Refusal::Limit(format!("`{}` cannot be proposed: {why}", kind.name())))
}

fn wanted(live: &LiveObject, instead_of: &Action, change: &FieldChange) -> Result<Wanted, Refusal> {
    let FieldChange { path, from, to } = change;
    if instead_of.kind() == ActionKind::RollbackWorkload && !is_image(path) {
        let why = format!(
            "the earlier template differs in `{path}`, too: only images are proposed, the rest is for a person"
        );
        return Err(Refusal::Limit(why));
    }
    let unread = || Refusal::Unreadable(format!("`{path}` of `{}` is no value", live.object));
    let value = |text: &Option<String>| match text {
        Some(text) => serde_json::from_str::<Value>(text).map(Some).map_err(|_| unread()),
        None => Ok(None),
    };
    let missing = missing(path);
    let held = value(from)?.or_else(|| missing.clone()).ok_or_else(unread)?;
    let to = value(to)?.or_else(|| missing.clone()).ok_or_else(unread)?;
    Ok(Wanted { path: path.clone(), steps: steps(live, path).ok_or_else(unread)?, held, missing, to })
}

/// What Kubernetes takes where one of these fields is missing.
fn missing(path: &str) -> Option<Value> {
    match path {
        scale_workload::REPLICAS => Some(1.into()),
        hpa_bounds::MIN => Some(hpa_bounds::DEFAULT_MIN.into()),
        cronjob::SUSPENDED | rollout::PAUSED => Some(false.into()),
        _ => None,
    }
}

/// Whether this is the path of the image of a container.
fn is_image(path: &str) -> bool {
    let rest = ["/spec/template/spec/containers/", "/spec/template/spec/initContainers/"]
        .iter()
        .find_map(|list| path.strip_prefix(list));
    rest.and_then(|rest| rest.strip_suffix("/image"))
        .is_some_and(|position| !position.is_empty() && position.bytes().all(|b| b.is_ascii_digit()))
}

/// The way to this field, items of lists by their name.
fn steps(live: &LiveObject, path: &str) -> Option<Vec<Step>> {
    let mut at = &live.content;
    let (parts, mut steps) = (path.strip_prefix('/')?.split('/'), Vec::new());
    for part in parts {
        let key = unescaped(part);
        if let Value::Array(items) = at {
            at = items.get(key.parse::<usize>().ok()?)?;
            steps.push(Step::Item(at.get("name")?.as_str()?.to_owned()));
        } else {
            at = at.get(&key).unwrap_or(&Value::Null);
            steps.push(Step::Key(key));
        }
    }
    Some(steps)
}

/// The plan to propose what was drawn: `changes` are those of the file.
pub fn plan(
    live: &LiveObject,
    instead_of: &Action,
    drawn: &Drawn,
    (proposal, changes): (Proposal, Vec<FieldChange>),
    now: Timestamp,
) -> Plan {
    let pods = live.pods.unwrap_or_default();
    let action = Action::OpenPullRequest { instead_of: Box::new(instead_of.clone()) };
    let paths = drawn.changes.iter().map(|change| change.path.as_str());
    let who = live.managers.who(paths).map(|who| format!("{who} manages it"));
    let notes: Vec<String> = who.into_iter().chain(live.managers.note()).collect();
    Plan {
        direction: Direction::Forward,
        owner: live.owner.clone(),
        // the file's own version is what the change rests on; the object has to be the same one
        preconditions: Preconditions { uid: live.object.uid.clone(), generation: None },
        // once it is merged: limits hold for what is proposed, too
        blast: BlastRadius {
            desired: pods.desired,
            ready: pods.ready,
            unavailable_after: drawn.unavailable_after,
            replica_delta: drawn.replica_delta,
            budget_allows: pods.budget_allows,
        },
        class: action.class(),
        undo: Undo::Restore { fields: diff::reversed(&changes) },
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        proposal: Some(Box::new(proposal)),
        changes,
        made_at: now,
        expires_at: expiry(now),
        action,
    }
}

/// The plan to take back what `done` proposed: `opened` is what there is of it.
pub fn plan_revert(done: &Plan, opened: Opened, now: Timestamp) -> Result<Plan, Refusal> {
    let (Some(proposal), Undo::Restore { fields }) = (&done.proposal, &done.undo) else {
        return Err(Refusal::Limit("the plan is not one of a proposal".to_owned()));
    };
    if *fields != diff::reversed(&done.changes) {
        return Err(Refusal::Limit("the recorded undo does not fit the plan".to_owned()));
    }
    Ok(Plan {
        direction: Direction::Revert,
        changes: fields.clone(),
        undo: Undo::Nothing { why: "this puts an earlier act back".to_owned() },
        proposal: Some(Box::new(Proposal { closes: Some(opened), ..(**proposal).clone() })),
        made_at: now,
        expires_at: expiry(now),
        ..done.clone()
    })
}

/// Whether the live object still is what the proposal was worked out for, and the proposal the same.
pub fn still(
    plan: &Plan,
    live: &LiveObject,
    proposal: &Proposal,
    changes: &[FieldChange],
) -> Result<(), Refusal> {
    let object = plan.action.target();
    if plan.preconditions.uid != object.uid {
        return Err(Refusal::Limit("the plan does not fit its own target".to_owned()));
    }
    if live.owner != plan.owner {
        return Err(changed(object, format!("its owner is `{}` now", live.owner)));
    }
    if plan.proposal.as_deref() != Some(proposal) || plan.changes != changes {
        return Err(changed(object, "the action comes down to another change of its file now"));
    }
    Ok(())
}

/// Which file of a repository holds which objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRule {
    namespace: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    path: String,
}

/// What a path can hold in place of a part of the object's name.
const PLACES: [&str; 3] = ["{namespace}", "{kind}", "{name}"];

impl FileRule {
    /// Objects of this namespace, kind and name (each: any) are in the file of this path, in which
    /// `{namespace}`, `{kind}` (in lower case) and `{name}` stand for the object's own.
    pub fn new(only: [Option<String>; 3], path: &str) -> Result<Self, String> {
        let probe = PLACES.iter().fold(path.to_owned(), |path, place| path.replace(place, "x"));
        if !is_file(&probe) {
            return Err(format!(
                "`{path}` is no path of a YAML file within a repository; `{{namespace}}`, `{{kind}}` and `{{name}}` stand for the object's own"
            ));
        }
        let [namespace, kind, name] = only;
        Ok(Self { namespace, kind, name, path: path.to_owned() })
    }

    /// The file of this object, if the rule is about it.
    pub fn path(&self, object: &Named) -> Option<String> {
        let Named { namespace, kind, name, .. } = object;
        let any = |only: &Option<String>, is: &str| only.as_ref().is_none_or(|only| only == is);
        let fits = any(&self.namespace, namespace) && any(&self.kind, kind.name()) && any(&self.name, name);
        if !fits || !is_dns_name(namespace) || !is_dns_name(name) {
            return None;
        }
        let own = [namespace.as_str(), &kind.name().to_ascii_lowercase(), name];
        let path =
            PLACES.iter().zip(own).fold(self.path.clone(), |path, (place, own)| path.replace(place, own));
        is_file(&path).then_some(path)
    }
}

/// A relative path of plain segments to a YAML file: nothing that a URL or a repository reads otherwise.
fn is_file(path: &str) -> bool {
    let plain = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
    };
    path.len() <= 512
        && path.split('/').all(plain)
        && [".yaml", ".yml"].iter().any(|ending| path.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Cluster;
    use crate::domain::target::Kind;

    fn named(namespace: &str, name: &str) -> Named {
        Named {
            cluster: Cluster::new("eu-1"),
            kind: Kind::Deployment,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn paths_stay_in_the_repository_and_are_filled_with_names_only() {
        for path in [
            "a/../b.yaml",
            "/a.yaml",
            "a//b.yaml",
            "a.json",
            "./a.yaml",
            "a\\b.yaml",
            "a/{kid}.yaml",
            ".git/x.yaml",
            "a b.yaml",
            "a?.yaml",
            "",
        ] {
            assert!(FileRule::new([None, None, None], path).is_err(), "{path}");
        }
        let rule = FileRule::new([None, None, None], "apps/{namespace}/{kind}/{name}.yaml").unwrap();
        assert_eq!(rule.path(&named("shop", "web")).unwrap(), "apps/shop/deployment/web.yaml");
        for hostile in ["..", "../web", "web/..", "{name}", "", "a b", "Web"] {
            assert_eq!(rule.path(&named("shop", hostile)), None, "{hostile}");
            assert_eq!(rule.path(&named(hostile, "web")), None, "{hostile}");
        }
        let only = |namespace: &str| {
            FileRule::new([Some(namespace.into()), None, Some("web".into())], "w.yml").unwrap()
        };
        assert!(only("shop").path(&named("shop", "web")).is_some());
        assert!(only("shop").path(&named("shop", "api")).is_none());
        assert!(only("other").path(&named("shop", "web")).is_none());
    }

    #[test]
    fn a_quantity_is_the_same_however_it_is_written() {
        let wanted = |path: &str, held: Value| Wanted {
            path: format!("/spec/template/spec/containers/0/resources/limits/{path}"),
            steps: vec![],
            held,
            missing: None,
            to: Value::Null,
        };
        assert!(wanted("memory", "1Gi".into()).is_held(&"1024Mi".into()));
        assert!(!wanted("memory", "1Gi".into()).is_held(&"1G".into()));
        assert!(wanted("cpu", "500m".into()).is_held(&"0.5".into()));
        assert!(wanted("cpu", "2".into()).is_held(&2.into()));
        let replicas = Wanted { path: "/spec/replicas".into(), ..wanted("cpu", 3.into()) };
        assert!(!replicas.is_held(&"3".into()));
    }
}
