//! Edits a manifest: gives single fields other values and leaves every other byte as it is. The parser that
//! reads the configuration says where each value stands; what was written is parsed again, and refused unless
//! it differs in exactly the wanted fields. What is not plain YAML is left to people.

mod tree;

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::Value;

use crate::domain::action::pull_request::{Step, Wanted};
use crate::domain::plan::FieldChange;
use crate::domain::target::{Kind, Named};

use tree::{Content, Meaning, Node, Style};

/// The largest file: what GitHub's contents API gives at once.
pub const LARGEST: usize = 1 << 20;

/// The longest diff: some fields of one line each, and nobody approves what nobody can read.
const READABLE: usize = 8 * 1024;

/// An edited manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    /// The whole file as it will be.
    pub text: String,
    /// The fields, as the file has them.
    pub changes: Vec<FieldChange>,
    /// The changed lines as a unified diff without context.
    pub patch: String,
}

/// One change of the text.
struct Splice {
    at: Range<usize>,
    with: String,
}

/// Gives the object's manifest in this file the wanted values; an error says why a person has to.
pub fn edit(path: &str, text: &str, object: &Named, wanted: &[Wanted]) -> Result<Edited, String> {
    if text.len() > LARGEST {
        return Err(format!("it has {} bytes, which is more than belay edits", text.len()));
    }
    if text.contains("{{") {
        return Err("it is a template, and what it comes out as is not known here".to_owned());
    }
    let documents = tree::parse(text)?;
    let number = document(&documents, object)?;
    let root = documents.get(number).ok_or("its document is gone")?;
    let mut expected: Vec<Meaning> = documents.iter().map(Node::meaning).collect();
    let (mut splices, mut changes) = (Vec::new(), Vec::new());
    for wanted in wanted {
        let (splice, from) = splice(text, root, wanted)?;
        let json = |value: &Value| value.to_string();
        let change = FieldChange {
            path: wanted.path.clone(),
            from: from.as_ref().map(json),
            to: Some(json(&wanted.to)),
        };
        put(expected.get_mut(number), wanted, from.is_none())?;
        splices.push(splice);
        changes.push(change);
    }
    splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let edited = spliced(text, &splices).ok_or("two of its fields stand in one place")?;
    let read: Vec<Meaning> = tree::parse(&edited)?.iter().map(Node::meaning).collect();
    if read != expected {
        return Err("it could not be changed in these fields alone".to_owned());
    }
    let shown = lines(path, text, &edited);
    if shown.len() > READABLE {
        return Err("its lines are longer than a person can read".to_owned());
    }
    Ok(Edited { patch: shown, text: edited, changes })
}

/// Which document is the object's manifest.
fn document(documents: &[Node], object: &Named) -> Result<usize, String> {
    let mut found = Vec::new();
    for (number, node) in documents.iter().enumerate() {
        if is_of(node, object)? {
            found.push(number);
        }
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(format!("no document of it is {} `{}`", object.kind, object.name)),
        more => Err(format!("{} documents of it are {} `{}`", more.len(), object.kind, object.name)),
    }
}

fn is_of(node: &Node, object: &Named) -> Result<bool, String> {
    let is = |node: Option<&Node>, text: &str| node.and_then(Node::text) == Some(text);
    let Named { kind, name, namespace, .. } = object;
    let version = node.get("apiVersion")?.and_then(Node::text).unwrap_or_default();
    let Some(metadata) = node.get("metadata")? else { return Ok(false) };
    let placed = metadata.get("namespace")?.is_none_or(|at| is(Some(at), namespace));
    Ok(placed
        && group(*kind).is_some_and(|group| version.starts_with(group))
        && is(node.get("kind")?, kind.name())
        && is(metadata.get("name")?, name))
}

/// What the `apiVersion` of a kind begins with.
const fn group(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => Some("apps/v"),
        Kind::CronJob => Some("batch/v"),
        Kind::HorizontalPodAutoscaler => Some("autoscaling/v"),
        Kind::Pod
        | Kind::ReplicaSet
        | Kind::Job
        | Kind::Node
        | Kind::Namespace
        | Kind::Service
        | Kind::PersistentVolumeClaim
        | Kind::PodDisruptionBudget
        | Kind::ConfigMap
        | Kind::Other => None,
    }
}

