//! Opening the store of one machine: the lock, the log, and a projection that agrees with it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Notify;

use super::blobs::{self, Blobs};
use super::engine::{Engine, replay};
use super::kv::{Changes, Overlay};
use super::leases::Leases;
use super::line::Line;
use super::log::{Log, Medium};
use super::log_store::LogStore;
use super::scan::{Broken, Lines, Position, ScanError};
use super::sled_projection::{Mark, SledProjection};
use crate::ports::store::AppendError;

/// The log's file in the state directory.
pub const LOG_FILE: &str = "journal.jsonl";

/// Lines that are brought up in one go: as many as share a flush when they are written.
const LINES_AT_ONCE: usize = super::engine::GROUP_STEPS;

/// How the store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes that the projection may keep in memory. The default of 2 MiB holds the keys of some
    /// thousands of incidents and leaves an idle daemon far below its 30 MiB.
    pub cache: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache: 2 << 20 }
    }
}

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// How many lines the log has.
    pub lines: u64,
    /// What became of the projection.
    pub projection: Brought,
    /// The unfinished last line that was taken out, if there was one.
    pub torn: Option<Torn>,
}

/// What became of the projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brought {
    /// It stood at the end of the log.
    Current,
    /// It lacked this many lines.
    Up {
        /// How many.
        lines: u64,
    },
    /// It was built anew from the whole log.
    Anew {
        /// Why the earlier one was no good; it is kept as `projection.broken`.
        why: String,
    },
}

/// An unfinished last line: never acknowledged, or cut off since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Where and what.
    pub found: Broken,
    /// The file that its bytes were moved to.
    pub kept: PathBuf,
}

/// Why the store was not opened. Nothing was changed that could be looked at.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the state directory `{}` is in use by another belay: stop that one, or send it the command", .0.display())]
    InUse(PathBuf),
    /// A file could not be used.
    #[error("could not {doing} `{}`", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The log was changed, or its disk lost something.
    #[error("the journal `{}` is damaged: {found}; belay does not act on it: restore it, or move the state directory away and start anew", .path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Where.
        found: Broken,
    },
    /// The projection has seen lines that the log does not have.
    #[error(
        "the journal `{}` ends before line {line}, which was written once: it was cut off or replaced by an older one; belay does not act on it: bring the whole one back, or remove the directory `projection` to accept the loss",
        .path.display()
    )]
    Short {
        /// The log.
        path: PathBuf,
        /// The last line that was applied.
        line: u64,
    },
    /// The projection has seen another line in this place.
    #[error(
        "the journal `{}` holds another line {line} than was written once: it was edited or replaced; belay does not act on it: bring the right one back, or remove the directory `projection` to accept this one",
        .path.display()
    )]
    Differs {
        /// The log.
        path: PathBuf,
        /// The last line that was applied.
        line: u64,
    },
    /// The projection could not be built.
    #[error("the projection could not be built: {0}")]
    Projection(String),
}

/// Opens the store in `dir`, which is made if it is not there. Blocks for as long as it takes to bring
/// the projection up.
pub fn open(dir: &Path, options: &Options) -> Result<(LogStore, OpenReport), OpenError> {
    let blobs = dir.join(blobs::FOLDER);
    make_dir(dir)?;
    make_dir(&blobs)?;
    let lock = lock(dir)?;
    let path = dir.join(LOG_FILE);
    let file = open_log(&path, dir)?;
    let (mut projection, anew) = open_projection(&dir.join("projection"), options)?;
    if let Some(mark) = projection.mark() {
        compare(&file, mark, &path)?;
    }
    let start = projection.mark().map_or(Position::START, Mark::position);
    let (end, torn) = bring_up(&mut projection, &file, &path)?;
    let torn = torn.map(|found| take_out(&file, &path, found)).transpose()?;
    // lines that a dying process wrote may be in memory only; what is read from here on counts as durable
    file.sync_all().map_err(io("flush", &path))?;
    let lines = end.lines - start.lines;
    let brought = match anew {
        Some(why) if end.lines > 0 => Brought::Anew { why },
        Some(_) | None if lines == 0 => Brought::Current,
        Some(_) | None => Brought::Up { lines },
    };
    let blobs = Blobs::at(blobs);
    blobs.sweep().map_err(io("clear up the blobs of", dir))?;
    let medium: Arc<dyn Medium> = Arc::new(file);
    let engine = Engine {
        log: Log::ending_at(Arc::clone(&medium), end),
        projection,
        leases: Leases::default(),
        stirred: Arc::new(Notify::new()),
    };
    // whatever was left open by the last process is due
    engine.stirred.notify_one();
    let store = LogStore::start(engine, medium, blobs, lock).map_err(io("start the thread of", dir))?;
    Ok((store, OpenReport { lines: end.lines, projection: brought, torn }))
}

