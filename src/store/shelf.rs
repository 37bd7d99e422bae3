//! What the recorder keeps, in memory and on disk. Its own place, apart from journal and projection: it is
//! neither the truth about incidents nor made from it.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::domain::canonical::Hash;
use crate::domain::recorded::{Kept, Key, Place};
use crate::ports::recorder::{Shelf, ShelfError, Shelved};

/// Pages that stay in memory besides the book itself, which is read once at the start.
const CACHE: u64 = 256 << 10;
/// Where the key stands: no place of an object is named so.
const KEY: &[u8] = b"key";

/// A shelf that lives as long as this value.
#[derive(Debug, Default)]
pub struct MemoryShelf {
    inner: Mutex<(Option<Key>, BTreeMap<Place, Kept>)>,
}

#[async_trait]
impl Shelf for MemoryShelf {
    async fn load(&self, fresh: Key) -> Result<Shelved, ShelfError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let key = inner.0.get_or_insert(fresh).clone();
        Ok(Shelved { key, kept: inner.1.values().cloned().collect(), lost: None })
    }

    async fn put(&self, changes: Vec<(Place, Option<Kept>)>) -> Result<(), ShelfError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, kept) in changes {
            match kept {
                Some(kept) => drop(inner.1.insert(place, kept)),
                None => drop(inner.1.remove(&place)),
            }
        }
        Ok(())
    }
}

/// A shelf on disk.
pub struct SledShelf {
    db: sled::Db,
    /// Why an earlier one was no good.
    lost: Option<String>,
}

impl SledShelf {
    /// Opens the shelf in `path`, or makes an empty one: also in place of one that is broken, which is kept
    /// beside it until the next one breaks.
    pub fn open(path: &Path) -> Result<Self, ShelfError> {
        let why = match Self::opened(path) {
            Ok(db) => return Ok(Self { db, lost: None }),
            Err(why) => why,
        };
        let aside = path.with_extension("broken");
        let failed = |e: std::io::Error| ShelfError(format!("`{}`: {e}", path.display()));
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(failed)?;
        }
        fs::rename(path, &aside).map_err(failed)?;
        let db = Self::opened(path).map_err(ShelfError)?;
        Ok(Self { db, lost: Some(why) })
    }

    fn opened(path: &Path) -> Result<sled::Db, String> {
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(CACHE)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(None);
        let whole = || {
            let db = config.open().map_err(|e| e.to_string())?;
            // a page that cannot be read shows only when it is
            db.iter().try_for_each(|pair| pair.map(drop)).map_err(|e| e.to_string())?;
            Ok(db)
        };
        // sled panics on some kinds of damage; nothing of it is used after that
        catch_unwind(AssertUnwindSafe(whole))
            .unwrap_or_else(|_| Err("sled panicked while opening it".to_owned()))
    }
}

#[async_trait]
impl Shelf for SledShelf {
    async fn load(&self, fresh: Key) -> Result<Shelved, ShelfError> {
        let (db, why) = (self.db.clone(), self.lost.clone());
        blocking(move || {
            let known = db.get(KEY).map_err(told)?;
            let known = known.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_ref()).ok()).map(Key::new);
            let anew = known.is_none();
            let key = known.unwrap_or(fresh);
            let (mut kept, mut unread) = (Vec::new(), 0_usize);
            for pair in db.iter() {
                let (name, bytes) = pair.map_err(told)?;
                if name.as_ref() == KEY {
                    continue;
                }
                // hashes of another key would call everything changed
                if let Some(one) = read(&bytes).filter(|_| !anew) {
                    kept.push(one);
                } else {
                    db.remove(name).map_err(told)?;
                    unread += 1;
                }
            }
            if anew {
                db.insert(KEY, key.bytes()).map_err(told)?;
            }
            db.flush().map_err(told)?;
            let unread = (unread > 0).then(|| format!("{unread} of its entries were damaged"));
            Ok(Shelved { key, kept, lost: why.or(unread) })
        })
        .await
    }

    async fn put(&self, changes: Vec<(Place, Option<Kept>)>) -> Result<(), ShelfError> {
        let db = self.db.clone();
        blocking(move || {
            let mut batch = sled::Batch::default();
            for (place, kept) in changes {
                let name = place.to_string().into_bytes();
                match kept {
                    Some(kept) => batch.insert(name, written(&kept)?),
                    None => batch.remove(name),
                }
            }
            db.apply_batch(batch).map_err(told)?;
            db.flush().map(drop).map_err(told)
        })
        .await
    }
}

/// The entry behind its own hash: one that was damaged is not taken for what was recorded.
fn written(kept: &Kept) -> Result<Vec<u8>, ShelfError> {
    let json = serde_json::to_vec(kept).map_err(|e| ShelfError(e.to_string()))?;
    Ok([Hash::of(&json).bytes().as_slice(), &json].concat())
}

fn read(bytes: &[u8]) -> Option<Kept> {
    let (hash, json) = bytes.split_at_checked(32)?;
    (Hash::of(json).bytes().as_slice() == hash).then(|| serde_json::from_slice(json).ok()).flatten()
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
fn told(error: sled::Error) -> ShelfError {
    ShelfError(error.to_string())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ShelfError> + Send + 'static,
) -> Result<T, ShelfError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(ShelfError(format!("the shelf died: {e}"))))
}