/// The change of the text, and what stands there now.
fn splice(text: &str, root: &Node, wanted: &Wanted) -> Result<(Splice, Option<Value>), String> {
    let path = &wanted.path;
    let (last, way) = wanted.steps.split_last().ok_or("there is no way to the field")?;
    let mut parent = root;
    plain_way(parent, path)?;
    for step in way {
        parent = child(parent, step)?.ok_or_else(|| format!("`{path}` is not in it"))?;
        plain_way(parent, path)?;
    }
    match child(parent, last)? {
        Some(node) => {
            plain_way(node, path)?;
            let value = node.value().ok_or_else(|| format!("`{path}` is no single value in it"))?;
            if !wanted.is_held(&value) {
                let held = &wanted.held;
                return Err(format!(
                    "`{path}` is {value} in it and {held} in the cluster: they differ already"
                ));
            }
            Ok((replaced(text, node, wanted)?, Some(value)))
        }
        None => Ok((inserted(text, root, parent, wanted)?, None)),
    }
}

/// Refuses what says more, or elsewhere, than it shows.
fn plain_way(node: &Node, path: &str) -> Result<(), String> {
    if node.marked || matches!(node.content, Content::Alias(_)) || node.get("<<")?.is_some() {
        return Err(format!("anchors, aliases or tags stand on the way to `{path}`"));
    }
    Ok(())
}

fn child<'n>(node: &'n Node, step: &Step) -> Result<Option<&'n Node>, String> {
    match (step, &node.content) {
        (Step::Key(key), Content::Map { .. }) => node.get(key),
        (Step::Item(name), Content::List(items)) => {
            let mut found = Vec::new();
            for item in items {
                if matches!(item.content, Content::Alias(_)) {
                    return Err("one of its lists has an alias in it".to_owned());
                }
                if item.get("name")?.and_then(Node::text) == Some(name) {
                    found.push(item);
                }
            }
            match found.as_slice() {
                [] => Ok(None),
                [one] => Ok(Some(*one)),
                _ => Err(format!("`{name}` stands there twice")),
            }
        }
        _ => Ok(None),
    }
}

/// Another value in the place of this one, quoted as it was.
fn replaced(text: &str, node: &Node, wanted: &Wanted) -> Result<Splice, String> {
    let Content::Scalar { text: held, style } = &node.content else {
        return Err(format!("`{}` is no single value in it", wanted.path));
    };
    let quotes = match style {
        Style::Plain => None,
        Style::Single => Some('\''),
        Style::Double => Some('"'),
        Style::Block => return Err(format!("`{}` is a block of lines in it", wanted.path)),
    };
    let raw = text.get(node.at.clone()).unwrap_or_default();
    let there = match quotes {
        None => raw == held,
        Some(quote) => raw.len() >= 2 && raw.starts_with(quote) && raw.ends_with(quote),
    };
    if !there {
        return Err(format!("where `{}` stands in it cannot be told", wanted.path));
    }
    Ok(Splice { at: node.at.clone(), with: written(&wanted.to, quotes)? })
}

/// A value as it is written.
fn written(value: &Value, quotes: Option<char>) -> Result<String, String> {
    match (value, quotes) {
        (Value::Number(_) | Value::Bool(_), None) => Ok(value.to_string()),
        (Value::String(text), quotes) => {
            let fit = |b: u8| b.is_ascii_graphic() && !b"\"'\\".contains(&b);
            if text.is_empty() || !text.bytes().all(fit) {
                return Err(format!("{value} is nothing that belay writes into a file"));
            }
            let quotes = quotes.or_else(|| (!may_be_plain(text)).then_some('"'));
            Ok(quotes.map_or_else(|| text.clone(), |quote| format!("{quote}{text}{quote}")))
        }
        _ => Err(format!("{value} cannot stand where it is to stand")),
    }
}

/// Whether every reader of YAML takes this for text without quotes.
fn may_be_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let lower = text.to_ascii_lowercase();
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let fit = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@+".contains(&b);
    let number = text.parse::<f64>().is_ok() || ["0x", "0o", "0b"].iter().any(|p| lower.starts_with(p));
    starts
        && text.bytes().all(fit)
        && !text.ends_with(':')
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && !number
        && !WORDS.contains(&lower.as_str())
}

