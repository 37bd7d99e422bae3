//! Spans as a forest: who called whom. Built from any spans whatever, in one way for any order of them, without recursion:
//! a trace of a hundred thousand spans may be a single chain.

use std::collections::HashMap;

use super::{MOST_SPANS, Span, Trace};

/// What was wrong with the spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Oddities {
    /// Spans that name a parent which is not there.
    pub orphans: u64,
    /// Rings of spans that are each other's parents; each was cut open.
    pub rings: u64,
    /// Spans that were there twice.
    pub twice: u64,
    /// Spans that end before they begin; they take no time.
    pub backwards: u64,
    /// Spans that could not be read, or were too many.
    pub left_out: u64,
}

/// A span in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The span.
    pub span: Span,
    /// The node that it is part of.
    pub parent: Option<usize>,
    /// Its parts, by their beginning.
    pub children: Vec<usize>,
    /// How many nodes are above it.
    pub depth: usize,
}

/// The spans of a trace, each with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    nodes: Vec<Node>,
    /// The nodes that have no parent, by their beginning.
    roots: Vec<usize>,
    /// What was wrong.
    pub odd: Oddities,
}

impl Tree {
    /// The tree of a trace.
    pub fn of(trace: Trace) -> Self {
        let mut spans = trace.spans;
        let mut odd = Oddities { left_out: trace.left_out, ..Oddities::default() };
        spans.sort();
        let all = spans.len();
        spans.dedup();
        odd.twice = (all - spans.len()) as u64;
        odd.left_out += spans.len().saturating_sub(MOST_SPANS) as u64;
        spans.truncate(MOST_SPANS);
        odd.backwards = spans.iter().filter(|s| s.backwards).count() as u64;
        let mut parents = parents(&spans, &mut odd);
        cut_rings(&mut parents, &mut odd);
        let nodes = spans.into_iter().zip(&parents);
        let nodes =
            nodes.map(|(span, parent)| Node { span, parent: *parent, children: Vec::new(), depth: 0 });
        let mut tree = Self { nodes: nodes.collect(), roots: Vec::new(), odd };
        tree.hang(&parents);
        tree
    }

    /// The children under their parents, in the order of the nodes, which is that of their beginning.
    fn hang(&mut self, parents: &[Option<usize>]) {
        for (at, parent) in parents.iter().enumerate() {
            match parent.and_then(|parent| self.nodes.get_mut(parent)) {
                Some(parent) => parent.children.push(at),
                None => self.roots.push(at),
            }
        }
        for at in self.downward() {
            let above = self.get(at).and_then(|node| node.parent).and_then(|parent| self.get(parent));
            let depth = above.map_or(0, |above| above.depth + 1);
            if let Some(node) = self.nodes.get_mut(at) {
                node.depth = depth;
            }
        }
    }

    /// A node.
    pub fn get(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }

    /// Every node, by its beginning.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Every node's place, each parent before its children and each child before the next one.
    pub fn downward(&self) -> Vec<usize> {
        let mut waiting: Vec<usize> = self.roots.iter().rev().copied().collect();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(at) = waiting.pop() {
            order.push(at);
            let children = self.get(at).map(|node| node.children.as_slice()).unwrap_or_default();
            waiting.extend(children.iter().rev());
        }
        order
    }

    /// The node that stands for the whole: one that names no parent before one whose parent is missing, then the longest.
    pub fn main(&self) -> Option<usize> {
        let rank = |at: &&usize| {
            let span = self.get(**at).map(|node| &node.span);
            let (begins, whole) = span.map_or((false, 0), |s| (s.parent.is_none(), s.nanos));
            (begins, whole, std::cmp::Reverse(**at))
        };
        self.roots.iter().max_by_key(rank).copied()
    }

    /// How many spans nothing stands above.
    pub fn roots(&self) -> usize {
        self.roots.len()
    }
}

/// Each span's parent. Where two differ and have one id (client and server of a call, as Zipkin writes them), the later is
/// part of the earlier.
fn parents(spans: &[Span], odd: &mut Oddities) -> Vec<Option<usize>> {
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(spans.len());
    for (at, span) in spans.iter().enumerate() {
        first.entry(&span.id).or_insert(at);
    }
    let parent = |(at, span): (usize, &Span)| {
        let same = first.get(span.id.as_str()).copied().filter(|same| *same != at);
        let named = span.parent.as_deref();
        let found = named.and_then(|id| first.get(id)).copied();
        if same.is_none() && named.is_some() && found.is_none() {
            odd.orphans += 1;
        }
        if same.is_none() && found == Some(at) {
            odd.rings += 1;
            return None;
        }
        same.or(found)
    };
    spans.iter().enumerate().map(parent).collect()
}

/// Opens every ring at the span that began first.
fn cut_rings(parents: &mut [Option<usize>], odd: &mut Oddities) {
    // the walk in which a node was met; 0: none yet
    let mut met = vec![0_usize; parents.len()];
    for walk in 1..=parents.len() {
        let (mut at, mut way) = (Some(walk - 1), Vec::new());
        while let Some(here) = at {
            match met.get(here).copied() {
                Some(0) => {}
                Some(then) if then == walk => {
                    let ring = way.iter().position(|seen| *seen == here).and_then(|from| way.get(from..));
                    let opened = ring.and_then(|ring| ring.iter().min().copied());
                    if let Some(open) = opened.and_then(|open| parents.get_mut(open)) {
                        *open = None;
                        odd.rings += 1;
                    }
                    break;
                }
                Some(_) | None => break,
            }
            if let Some(mark) = met.get_mut(here) {
                *mark = walk;
            }
            way.push(here);
            at = parents.get(here).copied().flatten();
        }
    }
}
