//! The Web API methods that belay calls.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State as Held};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{Fault, Message, Shared, Shown, State, limits, lock};

/// `chat.update` refuses a longer text; `chat.postMessage` cuts it at its own.
const UPDATE_TEXT: usize = 4_000;
const POST_TEXT: usize = 40_000;
/// The most that `conversations.history` gives at once, and what it gives unasked.
const PAGE: usize = 999;
const DEFAULT_PAGE: usize = 100;
/// The second of the first message's `ts`; they count upwards from there.
const FIRST_TS: u64 = 1_700_000_000;

pub fn router(state: Shared) -> Router {
    Router::new().route("/api/{method}", get(method).post(method)).with_state(state)
}

async fn method(
    Held(state): Held<Shared>,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let arguments = arguments(query.as_deref(), &body);
    let fault = lock(&state).begin(&method);
    match fault {
        None => answer(lock(&state).carry_out(&method, &headers, &arguments)),
        Some(Fault::RateLimited(seconds)) => limited(seconds),
        Some(Fault::Status(status)) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        Some(Fault::Code(code)) => answer(Err(code)),
        Some(Fault::LostAnswer) => {
            let _ = lock(&state).carry_out(&method, &headers, &arguments);
            broken()
        }
        Some(Fault::SilentAfter) => {
            let _ = lock(&state).carry_out(&method, &headers, &arguments);
            std::future::pending().await
        }
        Some(Fault::SilentBefore) => std::future::pending().await,
    }
}

/// JSON from the body, or strings from the query.
fn arguments(query: Option<&str>, body: &[u8]) -> Value {
    match query {
        Some(query) => {
            let pairs: BTreeMap<String, String> = serde_urlencoded::from_str(query).unwrap_or_default();
            json!(pairs)
        }
        None => serde_json::from_slice(body).unwrap_or(Value::Null),
    }
}

fn answer(result: Result<Value, String>) -> Response {
    match result {
        Ok(mut value) => {
            if let Some(fields) = value.as_object_mut() {
                fields.insert("ok".to_owned(), Value::Bool(true));
            }
            Json(value).into_response()
        }
        Err(code) => Json(json!({"ok": false, "error": code})).into_response(),
    }
}

fn limited(seconds: u32) -> Response {
    let after = [(header::RETRY_AFTER, seconds.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, after, Json(json!({"ok": false, "error": "ratelimited"}))).into_response()
}

/// An answer whose body ends in an error, by which the server closes the connection.
fn broken() -> Response {
    let cut = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut")) });
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(cut)).into_response()
}

impl State {
    fn begin(&mut self, method: &str) -> Option<Fault> {
        self.calls.push(method.to_owned());
        let at = self.faults.iter().position(|(of, _)| of == method)?;
        self.faults.remove(at).map(|(_, fault)| fault)
    }

    fn carry_out(&mut self, method: &str, headers: &HeaderMap, arguments: &Value) -> Result<Value, String> {
        let bearer = format!("Bearer {}", self.workspace.token);
        match headers.get(header::AUTHORIZATION) {
            None => return Err("not_authed".to_owned()),
            Some(given) if given.as_bytes() != bearer.as_bytes() => return Err("invalid_auth".to_owned()),
            Some(_) => {}
        }
        match method {
            "auth.test" => Ok(json!({"team_id": self.workspace.team, "team": "shop", "user_id": "U0BELAY"})),
            "chat.postMessage" => self.post(arguments).map_err(str::to_owned),
            "chat.update" => self.update(arguments),
            "conversations.history" => self.history(arguments).map_err(str::to_owned),
            _ => Err("unknown_method".to_owned()),
        }
    }

    fn post(&mut self, arguments: &Value) -> Result<Value, &'static str> {
        self.channel(arguments)?;
        let mut shown = shown(arguments, &[])?;
        shown.text = shown.text.chars().take(POST_TEXT).collect();
        let ts = format!("{}.000100", FIRST_TS + self.messages.len() as u64);
        let metadata = arguments["metadata"].clone();
        let text = shown.text.clone();
        self.messages.push(Message {
            ts: ts.clone(),
            now: shown,
            before: Vec::new(),
            metadata,
            deleted: false,
            frozen: None,
        });
        Ok(
            json!({"channel": self.workspace.channel, "ts": ts, "message": {"type": "message", "ts": ts, "text": text}}),
        )
    }

    fn update(&mut self, arguments: &Value) -> Result<Value, String> {
        self.channel(arguments)?;
        let ts = arguments["ts"].as_str().unwrap_or_default();
        let known = self.messages.iter_mut().find(|m| m.ts == ts && !m.deleted);
        let message = known.ok_or("message_not_found")?;
        if let Some(code) = &message.frozen {
            return Err(code.clone());
        }
        let shown = shown(arguments, &message.now.blocks)?;
        if limits::units(&shown.text) > UPDATE_TEXT {
            return Err("msg_too_long".to_owned());
        }
        let text = shown.text.clone();
        message.before.push(std::mem::replace(&mut message.now, shown));
        Ok(json!({"channel": self.workspace.channel, "ts": ts, "text": text}))
    }

    /// Newest first; metadata only where it was asked for.
    fn history(&self, arguments: &Value) -> Result<Value, &'static str> {
        self.channel(arguments)?;
        let number = |name: &str| arguments[name].as_str().and_then(|n| n.parse::<usize>().ok());
        let limit = number("limit").unwrap_or(DEFAULT_PAGE).clamp(1, PAGE);
        let from = number("cursor").unwrap_or(0);
        let all: Vec<&Message> = self.messages.iter().rev().filter(|m| !m.deleted).collect();
        let with_metadata = arguments["include_all_metadata"] == "true";
        let page = all.iter().skip(from).take(limit).map(|m| {
            let mut message = json!({"type": "message", "ts": m.ts, "text": m.now.text, "bot_id": "B0BELAY"});
            if let Some(fields) = message.as_object_mut().filter(|_| with_metadata && !m.metadata.is_null()) {
                fields.insert("metadata".to_owned(), m.metadata.clone());
            }
            message
        });
        let page: Vec<Value> = page.collect();
        let more = from + page.len() < all.len();
        let next = if more { (from + page.len()).to_string() } else { String::new() };
        Ok(json!({"messages": page, "has_more": more, "response_metadata": {"next_cursor": next}}))
    }

    fn channel(&self, arguments: &Value) -> Result<(), &'static str> {
        let known = arguments["channel"] == self.workspace.channel.as_str();
        known.then_some(()).ok_or("channel_not_found")
    }
}

/// What the arguments ask to show; blocks that are left out stay as they are.
fn shown(arguments: &Value, old: &[Value]) -> Result<Shown, &'static str> {
    let text = arguments["text"].as_str().unwrap_or_default().to_owned();
    let blocks = match &arguments["blocks"] {
        Value::Null => old.to_vec(),
        Value::Array(blocks) => blocks.clone(),
        _ => return Err("invalid_blocks_format"),
    };
    limits::blocks(&blocks)?;
    if text.is_empty() && blocks.is_empty() { Err("no_text") } else { Ok(Shown { text, blocks }) }
}
