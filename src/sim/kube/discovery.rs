//! Paths that name no resource: version, health and the lists of groups and resources.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::state::State;
use super::status::{Answer, Payload};

/// The version that the simulated server claims: the one its data was recorded from.
const VERSION: (&str, &str) = ("1", "36");

pub(crate) fn answer(state: &State, path: &str) -> Answer {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["version"] => Answer::json(200, version(state)),
        ["readyz" | "livez" | "healthz"] => Answer::text("ok".to_owned()),
        ["api"] => Answer::json(200, json!({ "kind": "APIVersions", "versions": ["v1"] })),
        ["apis"] => Answer::json(200, groups()),
        ["api", "v1"] => Answer::json(200, resources("", "v1")),
        ["apis", group, version] if known(group, version) => Answer::json(200, resources(group, version)),
        _ => Answer { status: 404, payload: Payload::Text("404 page not found\n".to_owned()) },
    }
}

fn version(state: &State) -> Value {
    json!({
        "major": VERSION.0,
        "minor": VERSION.1,
        "gitVersion": format!("v{}.{}.2", VERSION.0, VERSION.1),
        "gitCommit": "simulated",
        "gitTreeState": "clean",
        "buildDate": super::json::time(state.now()),
        "goVersion": "none",
        "compiler": "none",
        "platform": "linux/amd64",
    })
}

fn known(group: &str, version: &str) -> bool {
    Kind::ALL.iter().any(|kind| kind.spelling().group == group && kind.spelling().version == version)
}

fn groups() -> Value {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for kind in Kind::ALL {
        let pair = (kind.spelling().group, kind.spelling().version);
        if !pair.0.is_empty() && !seen.contains(&pair) {
            seen.push(pair);
        }
    }
    let entries: Vec<Value> = seen
        .into_iter()
        .map(|(group, version)| {
            let version = json!({ "groupVersion": format!("{group}/{version}"), "version": version });
            json!({ "name": group, "versions": [version], "preferredVersion": version })
        })
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": entries })
}

fn resources(group: &str, version: &str) -> Value {
    let here = |kind: &Kind| kind.spelling().group == group && kind.spelling().version == version;
    let entries: Vec<Value> = Kind::ALL
        .into_iter()
        .filter(here)
        .map(|kind| {
            let spelling = kind.spelling();
            json!({
                "name": spelling.plural,
                "singularName": spelling.kind.to_lowercase(),
                "namespaced": spelling.namespaced,
                "kind": spelling.kind,
                "verbs": if kind.is_computed() { json!(["get", "list"]) } else { json!(["create", "get", "list", "patch", "watch"]) },
            })
        })
        .collect();
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries })
}
