//! GitLab's REST API, as far as belay calls it.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Held};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post, put};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::repo::{NAME, Pull, Repo, State};
use super::{Answer, Asked, Shared, body, carry_out, no};

type Params = Query<BTreeMap<String, String>>;

pub fn router(world: Shared) -> Router {
    let at = |rest: &str| format!("/api/v4/projects/{{project}}/{rest}");
    Router::new()
        .route(&at("repository/branches/{branch}"), get(branch).delete(remove))
        .route(&at("repository/files/{path}"), get(file))
        .route(&at("repository/commits"), post(commit))
        .route(&at("merge_requests"), get(merges).post(open))
        .route(&at("merge_requests/{iid}"), put(close))
        .with_state(world)
}

/// Another project is not there.
fn of(project: &str, answer: impl FnOnce() -> Answer) -> Answer {
    if project == NAME { answer() } else { no(404, "404 Project Not Found") }
}

async fn branch(
    Held(world): Held<Shared>,
    Path((project, branch)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    carry_out(&world, Asked::Tip, &headers, |repo| {
        of(&project, || match repo.tip(&branch) {
            None => no(404, "404 Branch Not Found"),
            Some(tip) => {
                let commit = json!({ "id": tip.id, "parent_ids": tip.parents, "message": tip.message });
                (200, json!({ "name": branch, "commit": commit }))
            }
        })
    })
}

async fn file(
    Held(world): Held<Shared>,
    Path((project, path)): Path<(String, String)>,
    Query(query): Params,
    headers: HeaderMap,
) -> Response {
    carry_out(&world, Asked::File, &headers, |repo| {
        let at = query.get("ref").and_then(|at| repo.at(at));
        of(&project, || match at.and_then(|at| Some((at, at.files.get(&path)?))) {
            None => no(404, "404 File Not Found"),
            Some((at, text)) => (
                200,
                json!({
                    "file_path": path, "encoding": "base64", "content": STANDARD.encode(text),
                    "commit_id": at.id, "last_commit_id": repo.last_change(at, &path),
                }),
            ),
        })
    })
}

async fn commit(
    Held(world): Held<Shared>,
    Path(project): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let body = &body(&bytes);
    carry_out(&world, Asked::Commit, &headers, |repo| of(&project, || committed(repo, body)))
}

fn committed(repo: &mut Repo, body: &Value) -> Answer {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (branch, action) = (text(&body["branch"]), body.pointer("/actions/0").unwrap_or(&Value::Null));
    let (path, version) = (text(&action["file_path"]), text(&action["last_commit_id"]));
    let there = repo.branches.contains_key(&branch);
    if body["start_sha"].is_string() && there {
        return no(400, &format!("A branch called '{branch}' already exists."));
    }
    let from = if there { branch.clone() } else { text(&body["start_sha"]) };
    let Some(from) = repo.at(&from).cloned() else {
        return no(400, "You can only create or edit files on a branch");
    };
    if !from.files.contains_key(&path) {
        return no(400, "A file with this name doesn't exist");
    }
    if repo.last_change(&from, &path) != version {
        return no(400, "You are attempting to update a file that has changed since you started editing it.");
    }
    let content =
        STANDARD.decode(text(&action["content"])).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(content) = content else { return no(400, "content is invalid") };
    repo.branches.insert(branch.clone(), from.id);
    repo.push(&branch, &path, &content, &text(&body["commit_message"]));
    (201, json!({ "id": repo.branches.get(&branch) }))
}

fn shown(pull: &Pull) -> Value {
    let state = match pull.state {
        State::Open => "opened",
        State::Closed => "closed",
        State::Merged => "merged",
    };
    json!({
        "iid": pull.number, "state": state, "title": pull.title, "description": pull.body,
        "source_branch": pull.from, "target_branch": pull.into,
        "source_project_id": if pull.fork { 9 } else { 7 }, "target_project_id": 7,
        // nobody should follow this one
        "web_url": "https://elsewhere.example/phish",
    })
}

async fn merges(
    Held(world): Held<Shared>,
    Path(project): Path<String>,
    Query(query): Params,
    headers: HeaderMap,
) -> Response {
    carry_out(&world, Asked::List, &headers, |repo| {
        let from = query.get("source_branch").cloned().unwrap_or_default();
        of(&project, || (200, repo.pulls.iter().rev().filter(|pull| pull.from == from).map(shown).collect()))
    })
}

async fn open(
    Held(world): Held<Shared>,
    Path(project): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let body = &body(&bytes);
    carry_out(&world, Asked::Open, &headers, |repo| {
        of(&project, || {
            let text = |field: &str| body[field].as_str().unwrap_or_default();
            if !repo.branches.contains_key(text("target_branch")) {
                return no(400, "target_branch does not exist");
            }
            match repo.open(
                text("source_branch"),
                text("target_branch"),
                (text("title"), text("description")),
            ) {
                None => no(409, "Another open merge request already exists for this source branch"),
                Some(pull) => (201, shown(pull)),
            }
        })
    })
}

async fn close(
    Held(world): Held<Shared>,
    Path((project, iid)): Path<(String, u64)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let body = &body(&bytes);
    carry_out(&world, Asked::Close, &headers, |repo| {
        let found = repo.pulls.iter_mut().find(|pull| pull.number == iid);
        of(&project, || match found {
            None => no(404, "404 Not found"),
            Some(pull) => {
                if body["state_event"] == "close" && pull.state == State::Open {
                    pull.state = State::Closed;
                }
                (200, shown(pull))
            }
        })
    })
}

async fn remove(
    Held(world): Held<Shared>,
    Path((project, branch)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    carry_out(&world, Asked::Remove, &headers, |repo| {
        let removed = repo.branches.remove(&branch);
        of(&project, || if removed.is_some() { (204, Value::Null) } else { no(404, "404 Branch Not Found") })
    })
}
