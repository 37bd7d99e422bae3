//! The door before the daemon: every webhook goes through it, so that what was answered 200 is known.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use belay::domain::canonical::Hash;
use belay::sim::alertmanager::{Labels, fingerprint};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The door; clones share it.
#[derive(Debug, Clone)]
pub struct Door {
    webhook: String,
    client: reqwest::Client,
    answered: Arc<Mutex<Answered>>,
    pub opened: Arc<Notify>,
}

/// The bodies that were answered 200, and the episodes of their firing alerts.
#[derive(Debug, Default, Clone)]
pub struct Answered {
    pub bodies: Vec<Hash>,
    pub episodes: BTreeSet<Episode>,
}

/// One time that an alert fired.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Episode {
    pub alert: String,
    pub fingerprint: String,
    pub starts_at: String,
}

impl Door {
    pub fn new(daemon: &str, client: &reqwest::Client) -> Self {
        Self {
            webhook: format!("{daemon}/api/v1/alerts/webhook"),
            client: client.clone(),
            answered: Arc::default(),
            opened: Arc::default(),
        }
    }

    /// Serves until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let router = Router::new().fallback(post(forward)).with_state(self);
        tokio::select! {
            () = stop.cancelled() => {}
            _ = std::future::IntoFuture::into_future(axum::serve(listener, router)) => {}
        }
    }

    /// Gives a body to the daemon; whether it was answered 200.
    pub async fn deliver(&self, body: Vec<u8>) -> StatusCode {
        let hash = Hash::of(&body);
        let alerts = episodes(&body);
        let sent = self.client.post(&self.webhook).body(body).send().await;
        let status = sent.map_or(StatusCode::BAD_GATEWAY, |answer| answer.status());
        if status.is_success() {
            let mut answered = self.answered.lock().unwrap();
            answered.bodies.push(hash);
            answered.episodes.extend(alerts);
            drop(answered);
            self.opened.notify_waiters();
        }
        status
    }

    pub fn answered(&self) -> Answered {
        self.answered.lock().unwrap().clone()
    }

    /// The journal was lost: what was promised before is not asked for any more.
    pub fn forget(&self) {
        self.answered.lock().unwrap().bodies.clear();
    }
}

async fn forward(State(door): State<Door>, body: Bytes) -> StatusCode {
    door.deliver(body.to_vec()).await
}

fn episodes(body: &[u8]) -> Vec<Episode> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let alerts = body["alerts"].as_array().unwrap().iter();
    let firing = alerts.filter(|alert| alert["status"] == "firing");
    let episode = |alert: &Value| Episode {
        alert: text(&alert["labels"]["alertname"]),
        fingerprint: text(&alert["fingerprint"]),
        starts_at: text(&alert["startsAt"]),
    };
    firing.map(episode).collect()
}

/// A delivery of an alert that belay only notes: it adds traffic, not acts.
pub fn noise(cluster: &str, number: u64) -> Vec<u8> {
    let labels: Labels = [
        ("alertname", "Watchdog".to_owned()),
        ("severity", "none".to_owned()),
        ("cluster", cluster.to_owned()),
        ("number", number.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let body = json!({
        "version": "4", "status": "firing", "receiver": "belay", "truncatedAlerts": 0,
        "groupKey": format!("{{}}:{{number=\"{number}\"}}"), "externalURL": "http://alertmanager.sim:9093",
        "groupLabels": {}, "commonLabels": labels, "commonAnnotations": {},
        "alerts": [{
            "status": "firing", "labels": labels, "annotations": {},
            "startsAt": "2026-11-21T02:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "", "fingerprint": fingerprint(&labels),
        }],
    });
    body.to_string().into_bytes()
}
