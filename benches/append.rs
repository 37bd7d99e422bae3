//! Durable appends by 1, 16 and 64 concurrent callers, beside the floor: the same bytes, written and
//! flushed once for all callers. Ends with the ratio of the two.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench")]

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay::domain::ids::StreamId;
use belay::domain::record::Record;
use belay::ports::store::{Append, Store as _, Work};
use belay::store::{LOG_FILE, LogStore, Options, open};
use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const CALLERS: [usize; 3] = [1, 16, 64];

/// How long each side of the ratio is measured.
const MEASURED: Duration = Duration::from_secs(1);

fn main() {
    divan::main();
    for callers in CALLERS {
        let (ours, floor) = (Ours::new(callers), Floor::new(callers));
        let (ours, floor) = (per_second(callers, || ours.round()), per_second(callers, || floor.round()));
        println!(
            "{callers:>2} callers: {ours:>8.0} appends/s, floor {floor:>8.0}/s, ratio {:.2}",
            ours / floor
        );
    }
}

#[divan::bench(args = CALLERS)]
fn appended(bencher: Bencher<'_, '_>, callers: usize) {
    let ours = Ours::new(callers);
    bencher.counter(ItemsCount::new(callers)).bench_local(|| ours.round());
}

#[divan::bench(args = CALLERS)]
fn floor(bencher: Bencher<'_, '_>, callers: usize) {
    let floor = Floor::new(callers);
    bencher.counter(ItemsCount::new(callers)).bench_local(|| floor.round());
}

/// Appends per second over `MEASURED`.
fn per_second(callers: usize, round: impl Fn()) -> f64 {
    let (started, mut rounds) = (Instant::now(), 0u32);
    while started.elapsed() < MEASURED {
        round();
        rounds += 1;
    }
    f64::from(rounds) * f64::from(u32::try_from(callers).unwrap()) / started.elapsed().as_secs_f64()
}

/// A step as intake makes them: one record and the work that follows.
fn step(caller: usize) -> Append {
    let stream = StreamId::new(format!("s{caller}"));
    let mut step = Append::to(stream.clone(), None, Timestamp::UNIX_EPOCH);
    step.records = vec![Record::Escalated { why: "x".repeat(700), hands_off: false }];
    step.enqueue =
        vec![Work { id: format!("w{caller}"), stream, due: Timestamp::UNIX_EPOCH, what: "{}".to_owned() }];
    step
}

/// The store, with a task for each caller.
struct Ours {
    runtime: Runtime,
    store: Arc<LogStore>,
    callers: usize,
    dir: TempDir,
}

impl Ours {
    fn new(callers: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(open(dir.path(), &Options::default()).unwrap().0);
        Self { runtime: Runtime::new().unwrap(), store, callers, dir }
    }

    /// One append by each caller.
    fn round(&self) {
        self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for caller in 0..self.callers {
                let store = Arc::clone(&self.store);
                tasks.spawn(async move { store.append(step(caller)).await.unwrap().len() });
            }
            tasks.join_all().await;
        });
    }
}

/// A file that gets what the log would get.
struct Floor {
    file: File,
    bytes: Vec<u8>,
    /// Goes away with the value.
    _dir: TempDir,
}

impl Floor {
    fn new(callers: usize) -> Self {
        let ours = Ours::new(callers);
        ours.round();
        let bytes = std::fs::read(ours.dir.path().join(LOG_FILE)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        Self { file: File::create(dir.path().join(LOG_FILE)).unwrap(), bytes, _dir: dir }
    }

    fn round(&self) {
        (&self.file).write_all(&self.bytes).unwrap();
        self.file.sync_data().unwrap();
    }
}
