//! Two incidents turn out to be about one owner: one goes on for both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use belay::app::{Daemon, Ports, Site, Sites, build};
use belay::domain::alert::AlertStatus;
use belay::domain::cluster::{Fleet, LogTail, Snapshot};
use belay::domain::record::Outcome;
use belay::domain::target::{Kind, Named, Object, RootOwner};
use belay::incident::{Phase, State};
use belay::policy;
use belay::ports::reads::{Located, ReadError, Reads};
use belay::store::MemoryStore;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::house::{BEGINS, CLUSTER, House, Wish, alert, bare, body, crash_loop, until};

/// The cluster's own reads, but for the pod's owner: at first nobody has adopted its ReplicaSet yet.
struct Adopting {
    real: Arc<dyn Reads>,
    asked: AtomicU32,
    adopted: Semaphore,
}

#[async_trait]
impl Reads for Adopting {
    async fn locate(&self, named: &Named) -> Result<Located, ReadError> {
        let located = self.real.locate(named).await?;
        if named.kind != Kind::Pod {
            return Ok(located);
        }
        if self.asked.fetch_add(1, Ordering::SeqCst) == 0 {
            let orphan = Named { kind: Kind::ReplicaSet, name: "web-orphan".into(), ..named.clone() };
            let owner = RootOwner(Object { named: orphan, uid: "0".into() });
            return Ok(Located { owner, ..located });
        }
        let _adopted = self.adopted.acquire().await.unwrap();
        Ok(located)
    }

    async fn snapshot(&self, located: &Located) -> Result<Snapshot, ReadError> {
        self.real.snapshot(located).await
    }

    async fn last_words(&self, pod: &Object) -> Result<Vec<LogTail>, ReadError> {
        self.real.last_words(pod).await
    }

    async fn fleet(&self, namespaces: &[String]) -> Result<Fleet, ReadError> {
        self.real.fleet(namespaces).await
    }
}

struct Other {
    daemon: Daemon,
    reads: Arc<Adopting>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

/// Another daemon over the house's world, with a journal and with eyes of its own.
fn other(house: &House) -> Other {
    let own = house.daemon.ports();
    let site = own.sites.all().next().unwrap().clone();
    let reads = Arc::new(Adopting {
        real: Arc::clone(&site.reads),
        asked: AtomicU32::new(0),
        adopted: Semaphore::new(0),
    });
    let ports = Ports {
        clock: Arc::clone(&own.clock),
        store: Arc::new(MemoryStore::new()),
        sites: Sites::new([Site { reads: Arc::clone(&reads) as _, alerts: None, ..site }]),
        apart: own.apart.clone(),
        strangers: own.strangers.clone(),
        messenger: Arc::clone(&own.messenger),
        pager: Arc::clone(&own.pager),
    };
    let set = policy::load(house.policies.iter().map(|(n, t)| (n.as_str(), t.as_str()))).unwrap();
    let daemon = Daemon::new(ports, set, build::signer(&bare(house.dir.path())).unwrap());
    let (stop, runs) = (CancellationToken::new(), daemon.clone());
    let token = stop.clone();
    let running = tokio::spawn(async move { runs.run(token).await.unwrap() });
    Other { daemon, reads, stop, running }
}

impl Other {
    async fn deliver(&self, alert: serde_json::Value) {
        self.daemon.receive(body(&[alert]).into_bytes()).await.unwrap();
    }

    async fn find(&self, what: &str, wanted: impl Fn(&State) -> bool) -> State {
        until(what, async || {
            for summary in self.daemon.incidents(true).await.unwrap() {
                let state = self.daemon.incident(&summary.incident).await.unwrap();
                if wanted(&state) {
                    return Some(state);
                }
            }
            None
        })
        .await
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

fn name(state: &State) -> Option<&str> {
    state.owner.as_ref().map(|owner| owner.0.named.name.as_str())
}

/// An alert about the Deployment that no grant covers: a person has it.
fn errors() -> serde_json::Value {
    let labels = [
        ("alertname", "HighErrorRate"),
        ("cluster", CLUSTER),
        ("deployment", "web"),
        ("namespace", "shop"),
        ("severity", "critical"),
    ];
    alert(&labels, BEGINS, None)
}

#[tokio::test]
async fn the_younger_goes_into_the_older() {
    let house = House::open(Wish::by_hand()).await;
    let pod = house.world.pods("shop", "web").remove(0);
    let other = other(&house);
    other.deliver(errors()).await;
    let older = other.find("a person has it", |s| s.phase == Phase::Escalated).await;
    other.reads.adopted.add_permits(100);
    other.deliver(crash_loop(&pod.name, BEGINS, None)).await;
    let younger = other.find("they are one", |s| s.merged.is_some()).await;
    assert_eq!(younger.closed.as_ref().unwrap().0, Outcome::Merged);
    assert_eq!((younger.merged.as_ref(), name(&younger)), (Some(&older.id), Some("web-orphan")));
    let both = other.find("both alerts are there", |s| s.id == older.id && s.alerts.len() == 2).await;
    assert_eq!((both.phase, both.closed), (Phase::Escalated, None));
    // the alert that the younger began with ends: the older hears of it
    other.deliver(crash_loop(&pod.name, BEGINS, Some("2026-11-21T02:09:00Z"))).await;
    let resolved = |s: &State| s.alerts.values().any(|a| a.status == AlertStatus::Resolved);
    other.find("it is resolved there", |s| s.id == older.id && resolved(s)).await;
    other.end().await;
    house.stop().await;
}

#[tokio::test]
async fn the_older_takes_the_younger_in() {
    let house = House::open(Wish::by_hand()).await;
    let pod = house.world.pods("shop", "web").remove(0);
    let other = other(&house);
    other.deliver(crash_loop(&pod.name, BEGINS, None)).await;
    let older = other.find("it is open", |s| name(s) == Some("web-orphan")).await;
    other.deliver(errors()).await;
    let younger = other.find("a person has it", |s| s.id != older.id && s.phase == Phase::Escalated).await;
    other.reads.adopted.add_permits(100);
    let merged = other.find("they are one", |s| s.merged.is_some()).await;
    assert_eq!((&merged.id, merged.merged.as_ref()), (&younger.id, Some(&older.id)));
    let both = other.find("both alerts are there", |s| s.id == older.id && s.alerts.len() == 2).await;
    assert_eq!(name(&both), Some("web"));
    other.end().await;
    house.stop().await;
}
