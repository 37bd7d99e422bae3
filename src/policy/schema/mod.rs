//! The JSON Schema of policy files, for editors. What a key holds is written down here; which keys there
//! are is asked of the reader itself, so that the schema never offers what the loader refuses.

mod shapes;

use serde_json::{Map, Value, json};

use super::compile::edited;
use super::golden;
use crate::domain::action::ActionKind;
use shapes::{Holds, ROOT, Shape};

/// What stands before the spec of a policy.
const HEAD: &str = "{ apiVersion: belay.dev/v1, kind: Policy, metadata: { name: a, owner: b },";

/// The schema, in JSON Schema 2020-12.
pub fn schema() -> Value {
    let policy = object(&ROOT);
    let example = json!({
        "type": "object",
        "description": "A golden input: a whole situation that tests start from.",
        "properties": { "apiVersion": { "const": "belay.dev/v1" }, "kind": { "const": "Example" } },
        "required": ["apiVersion", "kind"],
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A policy of belay",
        "type": "object",
        "if": { "properties": { "kind": { "const": "Example" } }, "required": ["kind"] },
        "then": example,
        "else": policy,
    })
}

fn object(shape: &Shape) -> Value {
    let mut properties = Map::new();
    for (key, holds, description) in known(shape) {
        let mut value = value(holds);
        if let Some(value) = value.as_object_mut() {
            value.insert("description".to_owned(), (*description).into());
        }
        properties.insert((*key).to_owned(), value);
    }
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (Some(object), false) = (object.as_object_mut(), shape.required.is_empty()) {
        object.insert("required".to_owned(), shape.required.into());
    }
    object
}

/// The keys that this version's reader takes.
fn known(shape: &Shape) -> impl Iterator<Item = &(&'static str, Holds, &'static str)> {
    shape.keys.iter().filter(|(key, _, _)| {
        let refused = [format!("unknown key `{key}`"), format!("`{key}` is not supported yet")];
        !problems(shape, &format!("{key}: ~")).iter().any(|(m, _)| refused.iter().any(|r| m.starts_with(r)))
    })
}

/// What the reader says of a policy with this in the shape's place: messages, and their help.
fn problems(shape: &Shape, inside: &str) -> Vec<(String, Option<String>)> {
    let within = shape.within.replace('@', inside);
    let text = if within.starts_with('{') { within } else { format!("{HEAD} spec: {{ {within} }} }}") };
    let found = match edited([("probe.yaml", text)], |_, _| ()) {
        Ok((set, tests)) => tests.iter().flat_map(|test| golden::run(&set, test)).collect(),
        Err(errors) => errors.0,
    };
    found.into_iter().map(|problem| (problem.message, problem.help)).collect()
}

fn value(holds: &Holds) -> Value {
    match holds {
        // a bare number or word counts as its text
        Holds::Text => json!({ "type": ["string", "number", "boolean"] }),
        Holds::Name => json!({ "type": "string", "minLength": 1 }),
        Holds::Expression => json!({ "type": ["string", "boolean"], "maxLength": 2048 }),
        Holds::Bool => json!({ "type": "boolean" }),
        Holds::Level => json!({ "type": "integer", "minimum": 1, "maximum": 5 }),
        Holds::Count { min, max: u32::MAX } => json!({ "type": "integer", "minimum": min }),
        Holds::Count { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Holds::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Holds::Percent => json!({ "type": "string", "pattern": "^([1-9][0-9]?|100)%$" }),
        Holds::Duration => json!({ "type": "string", "pattern": "^([0-9]+[smhd])+$" }),
        Holds::Moment => {
            json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}" })
        }
        Holds::Words(words) => json!({ "enum": words }),
        Holds::Actions => json!({ "enum": ActionKind::ALL.map(ActionKind::name) }),
        Holds::List(item) => json!({ "type": "array", "items": value(item) }),
        Holds::Object(shape) => object(shape),
        Holds::Named(shape) => json!({ "type": "object", "additionalProperties": object(shape) }),
        Holds::Anything => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn shapes(shape: &'static Shape, found: &mut Vec<&'static Shape>) {
        found.push(shape);
        for (_, holds, _) in known(shape) {
            match holds {
                Holds::Object(inner) | Holds::Named(inner) | Holds::List(Holds::Object(inner)) => {
                    shapes(inner, found);
                }
                _ => {}
            }
        }
    }

    fn all() -> Vec<&'static Shape> {
        let mut found = Vec::new();
        shapes(&ROOT, &mut found);
        found
    }

    /// The words in backticks of `expected one of …`.
    fn listed(found: &[(String, Option<String>)], beginning: &str) -> BTreeSet<String> {
        let help = found.iter().find(|(message, _)| message.starts_with(beginning));
        let help = help.and_then(|(_, help)| help.clone()).unwrap_or_default();
        help.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_reader_knows_no_key_that_the_schema_does_not() {
        for shape in all() {
            let said = listed(&problems(shape, "zqzqzqzq: ~"), "unknown key `zqzqzqzq`");
            let keys: BTreeSet<String> = known(shape).map(|(key, _, _)| (*key).to_owned()).collect();
            assert_eq!(keys, said, "{}", shape.within);
        }
    }

    #[test]
    fn the_words_of_the_schema_are_those_of_the_reader() {
        for shape in all() {
            for (key, holds, _) in known(shape) {
                let (words, given) = match holds {
                    Holds::Words(words) => (words.to_vec(), "zqzqzqzq"),
                    Holds::List(Holds::Words(words)) => (words.to_vec(), "[zqzqzqzq]"),
                    _ => continue,
                };
                // a word with no likeness to any is answered by all that there are; a single word by itself
                let inside = format!("{key}: {given}");
                // a second `kind` is refused before it is looked at
                if shape.within == ROOT.within {
                    continue;
                }
                let said = listed(&problems(shape, &inside), "`zqzqzqzq` is not");
                let words: BTreeSet<String> = words.into_iter().map(str::to_owned).collect();
                assert_eq!(words, said, "{key} in {}", shape.within);
            }
        }
    }
}
