//! The reading half of Alertmanager's API v2.

use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::groups::Alert;
use super::webhook::{fingerprint, generator};
use super::{Alertmanager, Labels, Silence};

/// How long Prometheus lets an alert stand that it does not confirm: four evaluations of a minute.
const STANDS: SignedDuration = SignedDuration::from_mins(4);

pub(super) fn router(alertmanager: Alertmanager) -> Router {
    Router::new()
        .route("/api/v2/alerts", get(alerts))
        .route("/api/v2/silences", get(silences))
        .route("/api/v2/status", get(status))
        .route("/-/healthy", get(|| async { "OK" }))
        .route("/-/ready", get(|| async { "OK" }))
        .with_state(alertmanager)
}

async fn alerts(State(alertmanager): State<Alertmanager>, RawQuery(query): RawQuery) -> Json<Value> {
    let query: Vec<(String, String)> =
        serde_urlencoded::from_str(query.as_deref().unwrap_or_default()).unwrap_or_default();
    let wants = |key: &str| !query.iter().any(|(name, value)| name == key && value == "false");
    let (active, silenced) = (wants("active"), wants("silenced"));
    let receiver = alertmanager.receiver_name();
    let shown: Vec<Value> = alertmanager
        .standing()
        .iter()
        .filter(|alert| if alert.silenced_by.is_some() { silenced } else { active })
        .filter(|alert| {
            query.iter().filter(|(name, _)| name == "filter").all(|(_, f)| admits(f, &alert.labels))
        })
        .map(|alert| show(alert, &receiver))
        .collect();
    Json(Value::Array(shown))
}

/// Whether labels satisfy `name="value"` or `name!="value"`.
fn admits(filter: &str, labels: &Labels) -> bool {
    let value = |key: &str| labels.get(key.trim()).map_or("", String::as_str);
    let bare = |text: &str| text.trim().trim_matches('"').to_owned();
    match filter.split_once("!=") {
        Some((key, other)) => value(key) != bare(other),
        None => filter.split_once('=').is_some_and(|(key, wanted)| value(key) == bare(wanted)),
    }
}

fn show(alert: &Alert, receiver: &str) -> Value {
    let silences: Vec<&String> = alert.silenced_by.iter().collect();
    json!({
        "annotations": alert.rule.annotations(&alert.labels),
        "endsAt": moment(alert.updated.checked_add(STANDS).unwrap_or(alert.updated)),
        "fingerprint": fingerprint(&alert.labels),
        "receivers": [{ "name": receiver }],
        "startsAt": moment(alert.starts),
        "status": {
            "inhibitedBy": [],
            "mutedBy": [],
            "silencedBy": silences,
            "state": if silences.is_empty() { "active" } else { "suppressed" },
        },
        "updatedAt": moment(alert.updated),
        "generatorURL": generator(alert.rule),
        "labels": alert.labels,
    })
}

/// Times in this API have milliseconds.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

async fn silences(State(alertmanager): State<Alertmanager>) -> Json<Value> {
    Json(alertmanager.silences().iter().map(show_silence).collect())
}

fn show_silence(silence: &Silence) -> Value {
    let matchers: Vec<Value> = silence
        .matchers
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value, "isEqual": true, "isRegex": false }))
        .collect();
    json!({
        "id": silence.id,
        "status": { "state": "active" },
        "matchers": matchers,
        "comment": "silenced by the simulation",
        "createdBy": "sim",
        "startsAt": moment(silence.since),
        "updatedAt": moment(silence.since),
        "endsAt": moment(silence.since.checked_add(SignedDuration::from_hours(2)).unwrap_or(silence.since)),
    })
}

async fn status(State(alertmanager): State<Alertmanager>) -> Json<Value> {
    Json(json!({
        "cluster": { "status": "disabled", "peers": [] },
        "versionInfo": { "version": "0.33.1" },
        "uptime": moment(alertmanager.started()),
    }))
}
