//! The simulated world: does it live as a cluster does, and does it answer as the recorded one did?
// said so that the lints know these helpers for tests
#![cfg(test)]

mod alertmanager;
mod client;
mod computed;
pub mod contract;
mod faults;
mod life;
mod rollout;
mod workloads;

use std::sync::Arc;
use std::time::Duration;

use belay::ports::clock::{Clock as _, ManualClock};
use belay::sim::kube::{PodView, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The moment at which every test world begins.
pub fn start() -> Timestamp {
    "2026-11-21T02:30:00Z".parse().unwrap()
}

pub fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// Moves the clock in steps of a second until `done`, at most `limit` seconds.
pub fn run_until(clock: &ManualClock, limit: i64, mut done: impl FnMut() -> bool) {
    for _ in 0..limit {
        if done() {
            return;
        }
        clock.advance(seconds(1));
    }
    assert!(done(), "not reached within {limit} s, at {}", clock.now());
}

/// The pods that are not ending.
pub fn live(world: &World, workload: &str) -> Vec<PodView> {
    world.pods("shop", workload).into_iter().filter(|pod| !pod.terminating).collect()
}

/// A world behind HTTP.
pub struct Served {
    pub world: World,
    pub clock: Arc<ManualClock>,
    pub url: String,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    pub async fn new(build: impl FnOnce(Arc<ManualClock>) -> World) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let clock = ManualClock::new(start());
        let world = build(clock.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(world.serve(listener, shutdown.clone()));
        Self { world, clock, url, shutdown, task }
    }

    pub async fn shop() -> Self {
        Self::new(|clock| World::shop(clock)).await
    }

    /// The real client, as belay builds it.
    pub fn kube(&self) -> kube::Client {
        let mut config = kube::Config::new(self.url.parse().unwrap());
        config.default_retry = false;
        config.read_timeout = Some(Duration::from_secs(30));
        config.default_namespace = "shop".into();
        kube::Client::try_from(config).unwrap()
    }

    /// One request; gives code and body.
    pub async fn send(&self, method: &str, path: &str, body: Option<(&str, Value)>) -> (u16, Value) {
        self.send_as(None, method, path, body).await
    }

    pub async fn send_as(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: Option<(&str, Value)>,
    ) -> (u16, Value) {
        let method = method.parse().unwrap();
        let mut request = reqwest::Client::new().request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let code = response.status().as_u16();
        let text = response.text().await.unwrap();
        (code, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}
