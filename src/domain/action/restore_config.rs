//! `restore_config`: gives a ConfigMap or a Service the content that belay recorded before it changed. The
//! action carries what will be written, field by field, and what it replaces. Never a Secret, and never a value
//! that looks like one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::edit::Drawn;
use super::live::{Around, LiveObject, Reader, changed};
use super::{Class, Entry, Reversibility, Risk, Verb, diff, named};
use crate::domain::cluster::How;
use crate::domain::plan::{FieldChange, Refusal};
use crate::domain::recorded::{Restored, Withheld, looks_secret};
use crate::domain::target::{Kind, Object};

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "restore_config",
    class: Class { undo: Reversibility::Exact, risk: Risk::Medium },
    why: "the content that is replaced is recorded; somebody changed it on purpose, and others may read it too",
    raised_by: "never; refused for a Secret, for a value that looks like one, for an immutable ConfigMap, and once \
                somebody has changed it again",
    does: "gives a ConfigMap or a Service the content that belay recorded before it changed",
    verb: Verb { plain: "restore", doing: "restoring", done: "restored" },
    transient: false,
};

/// What will be written, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Restore {
    /// The workload that it is done for: its pods read the ConfigMap, or the Service sends them traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Object>,
    /// When the version was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// The fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Restored>,
    /// What of the version was not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<Withheld>,
}

/// "ConfigMap `flags` to recorded version 7".
pub fn what(config: &Object, version: u64) -> String {
    format!("{} to recorded version {version}", named(config))
}

/// The maps of a ConfigMap that have a value a key.
const MAPS: [&str; 2] = ["/data", "/binaryData"];
/// What of a Service says which pods it sends traffic to, and where.
const SERVICE: [&str; 2] = ["/spec/selector", "/spec/ports"];

/// Whether this action may change the field at this path.
pub fn own(path: &str) -> bool {
    MAPS.contains(&path) || key(path).is_some() || SERVICE.contains(&path)
}

/// The map and the key of a value of a ConfigMap. Its keys are letters, digits, `-`, `_` and `.` alone.
fn key(path: &str) -> Option<(&'static str, &str)> {
    let map =
        MAPS.into_iter().find(|map| path.strip_prefix(map).is_some_and(|rest| rest.starts_with('/')))?;
    let key = path.get(map.len() + 1..)?;
    let fit = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    ((1..=253).contains(&key.len()) && key.chars().all(fit)).then_some((map, key))
}

/// What restoring changes. Only what still holds what was recorded last is replaced.
pub fn draw(live: &LiveObject, restore: &Restore) -> Result<Drawn, Refusal> {
    live.is(&[Kind::ConfigMap, Kind::Service])?;
    for_whom(live)?;
    if live.content.get("immutable").and_then(Value::as_bool) == Some(true) {
        let why = format!("`{}` is immutable: its content never changed", live.object);
        return Err(Refusal::Limit(why));
    }
    if let Some(Withheld { path, why, .. }) = restore.withheld.iter().find(|field| field.changed) {
        let why = format!(
            "`{path}` of `{}` changed too, and belay kept nothing of what it held: it {why}; a person has to restore it",
            live.object
        );
        return Err(Refusal::Limit(why));
    }
    if restore.fields.is_empty() {
        return Err(Refusal::Limit("the action does not say what to write".to_owned()));
    }
    let mut wanted = live.content.clone();
    let mut single = Vec::new();
    for field in &restore.fields {
        let value = checked(live, field)?;
        if let Some((map, name)) = key(&field.path) {
            set(&mut wanted, map, name, value);
        } else {
            single.extend(diff_of(&live.content, &field.path, value.as_ref()));
        }
    }
    let mut changes: Vec<FieldChange> =
        MAPS.iter().flat_map(|map| mapped(&live.content, &wanted, map)).collect();
    changes.extend(single);
    Ok(Drawn::quiet(live, ENTRY.class.risk, changes))
}

/// Refuses what is for no workload, or for one that it means nothing to.
fn for_whom(live: &LiveObject) -> Result<(), Refusal> {
    match &live.around {
        Around::Config { workload: Some(_), .. } => Ok(()),
        Around::Config { workload: None, .. } => {
            let why = "the workload that it is to be restored for is gone, or neither reads it nor gets traffic from it";
            Err(changed(&live.object, why))
        }
        Around::Nothing | Around::Autoscaler(_) | Around::Template { .. } | Around::Nodes { .. } => {
            Err(Refusal::Unreadable(format!("who reads `{}` was not looked at", live.object)))
        }
    }
}

