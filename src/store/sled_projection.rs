//! The projection in sled, with the latest changes in memory before it: what the log can rebuild need not
//! reach sled one step at a time, and most work is done before it would have. sled knows which line of the
//! log it stands at, and a sum over all of its pairs tells whether it is whole: a sled file that was cut
//! short opens without a word and lacks what was cut.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::keys;
use super::kv::{Changes, Each, View, walk_over};
use super::projection::{from_json, to_json};
use super::scan::Position;
use crate::domain::canonical::Hash;
use crate::ports::store::StoreError;

/// Lines that are kept in memory before they are brought to sled, and flushed there. Reading a line back
/// takes about 20 µs, so that a crash costs at most some 20 ms at the next start, and a flush is rare beside
/// a thousand of the log's own.
const FLUSH_AFTER: u64 = 1024;

/// The most bytes of changes that are kept in memory: a thousand lines of the usual four pairs of 250 bytes
/// come to 1 MiB; four of them still leave an idle daemon below its 30 MiB.
const HELD: usize = 4 << 20;

/// Where the projection stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The number of the last line applied.
    pub(super) line: u64,
    /// Where that line begins.
    pub(super) start: u64,
    /// Where it ends.
    pub(super) end: u64,
    /// The hash of the line before it.
    pub(super) prev: Hash,
    /// Its own hash.
    pub(super) hash: Hash,
}

impl Mark {
    /// The mark of the line between two places.
    pub(super) const fn of(start: Position, end: Position) -> Self {
        Self { line: end.lines, start: start.offset, end: end.offset, prev: start.hash, hash: end.hash }
    }

    /// The place behind the line.
    pub(super) const fn position(&self) -> Position {
        Position { lines: self.line, offset: self.end, hash: self.hash }
    }
}

/// The mark as it is kept, with the sum over all other pairs.
#[derive(Serialize, Deserialize)]
struct Kept {
    mark: Mark,
    sum: String,
}

/// An open projection.
pub(super) struct SledProjection {
    tree: Tree,
    /// What sled does not have yet. A key that sled does not have is never marked as deleted here.
    held: Changes,
    /// The bytes of all that was held since sled was last brought up.
    bytes: usize,
    /// The last line applied, here or in sled.
    mark: Option<Mark>,
    /// The sum over the pairs in sled that `held` leaves as they are.
    sum: u128,
    /// Lines since sled was last brought up.
    lines: u64,
}

/// What sled says of a lock that somebody holds.
const LOCKED: &str = "could not acquire lock";
/// How often it is tried, and how long is waited between: a child starts within a millisecond, on a busy machine within
/// some tens.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// What is in sled.
struct Tree(sled::Db);

impl SledProjection {
    /// Opens the projection in `path`, or makes an empty one. The error says why it has to be rebuilt.
    pub(super) fn open(path: &Path, cache: u64) -> Result<Self, String> {
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(cache)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(None);
        // sled panics on some kinds of damage; nothing of it is used after that
        catch_unwind(AssertUnwindSafe(|| Self::checked(Self::unlocked(&config)?)))
            .unwrap_or_else(|_| Err("sled panicked while opening it".to_owned()))
    }

    /// Opens it, and tries again where its lock is held: a child of this process has it too between its fork and its
    /// start, whoever closed the database. Another daemon holds the journal's own lock, and was refused before this.
    #[expect(clippy::disallowed_methods, reason = "nothing announces that a child has let the lock go")]
    fn unlocked(config: &sled::Config) -> Result<sled::Db, String> {
        let mut tried = 1;
        loop {
            match config.open() {
                Err(sled::Error::Io(e)) if tried < TRIES && e.to_string().contains(LOCKED) => {
                    tried += 1;
                    std::thread::sleep(PAUSE);
                }
                opened => return opened.map_err(|e| e.to_string()),
            }
        }
    }

