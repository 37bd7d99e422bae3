//! From which service to which a trace went, counted.

use std::collections::BTreeMap;

use super::{Span, SpanKind, Tree};

/// A service, in the namespace that it said it is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its namespace, if it is known.
    pub namespace: Option<String>,
    /// Its name.
    pub service: String,
}

/// Calls from one service to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Who called.
    pub from: Place,
    /// Who was called.
    pub to: Place,
    /// How often.
    pub calls: u64,
    /// How often that failed.
    pub errors: u64,
    /// The nanoseconds that it took, added up.
    pub nanos: u64,
}

/// Every hop of the tree, by who called whom. A call to what sends no spans of its own (a database) counts where the
/// caller says what it called.
pub fn hops(tree: &Tree) -> Vec<Hop> {
    let mut found: BTreeMap<(Place, Place), (u64, u64, u64)> = BTreeMap::new();
    let mut count = |from: Place, to: Place, span: &Span| {
        let (calls, errors, nanos) = found.entry((from, to)).or_default();
        *calls += 1;
        *errors += u64::from(span.error.is_some());
        *nanos = nanos.saturating_add(span.nanos);
    };
    for node in tree.nodes() {
        let above = node.parent.and_then(|parent| tree.get(parent));
        if let Some(above) = above
            && above.span.place() != node.span.place()
        {
            count(above.span.place(), node.span.place(), &node.span);
        }
        if let Some(peer) = unseen(node) {
            count(node.span.place(), Place { namespace: None, service: peer.to_owned() }, &node.span);
        }
    }
    let hop = |((from, to), (calls, errors, nanos))| Hop { from, to, calls, errors, nanos };
    found.into_iter().map(hop).collect()
}

/// What a span called that sends no spans of its own: a call without a part.
fn unseen(node: &super::Node) -> Option<&str> {
    let calls = matches!(node.span.kind, SpanKind::Client | SpanKind::Producer);
    let peer = node.span.peer.as_deref()?;
    (calls && node.children.is_empty() && peer != node.span.service).then_some(peer)
}
