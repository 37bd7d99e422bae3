//! The rules of one owner alone, for the tests that assume an environment: what a pack promises of itself
//! must hold beside whatever grants, guards and freezes its user adds.

use std::collections::BTreeMap;

use super::{Test, compile, document};
use crate::domain::canonical::Hash;
use crate::policy::golden;
use crate::policy::set::PolicySet;

/// Sets by owner, each made when a test asks for it.
pub(super) struct Own<'f> {
    files: &'f [(String, String)],
    hash: Hash,
    sets: BTreeMap<String, Option<PolicySet>>,
}

impl<'f> Own<'f> {
    /// None made yet.
    pub fn new(files: &'f [(String, String)], hash: Hash) -> Self {
        Self { files, hash, sets: BTreeMap::new() }
    }

    /// The set for this test, if it wants one of its owner's rules alone and they can stand alone.
    pub fn of(&mut self, test: &Test) -> Option<&PolicySet> {
        if !golden::stands_alone(test) {
            return None;
        }
        let (files, hash) = (self.files, self.hash);
        self.sets.entry(test.owner.clone()).or_insert_with(|| alone(files, hash, &test.owner)).as_ref()
    }
}

fn alone(files: &[(String, String)], hash: Hash, owner: &str) -> Option<PolicySet> {
    let mut problems = Vec::new();
    let documents = files.iter().filter_map(|file| document(file, &mut problems)).collect();
    let (set, _) = compile(documents, hash, Some(owner), &mut problems);
    problems.is_empty().then_some(set)
}
