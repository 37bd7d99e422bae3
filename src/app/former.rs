//! The policy set that was in force last. Its files are kept as a blob beside the journal, so that files which
//! are refused at a start leave belay with what it had, as files that are refused while it runs do.

use std::sync::Arc;

use crate::domain::canonical::Hash;
use crate::domain::record::Record;
use crate::policy::{self, PolicySet};
use crate::ports::store::{Store, StoreError};

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// What the journal says was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Former {
    /// The set.
    pub set: Hash,
    /// The blob with its files; journals of earlier versions have none.
    pub files: Option<Hash>,
}

/// Keeps the files of a set.
pub(super) async fn keep(store: &Arc<dyn Store>, files: &[(String, String)]) -> Result<Hash, StoreError> {
    let unwritable = |e: serde_json::Error| StoreError::Unavailable(e.to_string());
    store.put_blob(serde_json::to_vec(files).map_err(unwritable)?).await
}

/// The set that was in force last, if there ever was one.
pub(super) async fn last(store: &Arc<dyn Store>) -> Result<Option<Former>, StoreError> {
    let (mut found, mut from) = (None, 1);
    loop {
        let entries = store.range(&super::daemon_stream(), from, PAGE).await?;
        let Some(newest) = entries.last() else { return Ok(found) };
        from = newest.seq + 1;
        for entry in &entries {
            if let Record::Started { set, files, .. } | Record::PolicyLoaded { set, files, .. } =
                &entry.record
            {
                found = Some(Former { set: *set, files: *files });
            }
        }
    }
}

impl Former {
    /// The set itself, as far as its files were kept and are still sound by this version.
    pub(super) async fn load(&self, store: &Arc<dyn Store>) -> Result<Option<PolicySet>, StoreError> {
        let Some(hash) = self.files else { return Ok(None) };
        let Some(bytes) = store.blob(hash).await? else { return Ok(None) };
        let Ok(files) = serde_json::from_slice::<Vec<(String, String)>>(&bytes) else { return Ok(None) };
        Ok(policy::load(files).ok())
    }
}
