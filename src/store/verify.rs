//! The full check of a log, offline: every byte, every line, every chain; and what is missing from it,
//! as far as something kept elsewhere tells.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entries::{self, Written};
use super::merkle;
pub use super::scan::Broken;
use super::scan::{Lines, Position, ScanError};
use crate::domain::canonical::Hash;
use crate::domain::ids::StreamId;
use crate::domain::record::Record;
use crate::ports::store::{Entry, Head};

/// How many steps may lie between the reading of the heads and the record of their checkpoint: as many
/// as can wait in the store's queue.
const BETWEEN: usize = 1024;

/// A log that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many lines it has.
    pub lines: u64,
    /// How many entries they hold.
    pub entries: u64,
    /// The heads of its streams, in order.
    pub streams: Vec<Head>,
    /// The hash of the last line, which stands for all of them.
    pub head: Hash,
}

/// Something kept elsewhere that the log must still bear out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// It once had this line.
    Line {
        /// The line's number.
        line: u64,
        /// The line's hash.
        hash: Hash,
    },
    /// A checkpoint with this root was taken.
    Checkpoint(Hash),
}

/// Why a log is not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It could not be read.
    #[error("the journal could not be read")]
    Io(#[from] io::Error),
    /// The export could not be written.
    #[error("the export could not be written")]
    Export(#[source] io::Error),
    /// It is not what was written.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// What is kept elsewhere was once true of it and is not now.
    #[error("the journal is whole but not what it was: {0}")]
    NotBorneOut(String),
}

/// Checks a log from its first byte to its last, and against what is kept elsewhere. Without any of
/// that, lines missing at the end cannot be told.
pub fn verify(path: &Path, expected: &[Expected]) -> Result<Verified, VerifyError> {
    verify_from(File::open(path)?, expected)
}

/// Checks a log that comes from anywhere, as `verify` does.
pub fn verify_from(log: impl Read, expected: &[Expected]) -> Result<Verified, VerifyError> {
    let mut marks = Marks::expecting(expected);
    let verified = walk(log, |seen| {
        marks.see(&seen);
        Ok(())
    })?;
    marks.borne_out(&verified)?;
    Ok(verified)
}

/// Writes every entry as a line of JSON (stream, seq, at, hash, record), checking as `verify` does. What
/// was written before an error is good.
pub fn export(path: &Path, out: &mut dyn Write) -> Result<Verified, VerifyError> {
    let log = File::open(path)?;
    let verified = walk(log, |seen| seen.entries.iter().try_for_each(|(_, text)| export_one(text, out)))?;
    out.flush().map_err(VerifyError::Export)?;
    Ok(verified)
}

/// One exported entry. The record keeps the bytes that are hashed.
#[derive(Serialize)]
struct Exported<'a> {
    stream: &'a StreamId,
    seq: u64,
    at: Timestamp,
    hash: Hash,
    record: &'a RawValue,
}

/// A body, its record untouched.
#[derive(Deserialize)]
struct Raw<'a> {
    stream: StreamId,
    at: Timestamp,
    #[serde(borrow)]
    record: &'a RawValue,
}

fn export_one(text: &Written, out: &mut dyn Write) -> Result<(), VerifyError> {
    let Raw { stream, at, record } =
        serde_json::from_str(&text.body).map_err(|e| VerifyError::Export(e.into()))?;
    let exported = Exported { stream: &stream, seq: text.seq, at, hash: text.hash, record };
    serde_json::to_writer(&mut *out, &exported).map_err(|e| VerifyError::Export(e.into()))?;
    out.write_all(b"\n").map_err(VerifyError::Export)
}

/// A line that was checked.
struct Seen<'a> {
    end: Position,
    entries: &'a [(Entry, Written)],
    heads: &'a BTreeMap<StreamId, Head>,
}

