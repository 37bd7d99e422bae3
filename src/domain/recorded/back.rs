//! Which earlier revision is the one to go back to.

use jiff::Timestamp;

use super::versions::History;
use super::workloads::WorkloadHistory;
use crate::domain::cluster::Revision;
use crate::domain::deploy::ConfigChange;

/// The newest earlier template that was seen to work for a while; where none was, one of which pods serve right now,
/// unless it was watched from its beginning and never did. `older` is newest first.
pub fn back<'a>(known: Option<&WorkloadHistory>, older: &'a [Revision]) -> Option<&'a Revision> {
    let worked = known.and_then(|known| worked(known, older));
    let serves = || older.iter().find(|r| r.ready > 0 && !known.is_some_and(|known| never(known, r)));
    worked.or_else(serves)
}

/// The newest of these revisions with which all replicas were seen to be ready for a while.
fn worked<'a>(known: &WorkloadHistory, older: &'a [Revision]) -> Option<&'a Revision> {
    let healthy = known.healthy.iter().rev().filter(|healthy| healthy.template != known.template);
    healthy.filter_map(|healthy| healthy.revision).find_map(|n| older.iter().find(|r| r.revision == n))
}

/// Whether this revision was watched from its beginning, and never had all its replicas ready for a while.
pub fn never(known: &WorkloadHistory, revision: &Revision) -> bool {
    let watched = revision.created.is_some_and(|created| known.since <= created);
    watched && known.healthy.iter().all(|healthy| healthy.revision != Some(revision.revision))
}

impl History {
    /// How it changed since then, the newest change first: which fields, and nothing of what they held. Versions that
    /// are not kept any more lie between those that are.
    pub fn changes_since(&self, since: Timestamp) -> Vec<ConfigChange> {
        let change = |at, watched, fields, gone| ConfigChange {
            object: self.object.clone(),
            at,
            watched,
            fields,
            gone,
        };
        let gone = self.gone.filter(|at| *at >= since).map(|at| change(at, true, Vec::new(), true));
        let pairs = self.versions.iter().zip(self.versions.iter().skip(1)).rev();
        let changed = pairs.filter(|(_, now)| now.seen >= since).map(|(then, now)| {
            let (restored, withheld) = Self::between(then, now);
            let withheld = withheld.into_iter().filter(|one| one.changed).map(|one| one.path);
            change(
                now.seen,
                now.watched,
                restored.into_iter().map(|one| one.path).chain(withheld).collect(),
                false,
            )
        });
        gone.into_iter().chain(changed).collect()
    }
}
