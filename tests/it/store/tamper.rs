//! Promise 19: any edit, deletion, duplication, reordering or truncation of the log is found.

use std::fs;

use belay::domain::canonical::Hash;
use belay::domain::record::Record;
use belay::ports::store::Store as _;
use belay::store::{
    Expected, LOG_FILE, OpenError, Options, VerifyError, checkpoint, export, verify, verify_from,
};

use super::{at, copy, open, says, step, varied, written};

/// Checks these bytes as a log.
fn check(bytes: &[u8], expected: &[Expected]) -> Result<belay::store::Verified, VerifyError> {
    verify_from(bytes, expected)
}

fn lines(log: &[u8]) -> Vec<Vec<u8>> {
    log.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[tokio::test]
async fn every_changed_byte_is_found() {
    let dir = super::dir();
    let log = written(dir.path(), &varied(4)).await;
    let whole = check(&log, &[]).unwrap();
    assert_eq!((whole.lines, whole.entries, whole.streams.len()), (4, 8, 3));
    for i in 0..log.len() {
        // one bit, the letter's case, and something else altogether
        for mask in [1, 0x20, 0xff] {
            let mut changed = log.clone();
            changed[i] ^= mask;
            let found = check(&changed, &[]);
            assert!(matches!(found, Err(VerifyError::Broken(_))), "byte {i} changed by {mask}: {found:?}");
        }
    }
}

#[tokio::test]
async fn the_broken_line_is_named() {
    let dir = super::dir();
    let log = written(dir.path(), &varied(5)).await;
    let mut changed = log.clone();
    let offset = lines(&log)[..2].concat().len();
    changed[offset + 100] ^= 1;
    let Err(VerifyError::Broken(broken)) = check(&changed, &[]) else { panic!("not found") };
    assert_eq!((broken.line, broken.offset), (3, offset as u64));
}

#[tokio::test]
async fn every_moved_doubled_or_missing_line_is_found() {
    let dir = super::dir();
    let log = written(dir.path(), &varied(8)).await;
    let head = check(&log, &[]).unwrap();
    let expected = [Expected::Line { line: head.lines, hash: head.head }];
    check(&log, &expected).unwrap();
    let lines = lines(&log);
    for i in 0..lines.len() {
        let mut missing = lines.clone();
        missing.remove(i);
        assert!(check(&missing.concat(), &expected).is_err(), "line {i} is missing");
        for j in 0..=lines.len() {
            let mut doubled = lines.clone();
            doubled.insert(j, lines[i].clone());
            assert!(check(&doubled.concat(), &[]).is_err(), "line {i} is doubled at {j}");
        }
        for j in 0..i {
            let mut swapped = lines.clone();
            swapped.swap(i, j);
            assert!(check(&swapped.concat(), &[]).is_err(), "lines {i} and {j} are swapped");
        }
    }
}

#[tokio::test]
async fn every_truncation_is_found() {
    let dir = super::dir();
    let log = written(dir.path(), &varied(4)).await;
    let head = check(&log, &[]).unwrap();
    let root = checkpoint(&head.streams).unwrap();
    let by_line = [Expected::Line { line: head.lines, hash: head.head }];
    let by_root = [Expected::Checkpoint(root)];
    for expected in [&by_line, &by_root] {
        check(&log, expected).unwrap();
        for length in 0..log.len() {
            assert!(check(&log[..length], expected).is_err(), "cut to {length}");
        }
    }
}

#[tokio::test]
async fn a_rewritten_journal_does_not_bear_out_an_old_checkpoint() {
    let taken = async |first: u64, old: Option<Hash>| {
        let dir = super::dir();
        let (store, _) = open(dir.path());
        store.append(says("a", None, &[first])).await.unwrap();
        let heads = store.heads().await.unwrap();
        // something else is written between the reading of the heads and the record
        store.append(says("b", None, &[2])).await.unwrap();
        let root = old.unwrap_or(checkpoint(&heads).unwrap());
        let mut mark = step("daemon", 1);
        mark.records = vec![Record::Checkpoint { root, streams: 1 }];
        store.append(mark).await.unwrap();
        store.append(says("a", None, &[3])).await.unwrap();
        drop(store);
        (root, verify(&dir.path().join(LOG_FILE), &[Expected::Checkpoint(root)]))
    };
    let (root, honest) = taken(1, None).await;
    assert_eq!(honest.unwrap().lines, 4);
    // the same story with another beginning, hashed anew from there, with the old checkpoint's record
    let (_, forged) = taken(9, Some(root)).await;
    assert!(matches!(forged, Err(VerifyError::NotBorneOut(_))), "{forged:?}");
}

#[tokio::test]
async fn the_store_does_not_open_on_a_changed_log() {
    let whole = super::dir();
    let log = written(whole.path(), &varied(4)).await;
    let all = lines(&log);
    let changed = super::dir();
    let tries: [(&str, Vec<u8>, bool); 5] = [
        (
            "first line edited",
            {
                let mut l = log.clone();
                l[200] ^= 1;
                l
            },
            false,
        ),
        ("line removed", [&all[..1], &all[2..]].concat().concat(), false),
        ("lines swapped", [&all[1], &all[0], &all[2], &all[3]].map(Vec::as_slice).concat(), false),
        ("last line removed", all[..3].concat(), true),
        (
            "last line edited",
            {
                let mut l = log.clone();
                let i = l.len() - 9;
                l[i] ^= 1;
                l
            },
            true,
        ),
    ];
    for (what, bytes, by_projection) in tries {
        let dir = changed.path().join(what);
        copy(whole.path(), &dir);
        fs::write(dir.join(LOG_FILE), &bytes).unwrap();
        if !by_projection {
            // a projection at the end of the log sees only the last line: the full check is the verifier's
            fs::remove_dir_all(dir.join("projection")).unwrap();
        }
        let error = belay::store::open(&dir, &Options::default()).err();
        let stopped = matches!(
            error,
            Some(OpenError::Damaged { .. } | OpenError::Short { .. } | OpenError::Differs { .. })
        );
        assert!(stopped, "{what}: {error:?}");
        assert_eq!(fs::read(dir.join(LOG_FILE)).unwrap(), bytes, "nothing is touched");
    }
}

#[tokio::test]
async fn an_export_holds_every_entry_and_stops_at_damage() {
    let dir = super::dir();
    let log = written(dir.path(), &varied(4)).await;
    let path = dir.path().join(LOG_FILE);
    let mut out = Vec::new();
    export(&path, &mut out).unwrap();
    let exported: Vec<belay::ports::store::Entry> = out
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    assert_eq!(exported.len(), 8);
    let (store, _) = open(dir.path());
    for head in store.heads().await.unwrap() {
        let of_stream: Vec<_> = exported.iter().filter(|e| e.stream == head.stream).cloned().collect();
        let loaded = store.load(&head.stream).await.unwrap();
        assert_eq!(of_stream, loaded.into_iter().map(belay::store::Durable::into_inner).collect::<Vec<_>>());
    }
    assert_eq!(exported[0].at, at(0));
    let mut changed = log;
    let last = changed.len() - 9;
    changed[last] ^= 1;
    fs::write(&path, changed).unwrap();
    let mut part = Vec::new();
    assert!(export(&path, &mut part).is_err());
    assert!(out.starts_with(&part) && part.len() < out.len());
}
