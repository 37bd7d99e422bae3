//! GitHub's REST API, as far as belay calls it.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Held};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, patch, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::repo::{NAME, Pull, Repo, State, blob};
use super::{Answer, Asked, Shared, body, carry_out, no};

type Params = Query<BTreeMap<String, String>>;

pub fn router(world: Shared) -> Router {
    let at = |rest: &str| format!("/api/v3/repos/{NAME}/{rest}");
    Router::new()
        .route(&at("branches/{*branch}"), get(branch))
        .route(&at("contents/{*path}"), get(contents).put(put))
        .route(&at("git/refs"), post(refs))
        .route(&at("git/refs/heads/{*branch}"), axum::routing::delete(remove))
        .route(&at("pulls"), get(pulls).post(open))
        .route(&at("pulls/{number}"), patch(close))
        .with_state(world)
}

async fn branch(Held(world): Held<Shared>, Path(branch): Path<String>, headers: HeaderMap) -> Response {
    carry_out(&world, Asked::Tip, &headers, |repo| match repo.tip(&branch) {
        None => no(404, "Branch not found"),
        Some(tip) => {
            let parents: Vec<Value> = tip.parents.iter().map(|sha| json!({ "sha": sha })).collect();
            let commit = json!({ "sha": tip.id, "commit": { "message": tip.message }, "parents": parents });
            (200, json!({ "name": branch, "commit": commit, "protected": false }))
        }
    })
}

/// Base64 in lines of sixty, as GitHub wraps it.
fn wrapped(text: &str) -> String {
    let encoded = STANDARD.encode(text);
    let lines = encoded.as_bytes().chunks(60).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    lines.collect()
}

async fn contents(
    Held(world): Held<Shared>,
    Path(path): Path<String>,
    Query(query): Params,
    headers: HeaderMap,
) -> Response {
    let at = query.get("ref").cloned().unwrap_or_else(|| "main".to_owned());
    carry_out(&world, Asked::File, &headers, |repo| {
        match repo.at(&at).and_then(|commit| commit.files.get(&path)) {
            None => no(404, "Not Found"),
            Some(text) => (
                200,
                json!({
                    "type": "file", "encoding": "base64", "path": path, "size": text.len(), "sha": blob(text),
                    "content": wrapped(text),
                }),
            ),
        }
    })
}

async fn refs(Held(world): Held<Shared>, headers: HeaderMap, bytes: Bytes) -> Response {
    let body = &body(&bytes);
    carry_out(&world, Asked::Branch, &headers, |repo| {
        let name = body["ref"].as_str().and_then(|name| name.strip_prefix("refs/heads/"));
        let (Some(name), Some(sha)) = (name, body["sha"].as_str()) else { return no(422, "Invalid request") };
        if repo.branches.contains_key(name) {
            return no(422, "Reference already exists");
        }
        if !repo.commits.contains_key(sha) {
            return no(422, "Object does not exist");
        }
        repo.branches.insert(name.to_owned(), sha.to_owned());
        (201, json!({ "ref": body["ref"], "object": { "sha": sha } }))
    })
}

async fn put(
    Held(world): Held<Shared>,
    Path(path): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let body = &body(&bytes);
    carry_out(&world, Asked::Commit, &headers, |repo| committed(repo, &path, body))
}

fn committed(repo: &mut Repo, path: &str, body: &Value) -> Answer {
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let (branch, decoded) = (text("branch"), STANDARD.decode(text("content")).ok());
    let Some(now) = repo.file(&branch, path).map(blob) else { return no(404, "Branch not found") };
    if now != text("sha") {
        return no(409, &format!("{path} does not match {}", text("sha")));
    }
    let Some(content) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return no(422, "content is not valid Base64");
    };
    repo.push(&branch, path, &content, &text("message"));
    (200, json!({ "commit": { "sha": repo.branches.get(&branch) }, "content": { "path": path } }))
}

fn shown(pull: &Pull) -> Value {
    let (state, merged) = match pull.state {
        State::Open => ("open", Value::Null),
        State::Closed => ("closed", Value::Null),
        State::Merged => ("closed", "2026-11-21T08:00:00Z".into()),
    };
    let repo = if pull.fork { "somebody/deploy" } else { NAME };
    json!({
        "number": pull.number, "state": state, "merged_at": merged, "title": pull.title, "body": pull.body,
        // nobody should follow this one
        "html_url": "https://elsewhere.example/phish",
        "head": { "ref": pull.from, "repo": { "full_name": repo } },
        "base": { "ref": pull.into },
    })
}

async fn pulls(Held(world): Held<Shared>, Query(query): Params, headers: HeaderMap) -> Response {
    carry_out(&world, Asked::List, &headers, |repo| {
        let (_, from) = query.get("head").and_then(|head| head.split_once(':')).unwrap_or_default();
        (200, repo.pulls.iter().rev().filter(|pull| pull.from == from).map(shown).collect())
    })
}

async fn open(Held(world): Held<Shared>, headers: HeaderMap, bytes: Bytes) -> Response {
    let body = &body(&bytes);
    carry_out(&world, Asked::Open, &headers, |repo| {
        let text = |field: &str| body[field].as_str().unwrap_or_default();
        if !repo.branches.contains_key(text("head")) || !repo.branches.contains_key(text("base")) {
            return no(422, "Validation Failed");
        }
        match repo.open(text("head"), text("base"), (text("title"), text("body"))) {
            None => no(422, "Validation Failed"),
            Some(pull) => (201, shown(pull)),
        }
    })
}

async fn close(
    Held(world): Held<Shared>,
    Path(number): Path<u64>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let body = &body(&bytes);
    carry_out(&world, Asked::Close, &headers, |repo| {
        let found = repo.pulls.iter_mut().find(|pull| pull.number == number);
        match found {
            None => no(404, "Not Found"),
            Some(pull) => {
                if body["state"] == "closed" && pull.state == State::Open {
                    pull.state = State::Closed;
                }
                (200, shown(pull))
            }
        }
    })
}

async fn remove(Held(world): Held<Shared>, Path(branch): Path<String>, headers: HeaderMap) -> Response {
    carry_out(&world, Asked::Remove, &headers, |repo| match repo.branches.remove(&branch) {
        None => no(422, "Reference does not exist"),
        Some(_) => (204, Value::Null),
    })
}
