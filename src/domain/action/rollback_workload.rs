//! `rollback_workload`: gives a workload the template of an earlier revision, named by its hash: "the one
//! before" would be another one at the second try.

use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::edit::{Drawn, TEMPLATE};
use super::live::{Around, LiveObject};
use super::{Class, Entry, Reversibility, Risk, Verb, diff, named};
use crate::domain::alert::Labels;
use crate::domain::plan::Refusal;
use crate::domain::target::{Kind, Object, is_dns_name};

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "rollback_workload",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "the template that is replaced is recorded, and the old revision is known to have worked",
    raised_by: "medium unless the old ReplicaSet still serves; refused where a migration lies between",
    does: "gives a workload the recorded template of an earlier revision",
    verb: Verb { plain: "roll back", doing: "rolling back", done: "rolled back" },
    transient: false,
};

/// The name of a recorded template: the `pod-template-hash` of a ReplicaSet, or the name of a
/// ControllerRevision.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TemplateHash(String);

impl TemplateHash {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TemplateHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_dns_name(&text) { Ok(Self(text)) } else { Err(format!("`{text}` names no template")) }
    }
}

impl From<TemplateHash> for String {
    fn from(hash: TemplateHash) -> Self {
        hash.0
    }
}

/// "Deployment `web` to template `7c9f`".
pub fn what(workload: &Object, template: &TemplateHash) -> String {
    format!("{} to template `{}`", named(workload), template.as_str())
}

/// What lies between the template that runs and the one that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// Pods of the wanted template still serve.
    pub old_serves: bool,
    /// Data was changed in a way that the older program may not read; `None`: it cannot be told.
    pub migration: Option<bool>,
}

/// How much can go wrong with a concrete rollback.
pub fn risk(between: Between) -> Result<Risk, Refusal> {
    match between {
        Between { migration: Some(true), .. } => Err(Refusal::Limit(
            "a migration lies between: the older program may not read the data".to_owned(),
        )),
        Between { old_serves: true, migration: Some(false) } => Ok(Risk::Low),
        Between { old_serves: false, migration: Some(false) } | Between { migration: None, .. } => {
            Ok(Risk::Medium)
        }
    }
}

/// Whether the revision that runs has migrated its data, as the workload itself says: nothing else in a
/// cluster shows it.
pub const MIGRATION: &str = "belay.dev/migration";

/// What the workload says of a migration; `None`: it does not say.
pub fn migration(annotations: &Labels) -> Option<bool> {
    match annotations.get(MIGRATION).map(String::as_str) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) | None => None,
    }
}

/// Labels by which controllers tell their own pods apart: not a part of what runs.
const CONTROLLERS_OWN: [&str; 3] =
    ["pod-template-hash", "controller-revision-hash", "pod-template-generation"];

/// What a rollback changes: the pod template, field by field.
pub fn draw(live: &LiveObject, template: &TemplateHash) -> Result<Drawn, Refusal> {
    live.is(&[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet])?;
    live.rolls_by_itself()?;
    let Around::Template { wanted, running } = &live.around else {
        return Err(Refusal::Unreadable("its earlier templates were not looked at".to_owned()));
    };
    if running.as_ref() == Some(template) {
        let detail = format!("`{}` runs template `{}` already", live.object, template.as_str());
        return Err(Refusal::NothingToDo(detail));
    }
    let Some((wanted, old_serves)) = wanted else {
        let detail = format!("there is no template `{}` any more", template.as_str());
        return Err(Refusal::Gone { object: live.object.to_string(), detail });
    };
    let risk = risk(Between { old_serves: *old_serves, migration: migration(&live.annotations) })?;
    let changes =
        diff::between(TEMPLATE, plain(live.content.pointer(TEMPLATE)).as_ref(), plain(Some(wanted)).as_ref());
    // a template that still serves keeps its pods: what goes are those that do not come up
    Ok(Drawn { risk, ..Drawn::rolling(live, risk, changes) })
}

/// A template without what controllers add to it.
fn plain(template: Option<&Value>) -> Option<Value> {
    let mut template = template?.clone();
    let metadata = template.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata {
        // a ReplicaSet spells out a creation time that no template has
        metadata.remove("creationTimestamp");
        let labels = diff::without(metadata.get("labels"), &CONTROLLERS_OWN);
        if let Some(labels) = labels {
            metadata.insert("labels".to_owned(), labels);
        }
    }
    Some(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_only_while_the_old_one_serves_and_never_across_a_migration() {
        let risk = |old_serves, migration| risk(Between { old_serves, migration }).ok();
        assert_eq!(risk(true, Some(false)), Some(Risk::Low));
        assert_eq!(risk(false, Some(false)), Some(Risk::Medium));
        assert_eq!(risk(true, None), Some(Risk::Medium));
        assert_eq!(risk(true, Some(true)), None);
        assert_eq!(risk(false, Some(true)), None);
    }

    #[test]
    fn a_template_is_named_as_kubernetes_names_things() {
        assert!(TemplateHash::try_from("7c9f54d8b4".to_owned()).is_ok());
        assert!(TemplateHash::try_from("agent-6d5f".to_owned()).is_ok());
        assert!(TemplateHash::try_from("../x".to_owned()).is_err());
        assert!(serde_json::from_str::<TemplateHash>("\"\"").is_err());
    }
}
