//! No cause is known, and somebody declared a job for this very alert: that is said as what it is, and no more.

use crate::diagnose::evidence::{Book, Key};
use crate::domain::action::{Action, ActionKind};
use crate::domain::cluster::Snapshot;
use crate::domain::finding::{Cause, Certainty, Finding};

/// The finding. To be asked only when nothing else was found.
pub fn declared(snapshot: &Snapshot, offers: &[Action], book: &Book) -> Option<Finding> {
    let first = offers.first()?;
    Some(Finding {
        cause: Cause::DeclaredJob,
        subject: snapshot.target.clone(),
        certainty: Certainty::Possible,
        summary: format!("no cause that belay knows; declared for this alert: {}", first.what()),
        evidence: book.cite(&[Key::Workload, Key::Pods]),
        rules_out: vec![],
        suggests: vec![ActionKind::RunJob],
    })
}
