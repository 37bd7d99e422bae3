//! The little that a projection needs of a key-value store: reading, walking in order, and changes that
//! are kept apart until the journal holds them.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use crate::ports::store::StoreError;

/// Keys to their new values; `None` deletes.
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What a walk calls for each pair; it breaks to stop.
pub(super) type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'a;

/// Pairs of bytes in the order of their keys.
pub(super) trait View {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Calls `each` with every pair whose key starts with `prefix` and is not before `from`, in order,
    /// until it breaks.
    fn walk(&self, prefix: &[u8], from: &[u8], each: &mut Each<'_>) -> Result<(), StoreError>;

    /// Calls `each` with every pair whose key starts with `prefix`, in order, until it breaks.
    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<(), StoreError> {
        self.walk(prefix, prefix, each)
    }
}

/// A view with changes laid over it: dropping it undoes them.
pub(super) struct Overlay<'a> {
    base: &'a dyn View,
    changes: Changes,
}

impl<'a> Overlay<'a> {
    /// No changes yet.
    pub(super) const fn over(base: &'a dyn View) -> Self {
        Self { base, changes: Changes::new() }
    }

    /// Sets a key.
    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.insert(key, Some(value));
    }

    /// Deletes a key.
    pub(super) fn delete(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    /// Takes over the changes of another overlay that was laid over this one.
    pub(super) fn absorb(&mut self, changes: Changes) {
        self.changes.extend(changes);
    }

    /// What was changed.
    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }
}

impl View for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }

    fn walk(&self, prefix: &[u8], from: &[u8], each: &mut Each<'_>) -> Result<(), StoreError> {
        walk_over(&self.changes, self.base, (prefix, from), each)
    }
}

/// Walks (from prefix and first key) a view as it is with changes laid over it.
pub(super) fn walk_over(
    changes: &Changes,
    base: &dyn View,
    (prefix, from): (&[u8], &[u8]),
    each: &mut Each<'_>,
) -> Result<(), StoreError> {
    let start = Bound::Included(from.max(prefix));
    let mut ours = changes
        .range::<[u8], _>((start, Bound::Unbounded))
        .take_while(|(key, _)| key.starts_with(prefix))
        .peekable();
    let mut flow = ControlFlow::Continue(());
    base.walk(prefix, from, &mut |key, value| {
        while let Some((new, put)) = ours.next_if(|(new, _)| new.as_slice() < key) {
            flow = shown(new, put.as_deref(), each)?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        flow = match ours.next_if(|(new, _)| new.as_slice() == key) {
            Some((_, put)) => shown(key, put.as_deref(), each)?,
            None => each(key, value)?,
        };
        Ok(flow)
    })?;
    for (new, put) in ours {
        if flow.is_break() {
            break;
        }
        flow = shown(new, put.as_deref(), each)?;
    }
    Ok(())
}

/// Shows a pair of the overlay, unless it is a deletion.
fn shown(key: &[u8], value: Option<&[u8]>, each: &mut Each<'_>) -> Result<ControlFlow<()>, StoreError> {
    value.map_or(Ok(ControlFlow::Continue(())), |value| each(key, value))
}

impl View for BTreeMap<Vec<u8>, Vec<u8>> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(BTreeMap::get(self, key).cloned())
    }

    fn walk(&self, prefix: &[u8], from: &[u8], each: &mut Each<'_>) -> Result<(), StoreError> {
        let start = Bound::Included(from.max(prefix));
        for (key, value) in self.range::<[u8], _>((start, Bound::Unbounded)) {
            if !key.starts_with(prefix) || each(key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(view: &dyn View, prefix: &[u8], from: &[u8], max: usize) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        view.walk(prefix, from, &mut |key, _| {
            found.push(key.to_vec());
            Ok(if found.len() >= max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap();
        found
    }

    #[test]
    fn an_overlay_reads_like_the_merged_map() {
        let base: BTreeMap<Vec<u8>, Vec<u8>> =
            ["a1", "a3", "a5", "b1"].iter().map(|k| (k.as_bytes().to_vec(), vec![0])).collect();
        let mut over = Overlay::over(&base);
        over.put(b"a2".to_vec(), vec![1]);
        over.put(b"a3".to_vec(), vec![1]);
        over.delete(b"a5".to_vec());
        over.put(b"a9".to_vec(), vec![1]);
        let mut merged = base.clone();
        for (key, value) in [("a2", 1), ("a3", 1), ("a9", 1)] {
            merged.insert(key.as_bytes().to_vec(), vec![value]);
        }
        merged.remove(b"a5".as_slice());
        for max in 1..6 {
            for from in ["a", "a2", "a3", "a4", "a6", "b"] {
                let (prefix, from) = (b"a".as_slice(), from.as_bytes());
                assert_eq!(keys(&over, prefix, from, max), keys(&merged, prefix, from, max));
            }
        }
        assert_eq!(over.get(b"a5").unwrap(), None);
        assert_eq!(over.get(b"a3").unwrap(), Some(vec![1]));
        assert_eq!(over.get(b"b1").unwrap(), Some(vec![0]));
    }
}