/// A new first line of the block below `spec:`: right below that key, so that no comment changes the field that
/// it speaks of.
fn inserted(text: &str, root: &Node, parent: &Node, wanted: &Wanted) -> Result<Splice, String> {
    let path = &wanted.path;
    if wanted.missing.as_ref() != Some(&wanted.held) {
        return Err(format!("`{path}` is not in it and {} in the cluster: it is set elsewhere", wanted.held));
    }
    let [Step::Key(section), Step::Key(key)] = wanted.steps.as_slice() else {
        return Err(format!("`{path}` is not in it"));
    };
    let unfit = || format!("`{path}` is not in it, and the place where it belongs is not plain");
    let (Content::Map { entries, .. }, Content::Map { flow: false, entries: fields }) =
        (&root.content, &parent.content)
    else {
        return Err(unfit());
    };
    let (head, _) = entries.iter().find(|(key, _)| key.text() == Some(section)).ok_or_else(unfit)?;
    let (first, _) = fields.first().ok_or_else(unfit)?;
    let line = text.get(..first.at.start).and_then(|before| before.rsplit('\n').next()).ok_or_else(unfit)?;
    let rest = text.get(head.at.end..first.at.start).ok_or_else(unfit)?;
    let end = rest.find('\n').ok_or_else(unfit)?;
    if line.is_empty() || !line.bytes().all(|b| b == b' ') {
        return Err(unfit());
    }
    let newline = if rest.get(..end).is_some_and(|line| line.ends_with('\r')) { "\r\n" } else { "\n" };
    let at = head.at.end + end + 1;
    let value = written(&wanted.to, None)?;
    Ok(Splice { at: at..at, with: format!("{line}{key}: {value}{newline}") })
}

/// The text with all of these changes, which do not overlap.
fn spliced(text: &str, splices: &[Splice]) -> Option<String> {
    let (mut edited, mut from) = (String::with_capacity(text.len() + 64), 0);
    for Splice { at, with } in splices {
        edited.push_str(text.get(from..at.start)?);
        edited.push_str(with);
        from = at.end;
    }
    edited.push_str(text.get(from..)?);
    Some(edited)
}

/// What the file is to mean afterwards.
fn put(document: Option<&mut Meaning>, wanted: &Wanted, new: bool) -> Result<(), String> {
    let gone = || "its document is gone".to_owned();
    let mut at = document.ok_or_else(gone)?;
    let (last, way) = wanted.steps.split_last().ok_or_else(gone)?;
    for step in way {
        at = below(at, step).ok_or_else(gone)?;
    }
    let text = wanted.to.as_str().map_or_else(|| wanted.to.to_string(), str::to_owned);
    if new {
        let (Meaning::Map(entries, _), Step::Key(key)) = (at, last) else { return Err(gone()) };
        let scalar = |text: String| Meaning::Scalar { text, quoted: false, marked: false };
        entries.insert(0, (scalar(key.clone()), scalar(text)));
        return Ok(());
    }
    match below(at, last) {
        Some(Meaning::Scalar { text: held, quoted, .. }) => {
            *held = text;
            *quoted |= wanted.to.as_str().is_some_and(|text| !may_be_plain(text));
            Ok(())
        }
        _ => Err(gone()),
    }
}

fn below<'m>(at: &'m mut Meaning, step: &Step) -> Option<&'m mut Meaning> {
    let is =
        |meaning: &Meaning, wanted: &str| matches!(meaning, Meaning::Scalar { text, .. } if text == wanted);
    match (step, at) {
        (Step::Key(key), Meaning::Map(entries, _)) => {
            entries.iter_mut().find(|(k, _)| is(k, key)).map(|(_, value)| value)
        }
        (Step::Item(name), Meaning::List(items, _)) => items.iter_mut().find(|item| match item {
            Meaning::Map(entries, _) => entries.iter().any(|(k, v)| is(k, "name") && is(v, name)),
            Meaning::Scalar { .. } | Meaning::List(..) | Meaning::Alias(_) => false,
        }),
        _ => None,
    }
}

/// The lines that differ, as a unified diff without context.
fn lines(path: &str, before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let mut text = format!("--- a/{path}\n+++ b/{path}\n");
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => (i, j) = (i + 1, j + 1),
            // a line was added here: only whole lines are, one at a time
            (a, Some(b)) if a.is_some_and(|a| new.get(j + 1) == Some(a)) => {
                let _ = write!(text, "@@ -{i},0 +{} @@\n+{b}\n", j + 1);
                j += 1;
            }
            (a, b) => {
                let (a, b) = (a.copied().unwrap_or_default(), b.copied().unwrap_or_default());
                let _ = write!(text, "@@ -{} +{} @@\n-{a}\n+{b}\n", i + 1, j + 1);
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    text
}
