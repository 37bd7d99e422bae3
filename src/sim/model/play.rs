//! Turns of the script as HTTP answers.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde_json::{Value, json};

use super::{Odd, Turn};

/// One byte more than any client of ours reads, and then some.
const HUGE: usize = 6 * 1024 * 1024;

/// The answer that a turn gives to request `number`.
pub fn turn(turn: Turn, number: usize) -> Response {
    match turn {
        Turn::Say(text) => ok(completion(&json!({"role": "assistant", "content": text}), "stop")),
        Turn::Call { say, calls } => ok(calling(&say, &calls, number)),
        Turn::Choose { candidate, evidence } => {
            ending("choose", &json!({"candidate": candidate, "evidence": evidence}), number)
        }
        Turn::NoAction(reason) => ending("no_action", &json!({ "reason": reason }), number),
        Turn::Escalate(reason) => ending("escalate", &json!({ "reason": reason }), number),
        Turn::Odd(odd) => self::odd(odd, number),
        Turn::Http { status, body, retry_after } => http(status, body, retry_after),
        // only one delay is played: a delayed delay is none
        Turn::Slow(_, inner) => self::turn(*inner, number),
    }
}

/// The answer that a turn gives to request `number`, in events: text and arguments in pieces of a few bytes, as
/// real servers send them.
pub fn streamed(turn: Turn, number: usize) -> Response {
    let (say, calls) = match turn {
        Turn::Say(text) => (text, Vec::new()),
        Turn::Call { say, calls } => (say, calls),
        Turn::Choose { candidate, evidence } => {
            (String::new(), one("choose", &json!({"candidate": candidate, "evidence": evidence})))
        }
        Turn::NoAction(reason) => (String::new(), one("no_action", &json!({ "reason": reason }))),
        Turn::Escalate(reason) => (String::new(), one("escalate", &json!({ "reason": reason }))),
        // these answer as if they had not been asked to stream
        turn @ (Turn::Odd(_) | Turn::Http { .. } | Turn::Slow(..)) => return self::turn(turn, number),
    };
    let mut events = vec![": keepalive".to_owned()];
    let mut event = |delta: Value, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        events.push(format!(
            "data: {}",
            json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})
        ));
    };
    event(json!({"role": "assistant", "content": ""}), None);
    for piece in pieces(&say) {
        event(json!({ "content": piece }), None);
    }
    for (n, (name, arguments)) in calls.iter().enumerate() {
        let function = json!({"name": name, "arguments": ""});
        let id = format!("r{number}c{n}");
        event(
            json!({"tool_calls": [{"index": n, "id": id, "type": "function", "function": function}]}),
            None,
        );
        for piece in pieces(arguments) {
            event(json!({"tool_calls": [{"index": n, "function": {"arguments": piece}}]}), None);
        }
    }
    event(json!({}), Some(if calls.is_empty() { "stop" } else { "tool_calls" }));
    let usage = json!({
        "prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000,
        "prompt_tokens_details": {"cached_tokens": 640},
    });
    events.push(format!("data: {}", json!({"id": "c", "choices": [], "usage": usage})));
    events.push("data: [DONE]\n\n".to_owned());
    ([(header::CONTENT_TYPE, "text/event-stream")], events.join("\n\n")).into_response()
}

fn one(name: &str, arguments: &Value) -> Vec<(String, String)> {
    vec![(name.to_owned(), arguments.to_string())]
}

/// A text in pieces of seven characters.
fn pieces(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(7).map(|piece| piece.iter().collect()).collect()
}

/// This status and body.
pub fn http(status: u16, body: String, retry_after: Option<u32>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
    let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn ok(body: Value) -> Response {
    axum::Json(body).into_response()
}

fn completion(message: &Value, finish: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000},
    })
}

fn calling(say: &str, calls: &[(String, String)], number: usize) -> Value {
    let calls: Vec<Value> = calls
        .iter()
        .enumerate()
        .map(|(n, (name, arguments))| {
            let function = json!({"name": name, "arguments": arguments});
            json!({"index": n, "id": format!("r{number}c{n}"), "type": "function", "function": function})
        })
        .collect();
    completion(&json!({"role": "assistant", "content": say, "tool_calls": calls}), "tool_calls")
}

fn ending(name: &str, arguments: &Value, number: usize) -> Response {
    ok(calling("", &[(name.to_owned(), arguments.to_string())], number))
}

/// A reason that two odd calls of `escalate` or `no_action` carry.
fn odd(odd: Odd, number: usize) -> Response {
    let escalate = |arguments: Value| json!({"name": "escalate", "arguments": arguments});
    let text = || Value::String(r#"{"reason":"odd"}"#.to_owned());
    let with = |calls: Value| json!({"role": "assistant", "content": null, "tool_calls": calls});
    let id = format!("r{number}");
    match odd {
        Odd::NoType => ok(completion(&with(json!([{"id": id, "function": escalate(text())}])), "tool_calls")),
        Odd::ObjectArguments => {
            let function = escalate(json!({"reason": "odd"}));
            ok(completion(&with(json!([{"id": id, "type": "function", "function": function}])), "stop"))
        }
        Odd::NoIds => ok(completion(&with(json!([{"function": read(1)}, {"function": read(2)}])), "stop")),
        Odd::SameIds => {
            let same = |n| json!({"id": "same", "type": "function", "function": read(n)});
            ok(completion(&with(json!([same(1), same(2)])), "tool_calls"))
        }
        Odd::OddFinish => {
            let mut body = completion(&json!({"role": "assistant", "content": "x"}), "eos_token");
            if let Some(body) = body.as_object_mut() {
                body.insert("service_tier".to_owned(), json!("on_demand"));
                body.insert("usage".to_owned(), json!({"prompt_tokens": 1.5, "completion_tokens": "two"}));
            }
            ok(body)
        }
        Odd::Bare => ok(json!({"choices": [{"message": {"content": "x"}}]})),
        Odd::Parts => {
            let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
            ok(completion(&json!({"role": "assistant", "content": parts}), "stop"))
        }
        Odd::Length => {
            let call = json!([{"id": id, "type": "function", "function": escalate(json!("{\"reas"))}]);
            ok(completion(&with(call), "length"))
        }
        Odd::Filtered => ok(completion(&json!({"role": "assistant", "content": null}), "content_filter")),
        Odd::Empty => ok(completion(&json!({"role": "assistant", "content": ""}), "stop")),
        Odd::NoChoices => ok(json!({"id": "x", "choices": []})),
        Odd::Html => http(200, "<html><body>Sign in to continue</body></html>".to_owned(), None),
        Odd::Huge => http(200, " ".repeat(HUGE), None),
        Odd::Cut => cut(),
        Odd::HalfJson => http(200, r#"{"choices":[{"message":{"#.to_owned(), None),
    }
}

fn read(n: u32) -> Value {
    json!({"name": "k8s__list_pods", "arguments": format!("{{\"namespace\":\"n{n}\"}}")})
}

/// A body that breaks off.
fn cut() -> Response {
    let parts = [Ok(Bytes::from_static(b"{\"choices\":[")), Err(io::Error::other("cut"))];
    Response::new(Body::from_stream(stream::iter(parts)))
}
