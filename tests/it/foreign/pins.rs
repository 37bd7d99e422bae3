//! Promise 10: a tool whose definition differs in any byte from what a person accepted is refused.

use std::fs;
use std::path::Path;

use belay::adapters::mcp::{Pins, PinsError, Standing};
use rmcp::model::Tool;
use serde_json::{Value, json};

use super::odd::parsed;

/// The lists of tools that real servers gave.
fn recorded() -> Vec<(String, Vec<Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mcp-tools");
    let mut lists: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect();
    lists.sort_by(|(a, _), (b, _)| a.cmp(b));
    lists
}

/// The ways to every leaf, and to every object and list, as JSON pointers.
fn places(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| {
            places(value, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), out);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| places(value, format!("{at}/{i}"), out));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    if !at.is_empty() {
        out.push(at);
    }
}

fn mutations(leaf: &Value) -> Vec<Value> {
    match leaf {
        Value::Null => vec![json!(false), json!("")],
        Value::Bool(b) => vec![json!(!b), Value::Null],
        Value::Number(n) => match n.as_i64() {
            Some(n) => vec![json!(n.wrapping_add(1)), json!(n.to_string())],
            None => vec![json!(n.as_f64().unwrap() + 1.0), json!(0)],
        },
        Value::String(text) => {
            vec![
                json!(format!("{text} ")),
                json!(format!("{text}\u{200b}")),
                json!(text.to_uppercase() + "x"),
            ]
        }
        Value::Object(map) => {
            let mut more = map.clone();
            more.insert("x-more".into(), json!("text"));
            vec![Value::Object(more), json!([])]
        }
        Value::Array(items) => vec![json!([items, [json!("more")]]), json!({})],
    }
}

#[test]
fn every_changed_leaf_of_every_recorded_tool_is_refused() {
    let (mut tools, mut changed, mut unread, mut unreadable) = (0, 0, 0, 0);
    for (server, list) in recorded() {
        for original in list {
            tools += 1;
            let mut pins = Pins::default();
            let tool = parsed(original.clone());
            let name = tool.name.to_string();
            pins.accept(&server, &tool);
            assert_eq!(pins.judge(&server, &name, &[tool]), Standing::Pinned);
            // what came through the file is what was accepted
            let pins = Pins::parse(&pins.text()).unwrap();
            assert_eq!(pins.judge(&server, &name, &[parsed(original.clone())]), Standing::Pinned);
            let mut all = Vec::new();
            places(&original, String::new(), &mut all);
            // the client does not read it: it reaches neither the model nor a call (see below)
            all.retain(|place| !place.starts_with("/execution"));
            for place in all {
                for value in mutations(original.pointer(&place).unwrap()) {
                    let mut mutant = original.clone();
                    *mutant.pointer_mut(&place).unwrap() = value;
                    let Ok(tool) = serde_json::from_value::<Tool>(mutant) else {
                        unreadable += 1; // the whole list is refused
                        continue;
                    };
                    changed += 1;
                    let standing = pins.judge(&server, &name, std::slice::from_ref(&tool));
                    let expected = if tool.name == name { Standing::Changed } else { Standing::Missing };
                    // hints that the client does not know are not read: the same definition
                    let same = serde_json::to_value(&tool).unwrap()
                        == serde_json::to_value(parsed(original.clone())).unwrap();
                    unread += usize::from(same);
                    assert!(
                        standing == expected || (same && !place.starts_with("/inputSchema")),
                        "{server} {name} {place}: {standing}"
                    );
                }
            }
        }
    }
    assert!(unread * 50 < changed, "{unread} of {changed} were not read");
    assert!(tools > 150 && changed > 19_000, "{tools} tools, {changed} changed, {unreadable} unreadable");
}

#[test]
fn what_the_client_does_not_read_reaches_nobody() {
    let with = |support: &str| {
        let mut tool = super::odd::tool("echo");
        tool["execution"] = json!({ "taskSupport": support });
        serde_json::to_value(parsed(tool)).unwrap()
    };
    assert_eq!(with("required"), with("forbidden"));
    assert!(with("required").get("execution").is_none());
}

#[test]
fn a_name_that_is_listed_twice_is_neither() {
    let (one, mut other) = (super::odd::tool("echo"), super::odd::tool("echo"));
    other["description"] = json!("Another.");
    let pins = super::odd::pins("s");
    assert_eq!(pins.judge("s", "echo", &[parsed(one.clone())]), Standing::Pinned);
    assert_eq!(pins.judge("s", "echo", &[parsed(one.clone()), parsed(other)]), Standing::Twice);
    assert_eq!(pins.judge("s", "echo", &[parsed(one.clone()), parsed(one.clone())]), Standing::Twice);
    assert_eq!(pins.judge("s", "echo", &[]), Standing::Missing);
    assert_eq!(pins.judge("t", "echo", &[parsed(one)]), Standing::New, "a pin is one server's");
}

#[test]
fn numbers_that_a_double_cannot_tell_apart_are_told_apart() {
    let with = |n: u64| {
        let mut tool = super::odd::tool("echo");
        tool["inputSchema"]["maximum"] = json!(n);
        parsed(tool)
    };
    let mut pins = Pins::default();
    pins.accept("s", &with(9_007_199_254_740_993));
    assert_eq!(pins.judge("s", "echo", &[with(9_007_199_254_740_992)]), Standing::Changed);
}

#[test]
fn a_file_that_was_edited_by_hand_is_refused() {
    let text = super::odd::pins("s").text();
    assert!(Pins::parse(&text).is_ok());
    let edited = text.replace("Does echo.", "Does echo and more.");
    let Err(PinsError::Edited(which)) = Pins::parse(&edited) else { panic!("it was taken") };
    assert_eq!(which, "s/echo");
    let renamed = text.replacen("\"echo\": {", "\"other\": {", 1);
    assert!(matches!(Pins::parse(&renamed), Err(PinsError::Edited(_))));
    assert!(matches!(
        Pins::parse(&text.replace("\"version\": 1", "\"version\": 2")),
        Err(PinsError::Version(2))
    ));
    for broken in ["", "[]", "{}", &text[..text.len() / 2]] {
        assert!(matches!(Pins::parse(broken), Err(PinsError::Unreadable(_))), "{broken}");
    }
}

#[test]
fn a_difference_can_be_read() {
    let pins = super::odd::pins("s");
    let mut tool = super::odd::tool("echo");
    tool["description"] = json!("Does echo.\u{202e} Ignore\nme");
    tool["inputSchema"]["required"] = json!(["text"]);
    tool.as_object_mut().unwrap().remove("annotations");
    let lines = pins.difference("s", &parsed(tool));
    assert_eq!(
        lines,
        [
            "- annotations.readOnlyHint: true",
            "- description: \"Does echo.\"",
            "+ description: \"Does echo.<U+202E> Ignore\\nme\"",
            "+ inputSchema.required[0]: \"text\"",
        ]
    );
    let new = pins.difference("t", &parsed(super::odd::tool("echo")));
    assert!(new.iter().all(|line| line.starts_with("+ ")) && new.len() == 5, "{new:?}");
}
