//! Content-addressed files: evidence and transcripts, each under the hash of its bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::canonical::Hash;
use crate::ports::store::StoreError;

/// The most bytes of one blob: as large as the largest webhook body that is taken in; a log of the
/// 10,000 lines that are read at most, at 1 KiB each, fits with room.
pub const MAX_BLOB: usize = 16 << 20;

/// Blobs below one directory: `ab/<hash>`.
#[derive(Debug, Clone)]
pub(super) struct Blobs {
    dir: PathBuf,
}

/// The bytes with this hash in a state directory whose daemon may be running: only read.
pub fn blob(state_dir: &Path, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
    Blobs::at(state_dir.join(FOLDER)).get(hash)
}

/// The folder of blobs within a state directory.
pub(super) const FOLDER: &str = "blobs";

/// Tells the temporary files of one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Blobs {
    /// Blobs in `dir`, which exists.
    pub(super) const fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Keeps bytes; they are on disk when this returns.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<Hash, StoreError> {
        check_size(bytes)?;
        let hash = Hash::of(bytes);
        let path = self.path(hash);
        let kept = if self.get(hash).is_ok_and(|kept| kept.is_some()) {
            // whoever wrote it may have died, or be, between the writing and the flushing
            File::open(&path).and_then(|file| file.sync_all()).and_then(|()| self.flush_folder(&path))
        } else {
            self.write(&path, bytes)
        };
        kept.map(|()| hash).map_err(|e| failed("kept", hash, &e))
    }

    /// The bytes with this hash. Those that do not have it (any more) are damage.
    pub(super) fn get(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(hash);
        let size = match fs::metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed("read", hash, &e)),
            Ok(meta) => meta.len(),
        };
        let bytes = if size > MAX_BLOB as u64 {
            Vec::new()
        } else {
            fs::read(&path).map_err(|e| failed("read", hash, &e))?
        };
        if Hash::of(&bytes) == hash {
            return Ok(Some(bytes));
        }
        Err(StoreError::Damaged(format!("blob `{hash}` does not hold the bytes it is named after")))
    }

    fn path(&self, hash: Hash) -> PathBuf {
        let name = hash.to_string();
        self.dir.join(name.get(..2).unwrap_or_default()).join(name)
    }

    /// Written beside, flushed, renamed: a crash leaves either nothing of this name or all of it.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.dir);
        if !folder.is_dir() {
            fs::create_dir_all(folder)?;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let beside = self.dir.join(format!("tmp-{}-{number}", std::process::id()));
        let done = (|| {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            self.flush_folder(path)
        })();
        if done.is_err() {
            // best effort: the error that is told is the first one
            fs::remove_file(&beside).ok();
        }
        done
    }

    /// Brings the name of a blob to disk: its own, and its folder's.
    fn flush_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path.parent().unwrap_or(&self.dir))?.sync_all()?;
        File::open(&self.dir)?.sync_all()
    }

    /// Removes what a crash left half written.
    pub(super) fn sweep(&self) -> io::Result<()> {
        for file in fs::read_dir(&self.dir)? {
            let file = file?;
            if file.file_name().to_string_lossy().starts_with("tmp-") {
                fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }
}

/// Refuses what is too large to keep.
pub(super) fn check_size(bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() <= MAX_BLOB {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "a blob of {} bytes is larger than the {MAX_BLOB} kept",
        bytes.len()
    )))
}

fn failed(what: &str, hash: Hash, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("blob `{hash}` could not be {what}: {error}"))
}