/// Reads and checks every line, and shows it.
fn walk(
    log: impl Read,
    mut show: impl FnMut(Seen<'_>) -> Result<(), VerifyError>,
) -> Result<Verified, VerifyError> {
    let mut lines = Lines::from(log, Position::START);
    let (mut heads, mut count) = (BTreeMap::new(), 0);
    loop {
        let found = match lines.next() {
            Ok(Some(found)) => found,
            Ok(None) => break,
            Err(ScanError::Io(error)) => return Err(error.into()),
            Err(ScanError::Broken(broken) | ScanError::Torn(broken)) => return Err(broken.into()),
        };
        let (line, offset) = (found.line.number, found.start.offset);
        let (step, written) = found.line.into_step();
        let mut entries = Vec::with_capacity(written.len());
        for text in written {
            let entry = check(&text, &step.stream, step.at, &mut heads);
            let entry = entry.map_err(|what| Broken { line, offset, what })?;
            entries.push((entry, text));
        }
        count += entries.len() as u64;
        show(Seen { end: found.end, entries: &entries, heads: &heads })?;
    }
    let end = lines.position();
    Ok(Verified { lines: end.lines, entries: count, streams: heads.into_values().collect(), head: end.hash })
}

/// Checks one entry against its stream's chain, and moves the head.
fn check(
    text: &Written,
    stream: &StreamId,
    at: Timestamp,
    heads: &mut BTreeMap<StreamId, Head>,
) -> Result<Entry, String> {
    let entry = entries::decode(text)?;
    let head = heads.entry(stream.clone()).or_insert_with(|| Head {
        stream: stream.clone(),
        entries: 0,
        hash: Hash::ZERO,
    });
    if entry.stream != *stream || entry.at != at {
        return Err(format!("entry {} belongs to another step", entry.seq));
    }
    if entry.seq != head.entries + 1 || text.hash != entries::link(head.hash, text.digest.bytes()) {
        return Err(format!("entry {} does not continue the chain of stream `{stream}`", entry.seq));
    }
    head.entries = entry.seq;
    head.hash = text.hash;
    Ok(entry)
}

/// What is expected, and what was found of it.
struct Marks {
    /// Lines, and whether each was found.
    lines: Vec<(u64, Hash, bool)>,
    /// Roots, and whether each was found.
    roots: Vec<(Hash, bool)>,
    /// The heads after each of the last lines, as they changed: what a stream's head was before.
    recent: VecDeque<Vec<(StreamId, Option<Head>)>>,
    /// The heads after the last line.
    now: BTreeMap<StreamId, Head>,
}

impl Marks {
    fn expecting(expected: &[Expected]) -> Self {
        let mut marks =
            Self { lines: Vec::new(), roots: Vec::new(), recent: VecDeque::new(), now: BTreeMap::new() };
        for one in expected {
            match one {
                Expected::Line { line, hash } => marks.lines.push((*line, *hash, *line == 0)),
                Expected::Checkpoint(root) => marks.roots.push((*root, false)),
            }
        }
        marks
    }

    /// Looks at a line.
    fn see(&mut self, seen: &Seen<'_>) {
        for (line, hash, found) in &mut self.lines {
            *found |= *line == seen.end.lines && *hash == seen.end.hash;
        }
        if self.roots.is_empty() {
            return;
        }
        for (entry, _) in seen.entries {
            if let Record::Checkpoint { root, .. } = &entry.record {
                let waits = self.roots.iter().any(|(known, found)| known == root && !found);
                if waits && self.had(*root) {
                    self.roots
                        .iter_mut()
                        .filter(|(known, _)| known == root)
                        .for_each(|(_, found)| *found = true);
                }
            }
        }
        self.follow(seen);
    }

    /// Keeps up with the heads.
    fn follow(&mut self, seen: &Seen<'_>) {
        let mut before = Vec::new();
        if let Some((entry, _)) = seen.entries.first() {
            // all entries of a line are of one stream
            let now = seen.heads.get(&entry.stream).cloned();
            before.push((entry.stream.clone(), self.now.get(&entry.stream).cloned()));
            self.now.extend(now.map(|head| (entry.stream.clone(), head)));
        }
        self.recent.push_back(before);
        if self.recent.len() > BETWEEN {
            self.recent.pop_front();
        }
    }

    /// Whether the heads after one of the last lines had this root.
    fn had(&self, root: Hash) -> bool {
        let mut heads = self.now.clone();
        let mut steps = self.recent.iter().rev();
        loop {
            if root_of(&heads) == Some(root) {
                return true;
            }
            let Some(step) = steps.next() else { return false };
            for (stream, before) in step {
                match before {
                    Some(head) => heads.insert(stream.clone(), head.clone()),
                    None => heads.remove(stream),
                };
            }
        }
    }

    /// Whether everything was found.
    fn borne_out(&self, verified: &Verified) -> Result<(), VerifyError> {
        let lost = self.lines.iter().find(|(_, _, found)| !found);
        if let Some((line, hash, _)) = lost {
            let what =
                format!("line {line} with hash `{hash}` is not in it; it has {} lines", verified.lines);
            return Err(VerifyError::NotBorneOut(what));
        }
        let root_now = merkle::checkpoint(&verified.streams).ok();
        let lost = self.roots.iter().find(|(root, found)| !found && root_now != Some(*root));
        if let Some((root, _)) = lost {
            let what = format!("no moment of it has the checkpoint `{root}`");
            return Err(VerifyError::NotBorneOut(what));
        }
        Ok(())
    }
}

fn root_of(heads: &BTreeMap<StreamId, Head>) -> Option<Hash> {
    let leaves = heads.values().map(merkle::leaf).collect::<Result<Vec<_>, _>>().ok()?;
    Some(merkle::root(&leaves))
}
