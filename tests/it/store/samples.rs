//! Promise 22: frozen samples of every record of version 1. They are written once and never changed; a
//! program that cannot read one of them, or would write it otherwise, must not be released.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use belay::domain::canonical::canonical;
use belay::domain::record::Record;
use belay::ports::store::{Append, Store as _};
use belay::store::MemoryStore;

use super::{at, stream};

fn samples() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/records/v1");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut samples: Vec<_> = files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    samples.sort();
    samples
}

/// The kinds of record there are. A new variant does not compile here until it is named, and does not
/// pass until it has a sample.
fn kind(record: &Record) -> &'static str {
    match record {
        Record::Received { .. } => "received",
        Record::Oversize { .. } => "oversize",
        Record::Started { .. } => "started",
        Record::PolicyLoaded { .. } => "policy_loaded",
        Record::PolicyRefused { .. } => "policy_refused",
        Record::Held { .. } => "held",
        Record::Lifted { .. } => "lifted",
        Record::Checkpoint { .. } => "checkpoint",
        Record::Noted(_) => "noted",
        Record::Judged { .. } => "judged",
        Record::Reset { .. } => "reset",
        Record::Promoted { .. } => "promoted",
        Record::Reported { .. } => "reported",
        Record::SignedOff { .. } => "signed_off",
        Record::Braked { .. } => "braked",
        Record::Remembered(_) => "remembered",
        Record::Invoked(_) => "invoked",
        Record::Inquired(_) => "inquired",
        Record::Opened(_) => "opened",
        Record::Observed { .. } => "observed",
        Record::Vanished { .. } => "vanished",
        Record::Rehomed { .. } => "rehomed",
        Record::Merged { .. } => "merged",
        Record::Waits { .. } => "waits",
        Record::Diagnosed(_) => "diagnosed",
        Record::Chosen(_) => "chosen",
        Record::Suggested(_) => "suggested",
        Record::Decided(_) => "decided",
        Record::Planned { .. } => "planned",
        Record::NotPlanned { .. } => "not_planned",
        Record::Asked(_) => "asked",
        Record::Answered { .. } => "answered",
        Record::Lapsed { .. } => "lapsed",
        Record::Intended(_) => "intended",
        Record::Acted { .. } => "acted",
        Record::Watched { .. } => "watched",
        Record::Verified { .. } => "verified",
        Record::Recurred { .. } => "recurred",
        Record::Published { .. } => "published",
        Record::Escalated { .. } => "escalated",
        Record::Paged { .. } => "paged",
        Record::Closed { .. } => "closed",
    }
}

const KINDS: [&str; 42] = [
    "received",
    "oversize",
    "started",
    "policy_loaded",
    "policy_refused",
    "held",
    "lifted",
    "checkpoint",
    "noted",
    "judged",
    "reset",
    "promoted",
    "reported",
    "signed_off",
    "braked",
    "remembered",
    "invoked",
    "inquired",
    "opened",
    "observed",
    "vanished",
    "rehomed",
    "merged",
    "waits",
    "diagnosed",
    "chosen",
    "suggested",
    "decided",
    "planned",
    "not_planned",
    "asked",
    "answered",
    "lapsed",
    "intended",
    "acted",
    "watched",
    "verified",
    "recurred",
    "published",
    "escalated",
    "paged",
    "closed",
];

#[test]
fn every_sample_reads_and_writes_as_it_did() {
    let mut seen = BTreeSet::new();
    for (path, bytes) in samples() {
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let record: Record =
            serde_json::from_slice(text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let written = String::from_utf8(canonical(&record).unwrap()).unwrap();
        assert_eq!(written, String::from_utf8_lossy(text), "{}", path.display());
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert_eq!(name.split('.').next(), Some(kind(&record)), "a sample is named after its kind");
        seen.insert(kind(&record));
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| !seen.contains(*kind)).collect();
    assert!(missing.is_empty(), "kinds of record without a sample: {missing:?}");
}

#[tokio::test]
async fn every_sample_survives_the_store() {
    let dir = super::dir();
    let (store, _) = super::open(dir.path());
    let records: Vec<Record> =
        samples().iter().map(|(_, bytes)| serde_json::from_slice(bytes).unwrap()).collect();
    let mut step = Append::to(stream("a"), Some(0), at(0));
    step.records.clone_from(&records);
    let memory = MemoryStore::new();
    let written = store.append(step.clone()).await.unwrap();
    assert_eq!(
        memory.append(step).await.unwrap(),
        written,
        "the same bytes, the same hashes, in every store"
    );
    drop(store);
    let (store, _) = super::open(dir.path());
    let loaded: Vec<Record> =
        store.load(&stream("a")).await.unwrap().into_iter().map(|entry| entry.into_inner().record).collect();
    assert_eq!(loaded, records);
}
