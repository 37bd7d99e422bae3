//! What a crash, a lost projection or a torn write leaves: the state is the fold of the log, or the
//! store does not open.

use std::fs;
use std::path::Path;

use belay::ports::store::{Append, Store as _, StoreError};
use belay::store::{Brought, Fault, LOG_FILE, MAX_BLOB, MemoryStore, OpenError, Options};
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::{View, copy, limits, look, open, says, varied, written};

/// What these steps come to, in memory.
async fn fold(steps: &[Append]) -> View {
    let store = MemoryStore::new();
    for step in steps {
        store.append(step.clone()).await.unwrap();
    }
    look(&store, &limits()).await
}

/// The store in `dir` is what these steps come to, and takes the next one.
async fn is(dir: &Path, steps: &[Append]) -> Brought {
    let (store, report) = open(dir);
    assert_eq!(look(&store, &limits()).await, fold(steps).await);
    store.append(says("after", Some(0), &[1])).await.unwrap();
    report.projection
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let dir = super::dir();
    let (store, report) = open(dir.path());
    assert_eq!((report.lines, report.projection, report.torn), (0, Brought::Current, None));
    let error = belay::store::open(dir.path(), &Options::default()).err().unwrap();
    assert!(matches!(error, OpenError::InUse(_)));
    assert!(error.to_string().contains("in use by another belay"), "{error}");
    drop(store);
    open(dir.path());
}

#[tokio::test]
async fn a_store_closed_in_order_is_current() {
    let dir = super::dir();
    let steps = varied(5);
    written(dir.path(), &steps).await;
    assert_eq!(is(dir.path(), &steps).await, Brought::Current);
}

#[tokio::test]
async fn a_lost_projection_is_built_anew() {
    let dir = super::dir();
    let steps = varied(300);
    written(dir.path(), &steps).await;
    fs::remove_dir_all(dir.path().join("projection")).unwrap();
    assert!(matches!(is(dir.path(), &steps).await, Brought::Anew { .. }));
}

#[tokio::test]
async fn an_older_projection_is_brought_up() {
    let (old, new) = (super::dir(), super::dir());
    let steps = varied(9);
    written(old.path(), &steps[..4]).await;
    copy(old.path(), new.path());
    let (store, _) = open(new.path());
    for step in &steps[4..] {
        store.append(step.clone()).await.unwrap();
    }
    drop(store);
    fs::copy(new.path().join(LOG_FILE), old.path().join(LOG_FILE)).unwrap();
    assert_eq!(is(old.path(), &steps).await, Brought::Up { lines: 5 });
}

#[tokio::test]
async fn what_a_killed_process_leaves_is_brought_up() {
    let (dir, crashed) = (super::dir(), super::dir());
    let steps = varied(40);
    let (store, _) = open(dir.path());
    for (n, step) in steps.iter().enumerate() {
        store.append(step.clone()).await.unwrap();
        if n % 8 == 0 {
            let at = crashed.path().join(n.to_string());
            copy(dir.path(), &at);
            is(&at, &steps[..=n]).await;
        }
    }
}

#[tokio::test]
async fn a_log_cut_at_any_byte_of_its_last_line_loses_that_line_only() {
    let (dir, before) = (super::dir(), super::dir());
    let mut steps = varied(2);
    steps.push(says("a", None, &[3]));
    let short = written(before.path(), &steps[..2]).await.len();
    let log = written(dir.path(), &steps).await;
    for length in short..log.len() {
        // the projection of the moment before, as the last step was never answered
        let cut = super::dir();
        copy(before.path(), cut.path());
        fs::write(cut.path().join(LOG_FILE), &log[..length]).unwrap();
        let (store, report) = open(cut.path());
        assert_eq!(report.lines, 2);
        let torn = (length > short).then(|| report.torn.unwrap());
        if let Some(torn) = torn {
            assert_eq!((torn.found.line, torn.found.offset), (3, short as u64));
            assert_eq!(fs::read(torn.kept).unwrap(), log[short..length]);
        }
        store.append(steps[2].clone()).await.unwrap();
        assert_eq!(look(&store, &limits()).await, fold(&steps).await);
        drop(store);
        assert_eq!(fs::read(cut.path().join(LOG_FILE)).unwrap(), log, "the same step, the same bytes");
    }
}

#[tokio::test]
async fn a_log_cut_behind_any_line_is_the_fold_of_what_is_left_or_does_not_open() {
    let dir = super::dir();
    let steps = varied(6);
    let log = written(dir.path(), &steps).await;
    let mut length = 0;
    for (n, line) in log.split_inclusive(|b| *b == b'\n').enumerate() {
        let cut = super::dir();
        copy(dir.path(), cut.path());
        fs::write(cut.path().join(LOG_FILE), &log[..length]).unwrap();
        let error = belay::store::open(cut.path(), &Options::default()).err().unwrap();
        assert!(matches!(error, OpenError::Short { line: 6, .. }), "{error}");
        fs::remove_dir_all(cut.path().join("projection")).unwrap();
        is(cut.path(), &steps[..n]).await;
        length += line.len();
    }
}