/// The value that a field is to get, if it may.
fn checked(live: &LiveObject, field: &Restored) -> Result<Option<Value>, Refusal> {
    let Restored { path, value, instead_of } = field;
    let fits = match live.object.named.kind {
        Kind::ConfigMap => key(path).is_some(),
        _ => SERVICE.contains(&path.as_str()) && value.is_some(),
    };
    if !fits {
        return Err(Refusal::Limit(format!("`{path}` of `{}` is nothing that belay restores", live.object)));
    }
    let held = live.content.pointer(path);
    let now = held.map(Value::to_string);
    if [&now, value].into_iter().flatten().any(|text| looks_secret(path, text)) {
        let why = format!(
            "`{path}` of `{}` looks like a secret, which belay neither keeps nor writes",
            live.object
        );
        return Err(Refusal::Limit(why));
    }
    let parsed = parse(value.as_deref())?;
    if live.object.named.kind == Kind::ConfigMap && !parsed.as_ref().is_none_or(Value::is_string) {
        return Err(Refusal::Limit(format!("`{path}` of a ConfigMap is text, and nothing else")));
    }
    if held != parsed.as_ref() && held != parse(instead_of.as_deref())?.as_ref() {
        let detail =
            format!("`{path}` holds something else now than when it was recorded last: somebody is at it");
        return Err(changed(&live.object, detail));
    }
    Ok(parsed)
}

fn parse(text: Option<&str>) -> Result<Option<Value>, Refusal> {
    let unfit = |_| Refusal::Limit("what is to be written cannot be read".to_owned());
    text.map(serde_json::from_str).transpose().map_err(unfit)
}

fn set(content: &mut Value, map: &str, name: &str, value: Option<Value>) {
    let Some(top) = content.as_object_mut() else { return };
    let map = top.entry(map.trim_start_matches('/')).or_insert_with(|| Value::Object(Map::new()));
    match (map.as_object_mut(), value) {
        (Some(map), Some(value)) => drop(map.insert(name.to_owned(), value)),
        (Some(map), None) => drop(map.remove(name)),
        (None, _) => {}
    }
}

/// What changes of a map, key by key. Where there was none, or none is left, it comes or goes as a whole: the
/// API server drops an empty one, and nothing can be added below what is not there.
fn mapped(content: &Value, wanted: &Value, map: &str) -> Vec<FieldChange> {
    let (old, new) = (content.pointer(map), wanted.pointer(map));
    let empty = |value: Option<&Value>| value.and_then(Value::as_object).is_none_or(Map::is_empty);
    match (empty(old), empty(new)) {
        (true, true) => Vec::new(),
        (false, false) => diff::between(map, old, new),
        (true, false) => vec![diff::change(map, old, new)],
        (false, true) => vec![diff::change(map, old, None)],
    }
}

fn diff_of(content: &Value, path: &str, value: Option<&Value>) -> Option<FieldChange> {
    let held = content.pointer(path);
    (held != value).then(|| diff::change(path, held, value))
}

/// The most other workloads that a note names.
const NAMED: usize = 5;

/// What the person who reads the plan has to know: who sees the change when, who else does, and what stays.
pub fn notes(live: &LiveObject, restore: &Restore) -> Vec<String> {
    let Around::Config { workload: Some(workload), others } = &live.around else { return Vec::new() };
    let mut notes = Vec::new();
    let name = &workload.named.name;
    for how in [How::Environment, How::Files, How::Copied] {
        if workload.ways.contains(&how) {
            notes.push(match how {
                How::Environment => format!(
                    "`{name}` reads it into its environment: a container sees it when it starts again, and those that run need a restart"
                ),
                How::Files => {
                    format!("`{name}` reads it as files, which follow within two minutes, if the program reads them again")
                }
                How::Copied => format!("`{name}` has a copy of it from the start of each pod: only new pods see it"),
            });
        }
    }
    if !others.is_empty() {
        let names =
            others.iter().take(NAMED).map(|other| format!("{} `{}`", other.named.kind, other.named.name));
        let names = names.collect::<Vec<_>>().join(", ");
        let more = others.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("it changes for {names}{more} too"));
    }
    for Withheld { path, why, .. } in restore.withheld.iter().filter(|field| !field.changed) {
        notes.push(format!("`{path}` {why}, of which belay keeps no value: it stays as it is"));
    }
    notes
}

/// How a workload is concerned by a ConfigMap or Service, if it is: by the names that its template holds, or by
/// the labels that it gives its pods and the selector to come.
pub fn concerns(config: &Object, content: &Value, restore: &Restore, template: &Value) -> Option<Vec<How>> {
    match config.named.kind {
        Kind::ConfigMap => {
            let ways = crate::domain::template::configs(template);
            let ways: Vec<How> =
                ways.into_iter().filter(|way| way.name == config.named.name).map(|way| way.how).collect();
            (!ways.is_empty()).then_some(ways)
        }
        Kind::Service => {
            let labels = template.pointer("/metadata/labels");
            let to_come = restore.fields.iter().find(|field| field.path == "/spec/selector");
            let to_come = to_come.and_then(|field| field.value.as_deref());
            let to_come = to_come.and_then(|text| serde_json::from_str::<Value>(text).ok());
            let present = content.pointer("/spec/selector").cloned();
            let selects = |selector: &Value| {
                let Some(wanted) = selector.as_object().filter(|wanted| !wanted.is_empty()) else {
                    return false;
                };
                wanted.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
            };
            [to_come, present].into_iter().flatten().any(|selector| selects(&selector)).then(Vec::new)
        }
        _ => None,
    }
}

/// Whether this is the reader that the action is for.
pub fn is_for(restore: &Restore, reader: &Reader) -> bool {
    restore.workload.as_ref().is_some_and(|wanted| wanted.named == reader.named && wanted.uid == reader.uid)
}
