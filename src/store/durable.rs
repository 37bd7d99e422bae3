//! The proof that something is on disk: only the store makes it, and the executor takes nothing else.

use std::ops::Deref;

use crate::domain::record::{Entry, Intent, Record};

/// A value that the store has made durable, or has read back from what is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable<T>(T);

impl<T> Durable<T> {
    /// For the store alone: the caller states that `value` is on disk.
    pub(in crate::store) const fn attest(value: T) -> Self {
        Self(value)
    }

    /// The value, without the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Durable<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl Durable<Entry> {
    /// The intent that this entry holds, with the proof carried over.
    pub fn intent(&self) -> Option<Durable<Intent>> {
        match &self.0.record {
            Record::Intended(intent) => Some(Durable((**intent).clone())),
            _ => None,
        }
    }
}