    /// Makes sure that the projection is whole.
    fn checked(db: sled::Db) -> Result<Self, String> {
        let mut projection =
            Self { tree: Tree(db), held: Changes::new(), bytes: 0, mark: None, sum: 0, lines: 0 };
        let (mut sum, mut kept) = (0u128, None);
        let all = projection.scan(&[], &mut |key, value| {
            if key == keys::MARK {
                kept = Some(from_json::<Kept>(value, "a mark")?);
            } else {
                sum = sum.wrapping_add(weight(key, value));
            }
            Ok(ControlFlow::Continue(()))
        });
        all.map_err(|e| e.to_string())?;
        match kept {
            Some(Kept { mark, sum: told }) if told == format!("{sum:032x}") => {
                projection.mark = Some(mark);
                projection.sum = sum;
            }
            Some(_) => return Err("it is not whole: its sum differs".to_owned()),
            None if sum != 0 => return Err("it does not say where it stands".to_owned()),
            None => {}
        }
        Ok(projection)
    }

    /// The last line applied.
    pub(super) const fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    /// Applies the changes of the lines up to `mark`, all or none of them.
    pub(super) fn apply(&mut self, changes: Changes, mark: Mark) -> Result<(), StoreError> {
        // everything that can fail comes first
        let replaced = changes
            .into_iter()
            .map(|(key, value)| Ok((self.replaced(&key, value.is_none())?, key, value)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        for (replaced, key, value) in replaced {
            self.hold(replaced.as_deref(), key, value);
        }
        let before = self.mark.as_ref().map_or(0, |mark| mark.line);
        self.lines += mark.line.saturating_sub(before);
        self.mark = Some(mark);
        if self.lines >= FLUSH_AFTER || self.bytes >= HELD {
            self.flush()?;
        }
        Ok(())
    }

    /// The value in sled, where it matters: the first time that a key is changed, and when it is deleted.
    fn replaced(&self, key: &[u8], deleted: bool) -> Result<Option<Vec<u8>>, StoreError> {
        if deleted || !self.held.contains_key(key) { self.tree.get(key) } else { Ok(None) }
    }

    /// Takes one change in. `replaced` is what `replaced` gave.
    fn hold(&mut self, replaced: Option<&[u8]>, key: Vec<u8>, value: Option<Vec<u8>>) {
        if let (Some(old), false) = (replaced, self.held.contains_key(&key)) {
            self.sum = self.sum.wrapping_sub(weight(&key, old));
        }
        if replaced.is_none() && value.is_none() {
            // it came and went before sled heard of it
            self.held.remove(&key);
            return;
        }
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        self.held.insert(key, value);
    }

    /// Brings everything to disk. What could not be brought there is still held.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        let Some(mark) = self.mark.clone() else { return Ok(()) };
        let (mut batch, mut sum) = (sled::Batch::default(), self.sum);
        for (key, value) in &self.held {
            match value {
                Some(value) => {
                    sum = sum.wrapping_add(weight(key, value));
                    batch.insert(key.as_slice(), value.as_slice());
                }
                None => batch.remove(key.as_slice()),
            }
        }
        let kept = Kept { mark, sum: format!("{sum:032x}") };
        batch.insert(keys::MARK, to_json(&kept)?);
        self.tree.0.apply_batch(batch).map_err(failed)?;
        (self.sum, self.bytes, self.lines) = (sum, 0, 0);
        self.held.clear();
        // never `flush_async`: with several callers it hangs (libraries of this age do not get mended)
        self.tree.0.flush().map(|_| ()).map_err(failed)
    }
}

impl View for SledProjection {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.held.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.tree.get(key),
        }
    }

    fn walk(&self, prefix: &[u8], from: &[u8], each: &mut Each<'_>) -> Result<(), StoreError> {
        walk_over(&self.held, &self.tree, (prefix, from), each)
    }
}

