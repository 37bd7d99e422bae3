//! The recorder: follows ConfigMaps, Services and workloads of the enabled namespaces, and keeps what undo and
//! `restore_config` need from before a fault. What is new and what is kept is decided in `domain::recorded`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::cluster::Workload;
use crate::domain::deploy::ConfigChange;
use crate::domain::recorded::{Book, Key, Memory, Place, Seen, WorkloadHistory};
use crate::domain::target::{Kind, Object};
use crate::ports::clock::SharedClock;
use crate::ports::deploys::Recorded;
use crate::ports::recorder::{Shelf, Shown, Watches};

use super::Daemon;
use super::loops::Stopped;

/// What is followed.
const KINDS: [Kind; 4] = [Kind::ConfigMap, Kind::Service, Kind::Deployment, Kind::StatefulSet];
/// What waits to be taken in: a page or a change each. Who shows more waits.
const WAITING: usize = 16;
/// The first pause after following broke, and the longest: an API server that is away is asked once a minute.
const PAUSE: (i64, i64) = (1, 60);

/// The recorder's own part: the book, and where it is kept.
pub struct Recorder {
    watches: Arc<dyn Watches>,
    shelf: Arc<dyn Shelf>,
    book: Mutex<Book>,
    /// What cannot be followed now, and why.
    blind: Mutex<BTreeMap<(String, Kind), String>>,
}

impl Recorder {
    /// A recorder with what is on the shelf. A shelf that cannot be read is as good as an empty one.
    pub async fn open(watches: Arc<dyn Watches>, shelf: Arc<dyn Shelf>) -> Self {
        let fresh = Key::new(fresh());
        let mut book = match shelf.load(fresh.clone()).await {
            Ok(shelved) => {
                if let Some(why) = shelved.lost {
                    tracing::warn!(%why, "what was recorded earlier is lost, so that recording begins anew");
                }
                let mut book = Book::new(shelved.key);
                shelved.kept.into_iter().for_each(|kept| book.recall(kept));
                book
            }
            Err(error) => {
                tracing::warn!(%error, "what was recorded earlier cannot be read, so that recording begins anew");
                Book::new(fresh)
            }
        };
        // a bound that shrank since
        book.fit();
        Self { watches, shelf, book: Mutex::new(book), blind: Mutex::default() }
    }

    /// The record as it is now.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blind(&self) -> MutexGuard<'_, BTreeMap<(String, Kind), String>> {
        self.blind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What cannot be followed now, and why.
    pub fn unwatched(&self) -> Vec<String> {
        self.blind().values().cloned().collect()
    }

    /// What is recorded about this workload.
    pub fn memory(&self, workload: &Workload, now: jiff::Timestamp) -> Memory {
        let memory = Memory::of(&self.book(), workload, now);
        let here = |(namespace, _): &(String, Kind)| *namespace == workload.object.named.namespace;
        let blind = self.blind();
        let unwatched = blind.iter().filter(|(what, _)| here(what)).map(|(_, why)| why.clone()).collect();
        Memory { unwatched, ..memory }
    }

