//! The JSON Schema for editors: up to date, true of the shipped files, and it refuses what is wrong.

use belay::policy::schema;
use regex::Regex;
use serde_json::{Map, Value};

use super::{BASE, read};

/// Checks a value against the part of JSON Schema that the schema uses; an unknown keyword fails the test.
fn wrong(schema: &Value, value: &Value, at: &str) -> Option<String> {
    let rules = schema.as_object().unwrap();
    let applies = rules.get("if").is_none_or(|rule| wrong(rule, value, at).is_none());
    rules.iter().find_map(|(rule, with)| match rule.as_str() {
        "$schema" | "title" | "description" | "if" => None,
        "then" => applies.then(|| wrong(with, value, at)).flatten(),
        "else" => (!applies).then(|| wrong(with, value, at)).flatten(),
        "type" => (!is(with, value)).then(|| format!("{at}: not {with}")),
        "const" => (with != value).then(|| format!("{at}: not {with}")),
        "enum" => (!with.as_array().unwrap().contains(value)).then(|| format!("{at}: none of {with}")),
        "minimum" => value.as_f64().filter(|n| *n < with.as_f64().unwrap()).map(|_| format!("{at}: too low")),
        "maximum" => {
            value.as_f64().filter(|n| *n > with.as_f64().unwrap()).map(|_| format!("{at}: too high"))
        }
        "minLength" | "maxLength" => {
            let (length, bound) = (value.as_str().map(|s| s.chars().count() as u64), with.as_u64().unwrap());
            let bad = length.is_some_and(|n| if rule == "minLength" { n < bound } else { n > bound });
            bad.then(|| format!("{at}: {rule}"))
        }
        "pattern" => value
            .as_str()
            .filter(|text| !Regex::new(with.as_str().unwrap()).unwrap().is_match(text))
            .map(|_| format!("{at}: not like {with}")),
        "required" => {
            let (keys, empty) = (with.as_array().unwrap(), Map::new());
            let there = value.as_object().unwrap_or(&empty);
            keys.iter()
                .find(|key| !there.contains_key(key.as_str().unwrap()))
                .map(|key| format!("{at}: no {key}"))
        }
        "items" => value.as_array().and_then(|items| items.iter().find_map(|item| wrong(with, item, at))),
        "properties" => value.as_object().and_then(|there| {
            there.iter().find_map(|(key, value)| wrong(with.get(key)?, value, &format!("{at}.{key}")))
        }),
        "additionalProperties" => value.as_object().and_then(|there| {
            let known = rules.get("properties").and_then(Value::as_object);
            let others = there.iter().filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
            others.into_iter().find_map(|(key, value)| match with {
                Value::Bool(false) => Some(format!("{at}: unknown {key}")),
                with => wrong(with, value, &format!("{at}.{key}")),
            })
        }),
        other => Some(format!("the schema uses `{other}`, which this test does not know")),
    })
}

fn is(types: &Value, value: &Value) -> bool {
    let one = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("unknown type {other}"),
    };
    match types {
        Value::Array(types) => types.iter().any(|name| one(name.as_str().unwrap())),
        name => one(name.as_str().unwrap()),
    }
}

fn yaml(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).unwrap()
}

#[test]
fn the_file_beside_the_policies_is_up_to_date() {
    let written: Value = serde_json::from_str(&read("schema.json")).unwrap();
    assert!(written == schema(), "make it anew: `belay policy schema > policies/schema.json`");
}

#[test]
fn what_is_shipped_is_valid() {
    let schema = schema();
    let folder = format!("{}/policies", env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for dir in [folder.clone(), format!("{folder}/examples")] {
        for file in std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|ending| ending == "yaml") {
                let text = std::fs::read_to_string(&file).unwrap();
                assert_eq!(wrong(&schema, &yaml(&text), "file"), None, "{}", file.display());
                let policy = text.contains("kind: Policy");
                let line = "# yaml-language-server: $schema=./schema.json\n";
                assert!(!policy || text.starts_with(line), "{} does not name its schema", file.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 4);
    assert_eq!(wrong(&schema, &yaml(BASE), "file"), None);
}

#[test]
fn what_is_wrong_is_refused() {
    let schema = schema();
    for (from, to) in [
        ("apiVersion: belay.dev/v1", "apiVersion: belay.dev/v2"),
        ("kind: Policy", "kind: Polcy"),
        ("owner: us", "ownr: us"),
        ("  grants:", "  grnats:"),
        ("mode: enforce", "mode: on"),
        ("maxLevel: 5", "maxLevel: 6"),
        ("ladder: off", "ladder: loose"),
        ("slackUsers: [U0A, U0B, U0C]", "slackUsers: U0A"),
        ("count: 1", "count: 0"),
        ("expires: 15m", "expires: 15 minutes"),
        ("actions: [restart_pod]", "actions: [delete_everything]"),
        ("level: 4", "level: high"),
        ("expect: [workload_ready]", "expect: [hope]"),
        ("onFailure: revert", "onFailure: ignore"),
        ("confirm: { approval: one }", "confirm: {}"),
        ("      level: 4\n", ""),
    ] {
        assert!(BASE.contains(from), "{from}");
        let text = BASE.replacen(from, to, 1);
        assert!(wrong(&schema, &yaml(&text), "file").is_some(), "{to}");
    }
}
