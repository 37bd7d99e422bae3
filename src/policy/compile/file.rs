//! A policy file as a whole: whose it is, how far it reaches, and what only the platform may say.

use std::sync::Arc;

use super::super::problem::Section;
use super::super::raw::{Node, Yaml};
use super::super::reader::{Fields, Reader};
use super::super::scope::{Home, Pattern, Scope};

/// The `spec` of a file.
pub(super) struct Spec<'n> {
    /// Whether all its grants are on trial.
    pub shadow: bool,
    pub fields: Fields<'n>,
}

const KNOWN: [&str; 12] = [
    "mode",
    "scope",
    "environments",
    "approvers",
    "approvals",
    "ceilings",
    "grants",
    "advice",
    "guards",
    "freezes",
    "brakes",
    "tests",
];

/// What holds over everybody, so that no file with a scope may say it.
const PLATFORM: [&str; 2] = ["ceilings", "brakes"];

/// Reads a file down to its sections; the reader knows from then on whose the file is.
pub(super) fn spec<'n>(reader: &mut Reader<'_>, body: &'n Node) -> Option<Spec<'n>> {
    let root = reader.fields(body, "the file", &["apiVersion", "kind", "metadata", "spec"], &[])?;
    let owner = root.need(reader, "metadata").and_then(|node| owner(reader, node)).unwrap_or_default();
    let node = root.need(reader, "spec")?;
    if node.value == Yaml::Null {
        return None;
    }
    let fields = reader.fields(node, "spec", &KNOWN, &[])?;
    let scope = fields.get("scope").map(|node| scope(reader, node));
    if scope.is_some() {
        reader.section = Section::Scopes;
        let of_platform = |key: &str| PLATFORM.contains(&key);
        for (key, _) in fields.entries().iter().filter(|(key, _)| of_platform(&key.text)) {
            let help = "it holds over everybody: move it to a file without `scope`".to_owned();
            reader.wrong(key.at, format!("a file with a `scope` cannot have `{}`", key.text), Some(help));
        }
        reader.section = Section::Files;
    }
    reader.home = Arc::new(Home { owner, scope });
    let shadow = fields.get("mode").and_then(|node| mode(reader, node)).unwrap_or(false);
    Some(Spec { shadow, fields })
}

fn owner(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let metadata = reader.fields(node, "metadata", &["name", "owner"], &[])?;
    let mut name = |key| metadata.need(reader, key).and_then(|node| reader.name(node));
    let _ = name("name");
    name("owner")
}

fn scope(reader: &mut Reader<'_>, node: &Node) -> Scope {
    reader.section = Section::Scopes;
    let fields = reader.fields(node, "scope", &["cluster", "namespace"], &[]);
    let mut names = |key: &str| {
        let node = fields.as_ref().and_then(|fields| fields.get(key));
        if let Some(node) = node
            && matches!(&node.value, Yaml::List(items) if items.is_empty())
        {
            reader.wrong(node.at, format!("`{key}` is empty: this file would reach nothing"), None);
        }
        reader.list(node, pattern)
    };
    let (clusters, namespaces) = (names("cluster"), names("namespace"));
    if let Some(fields) = fields
        && fields.entries().is_empty()
    {
        let help = "give it `cluster` or `namespace`, or leave `scope` out: then the file is the platform's";
        reader.wrong(node.at, "this scope bounds nothing", Some(help.to_owned()));
    }
    reader.section = Section::Files;
    Scope { clusters, namespaces }
}

/// A name, or the beginning of names with a `*`.
fn pattern(reader: &mut Reader<'_>, node: &Node) -> Option<Pattern> {
    let text = reader.text(node)?;
    let (name, prefix) = text.strip_suffix('*').map_or((text.as_str(), false), |prefix| (prefix, true));
    // what Kubernetes and people call clusters and namespaces
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 253 || !name.chars().all(fine) {
        let help =
            "a name, or the beginning of names as in `stg-*`; what is not bounded is left out".to_owned();
        reader.wrong(node.at, format!("`{text}` does not bound anything by name"), Some(help));
        return None;
    }
    Some(if prefix { Pattern::Prefix(name.to_owned()) } else { Pattern::Exact(name.to_owned()) })
}

/// Whether the mode is shadow.
pub(super) fn mode(reader: &mut Reader<'_>, node: &Node) -> Option<bool> {
    reader.word(node, "a mode", &[("enforce", false), ("shadow", true)])
}