#[tokio::test]
async fn a_projection_of_another_journal_does_not_open() {
    let (one, two) = (super::dir(), super::dir());
    written(one.path(), &varied(4)).await;
    let mut other = varied(8);
    other[0].records.pop();
    written(two.path(), &other).await;
    fs::copy(two.path().join(LOG_FILE), one.path().join(LOG_FILE)).unwrap();
    let error = belay::store::open(one.path(), &Options::default()).err().unwrap();
    assert!(matches!(error, OpenError::Differs { line: 4, .. }), "{error}");
    fs::remove_file(one.path().join(LOG_FILE)).unwrap();
    let error = belay::store::open(one.path(), &Options::default()).err().unwrap();
    assert!(matches!(error, OpenError::Short { line: 4, .. }), "{error}");
}

/// Files of the projection, largest paths first.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for file in fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn a_damaged_projection_never_changes_what_is_seen() {
    let whole = super::dir();
    let steps = varied(120);
    written(whole.path(), &steps).await;
    let (expected, mut outcomes) = (fold(&steps).await, Vec::new());
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut random = move |below: usize| {
        use proptest::prelude::Rng as _;
        usize::try_from(rng.next_u64() % (below as u64).max(1)).unwrap()
    };
    for file in files(&whole.path().join("projection")) {
        let name = file.strip_prefix(whole.path()).unwrap();
        let bytes = fs::read(&file).unwrap();
        for round in 0..8 {
            let dir = super::dir();
            copy(whole.path(), dir.path());
            let path = dir.path().join(name);
            // what is written of a sled file: the rest is the zeroes of a fresh segment
            let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
            let mut damaged = bytes.clone();
            match round {
                0 => fs::remove_file(&path).unwrap(),
                1 => damaged.clear(),
                2 => damaged.truncate(used / 2),
                3 => damaged.truncate(random(used)),
                4 => damaged[used / 3..used].fill(0),
                _ => (0..=round).for_each(|_| {
                    if used > 0 {
                        damaged[random(used)] ^= 1 << (round % 8);
                    }
                }),
            }
            if round > 0 {
                fs::write(&path, &damaged).unwrap();
            }
            let (store, report) = open(dir.path());
            outcomes.push(format!("{:?}", report.projection));
            assert_eq!(
                look(&store, &limits()).await,
                expected,
                "{} round {round}: {report:?}",
                name.display()
            );
        }
    }
    // some damage hits what is not read; some must have been noticed
    assert!(outcomes.iter().any(|outcome| outcome.starts_with("Anew")), "{outcomes:#?}");
}

#[tokio::test]
async fn a_damaged_blob_is_not_given_out() {
    let dir = super::dir();
    let (store, _) = open(dir.path());
    let hash = store.put_blob(b"what was seen".to_vec()).await.unwrap();
    let name = hash.to_string();
    let path = dir.path().join("blobs").join(&name[..2]).join(&name);
    assert_eq!(fs::read(&path).unwrap(), b"what was seen");
    fs::write(&path, b"what was said").unwrap();
    assert!(matches!(store.blob(hash).await, Err(StoreError::Damaged(_))));
    assert_eq!(store.put_blob(b"what was seen".to_vec()).await.unwrap(), hash, "keeping it again mends it");
    assert_eq!(store.blob(hash).await.unwrap().unwrap(), b"what was seen");
    let other = belay::domain::canonical::Hash::of(&vec![1; MAX_BLOB]);
    assert_eq!(store.blob(other).await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_whose_bytes_rot_is_damaged_and_others_are_not() {
    let dir = super::dir();
    let (store, _) = open(dir.path());
    store.append(says("a", None, &[1])).await.unwrap();
    store.append(says("b", None, &[77_777])).await.unwrap();
    let path = dir.path().join(LOG_FILE);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("77777", "77778")).unwrap();
    assert_eq!(store.load(&super::stream("a")).await.unwrap().len(), 1);
    assert!(matches!(store.load(&super::stream("b")).await, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn the_memory_store_fails_as_it_is_told() {
    let store = MemoryStore::new();
    store.fail_next([Fault::Unavailable, Fault::AnswerLost]);
    for taken in [0, 1] {
        let error = store.append(says("a", Some(0), &[1])).await.unwrap_err();
        assert!(matches!(error, belay::ports::store::AppendError::Store(StoreError::Unavailable(_))));
        assert_eq!(store.load(&super::stream("a")).await.unwrap().len(), taken);
    }
    let mut step = says("a", Some(1), &[2]);
    step.enqueue = vec![super::work("w", "a", 0)];
    store.append(step).await.unwrap();
    let lease = jiff::SignedDuration::from_mins(1);
    assert_eq!(store.claim(super::at(0), lease, 9).await.unwrap().len(), 1);
    assert_eq!(store.claim(super::at(0), lease, 9).await.unwrap().len(), 0);
    let again = store.restarted();
    assert_eq!(again.claim(super::at(0), lease, 9).await.unwrap().len(), 1, "leases die with the process");
    assert_eq!(again.load(&super::stream("a")).await.unwrap().len(), 2);
}
