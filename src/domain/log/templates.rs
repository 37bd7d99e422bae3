//! Log templates by Drain: He, Zhu, Zheng and Lyu, *Drain: An Online Log Parsing Approach with Fixed Depth Tree*, ICWS
//! 2017. A line goes down a tree of fixed depth (its length, then its first words) to a few groups, and joins the one
//! that has most words in common with it at the same place; words that differ become `<*>`.
//!
//! Written here rather than taken from a crate, since what matters is a bound on everything that a hostile log can fill
//! (groups, bytes, comparisons a line) and an order that is the same each time; the algorithm itself is small.

use std::collections::BTreeMap;

use super::mask;

/// Words that are the first steps down the tree, as the paper's depth of 4 has two.
const DEPTH: usize = 2;
/// The share of words in common from which on a line is of a group, in hundredths: the paper's 0.4.
const ALIKE: usize = 40;
/// Different words after one another in the tree; more share one branch. The paper's 100.
const CHILDREN: usize = 100;
/// Words of a line that are looked at: what comes later tells few lines apart.
const WORDS: usize = 48;
/// Bytes of one word that are looked at.
const WORD: usize = 64;
/// Groups at one leaf, and so the most comparisons for one line.
const LEAF: usize = 24;
/// Groups in all: a program has some hundred different messages, a node's worth of programs some thousand.
const GROUPS: usize = 2_000;
/// Bytes of all templates together: groups of 256 bytes each.
const BYTES: usize = GROUPS * 256;

/// What stands where lines of one group differ.
pub const ANY: &str = "<*>";

/// What one group has in common.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    words: Vec<Box<str>>,
    count: u64,
}

/// A place in the tree.
#[derive(Debug, Default)]
struct Node {
    children: BTreeMap<Box<str>, usize>,
    groups: Vec<usize>,
}

/// Groups of lines that look alike.
#[derive(Debug)]
pub struct Templates {
    nodes: Vec<Node>,
    groups: Vec<Group>,
    /// By how many words a line has.
    roots: Vec<Option<usize>>,
    bytes: usize,
    /// Lines that found no group when no more could be made.
    others: u64,
    masked: String,
    ends: Vec<usize>,
}

/// A group as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its number: that of the first line's turn to make a group.
    pub group: usize,
    /// How many lines.
    pub count: u64,
    /// What they have in common.
    pub text: String,
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

impl Templates {
    /// None yet.
    pub fn new() -> Self {
        Self {
            nodes: Vec::new(),
            groups: Vec::new(),
            roots: vec![None; WORDS + 1],
            bytes: 0,
            others: 0,
            masked: String::new(),
            ends: Vec::new(),
        }
    }

    /// Takes a line; the number of the group that it joined, if any. In time linear in the line's length.
    pub fn add(&mut self, line: &str) -> Option<usize> {
        let (masked, ends) = (std::mem::take(&mut self.masked), std::mem::take(&mut self.ends));
        let (masked, ends) = masked_words(line, masked, ends);
        let group = self.place(&Words { text: &masked, ends: &ends });
        (self.masked, self.ends) = (masked, ends);
        if group.is_none() {
            self.others += 1;
        }
        group
    }

    /// Lines that are of no group, since there were too many.
    pub const fn others(&self) -> u64 {
        self.others
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Bytes that templates and tree hold, about.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The groups with most lines; of two that have as many, the one that came first.
    pub fn top(&self, most: usize) -> Vec<Template> {
        let mut order: Vec<(usize, &Group)> = self.groups.iter().enumerate().collect();
        order.sort_by_key(|(n, group)| (std::cmp::Reverse(group.count), *n));
        let shown = order.into_iter().take(most);
        shown.map(|(group, g)| Template { group, count: g.count, text: g.words.join(" ") }).collect()
    }

    fn place(&mut self, words: &Words<'_>) -> Option<usize> {
        let leaf = self.leaf(words)?;
        let there = self.nodes.get(leaf).map(|node| node.groups.as_slice()).unwrap_or_default();
        let mut best: Option<(usize, usize, usize)> = None;
        for &number in there {
            let Some(group) = self.groups.get(number) else { continue };
            let (same, any) = in_common(&group.words, words);
            // as in the paper: of two that are as alike the one with more `<*>`
            if best.is_none_or(|(most, more, _)| (same, any) > (most, more)) {
                best = Some((same, any, number));
            }
        }
        match best {
            Some((same, _, number)) if same * 100 >= ALIKE * words.ends.len() => {
                self.join(number, words);
                Some(number)
            }
            Some(_) | None => self.found(leaf, words),
        }
    }

    /// The leaf for these words, made where there is none; `None`: there are too many.
    fn leaf(&mut self, words: &Words<'_>) -> Option<usize> {
        let root = *self.roots.get(words.ends.len())?;
        let mut at = if let Some(at) = root {
            at
        } else {
            let at = self.node();
            if let Some(root) = self.roots.get_mut(words.ends.len()) {
                *root = Some(at);
            }
            at
        };
        for word in words.iter().take(DEPTH) {
            // what holds a mask differs from line to line
            let word = if word.contains('<') { ANY } else { word };
            let node = self.nodes.get(at)?;
            let known = node.children.get(word).copied();
            let full = node.children.len() + 1 >= CHILDREN && word != ANY;
            at = match known {
                Some(next) => next,
                None if full => match node.children.get(ANY).copied() {
                    Some(next) => next,
                    None => self.child(at, ANY)?,
                },
                None => self.child(at, word)?,
            };
        }
        Some(at)
    }

    fn node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    fn child(&mut self, at: usize, word: &str) -> Option<usize> {
        self.room(word.len())?;
        let next = self.node();
        self.nodes.get_mut(at)?.children.insert(word.into(), next);
        Some(next)
    }

    /// A new group of one line.
    fn found(&mut self, leaf: usize, words: &Words<'_>) -> Option<usize> {
        if self.groups.len() >= GROUPS || self.nodes.get(leaf)?.groups.len() >= LEAF {
            return None;
        }
        self.room(words.text.len())?;
        let number = self.groups.len();
        self.groups.push(Group { words: words.iter().map(Into::into).collect(), count: 1 });
        self.nodes.get_mut(leaf)?.groups.push(number);
        Some(number)
    }

    fn room(&mut self, bytes: usize) -> Option<()> {
        if self.bytes + bytes > BYTES {
            return None;
        }
        self.bytes += bytes;
        Some(())
    }

    fn join(&mut self, number: usize, words: &Words<'_>) {
        let Some(group) = self.groups.get_mut(number) else { return };
        group.count += 1;
        for (kept, word) in group.words.iter_mut().zip(words.iter()) {
            if **kept != *word && **kept != *ANY {
                *kept = ANY.into();
            }
        }
    }
}

/// How many words are the same, and how many places are of any word.
fn in_common(kept: &[Box<str>], words: &Words<'_>) -> (usize, usize) {
    let mut found = (0, 0);
    for (kept, word) in kept.iter().zip(words.iter()) {
        if **kept == *word {
            found.0 += 1;
        } else if **kept == *ANY {
            found.1 += 1;
        }
    }
    found
}

/// The words of a line, one after the other, and where each ends.
struct Words<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Words<'a> {
    fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (text, mut from) = (self.text, 0);
        self.ends
            .iter()
            .map(move |end| text.get(std::mem::replace(&mut from, *end)..*end).unwrap_or_default())
    }
}

