//! Where the time of a trace went: what each span did itself, and the way through the spans that nothing could have been
//! shorter without.

use super::Tree;

/// The times of one span, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// From its beginning to its end.
    pub whole: u64,
    /// While none of its parts ran.
    pub own: u64,
}

/// What one span has of the critical path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The span's place in the tree.
    pub at: usize,
    /// Nanoseconds of the path that were its own.
    pub nanos: u64,
}

/// The times of every span, in the order of the tree's nodes.
pub fn times(tree: &Tree) -> Vec<Times> {
    let of = |node: &super::Node| {
        let (from, to) = (node.span.begins(), node.span.ends());
        let mut covered: i128 = 0;
        // children come by their beginning, so one sweep joins what overlaps
        let mut reached = from;
        for child in node.children.iter().filter_map(|child| tree.get(*child)) {
            let (begins, ends) = (child.span.begins().clamp(from, to), child.span.ends().clamp(from, to));
            covered += (ends - begins.max(reached)).max(0);
            reached = reached.max(ends);
        }
        let own = u64::try_from((to - from) - covered).unwrap_or(0);
        Times { whole: node.span.nanos, own }
    };
    tree.nodes().iter().map(of).collect()
}

/// The critical path of the tree under its main root: from its end backwards, always to the part that ended last before.
/// The shares add up to the time of the root. By their beginning.
pub fn critical_path(tree: &Tree) -> Vec<Share> {
    let Some(root) = tree.main() else { return Vec::new() };
    let Some(window) = tree.get(root).map(|node| (node.span.begins(), node.span.ends())) else {
        return Vec::new();
    };
    let mut shares = Vec::new();
    let mut waiting = vec![(root, window)];
    while let Some((at, (from, to))) = waiting.pop() {
        let (own, parts) = within(tree, at, (from, to));
        if own > 0 {
            shares.push(Share { at, nanos: own });
        }
        waiting.extend(parts);
    }
    shares.sort_by_key(|share| share.at);
    shares
}

/// A stretch of time, in nanoseconds since 1970.
type Window = (i128, i128);

/// What a span has of its stretch for itself, and the stretches that it leaves to its parts.
fn within(tree: &Tree, at: usize, (from, to): Window) -> (u64, Vec<(usize, Window)>) {
    let children = tree.get(at).map(|node| node.children.as_slice()).unwrap_or_default();
    let clipped = |child: &usize| {
        let span = &tree.get(*child)?.span;
        let (begins, ends) = (span.begins().clamp(from, to), span.ends().clamp(from, to));
        (begins < ends).then_some((ends, begins, *child))
    };
    let mut ended: Vec<_> = children.iter().filter_map(clipped).collect();
    // the last that ended first; of those that ended together the one that ran longest
    ended.sort_by_key(|(ends, begins, child)| (std::cmp::Reverse(*ends), *begins, *child));
    let (mut own, mut cursor, mut parts) = (0, to, Vec::new());
    for (ends, begins, child) in ended {
        // it ran beside a part that is on the path
        if ends > cursor {
            continue;
        }
        own += cursor - ends;
        parts.push((child, (begins, ends)));
        cursor = begins;
    }
    own += cursor - from;
    (u64::try_from(own).unwrap_or(0), parts)
}