/// The lock that keeps every other process out.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(e)) => Err(io("lock", &path)(e)),
    }
}

/// The log's file, whose name is on disk.
fn open_log(path: &Path, dir: &Path) -> Result<File, OpenError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.map_err(io("open", path))?;
    let named = File::open(dir).and_then(|dir| dir.sync_all());
    named.map_err(io("flush", dir))?;
    Ok(file)
}

/// The projection, or an empty one in the place of one that is no good, and why.
fn open_projection(path: &Path, options: &Options) -> Result<(SledProjection, Option<String>), OpenError> {
    let why = if path.exists() {
        match SledProjection::open(path, options.cache) {
            Ok(projection) => return Ok((projection, None)),
            Err(why) => why,
        }
    } else {
        "there was none".to_owned()
    };
    if path.exists() {
        let aside = path.with_extension("broken");
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(io("remove", &aside))?;
        }
        fs::rename(path, &aside).map_err(io("move aside", path))?;
    }
    make_dir(path)?;
    let projection = SledProjection::open(path, options.cache).map_err(OpenError::Projection)?;
    Ok((projection, Some(why)))
}

/// The line that the projection stands at must be in the log, as it was.
fn compare(file: &File, mark: &Mark, path: &Path) -> Result<(), OpenError> {
    let length = file.metadata().map_err(io("read", path))?.len();
    if length < mark.end {
        return Err(OpenError::Short { path: path.to_owned(), line: mark.line });
    }
    let mut bytes = vec![0; usize::try_from(mark.end.saturating_sub(mark.start)).unwrap_or(0)];
    file.read(&mut bytes, mark.start).map_err(io("read", path))?;
    match Line::check(&bytes, mark.prev) {
        Ok((_, hash)) if hash == mark.hash => Ok(()),
        Ok(_) | Err(_) => Err(OpenError::Differs { path: path.to_owned(), line: mark.line }),
    }
}

/// Applies the lines that the projection lacks. Gives the end of what is whole, and what is torn there.
fn bring_up(
    projection: &mut SledProjection,
    mut file: &File,
    path: &Path,
) -> Result<(Position, Option<Broken>), OpenError> {
    let start = projection.mark().map_or(Position::START, Mark::position);
    file.seek(SeekFrom::Start(start.offset)).map_err(io("read", path))?;
    let mut lines = Lines::from(file, start);
    let mut torn = None;
    while torn.is_none() {
        let (changes, mark);
        (changes, mark, torn) = apply_some(projection, &mut lines, path)?;
        match mark {
            Some(mark) => {
                projection.apply(changes, mark).map_err(|e| OpenError::Projection(e.to_string()))?;
            }
            None => break,
        }
    }
    if lines.position() != start {
        projection.flush().map_err(|e| OpenError::Projection(e.to_string()))?;
    }
    Ok((lines.position(), torn))
}

/// The changes of the next lines, the mark of the last of them, and what is torn behind it.
fn apply_some(
    projection: &SledProjection,
    lines: &mut Lines<&File>,
    path: &Path,
) -> Result<(Changes, Option<Mark>, Option<Broken>), OpenError> {
    let (mut over, mut mark) = (Overlay::over(projection), None);
    for _ in 0..LINES_AT_ONCE {
        let found = match lines.next() {
            Ok(Some(found)) => found,
            Ok(None) => break,
            Err(ScanError::Torn(broken)) => return Ok((over.into_changes(), mark, Some(broken))),
            Err(ScanError::Broken(found)) => return Err(OpenError::Damaged { path: path.to_owned(), found }),
            Err(ScanError::Io(e)) => return Err(io("read", path)(e)),
        };
        mark = Some(Mark::of(found.start, found.end));
        let (line, offset) = (found.line.number, found.start.offset);
        replay(&mut over, found.line, found.start, found.end).map_err(|error: AppendError| {
            let found = Broken { line, offset, what: error.to_string() };
            OpenError::Damaged { path: path.to_owned(), found }
        })?;
    }
    Ok((over.into_changes(), mark, None))
}

/// Moves an unfinished last line to a file of its own: it is never simply thrown away.
fn take_out(mut file: &File, path: &Path, found: Broken) -> Result<Torn, OpenError> {
    let kept = path.with_extension(format!("torn-{}", found.offset));
    let aside = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&kept);
    let mut aside = aside.map_err(io("write", &kept))?;
    file.seek(SeekFrom::Start(found.offset)).map_err(io("read", path))?;
    io::copy(&mut file, &mut aside).and_then(|_| aside.sync_all()).map_err(io("write", &kept))?;
    file.set_len(found.offset).map_err(io("cut", path))?;
    Ok(Torn { found, kept })
}

/// A directory for the daemon's own eyes.
fn make_dir(path: &Path) -> Result<(), OpenError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("make", path))
}

/// Says what was tried with which file.
fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { doing, path, source }
}
