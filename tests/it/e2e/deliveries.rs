//! What comes in by the webhook: kept before it is acknowledged, told from what is not kept, and worth
//! the same in whatever order and number it comes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay::app::build;
use belay::app::{Daemon, Ports, Sites};
use belay::domain::alert::AlertStatus;
use belay::domain::record::Record;
use belay::http::{self, Gate, WebhookAuth};
use belay::incident::Phase;
use belay::intake;
use belay::policy;
use belay::ports::store::Store as _;
use belay::store::{self, Fault, MemoryStore};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::house::{House, Wish, bare, body, crash_loop, saturation, until};

fn plain(name: &str, status: Option<&str>) -> serde_json::Value {
    super::house::alert(&[("alertname", name), ("severity", "warning")], "2026-11-21T01:50:00Z", status)
}

/// The fingerprints in the stream of deliveries.
fn fingerprints(records: &[Record]) -> BTreeSet<String> {
    let deliveries = records.iter().filter_map(|record| match record {
        Record::Received { body } => Some(intake::parse(body).unwrap()),
        _ => None,
    });
    deliveries.flat_map(|d| d.alerts).map(|a| a.fingerprint.to_string()).collect()
}

#[tokio::test]
async fn promise_6_what_is_answered_200_is_in_the_journal() {
    let house = House::open(Wish::by_hand()).await;
    let mut sent = BTreeSet::new();
    for (name, body) in crate::intake::captured() {
        assert_eq!(house.deliver(body.clone()).await, 200, "{name}");
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let alerts = body["alerts"].as_array().unwrap().iter();
        sent.extend(alerts.map(|a| a["fingerprint"].as_str().unwrap().to_owned()));
        // at once, not at the end
        assert_eq!(fingerprints(&house.records("intake").await), sent, "{name}");
    }
    // as a process finds it that starts after this one ended
    let dir = house.stop().await;
    let (reopened, _) = store::open(dir.path(), &store::Options::default()).unwrap();
    let stream = belay::domain::ids::StreamId::new("intake");
    let kept: Vec<_> = reopened.load(&stream).await.unwrap().iter().map(|e| e.record.clone()).collect();
    assert_eq!(fingerprints(&kept), sent);
    store::verify(&dir.path().join(store::LOG_FILE), &[]).unwrap();
}

/// The daemon's front door over another store: the rest is the house's own.
async fn door(house: &House, store: Arc<MemoryStore>) -> (String, CancellationToken) {
    let own = house.daemon.ports();
    let ports = Ports {
        clock: Arc::clone(&own.clock),
        store,
        sites: Sites::new(own.sites.all().cloned()),
        apart: own.apart.clone(),
        strangers: own.strangers.clone(),
        messenger: Arc::clone(&own.messenger),
        pager: Arc::clone(&own.pager),
    };
    let set = policy::load(house.policies.iter().map(|(n, t)| (n.as_str(), t.as_str()))).unwrap();
    let daemon = Daemon::new(ports, set, build::signer(&bare(house.dir.path())).unwrap());
    let gate = Gate { daemon, webhook: Arc::new(WebhookAuth::LoopbackOnly), slack: None };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1/alerts/webhook", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(http::serve(listener, http::routes(gate), stop.clone()));
    (url, stop)
}

