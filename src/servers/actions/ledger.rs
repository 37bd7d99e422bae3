//! The used-warrant file: which warrants were used for which intent and plan, and what came of it.
//! Append-only JSONL; a use is on disk before the write is sent.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::warrant::Warrant;
use crate::domain::canonical::Hash;
use crate::domain::ids::IntentId;
use crate::domain::warrant::Applied;

/// How long uses are kept after their warrant expired. Refusing a second use needs only the skew; the
/// rest is so that a daemon that was down over night still hears what became of its last act.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// One line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// The write is about to be sent.
    Started { warrant: String, intent: IntentId, plan: Hash, expires: Timestamp },
    /// This came of it.
    Ended { warrant: String, applied: Applied },
}

/// One use of a warrant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// For this intent.
    pub intent: IntentId,
    /// For this plan.
    pub plan: Hash,
    /// When the warrant expires.
    pub expires: Timestamp,
    /// What came of it, once that is known.
    pub outcome: Option<Applied>,
}

/// The used-warrant file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Reading, writing or flushing failed.
    #[error("the used-warrant file `{path}` cannot be {done}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        done: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Another server has it open.
    #[error("the used-warrant file `{}` is in use by another action server", .0.display())]
    InUse(PathBuf),
    /// A line before the last one cannot be read.
    #[error("line {line} of the used-warrant file `{path}` is damaged: move the file away once its intents are settled", path = .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// An earlier write failed, so that what is on disk is not known.
    #[error("the used-warrant file `{}` failed before and is not trusted until the server is started anew", .0.display())]
    Poisoned(PathBuf),
}

/// The file and what it says.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: Arc<File>,
    _lock: File,
    uses: BTreeMap<String, Use>,
    poisoned: bool,
}

impl Ledger {
    /// Opens or creates the file, drops a torn last line and uses that expired long ago.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, LedgerError> {
        let lock = lock(path)?;
        let text = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(failed(path, "read", source)),
        };
        let mut uses = replay(path, &text)?;
        uses.retain(|_, used| now.duration_since(used.expires) < KEPT);
        rewrite(path, &uses)?;
        let file = OpenOptions::new().append(true).open(path).map_err(|e| failed(path, "opened", e))?;
        Ok(Self { path: path.to_owned(), file: Arc::new(file), _lock: lock, uses, poisoned: false })
    }

    /// The use of this very warrant.
    pub fn of_warrant(&self, id: &str) -> Option<&Use> {
        self.uses.get(id)
    }

    /// The uses for this intent.
    pub fn of_intent<'a>(&'a self, intent: &'a IntentId) -> impl Iterator<Item = &'a Use> {
        self.uses.values().filter(move |used| used.intent == *intent)
    }

    /// Writes down, durably, that the warrant is about to be used.
    pub async fn start(&mut self, warrant: &Warrant) -> Result<(), LedgerError> {
        let used = Use {
            intent: warrant.intent().clone(),
            plan: warrant.plan(),
            expires: warrant.expires_at(),
            outcome: None,
        };
        self.write(started(warrant.id(), &used)).await?;
        self.uses.insert(warrant.id().to_owned(), used);
        Ok(())
    }

    /// Writes down what came of it.
    pub async fn end(&mut self, warrant: &Warrant, applied: &Applied) -> Result<(), LedgerError> {
        if let Some(used) = self.uses.get_mut(warrant.id()) {
            used.outcome = Some(applied.clone());
        }
        self.write(Line::Ended { warrant: warrant.id().to_owned(), applied: applied.clone() }).await
    }

    async fn write(&mut self, line: Line) -> Result<(), LedgerError> {
        if self.poisoned {
            return Err(LedgerError::Poisoned(self.path.clone()));
        }
        // poisoned until proven otherwise: also when this future is dropped half way
        self.poisoned = true;
        let file = Arc::clone(&self.file);
        let bytes = encode(&line).map_err(|e| failed(&self.path, "written", e))?;
        let written = tokio::task::spawn_blocking(move || {
            (&*file).write_all(&bytes)?;
            file.sync_data()
        });
        let result = written.await.unwrap_or_else(|e| Err(io::Error::other(e)));
        result.map_err(|e| failed(&self.path, "written", e))?;
        self.poisoned = false;
        Ok(())
    }
}

fn started(warrant: &str, used: &Use) -> Line {
    Line::Started {
        warrant: warrant.to_owned(),
        intent: used.intent.clone(),
        plan: used.plan,
        expires: used.expires,
    }
}

