//! The store: one contract for every implementation, recovery after crashes, and tampering.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, too"
)]

mod contract;
mod properties;
mod recovery;
mod samples;

mod tamper;

use belay::domain::decision::Draw;
use belay::domain::ids::{IntentId, StreamId};
use belay::domain::record::Record;
use belay::ports::store::{
    Append, Claimed, Entry, Head, Hold, HoldOp, IndexOp, Reserve, Store, Timer, TimerOp, Work,
};
use belay::store::{LogStore, OpenReport, Options};
use jiff::{SignedDuration, Timestamp};
use std::path::Path;

/// `seconds` after a fixed beginning.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

pub fn stream(name: &str) -> StreamId {
    StreamId::new(name)
}

/// A small record that is told from others by a number.
pub fn record(n: u64) -> Record {
    Record::Oversize { bytes: n }
}

/// A step with these records and nothing else.
pub fn says(name: &str, expected: Option<u64>, numbers: &[u64]) -> Append {
    let mut step = Append::to(stream(name), expected, at(0));
    step.records = numbers.iter().copied().map(record).collect();
    step
}

/// A step without effects, to fill in.
pub fn step(name: &str, seconds: i64) -> Append {
    Append::to(stream(name), None, at(seconds))
}

pub fn work(id: &str, name: &str, seconds: i64) -> Work {
    Work { id: id.to_owned(), stream: stream(name), due: at(seconds), what: r#"{"do":"it"}"#.to_owned() }
}

/// A draw by `intent` upon `key`; a window of 0 is none.
pub fn draw(intent: &str, key: &str, max: u32, window: i64) -> Reserve {
    let window = (window > 0).then(|| SignedDuration::from_secs(window));
    let draw = Draw { key: key.to_owned(), code: "limit/test".to_owned(), max, window };
    Reserve { intent: IntentId::new(intent), draw }
}

/// A directory that goes away with the value. In memory where that is possible: the tests kill and cut,
/// they cannot take the power away, and what they count on is not the disk's speed.
pub fn dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// Opens the store in `dir`, which must be possible.
pub fn open(dir: &Path) -> (LogStore, OpenReport) {
    belay::store::open(dir, &Options::default()).unwrap()
}

/// Everything that can be seen of a store.
#[derive(Debug, PartialEq)]
pub struct View {
    heads: Vec<Head>,
    entries: Vec<Vec<Entry>>,
    names: Vec<(String, StreamId)>,
    holds: Vec<Hold>,
    timers: Vec<Timer>,
    taken: Vec<(String, Vec<Timestamp>)>,
    work: Vec<Claimed>,
}

/// Looks at everything. Claims all work, with a lease that ends at once.
pub async fn look(store: &dyn Store, limits: &[String]) -> View {
    let heads = store.heads().await.unwrap();
    let mut entries = Vec::new();
    for head in &heads {
        let loaded = store.load(&head.stream).await.unwrap();
        entries.push(loaded.into_iter().map(belay::store::Durable::into_inner).collect());
    }
    let mut work = store.claim(Timestamp::MAX, SignedDuration::ZERO, usize::MAX).await.unwrap();
    // how often work was claimed is not remembered across a restart
    for claimed in &mut work {
        claimed.attempts = 0;
    }
    View {
        heads,
        entries,
        names: store.find("").await.unwrap(),
        holds: store.holds().await.unwrap(),
        timers: store.due(Timestamp::MAX, usize::MAX).await.unwrap(),
        taken: store.taken(limits, None).await.unwrap(),
        work,
    }
}

/// Steps that use everything a step can hold; each is taken if the ones before it were.
pub fn varied(count: u64) -> Vec<Append> {
    (0..count)
        .map(|n| {
            let mut step = says(["a", "b", "c"][usize::try_from(n % 3).unwrap()], None, &[n, n + 1000]);
            step.at = at(i64::try_from(n).unwrap() * 100);
            let name = step.stream.as_str().to_owned();
            step.enqueue = vec![work(&format!("w{n}"), &name, i64::try_from(n).unwrap())];
            step.timers = vec![TimerOp::Set { name: format!("t{}", n % 2), due: at(50) }];
            step.index = vec![IndexOp::Bind { key: format!("k{n}") }];
            step.reserve = vec![draw(&format!("i{n}"), "l", 3, 250), draw(&format!("i{n}"), "lock", 2, 0)];
            step.holds = vec![HoldOp::Place { hold: format!("h{}", n % 4), reason: format!("r{n}") }];
            if n > 0 {
                step.done = vec![format!("w{}", n - 1)];
                step.release = vec![IntentId::new(format!("i{}", n - 1))];
            }
            step
        })
        .collect()
}

/// The limits that `varied` draws upon.
pub fn limits() -> Vec<String> {
    ["l", "lock"].map(str::to_owned).into()
}

/// A state directory after these steps; gives the log's bytes.
pub async fn written(dir: &Path, steps: &[Append]) -> Vec<u8> {
    let (store, _) = open(dir);
    for step in steps {
        store.append(step.clone()).await.unwrap();
    }
    drop(store);
    std::fs::read(dir.join(belay::store::LOG_FILE)).unwrap()
}

/// A copy of a directory, as a crash (or an attacker) would leave it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &target);
        } else {
            std::fs::copy(file.path(), target).unwrap();
        }
    }
}