#[tokio::test]
async fn promise_6_what_is_not_kept_is_answered_503() {
    let house = House::open(Wish::by_hand()).await;
    let store = Arc::new(MemoryStore::new());
    let (url, stop) = door(&house, Arc::clone(&store)).await;
    store.fail_next([Fault::Unavailable, Fault::AnswerLost]);
    let deliver = async || {
        let sent = belay::sim::client().unwrap().post(&url).body(body(&[plain("A", None)])).send().await;
        let response = sent.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(deliver().await.0, 503);
    let (status, says) = deliver().await;
    assert_eq!(status, 503, "not known to be kept is not kept");
    assert!(says.contains("send it again"), "{says}");
    assert_eq!(deliver().await.0, 200);
    stop.cancel();
    house.stop().await;
}

#[tokio::test]
async fn promise_6_a_daemon_that_stops_acknowledges_nothing_it_does_not_keep() {
    let house = House::open(Wish::by_hand()).await;
    let url = format!("{}/api/v1/alerts/webhook", house.url);
    let client = belay::sim::client().unwrap();
    let flood = tokio::spawn(async move {
        let mut acknowledged = BTreeSet::new();
        for n in 0..10_000 {
            let alert = plain(&format!("Flood{n}"), None);
            let fingerprint = alert["fingerprint"].as_str().unwrap().to_owned();
            match client.post(&url).body(body(&[alert])).send().await {
                Ok(response) if response.status() == 200 => acknowledged.insert(fingerprint),
                Ok(response) => {
                    assert_eq!(response.status(), 503);
                    break;
                }
                // nobody listens any more: Alertmanager tries again
                Err(_) => break,
            };
        }
        acknowledged
    });
    until("some are kept", async || (house.records("intake").await.len() > 5).then_some(())).await;
    let dir = house.stop().await;
    let acknowledged = flood.await.unwrap();
    let (reopened, _) = store::open(dir.path(), &store::Options::default()).unwrap();
    let stream = belay::domain::ids::StreamId::new("intake");
    let kept: Vec<_> = reopened.load(&stream).await.unwrap().iter().map(|e| e.record.clone()).collect();
    let kept = fingerprints(&kept);
    assert!(acknowledged.is_subset(&kept), "{:?}", acknowledged.difference(&kept).collect::<Vec<_>>());
}

#[tokio::test]
async fn deliveries_that_wait_share_a_step_and_a_client_that_hangs_up_harms_nobody() {
    const MANY: usize = 200;
    let house = House::open(Wish::by_hand()).await;
    let url = format!("{}/api/v1/alerts/webhook", house.url);
    let client = belay::sim::client().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..MANY {
        let alert = plain(&format!("Together{n}"), None);
        let fingerprint = alert["fingerprint"].as_str().unwrap().to_owned();
        let sent = client.post(&url).body(body(&[alert])).send();
        tasks.spawn(async move {
            assert_eq!(sent.await.unwrap().status(), 200);
            fingerprint
        });
        // another one sends all of it and does not wait
        let address = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        let hasty = body(&[plain(&format!("Hasty{n}"), None)]);
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            let head = format!(
                "POST /api/v1/alerts/webhook HTTP/1.1\r\nhost: belay\r\ncontent-length: {}\r\n\r\n",
                hasty.len()
            );
            stream.write_all([head, hasty].concat().as_bytes()).await.unwrap();
            String::new()
        });
    }
    let mut acknowledged: BTreeSet<String> = tasks.join_all().await.into_iter().collect();
    acknowledged.remove("");
    assert_eq!(acknowledged.len(), MANY);
    let dir = house.stop().await;
    let journal = std::fs::read_to_string(dir.path().join(store::LOG_FILE)).unwrap();
    let steps = journal.lines().filter(|line| line.contains(r#""kind":"received""#)).count();
    let (reopened, _) = store::open(dir.path(), &store::Options::default()).unwrap();
    let stream = belay::domain::ids::StreamId::new("intake");
    let kept: Vec<_> = reopened.load(&stream).await.unwrap().iter().map(|e| e.record.clone()).collect();
    assert!(acknowledged.is_subset(&fingerprints(&kept)));
    assert!(steps < kept.len(), "{} deliveries took {steps} steps", kept.len());
}

#[tokio::test]
async fn without_the_right_credentials_nothing_is_taken() {
    let house = House::open(Wish { webhook: WebhookAuth::Bearer("s3cret".into()), ..Wish::by_hand() }).await;
    for wrong in [None, Some("Bearer wrong"), Some("Basic YW06cHc="), Some("s3cret")] {
        assert_eq!(house.deliver_as(wrong, body(&[plain("A", None)])).await.0, 401, "{wrong:?}");
    }
    assert_eq!(house.records("intake").await, []);
    assert_eq!(house.deliver_as(Some("Bearer s3cret"), body(&[plain("A", None)])).await.0, 200);
    assert_eq!(house.records("intake").await.len(), 1);
    house.stop().await;
}

#[tokio::test]
async fn promise_6_no_valid_payload_is_ever_answered_4xx() {
    let house = House::open(Wish::by_hand()).await;
    // 17 MiB: over the limit, drained, noted, and never asked for again
    let mut huge = body(&[plain("A", None)]).into_bytes();
    huge.resize(17 << 20, b' ');
    let bytes = huge.len() as u64;
    assert_eq!(house.deliver(huge).await, 200);
    let noted = house.records("intake").await;
    assert!(matches!(&noted[..], [Record::Oversize { bytes: b }] if *b == bytes), "{noted:?}");
    // many alerts, and one in whose labels everything is odd
    let many: Vec<_> = (0..2_000).map(|n| plain(&format!("A{n}"), None)).collect();
    assert_eq!(house.deliver(body(&many)).await, 200);
    let odd = super::house::alert(
        &[("alertname", "\u{0}\u{202e}<!channel>"), ("é", "")],
        "2026-11-21T01:50:00Z",
        None,
    );
    assert_eq!(house.deliver(body(&[odd])).await, 200);
    assert_eq!(house.deliver(body(&[])).await, 200);
    // and what is not valid says where
    let (status, says) = house.deliver_as(None, r#"{"version":"4","alerts":[{"status":1}]}"#).await;
    assert_eq!((status, says.contains("alerts[0].status")), (400, true), "{says}");
    house.stop().await;
}

/// Sends `first` and then nothing; gives back how long it took to be cut off, and what was answered.
async fn stall(house: &House, first: &[u8]) -> (Duration, String) {
    let mut stream = TcpStream::connect(house.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(first).await.unwrap();
    let (started, mut answer) = (Instant::now(), Vec::new());
    let read = tokio::time::timeout(Duration::from_secs(40), stream.read_to_end(&mut answer)).await;
    read.expect("it was never cut off").ok();
    (started.elapsed(), String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn connections_that_stall_are_cut() {
    let house = House::open(Wish::by_hand()).await;
    let headers = b"POST /api/v1/alerts/webhook HTTP/1.1\r\nHost: belay\r\n";
    let mut half = headers.to_vec();
    half.extend(b"Content-Length: 1000\r\nConnection: close\r\n\r\n{\"version\"");
    let (slow_headers, slow_body) = tokio::join!(stall(&house, headers), stall(&house, &half));
    assert!(slow_headers.0 < Duration::from_secs(15), "{slow_headers:?}");
    assert!(slow_body.0 < Duration::from_secs(30), "{slow_body:?}");
    assert!(slow_body.1.starts_with("HTTP/1.1 503"), "worth sending again: {}", slow_body.1);
    // and it did not keep anybody else waiting
    assert_eq!(house.deliver(body(&[plain("A", None)])).await, 200);
    house.stop().await;
}

#[tokio::test]
async fn each_alert_is_resolved_by_itself() {
    let house = House::open(Wish::by_hand().with("mode: enforce", "mode: shadow")).await;
    house.surge();
    let pod = house.leak("web").await;
    let (starts, ends) = ("2026-11-21T01:50:00Z", Some("2026-11-21T01:58:00Z"));
    let firing = [saturation("checkout", starts, None), crash_loop(&pod.name, starts, None)];
    assert_eq!(house.deliver(body(&firing)).await, 200);
    house.find("it is there", "web", |_| true).await;
    // one of the two is over: the delivery as a whole still fires
    let mixed = [saturation("checkout", starts, None), crash_loop(&pod.name, starts, ends)];
    assert_eq!(house.deliver(body(&mixed)).await, 200);
    let over = |state: &belay::incident::State| {
        state.alerts.values().all(|alert| alert.status == AlertStatus::Resolved)
    };
    house.find("its alert is resolved", "web", over).await;
    let other = house.find("it is there", "checkout", |_| true).await;
    assert!(!over(&other));
    house.stop().await;
}

#[tokio::test]
async fn a_truncated_body_closes_nothing() {
    let house = House::open(Wish::by_hand().level(2)).await;
    house.surge();
    let pod = house.leak("web").await;
    let starts = "2026-11-21T01:50:00Z";
    let firing = [saturation("checkout", starts, None), crash_loop(&pod.name, starts, None)];
    house.deliver(body(&firing)).await;
    house.phase("web", |p| *p == Phase::Approving).await;
    house.phase("checkout", |p| *p == Phase::Approving).await;
    // only one of the two is in it, and nothing is; neither says anything about the other
    for alerts in [vec![saturation("checkout", starts, None)], vec![]] {
        let mut truncated: serde_json::Value = serde_json::from_str(&body(&alerts)).unwrap();
        truncated["truncatedAlerts"] = json!(2);
        assert_eq!(house.deliver(truncated.to_string()).await, 200);
    }
    // the deliveries are worked on in their order: when the last has been, the others were
    house.deliver(body(&[plain("Last", None)])).await;
    until("the last delivery is worked on", async || {
        house.incidents().await.into_iter().find(|s| s.lead().is_some_and(|a| a.name() == "Last"))
    })
    .await;
    for deployment in ["web", "checkout"] {
        let state = house.find("it is there", deployment, |_| true).await;
        assert!(state.alerts.values().all(|a| a.status == AlertStatus::Firing), "{}", house.story().await);
        assert_eq!(state.phase, Phase::Approving);
    }
    house.stop().await;
}

/// Small and seeded: which order, which duplicates.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        // Knuth's MMIX generator; the upper bits are the good ones
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

/// The acts that followed from the deliveries: verb and path, whatever the pod's name.
async fn acts(seed: u64) -> BTreeSet<String> {
    let house = House::open(Wish::by_hand()).await;
    house.surge();
    let pod = house.leak("web").await;
    let starts = "2026-11-21T01:50:00Z";
    let watchdog = plain("Watchdog", None);
    let (leak, busy) = (crash_loop(&pod.name, starts, None), saturation("checkout", starts, None));
    let mut deliveries = vec![
        body(std::slice::from_ref(&leak)),
        body(std::slice::from_ref(&busy)),
        body(&[watchdog.clone(), leak.clone()]),
        body(&[busy, leak]),
        body(&[watchdog]),
    ];
    let mut dice = Dice(seed);
    if seed > 0 {
        for _ in 0..dice.below(6) {
            let again = deliveries[dice.below(deliveries.len())].clone();
            deliveries.push(again);
        }
        for place in (1..deliveries.len()).rev() {
            deliveries.swap(place, dice.below(place + 1));
        }
    }
    // some at once, as two Alertmanagers of a split cluster would
    for pair in deliveries.chunks(2) {
        let answers = futures::future::join_all(pair.iter().map(|b| house.deliver(b.clone()))).await;
        assert!(answers.iter().all(|status| *status == 200));
    }
    for deployment in ["web", "checkout"] {
        house.phase(deployment, |p| matches!(p, Phase::Confirming(_))).await;
    }
    let effects = house.effects();
    assert_eq!(effects.len(), 2, "seed {seed}: each act once\n{}", house.story().await);
    let named =
        effects.iter().map(|w| format!("{:?} {}", w.verb, w.path.replace(&pod.name, "POD"))).collect();
    house.stop().await;
    named
}

#[tokio::test]
async fn promise_7_order_and_duplicates_do_not_change_the_acts() {
    let plain = acts(0).await;
    assert_eq!(plain.len(), 2);
    for seed in 1..=4 {
        assert_eq!(acts(seed).await, plain, "seed {seed}");
    }
}

#[tokio::test]
async fn promise_7_an_old_resolve_that_comes_late_does_not_end_a_later_firing() {
    let house = House::open(Wish::by_hand().level(2)).await;
    house.surge();
    house.deliver(body(&[saturation("checkout", "2026-11-21T01:55:00Z", None)])).await;
    house.phase("checkout", |p| *p == Phase::Approving).await;
    let old = saturation("checkout", "2026-11-21T01:40:00Z", Some("2026-11-21T01:45:00Z"));
    assert_eq!(house.deliver(body(&[old])).await, 200);
    house.deliver(body(&[plain("Last", None)])).await;
    until("the last delivery is worked on", async || {
        house.incidents().await.into_iter().find(|s| s.lead().is_some_and(|a| a.name() == "Last"))
    })
    .await;
    let state = house.find("it is there", "checkout", |_| true).await;
    assert_eq!(state.phase, Phase::Approving, "{}", house.story().await);
    house.stop().await;
}
