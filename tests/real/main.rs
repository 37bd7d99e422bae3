//! The real binary between a real Alertmanager and the simulated cluster, on this machine's own clock.
//! Not part of `cargo test`: it needs Debian's packages `prometheus-alertmanager` and `prometheus`. `tests/run`
//! installs them.
#![allow(
    clippy::needless_pass_by_value,
    clippy::type_complexity,
    clippy::unnecessary_wraps,
    reason = "the helpers of tests read better at the place of use"
)]
#![cfg(test)]

mod alertmanager;
mod alerts;
mod conformance;
mod daemon;
mod gauges;
#[allow(dead_code, reason = "the story is shared with the other tests, which use more of it")]
#[path = "../it/given.rs"]
mod given;
mod mcp;
mod model;
mod prometheus;

use std::collections::BTreeSet;
use std::time::Duration;

use belay::adapters::alertmanager::{Alertmanager as Adapter, Credentials};
use belay::domain::alert::AlertStatus;
use belay::domain::record::{Outcome, Record};
use belay::ports::reads::Alerts as _;

use alertmanager::{Alertmanager, CPU};
use daemon::Belay;

/// How long anything may take: two group intervals, a retry's back-off, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tries until there is something.
async fn until<T>(what: &str, attempt: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, attempt).await
}

/// Tries for so long until there is something.
async fn until_within<T>(patience: Duration, what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let tried = async {
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await; // polls
        }
    };
    tokio::time::timeout(patience, tried).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// A free port of the loopback interface; nobody else on a test machine takes it meanwhile.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_of_a_real_alertmanager_becomes_an_act_and_its_end() {
    let (webhook, list) = (port(), port());
    let alertmanager = Alertmanager::start(list, webhook).await;
    let belay = Belay::start(webhook, &alertmanager.url()).await;

    belay.surge();
    alertmanager.post(&[(CPU, None)]).await;
    until("checkout is scaled", async || (belay.replicas("checkout") == 5).then_some(())).await;
    // it was saturated, and is not any more: Prometheus would say so
    alertmanager.post(&[(CPU, Some("now"))]).await;
    let records = until("the incident hears that it is over", async || {
        let records = belay.records();
        let over =
            |r: &Record| matches!(r, Record::Observed { alert } if alert.status == AlertStatus::Resolved);
        records.iter().any(over).then_some(records)
    })
    .await;
    let received: Vec<_> = records.iter().filter(|r| matches!(r, Record::Received { .. })).collect();
    assert!(received.len() >= 2, "one delivery for the beginning and one for the end");

    until("the act is seen to have helped", async || {
        belay.records().iter().any(|r| matches!(r, Record::Verified { .. })).then_some(())
    })
    .await;
    let incident = belay.incident().await;
    let said = belay.command(&["incidents", "confirm", &incident]).await;
    assert!(said.contains("taken"), "{said}");
    let closed = until("the incident is over", async || {
        belay.records().into_iter().find_map(|r| match r {
            Record::Closed { outcome, .. } => Some(outcome),
            _ => None,
        })
    })
    .await;
    assert_eq!(closed, Outcome::Remedied);
    assert_eq!(belay.writes(), 1, "one write for one act");
    assert!(belay.stop().await.contains("the journal is whole"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silenced_alert_is_read_as_firing() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let alertmanager = Alertmanager::start(port(), port()).await;
    let adapter = Adapter::new(&alertmanager.url(), Credentials::None).unwrap();
    assert_eq!(adapter.active().await.unwrap(), []);
    alertmanager.post(&[(CPU, None)]).await;
    let active = until("it is listed", async || adapter.active().await.unwrap().pop()).await;
    assert!(!active.suppressed);
    assert_eq!(active.labels["deployment"], "checkout");

    alertmanager.silence("alertname=CPUSaturation").await;
    let silenced =
        until("it is silenced", async || adapter.active().await.unwrap().into_iter().find(|a| a.suppressed))
            .await;
    assert_eq!(silenced.fingerprint, active.fingerprint, "silenced, and firing all the same");

    alertmanager.post(&[(CPU, Some("now"))]).await;
    until("it is gone", async || adapter.active().await.unwrap().is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_what_was_sent_while_belay_was_down_arrives_when_it_is_back() {
    let (webhook, list) = (port(), port());
    let alertmanager = Alertmanager::start(list, webhook).await;
    let mut belay = Belay::start(webhook, &alertmanager.url()).await;
    alertmanager.flood("Before", 20).await;
    until("the first are kept", async || (belay.fingerprints().len() == 20).then_some(())).await;

    belay.halt().await;
    alertmanager.flood("During", 300).await;
    belay.resume().await;
    alertmanager.flood("After", 20).await;

    let sent: BTreeSet<String> = alertmanager.fingerprints().await;
    assert_eq!(sent.len(), 340);
    until("all are kept", async || (belay.fingerprints().len() >= sent.len()).then_some(())).await;
    assert_eq!(belay.fingerprints(), sent);
    assert!(belay.stop().await.contains("the journal is whole"));
}
