//! A simulated Alertmanager with the Prometheus before it: rules over the simulated cluster, `for:`,
//! grouping, webhooks with retries, resolves, silences, and the reading API v2.

mod api;
mod groups;
mod rules;
mod settings;
mod webhook;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use groups::Pace;
pub use rules::{Rule, Timing};
pub use settings::{Receiver, Settings};
pub use webhook::fingerprint;

use crate::sim::kube::World;
use groups::{Alert, Group};
use rules::Evaluation;
use webhook::Delivery;

/// A set of label pairs, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// Labels by which alerts are grouped.
const GROUP_BY: [&str; 2] = ["namespace", "alertname"];

/// A silence over equal labels.
#[derive(Debug, Clone)]
struct Silence {
    id: String,
    matchers: Labels,
    since: Timestamp,
}

#[derive(Debug, Default)]
struct Inner {
    evaluation: Evaluation,
    groups: BTreeMap<Labels, Group>,
    silences: Vec<Silence>,
}

/// The simulated Alertmanager; clones share it.
#[derive(Debug, Clone)]
pub struct Alertmanager {
    world: World,
    settings: Arc<Settings>,
    client: reqwest::Client,
    inner: Arc<Mutex<Inner>>,
    started: Timestamp,
}

/// A notification on its way.
struct Outgoing {
    group: Labels,
    alerts: Vec<Alert>,
    body: Value,
}

impl Alertmanager {
    /// An Alertmanager over `world` that delivers with `client`.
    pub fn new(world: World, settings: Settings, client: reqwest::Client) -> Self {
        let started = world.clock().now();
        Self { world, settings: Arc::new(settings), client, inner: Arc::default(), started }
    }

    /// Evaluates and notifies until `shutdown`.
    pub fn run(&self, shutdown: CancellationToken) -> impl Future<Output = ()> + Send + 'static + use<> {
        let this = self.clone();
        async move {
            loop {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = this.step() => {}
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = this.world.clock().sleep(this.settings.evaluate_every) => {}
                }
            }
        }
    }

    /// Serves the API v2 on `listener` until `shutdown`.
    pub fn serve(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let router = api::router(self.clone());
        async move {
            let serving = axum::serve(listener, router);
            tokio::select! {
                () = shutdown.cancelled() => {}
                // accept errors are retried inside: this ends only by the shutdown
                _ = std::future::IntoFuture::into_future(serving) => {}
            }
        }
    }

    /// One evaluation at the clock's present moment, and the notifications that are due.
    pub async fn step(&self) {
        self.evaluate();
        let Some(receiver) = &self.settings.receiver else { return };
        let outgoing = self.outgoing(receiver);
        let sent = outgoing.iter().map(|one| webhook::deliver(&self.client, receiver, &one.body));
        let results = join_all(sent).await;
        for (one, result) in outgoing.iter().zip(results) {
            self.settle(one, result);
        }
    }

    /// Silences alerts with all these labels; gives the silence's id.
    pub fn silence(&self, matchers: &[(&str, &str)]) -> String {
        let matchers: Labels =
            matchers.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let since = self.world.clock().now();
        self.with(|inner| {
            let id = format!("00000000-0000-4000-a000-{:012}", inner.silences.len().saturating_add(1));
            inner.silences.push(Silence { id: id.clone(), matchers, since });
            id
        })
    }

    /// Ends every silence.
    pub fn unsilence(&self) {
        self.with(|inner| inner.silences.clear());
    }

    /// The label sets that fire, suppressed ones included.
    pub fn firing(&self) -> Vec<Labels> {
        self.standing().into_iter().map(|alert| alert.labels).collect()
    }

    /// Brings groups and alerts up to what the rules say now.
    fn evaluate(&self) {
        let now = self.world.clock().now();
        let settings = &self.settings;
        self.with(|inner| {
            let firing =
                inner.evaluation.at(&self.world, &settings.rules, &settings.cluster, &settings.timing);
            for group in inner.groups.values_mut() {
                let stopped = group.alerts.values_mut().filter(|alert| {
                    alert.ends.is_none() && !firing.iter().any(|(_, labels, _)| *labels == alert.labels)
                });
                stopped.for_each(|alert| alert.ends = Some(now));
            }
            for (rule, labels, starts) in firing {
                let key = group_labels(&labels);
                let group =
                    inner.groups.entry(key.clone()).or_insert_with(|| Group::new(key, now, &settings.pace));
                let alert = Alert {
                    rule,
                    labels: labels.clone(),
                    starts,
                    ends: None,
                    updated: now,
                    silenced_by: None,
                };
                group.alerts.insert(labels, alert);
            }
            let Inner { groups, silences, .. } = inner;
            for alert in groups.values_mut().flat_map(|group| group.alerts.values_mut()) {
                alert.silenced_by =
                    silences.iter().find(|silence| silence.covers(alert)).map(|s| s.id.clone());
            }
        });
    }

    fn outgoing(&self, receiver: &Receiver) -> Vec<Outgoing> {
        let now = self.world.clock().now();
        let settings = &self.settings;
        self.with(|inner| {
            let mut outgoing = Vec::new();
            for (key, group) in &mut inner.groups {
                let Some((reason, alerts)) = group.tells(now, &settings.pace) else { continue };
                let body = webhook::body(receiver, &group.labels, reason, &alerts, &settings.external_url);
                outgoing.push(Outgoing { group: key.clone(), alerts, body });
            }
            inner.groups.retain(|_, group| !group.over());
            outgoing
        })
    }

    fn settle(&self, sent: &Outgoing, result: Delivery) {
        let now = self.world.clock().now();
        let pace = &self.settings.pace;
        self.with(|inner| {
            let Some(group) = inner.groups.get_mut(&sent.group) else { return };
            match result {
                Delivery::Accepted => group.delivered(&sent.alerts, now, pace),
                Delivery::TryAgain => group.failed(true, now, pace),
                Delivery::Refused => group.failed(false, now, pace),
            }
        });
    }

    /// The alerts that fire.
    fn standing(&self) -> Vec<Alert> {
        let all = |inner: &mut Inner| -> Vec<Alert> {
            let alerts = inner.groups.values().flat_map(|group| group.alerts.values());
            alerts.filter(|alert| alert.ends.is_none()).cloned().collect()
        };
        self.with(all)
    }

    fn silences(&self) -> Vec<Silence> {
        self.with(|inner| inner.silences.clone())
    }

    fn receiver_name(&self) -> String {
        self.settings.receiver.as_ref().map_or_else(|| "none".to_owned(), |receiver| receiver.name.clone())
    }

    fn started(&self) -> Timestamp {
        self.started
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Silence {
    fn covers(&self, alert: &Alert) -> bool {
        self.matchers.iter().all(|(key, value)| alert.labels.get(key) == Some(value))
    }
}

fn group_labels(labels: &Labels) -> Labels {
    let of = |key: &&str| labels.get(*key).map(|value| ((*key).to_owned(), value.clone()));
    GROUP_BY.iter().filter_map(of).collect()
}