fn encode(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn failed(path: &Path, done: &'static str, source: io::Error) -> LedgerError {
    LedgerError::Io { path: path.to_owned(), done, source }
}

/// A lock beside the file, since the file itself is replaced when it is pruned.
fn lock(path: &Path) -> Result<File, LedgerError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name))
        .map_err(|e| failed(path, "locked", e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LedgerError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => Err(failed(path, "locked", e)),
    }
}

/// What the lines say. A last line that is cut off or unreadable was torn by a crash, before its flush
/// ended and therefore before its write was sent.
fn replay(path: &Path, text: &[u8]) -> Result<BTreeMap<String, Use>, LedgerError> {
    let mut uses = BTreeMap::new();
    let whole = text.iter().rposition(|b| *b == b'\n').unwrap_or(0);
    let mut lines = text.get(..whole).unwrap_or_default().split(|b| *b == b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(Line::Started { warrant, intent, plan, expires }) => {
                uses.insert(warrant, Use { intent, plan, expires, outcome: None });
            }
            Ok(Line::Ended { warrant, applied }) => {
                if let Some(used) = uses.get_mut(&warrant) {
                    used.outcome = Some(applied);
                }
            }
            Err(_) if lines.peek().is_none() => {}
            Err(_) => return Err(LedgerError::Damaged { path: path.to_owned(), line: index + 1 }),
        }
    }
    Ok(uses)
}

/// Replaces the file by one that holds exactly these uses: written beside it, flushed, renamed.
fn rewrite(path: &Path, uses: &BTreeMap<String, Use>) -> Result<(), LedgerError> {
    let attempt = || -> io::Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let fresh = PathBuf::from(name);
        let mut file = File::create(&fresh)?;
        for (warrant, used) in uses {
            file.write_all(&encode(&started(warrant, used))?)?;
            if let Some(applied) = &used.outcome {
                file.write_all(&encode(&Line::Ended {
                    warrant: warrant.clone(),
                    applied: applied.clone(),
                })?)?;
            }
        }
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    };
    attempt().map_err(|e| failed(path, "rewritten", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000 + seconds)
    }

    fn line(warrant: &str) -> String {
        let used = Use { intent: IntentId::new("inc-0"), plan: Hash::ZERO, expires: at(0), outcome: None };
        String::from_utf8(encode(&started(warrant, &used)).unwrap()).unwrap()
    }

    fn opened(text: &str, now: Timestamp) -> (tempfile::TempDir, Result<Ledger, LedgerError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("used");
        std::fs::write(&path, text).unwrap();
        let ledger = Ledger::open(&path, now);
        (folder, ledger)
    }

    #[test]
    fn a_torn_tail_is_dropped_wherever_it_is_torn() {
        let (one, two) = (line("w1"), line("w2"));
        for cut in 0..two.len() {
            let (_folder, ledger) = opened(&format!("{one}{}", &two[..cut]), at(0));
            let ledger = ledger.unwrap();
            assert!(ledger.of_warrant("w1").is_some() && ledger.of_warrant("w2").is_none(), "cut at {cut}");
        }
        let (_folder, ledger) = opened(&format!("{one}{two}"), at(0));
        assert!(ledger.unwrap().of_warrant("w2").is_some());
    }

    #[test]
    fn damage_before_the_end_stops_acting() {
        let (_folder, ledger) = opened(&format!("{}garbage\n{}", line("w1"), line("w2")), at(0));
        assert!(matches!(ledger, Err(LedgerError::Damaged { line: 2, .. })));
    }

    #[test]
    fn old_uses_are_pruned() {
        let day = 24 * 60 * 60;
        let (_folder, ledger) = opened(&line("w1"), at(day - 1));
        assert!(ledger.unwrap().of_warrant("w1").is_some());
        let (folder, ledger) = opened(&line("w1"), at(day));
        assert!(ledger.unwrap().of_warrant("w1").is_none());
        assert_eq!(std::fs::read_to_string(folder.path().join("used")).unwrap(), "");
    }

    #[test]
    fn one_file_has_one_server() {
        let (folder, ledger) = opened("", at(0));
        let again = Ledger::open(&folder.path().join("used"), at(0));
        assert!(matches!(again, Err(LedgerError::InUse(_))));
        drop(ledger);
        assert!(Ledger::open(&folder.path().join("used"), at(0)).is_ok());
    }
}