fn masked_words(line: &str, mut masked: String, mut ends: Vec<usize>) -> (String, Vec<usize>) {
    masked.clear();
    ends.clear();
    for word in line.split_whitespace().take(WORDS) {
        mask::token(super::read::head(word, WORD), &mut masked);
        ends.push(masked.len());
    }
    (masked, ends)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&str]) -> Vec<(u64, String)> {
        let mut templates = Templates::new();
        for line in lines {
            templates.add(line);
        }
        templates.top(10).into_iter().map(|t| (t.count, t.text)).collect()
    }

    #[test]
    fn lines_of_one_kind_are_one_template() {
        let found = of(&[
            "order 17 of user alice failed: no stock",
            "order 18 of user bob failed: no stock",
            "connection to 10.0.0.7:5432 refused",
            "order 19 of user carol failed: no stock",
            "connection to 10.0.0.8:5432 refused",
            "ready",
        ]);
        assert_eq!(
            found,
            [
                (3, "order <num> of user <*> failed: no stock".to_owned()),
                (2, "connection to <ip> refused".to_owned()),
                (1, "ready".to_owned()),
            ]
        );
    }

    #[test]
    fn lines_of_different_kinds_stay_apart() {
        let found = of(&["could not open file a", "could not reach host b", "disk full"]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(of(&["cannot read", "has failed"]).len(), 2);
    }

    /// However different its lines are, a log fills no more than the bounds.
    #[test]
    fn groups_and_bytes_are_bounded() {
        let mut templates = Templates::new();
        let word = |n: u32| n.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect::<String>();
        for n in 0..60_000 {
            templates.add(&format!("{} {} {} {}", word(n), word(n ^ 0x3039), word(n * 7), "x".repeat(60)));
        }
        assert!(
            templates.len() <= GROUPS && templates.bytes() <= BYTES,
            "{} {}",
            templates.len(),
            templates.bytes()
        );
        assert!(templates.nodes.len() <= GROUPS * 40, "{}", templates.nodes.len());
        assert!(templates.others() > 0);
        let all: u64 = templates.groups.iter().map(|g| g.count).sum();
        assert_eq!(all + templates.others(), 60_000);
    }

    #[test]
    fn a_line_without_end_costs_no_more_than_its_first_words() {
        let mut templates = Templates::new();
        templates.add(&"word ".repeat(2 << 20));
        templates.add(&"x".repeat(10 << 20));
        assert!(templates.bytes() < WORDS * WORD * 2, "{}", templates.bytes());
    }

    fn any_line() -> impl Strategy<Value = String> {
        let word = prop_oneof!["[a-c]{1,2}", "[0-9]{1,4}", "\\PC{0,6}", Just("failed".to_owned())];
        prop::collection::vec(word, 0..8).prop_map(|words| words.join(" "))
    }

    proptest::proptest! {
        #[test]
        fn every_line_is_counted_once_and_the_order_is_the_same_each_time(
            lines in prop::collection::vec(any_line(), 0..80)
        ) {
            let run = || {
                let mut templates = Templates::new();
                let joined: Vec<Option<usize>> = lines.iter().map(|line| templates.add(line)).collect();
                (joined, templates.top(usize::MAX), templates.others())
            };
            let (joined, top, others) = run();
            prop_assert_eq!(&run(), &(joined.clone(), top.clone(), others));
            let counted: u64 = top.iter().map(|t| t.count).sum();
            prop_assert_eq!(counted + others, lines.len() as u64);
            for template in &top {
                let mine = joined.iter().filter(|j| **j == Some(template.group)).count() as u64;
                prop_assert_eq!(mine, template.count);
            }
        }

        #[test]
        fn the_same_line_is_always_of_the_same_group(line in any_line()) {
            let mut templates = Templates::new();
            let first = templates.add(&line);
            prop_assert_eq!(templates.add(&line), first);
        }
    }
}
