//! What a strict server demands of a request; each rule is one that some real server enforces.

use std::collections::BTreeSet;

use serde_json::Value;

/// What names a conversation: its first two messages.
pub fn conversation(request: &Value) -> String {
    let first = |n: usize| request.get("messages").and_then(|m| m.get(n)).map(Value::to_string);
    format!("{}{}", first(0).unwrap_or_default(), first(1).unwrap_or_default())
}

/// Everything that is wrong with a request.
pub fn request(request: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if request.get("stream").and_then(Value::as_bool).is_none() {
        wrong.push("`stream` is not said".to_owned());
    }
    if str_at(request, "model").is_empty() {
        wrong.push("`model` is missing".to_owned());
    }
    messages(list_at(request, "messages"), &mut wrong);
    tools(list_at(request, "tools"), &mut wrong);
    match request.get("tool_choice").and_then(Value::as_str) {
        None | Some("auto" | "none") => {}
        Some("required") if !list_at(request, "tools").is_empty() => {}
        Some(choice) => wrong.push(format!("tool_choice `{choice}` without such tools")),
    }
    wrong
}

fn messages(messages: &[Value], wrong: &mut Vec<String>) {
    let mut open: Vec<String> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut before = "";
    for (n, message) in messages.iter().enumerate() {
        let role = str_at(message, "role");
        if role != "tool" && !open.is_empty() {
            wrong.push(format!("message {n}: calls {open:?} have no result"));
            open.clear();
        }
        match role {
            "system" if n == 0 => {}
            "user" if before != "user" => {}
            "assistant" if before != "assistant" => open = calls(n, message, &mut ids, wrong),
            "tool" => {
                let id = str_at(message, "tool_call_id");
                match open.iter().position(|o| o == id) {
                    Some(at) => drop(open.remove(at)),
                    None => wrong.push(format!("message {n}: a result for `{id}`, which was not called")),
                }
            }
            other => wrong.push(format!("message {n}: role `{other}` after `{before}`")),
        }
        let speaks = message.get("content").and_then(Value::as_str).is_some_and(|c| !c.is_empty());
        if !speaks && list_at(message, "tool_calls").is_empty() {
            wrong.push(format!("message {n}: it is empty"));
        }
        before = role;
    }
    if !open.is_empty() {
        wrong.push(format!("the last calls {open:?} have no result"));
    }
    if !matches!(before, "user" | "tool") {
        wrong.push(format!("the last message is of role `{before}`"));
    }
}

/// The ids that a message calls.
fn calls(n: usize, message: &Value, ids: &mut BTreeSet<String>, wrong: &mut Vec<String>) -> Vec<String> {
    let mut open = Vec::new();
    for call in list_at(message, "tool_calls") {
        let id = str_at(call, "id").to_owned();
        if id.is_empty() || !ids.insert(id.clone()) {
            wrong.push(format!("message {n}: call id `{id}` is empty or was used before"));
        }
        let function = call.get("function").unwrap_or(&Value::Null);
        let arguments: Result<Value, _> = serde_json::from_str(str_at(function, "arguments"));
        if str_at(call, "type") != "function" || !arguments.is_ok_and(|a| a.is_object()) {
            wrong.push(format!("message {n}: call `{id}` is malformed"));
        }
        if !is_name(str_at(function, "name")) {
            wrong.push(format!("message {n}: call `{id}` has a name that is not allowed"));
        }
        open.push(id);
    }
    open
}

fn tools(tools: &[Value], wrong: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for tool in tools {
        let function = tool.get("function").unwrap_or(&Value::Null);
        let name = str_at(function, "name");
        if str_at(tool, "type") != "function" || !is_name(name) || !names.insert(name) {
            wrong.push(format!("tool `{name}` is malformed or there twice"));
        }
        let schema = function.get("parameters").unwrap_or(&Value::Null);
        let typed = str_at(schema, "type") == "object";
        let properties = schema.get("properties").is_none_or(Value::is_object);
        if !typed || !properties {
            wrong.push(format!("tool `{name}` has no schema of an object"));
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// A text field, or nothing.
pub fn str_at<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A list field, or nothing.
pub fn list_at<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