impl View for Tree {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(key).map_err(failed)?.map(|value| value.to_vec()))
    }

    fn walk(&self, prefix: &[u8], from: &[u8], each: &mut Each<'_>) -> Result<(), StoreError> {
        for pair in self.0.range(from.max(prefix)..) {
            let (key, value) = pair.map_err(failed)?;
            if !key.starts_with(prefix) || each(&key, &value)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// What a pair adds to the sum: 128 bits, so that no likely damage cancels out.
fn weight(key: &[u8], value: &[u8]) -> u128 {
    let hash = Hash::of_parts(&[key, value]);
    hash.bytes().iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn failed(error: sled::Error) -> StoreError {
    StoreError::Unavailable(format!("the projection failed ({error}): restart belay to rebuild it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::scan::Position;

    const CACHE: u64 = 1 << 20;

    fn mark(line: u64) -> Mark {
        let start = Position { lines: line - 1, offset: 10 * (line - 1), hash: Hash::ZERO };
        Mark::of(start, Position { lines: line, offset: 10 * line, hash: Hash::of(&line.to_be_bytes()) })
    }

    /// A projection that was written to, changed and closed.
    fn used(path: &Path) {
        let mut projection = SledProjection::open(path, CACHE).unwrap();
        let put = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| (k.as_bytes().to_vec(), Some(v.as_bytes().to_vec())))
                .collect::<Changes>()
        };
        projection.apply(put(&[("ka", "1"), ("kb", "2")]), mark(1)).unwrap();
        let mut changes = put(&[("kb", "3"), ("kc", "4")]);
        changes.insert(b"ka".to_vec(), None);
        changes.insert(b"kd".to_vec(), None);
        projection.apply(changes, mark(2)).unwrap();
        projection.flush().unwrap();
    }

    #[test]
    fn a_whole_projection_stands_where_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        used(dir.path());
        let projection = SledProjection::open(dir.path(), CACHE).unwrap();
        assert_eq!(projection.mark(), Some(&mark(2)));
        let found = [b"ka", b"kb", b"kc"].map(|key| View::get(&projection, key).unwrap());
        assert_eq!(found, [None, Some(b"3".to_vec()), Some(b"4".to_vec())]);
    }

    #[test]
    fn what_came_and_went_before_a_flush_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        used(dir.path());
        let mut projection = SledProjection::open(dir.path(), CACHE).unwrap();
        let change = |key: &str, value: Option<&str>| -> Changes {
            [(key.as_bytes().to_vec(), value.map(|v| v.as_bytes().to_vec()))].into()
        };
        // one that sled has and one that it has not: put, deleted, and put and deleted again
        let values = [Some("5"), None, Some("6"), None];
        for (line, value) in (3..).zip(values) {
            let mut changes = change("kb", value);
            changes.extend(change("ke", value));
            projection.apply(changes, mark(line)).unwrap();
            let found = ["kb", "ke"].map(|key| View::get(&projection, key.as_bytes()).unwrap());
            assert_eq!(found, [value, value].map(|v| v.map(|v| v.as_bytes().to_vec())));
        }
        assert_eq!(projection.held, change("kb", None));
        projection.flush().unwrap();
        drop(projection);
        let projection = SledProjection::open(dir.path(), CACHE).unwrap();
        assert_eq!(projection.mark(), Some(&mark(6)));
        let mut left = Vec::new();
        let all = projection.scan(b"k", &mut |key, _| {
            left.push(key.to_vec());
            Ok(ControlFlow::Continue(()))
        });
        all.unwrap();
        assert_eq!(left, [b"kc"]);
    }

    /// Opens once the lock of whoever had it open is free: sled's threads end a little after it is dropped.
    fn freed<T>(open: impl Fn() -> Result<T, String>) -> Result<T, String> {
        loop {
            match open() {
                Err(why) if why.contains("lock") => std::thread::yield_now(),
                opened => return opened,
            }
        }
    }

    #[test]
    fn a_pair_that_is_missing_added_or_changed_is_noticed() {
        let harms: [fn(&sled::Db); 4] = [
            |db| drop(db.remove("kb").unwrap()),
            |db| drop(db.insert("kb", "4").unwrap()),
            |db| drop(db.insert("ke", "5").unwrap()),
            |db| drop(db.remove(keys::MARK).unwrap()),
        ];
        for harm in harms {
            let dir = tempfile::tempdir().unwrap();
            used(dir.path());
            let db = freed(|| sled::open(dir.path()).map_err(|e| e.to_string())).unwrap();
            harm(&db);
            db.flush().unwrap();
            drop(db);
            let why = freed(|| SledProjection::open(dir.path(), CACHE)).err().unwrap();
            assert!(why.contains("not whole") || why.contains("where it stands"), "{why}");
        }
    }
}
