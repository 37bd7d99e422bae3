//! Label and field selectors.

use serde_json::Value;

use super::json::{items, text};

/// A parsed label selector: every requirement must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Debug, Clone)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selector {
    /// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`; `None` when it is malformed.
    pub(crate) fn labels(selector: &str) -> Option<Self> {
        split(selector).into_iter().map(|part| label(part.trim())).collect::<Option<_>>().map(Self)
    }

    /// Reads a field selector: only `=`, `==` and `!=`.
    pub(crate) fn fields(selector: &str) -> Option<Self> {
        let parts = split(selector).into_iter().map(|part| match label(part.trim())? {
            fine @ (Requirement::In(..) | Requirement::NotIn(..)) => Some(fine),
            Requirement::Exists(_) | Requirement::Absent(_) => None,
        });
        parts.collect::<Option<_>>().map(Self)
    }

    /// Whether an object's labels satisfy it.
    pub(crate) fn admits_labels(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        self.0
            .iter()
            .all(|needs| needs.holds(|key| labels.and_then(|all| all.get(key)).and_then(Value::as_str)))
    }

    /// Whether an object's fields satisfy it.
    pub(crate) fn admits_fields(&self, object: &Value) -> bool {
        self.0.iter().all(|needs| {
            needs.holds(|key| object.pointer(&format!("/{}", key.replace('.', "/"))).and_then(Value::as_str))
        })
    }

    /// The first field that the API server does not select by.
    pub(crate) fn unknown_field(&self) -> Option<&str> {
        const KNOWN: [&str; 9] = [
            "metadata.name",
            "metadata.namespace",
            "spec.nodeName",
            "status.phase",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.kind",
            "involvedObject.uid",
            "reason",
        ];
        self.0.iter().map(Requirement::key).find(|key| !KNOWN.contains(key) && *key != "type")
    }
}

impl Requirement {
    fn key(&self) -> &str {
        match self {
            Self::In(key, _) | Self::NotIn(key, _) | Self::Exists(key) | Self::Absent(key) => key,
        }
    }

    fn holds<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> bool {
        let found = value(self.key());
        match self {
            Self::In(_, any) => found.is_some_and(|found| any.iter().any(|one| one == found)),
            Self::NotIn(_, none) => found.is_none_or(|found| none.iter().all(|one| one != found)),
            Self::Exists(_) => found.is_some(),
            Self::Absent(_) => found.is_none(),
        }
    }
}

/// Splits at commas outside parentheses.
fn split(selector: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    selector
        .split(move |c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        })
        .filter(|part| !part.trim().is_empty())
        .collect()
}

fn label(part: &str) -> Option<Requirement> {
    let own = |text: &str| text.trim().to_owned();
    if let Some((key, set)) = part.split_once(" notin ") {
        return Some(Requirement::NotIn(own(key), members(set)?));
    }
    if let Some((key, set)) = part.split_once(" in ") {
        return Some(Requirement::In(own(key), members(set)?));
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Some(Requirement::NotIn(own(key), vec![own(value)]));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some(Requirement::In(own(key), vec![own(value)]));
    }
    match part.strip_prefix('!') {
        Some(key) => Some(Requirement::Absent(own(key))),
        None => Some(Requirement::Exists(own(part))),
    }
}

fn members(set: &str) -> Option<Vec<String>> {
    let inner = set.trim().strip_prefix('(')?.strip_suffix(')')?;
    Some(inner.split(',').map(|one| one.trim().to_owned()).collect())
}

/// Whether an object's labels satisfy a `LabelSelector` object.
pub(crate) fn matches_selector(selector: Option<&Value>, object: &Value) -> bool {
    let Some(selector) = selector else { return false };
    let value =
        |key: &str| object.pointer("/metadata/labels").and_then(|all| all.get(key)).and_then(Value::as_str);
    let pairs = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let equal = pairs.into_iter().all(|(key, wanted)| wanted.as_str() == value(key));
    equal
        && items(selector, "/matchExpressions").iter().all(|expression| {
            let key = text(expression, "/key").to_owned();
            let values =
                items(expression, "/values").iter().filter_map(Value::as_str).map(str::to_owned).collect();
            let needs = match text(expression, "/operator") {
                "In" => Requirement::In(key, values),
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                _ => Requirement::Absent(key),
            };
            needs.holds(value)
        })
}