    /// Follows until `stop`.
    async fn run(
        self: Arc<Self>,
        namespaces: &[String],
        clock: &SharedClock,
        stop: &CancellationToken,
    ) -> Result<(), Stopped> {
        let (told, mut hear) = mpsc::channel::<(Place, Shown)>(WAITING);
        let mut following = JoinSet::new();
        for namespace in namespaces {
            for kind in KINDS {
                let like = Place { kind, namespace: namespace.clone(), name: String::new() };
                following.spawn(Arc::clone(&self).follow(like, Arc::clone(clock), told.clone()));
            }
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some((like, shown)) = hear.recv() => self.take(&like, shown, clock).await,
                Some(ended) = following.join_next() => {
                    let why = ended.err().map_or("it ended".to_owned(), |e| e.to_string());
                    return Err(Stopped::Died(format!("following what changes: {why}")));
                }
            }
        }
        // what is still on its way to the shelf holds it open
        following.shutdown().await;
        Ok(())
    }

    /// Follows one kind in one namespace, for ever.
    async fn follow(self: Arc<Self>, like: Place, clock: SharedClock, told: mpsc::Sender<(Place, Shown)>) {
        let mut pause = PAUSE.0;
        loop {
            let (show, mut shown) = mpsc::channel(1);
            let passed_on = async {
                let mut any = false;
                while let Some(shown) = shown.recv().await {
                    any = true;
                    self.blind().remove(&(like.namespace.clone(), like.kind));
                    if told.send((like.clone(), shown)).await.is_err() {
                        break;
                    }
                }
                any
            };
            let following = async {
                let ended = self.watches.follow(like.kind, &like.namespace, &show).await;
                drop(show);
                ended
            };
            let (ended, any) = tokio::join!(following, passed_on);
            pause = if any { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
            if let Err(error) = ended {
                let what = (like.namespace.clone(), like.kind);
                let first = self.blind().insert(what, error.to_string()).is_none();
                if first {
                    tracing::warn!(kind = %like.kind, namespace = %like.namespace, %error, "what changes is not recorded");
                }
            }
            clock.sleep(SignedDuration::from_secs(pause)).await;
        }
    }

    /// Takes in what was shown, and keeps what is new.
    async fn take(&self, like: &Place, shown: Shown, clock: &SharedClock) {
        let now = clock.now();
        let changes: Vec<_> = {
            let mut book = self.book();
            let places = match shown {
                Shown::Page(page) => {
                    page.into_iter().flat_map(|seen| book.observe(seen, Seen::Found(now))).collect()
                }
                Shown::Whole(present) => book.listed(like, &present, now),
                Shown::Changed(seen) => book.observe(*seen, Seen::Watched(now)),
                Shown::Gone(place) => book.gone(&place, now),
            };
            places.into_iter().map(|place| (place.clone(), book.kept(&place))).collect()
        };
        if changes.is_empty() {
            return;
        }
        if let Err(error) = self.shelf.put(changes).await {
            tracing::warn!(%error, "what was recorded is in memory only");
        }
    }
}

impl Recorded for Recorder {
    fn workload(&self, workload: &Object, now: jiff::Timestamp) -> Option<WorkloadHistory> {
        let book = self.book();
        let known = book.workload(&Place::of(workload)).filter(|known| known.object.uid == workload.uid);
        known.map(|known| known.at(now))
    }

    fn changes(&self, namespace: &str, since: jiff::Timestamp) -> Vec<ConfigChange> {
        let book = self.book();
        let here =
            book.configs().filter(|(place, history)| place.namespace == namespace && !history.restless());
        let mut changes: Vec<ConfigChange> =
            here.flat_map(|(_, history)| history.changes_since(since)).collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.at));
        changes
    }

    fn unwatched(&self, namespace: &str) -> Vec<String> {
        let blind = self.blind();
        blind.iter().filter(|((here, _), _)| here == namespace).map(|(_, why)| why.clone()).collect()
    }
}

/// 32 bytes that nobody knows.
fn fresh() -> [u8; 32] {
    let halves = [super::entropy().to_be_bytes(), super::entropy().to_be_bytes()];
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(halves.as_flattened()).for_each(|(to, from)| *to = *from);
    bytes
}

impl Daemon {
    /// Records until `stop`, where there is something to record.
    pub(super) async fn record(&self, stop: &CancellationToken) -> Result<(), Stopped> {
        let ports = self.ports();
        let recording = ports.sites.all().map(|site| async {
            let Some(recorder) = &site.recorder else {
                stop.cancelled().await;
                return Ok(());
            };
            Arc::clone(recorder).run(&site.namespaces, &ports.clock, stop).await
        });
        futures::future::try_join_all(recording).await.map(drop)
    }
}
