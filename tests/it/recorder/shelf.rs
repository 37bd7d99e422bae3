//! The shelf: one contract on memory and on disk, and what becomes of a broken one.

use std::path::Path;

use belay::domain::recorded::{Book, Kept, Key, Seen};
use belay::ports::recorder::Shelf;
use belay::store::{MemoryShelf, SledShelf};

use super::{at, config, key, place, workload};

fn kept(n: u32) -> Kept {
    let mut book = Book::new(key());
    book.observe(config("flags", &[("n", &n.to_string())]), Seen::Watched(at(0)));
    book.kept(&place("flags")).unwrap()
}

async fn contract(shelf: &dyn Shelf) {
    let empty = shelf.load(key()).await.unwrap();
    assert_eq!((empty.key, empty.kept.len(), empty.lost), (key(), 0, None));
    assert_eq!(shelf.load(Key::new([9; 32])).await.unwrap().key, key(), "the first one stays");
    shelf.put(vec![(place("flags"), Some(kept(1))), (place("other"), Some(kept(2)))]).await.unwrap();
    shelf.put(vec![(place("flags"), Some(kept(3))), (place("other"), None)]).await.unwrap();
    shelf.put(vec![(place("never"), None)]).await.unwrap();
    assert_eq!(shelf.load(key()).await.unwrap().kept, [kept(3)]);
}

#[tokio::test]
async fn memory_and_disk_keep_the_same() {
    contract(&MemoryShelf::default()).await;
    let dir = tempfile::tempdir().unwrap();
    contract(&SledShelf::open(&dir.path().join("recorded")).unwrap()).await;
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorded");
    let mut book = Book::new(key());
    book.observe(workload(1, 3, true), Seen::Found(at(0)));
    let web = belay::domain::recorded::Place::of(&crate::given::object(
        belay::domain::target::Kind::Deployment,
        "web",
    ));
    let well = book.kept(&web).unwrap();
    let shelf = SledShelf::open(&path).unwrap();
    shelf.load(key()).await.unwrap();
    shelf.put(vec![(place("flags"), Some(kept(1))), (web, Some(well.clone()))]).await.unwrap();
    drop(shelf);
    let again = SledShelf::open(&path).unwrap().load(Key::new([9; 32])).await.unwrap();
    assert_eq!((again.key, again.lost), (key(), None));
    assert_eq!(again.kept, [kept(1), well], "in the order of their places");
}

/// Every file of the shelf.
fn files(path: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

#[tokio::test]
async fn a_broken_shelf_starts_empty_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorded");
    for round in 0..2 {
        let shelf = SledShelf::open(&path).unwrap();
        shelf.load(key()).await.unwrap();
        shelf.put(vec![(place("flags"), Some(kept(1)))]).await.unwrap();
        drop(shelf);
        for file in files(&path) {
            let bytes = std::fs::read(&file).unwrap();
            std::fs::write(&file, vec![0xa5; bytes.len()]).unwrap();
        }
        let shelf = SledShelf::open(&path).unwrap();
        let found = shelf.load(Key::new([9; 32])).await.unwrap();
        assert_eq!((found.key, found.kept.len()), (Key::new([9; 32]), 0), "round {round}");
        assert!(found.lost.is_some());
        drop(shelf);
        std::fs::remove_dir_all(&path).unwrap();
    }
    assert!(dir.path().join("recorded.broken").exists());
}
