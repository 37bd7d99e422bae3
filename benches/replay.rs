//! A month of a busy cluster decided again: 100,000 decisions from a journal (goal: under 10 s).
#![expect(clippy::panic, reason = "a bench that cannot be set up fails")]

use std::path::Path;

use belay::domain::decision::Decided;
use belay::domain::ids::StreamId;
use belay::domain::record::Record;
use belay::policy::{PolicySet, Replay, decide, example, load};
use belay::ports::store::{Append, Store as _};
use belay::store::{self, Wanted};
use jiff::Timestamp;

/// Records a step, so that the journal is written in seconds.
const STEP: usize = 1_000;
const DECISIONS: usize = 100_000;

fn main() {
    divan::main();
}

fn set() -> PolicySet {
    let files = [
        ("policies/demo/demo.yaml", include_str!("../policies/demo/demo.yaml")),
        ("policies/demo/examples/hands-off.yaml", include_str!("../policies/demo/examples/hands-off.yaml")),
        ("policies/demo/examples/oom.yaml", include_str!("../policies/demo/examples/oom.yaml")),
        ("policies/demo/examples/saturation.yaml", include_str!("../policies/demo/examples/saturation.yaml")),
    ];
    load(files).unwrap_or_else(|e| panic!("{e}"))
}

fn fill(dir: &Path, set: &PolicySet) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|e| panic!("{e}"));
    let changes = [("plan.unavailable_after", "1"), ("asked", "plan")];
    let question = example(set, "examples/oom.yaml", &changes).unwrap_or_else(|e| panic!("{e}"));
    let decision = decide(set, &question);
    let record = Record::Decided(Box::new(Decided { question, decision }));
    runtime.block_on(async {
        let (store, _) = store::open(dir, &store::Options::default()).unwrap_or_else(|e| panic!("{e}"));
        for _ in 0..DECISIONS / STEP {
            let mut step = Append::to(StreamId::new("g01den00"), None, Timestamp::UNIX_EPOCH);
            step.records = vec![record.clone(); STEP];
            store.append(step).await.unwrap_or_else(|e| panic!("{e}"));
        }
    });
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn replay_100_000_decisions(bencher: divan::Bencher<'_, '_>) {
    let dir = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let set = set();
    fill(dir.path(), &set);
    bencher.bench(|| {
        let mut replay = Replay::default();
        let wanted = Wanted { since: Timestamp::MIN, kinds: &["decided"] };
        let read = store::read(&dir.path().join(store::LOG_FILE), wanted, &mut |entry| {
            if let Record::Decided(decided) = &entry.record {
                replay.add(&set, entry.at, decided);
            }
        });
        read.unwrap_or_else(|e| panic!("{e}"));
        let replay = replay.finish();
        assert_eq!((replay.decisions, replay.changed), (DECISIONS as u64, 0));
        replay
    });
}
