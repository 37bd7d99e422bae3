//! Lines with those around them: as `grep -C` shows them, no line twice.

use std::collections::{BTreeMap, BTreeSet};

use super::{Instance, Line};

/// What is shown of what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Blocks of lines that belong together, in order of time. Without context there is one.
    pub blocks: Vec<Vec<Line>>,
    /// How many lines matched.
    pub matched: usize,
}

/// Of the lines of each instance, in order, those that match, the last `limit` of them or the first, each with
/// `context` lines before and after it.
pub fn select(instances: Vec<Vec<Line>>, context: usize, limit: usize, newest: bool) -> Shown {
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (n, lines) in instances.iter().enumerate() {
        places.extend(lines.iter().enumerate().filter(|(_, line)| line.matched).map(|(at, _)| (n, at)));
    }
    let matched = places.len();
    let time =
        |(n, at): &(usize, usize)| instances.get(*n).and_then(|lines| lines.get(*at)).and_then(|l| l.at);
    // stable, so that lines of one instance and one moment stay as they are
    places.sort_by_key(time);
    if newest {
        places.drain(..places.len().saturating_sub(limit));
    } else {
        places.truncate(limit);
    }
    let kept: BTreeSet<(usize, usize)> = places.into_iter().collect();
    let mut blocks: Vec<Vec<Line>> = Vec::new();
    for (n, lines) in instances.into_iter().enumerate() {
        let near: Vec<bool> = near(lines.len(), |at| kept.contains(&(n, at)), context);
        let mut open = false;
        for (at, (line, near)) in lines.into_iter().zip(near).enumerate() {
            if near {
                let line = Line { matched: kept.contains(&(n, at)), ..line };
                match blocks.last_mut().filter(|_| open) {
                    Some(block) => block.push(line),
                    None => blocks.push(vec![line]),
                }
            }
            open = near;
        }
    }
    Shown { blocks: arranged(blocks, context == 0), matched }
}

/// Which of so many lines are at most `context` from one that is wanted. Linear, however many are.
fn near(lines: usize, wanted: impl Fn(usize) -> bool, context: usize) -> Vec<bool> {
    let mut near = vec![false; lines];
    let mut pass = |order: &mut dyn Iterator<Item = usize>| {
        let mut left = 0;
        for at in order {
            if wanted(at) {
                left = context + 1;
            }
            if left > 0 {
                left -= 1;
                if let Some(place) = near.get_mut(at) {
                    *place = true;
                }
            }
        }
    };
    pass(&mut (0..lines));
    pass(&mut (0..lines).rev());
    near
}

/// One block in order of time, or each in order of its first line.
fn arranged(mut blocks: Vec<Vec<Line>>, as_one: bool) -> Vec<Vec<Line>> {
    if as_one {
        let mut all: Vec<Line> = blocks.into_iter().flatten().collect();
        all.sort_by_key(|line| line.at);
        return if all.is_empty() { Vec::new() } else { vec![all] };
    }
    blocks.sort_by_key(|block| block.first().and_then(|line| line.at));
    blocks
}

/// Blocks that were read one by one around lines that match, made one where they touch.
pub fn merged(windows: Vec<Vec<Line>>) -> Vec<Vec<Line>> {
    let mut instances: BTreeMap<Instance, Vec<Vec<Line>>> = BTreeMap::new();
    for window in windows {
        let Some(first) = window.first() else { continue };
        instances.entry(first.instance.clone()).or_default().push(window);
    }
    let mut blocks: Vec<Vec<Line>> = Vec::new();
    for mut windows in instances.into_values() {
        windows.sort_by_key(|window| window.first().and_then(|line| line.at));
        let mut open: Option<Vec<Line>> = None;
        for window in windows {
            open = Some(match open.take() {
                Some(block) if touch(&block, &window) => union(block, window),
                Some(block) => {
                    blocks.push(block);
                    window
                }
                None => window,
            });
        }
        blocks.extend(open);
    }
    arranged(blocks, false)
}

fn touch(block: &[Line], window: &[Line]) -> bool {
    block.last().map(|line| line.at) >= window.first().map(|line| line.at)
}

/// Each line once; one that matches in either matches.
fn union(mut block: Vec<Line>, window: Vec<Line>) -> Vec<Line> {
    for line in window {
        match block.iter_mut().rev().find(|kept| kept.id == line.id && kept.at == line.at) {
            Some(kept) => kept.matched |= line.matched,
            None => block.push(line),
        }
    }
    // stable: lines of one moment stay as they came
    block.sort_by_key(|line| line.at);
    block
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn line(pod: &str, at: i64, matched: bool) -> Line {
        Line {
            at: Timestamp::from_second(at).ok(),
            id: format!("{at:05}"),
            service: String::new(),
            instance: Instance { pod: pod.to_owned(), ..Instance::default() },
            severity: None,
            trace: None,
            continues: false,
            matched,
            text: format!("{pod}{at}"),
        }
    }

    fn lines(pod: &str, matched: &[i64]) -> Vec<Line> {
        (0..10).map(|at| line(pod, at, matched.contains(&at))).collect()
    }

    fn texts(blocks: &[Vec<Line>]) -> Vec<Vec<&str>> {
        blocks.iter().map(|block| block.iter().map(|line| line.text.as_str()).collect()).collect()
    }

    #[test]
    fn context_shows_no_line_twice() {
        let shown = select(vec![lines("a", &[2, 4, 9]), lines("b", &[0])], 1, 10, true);
        assert_eq!(
            texts(&shown.blocks),
            [vec!["b0", "b1"], vec!["a1", "a2", "a3", "a4", "a5"], vec!["a8", "a9"]]
        );
        assert_eq!(shown.matched, 4);
        let matched: Vec<&str> =
            shown.blocks.iter().flatten().filter(|l| l.matched).map(|l| l.text.as_str()).collect();
        assert_eq!(matched, ["b0", "a2", "a4", "a9"]);
    }

    #[test]
    fn the_newest_or_the_oldest_are_kept() {
        let instances = vec![lines("a", &[1, 5]), lines("b", &[3, 7])];
        assert_eq!(texts(&select(instances.clone(), 0, 2, true).blocks), [vec!["a5", "b7"]]);
        assert_eq!(texts(&select(instances, 0, 2, false).blocks), [vec!["a1", "b3"]]);
        assert_eq!(select(vec![lines("a", &[])], 3, 5, true), Shown::default());
    }

    #[test]
    fn windows_that_touch_become_one() {
        let window =
            |from: i64, to: i64, hit: i64| (from..=to).map(|at| line("a", at, at == hit)).collect::<Vec<_>>();
        let blocks = merged(vec![window(4, 6, 5), window(1, 4, 2), window(8, 9, 8), vec![]]);
        assert_eq!(texts(&blocks), [vec!["a1", "a2", "a3", "a4", "a5", "a6"], vec!["a8", "a9"]]);
        assert_eq!(blocks[0].iter().filter(|l| l.matched).count(), 2);
    }

    proptest::proptest! {
        #[test]
        fn each_kept_line_has_its_context_and_none_is_there_twice(
            hits in prop::collection::btree_set(0i64..60, 0..20), context in 0usize..5, limit in 1usize..30
        ) {
            let all: Vec<Line> = (0..60).map(|at| line("a", at, hits.contains(&at))).collect();
            let shown = select(vec![all], context, limit, true);
            let kept: Vec<i64> = hits.iter().rev().take(limit).copied().collect();
            let mut expected: BTreeSet<i64> = BTreeSet::new();
            for hit in &kept {
                let context = i64::try_from(context).unwrap();
                expected.extend((hit - context).max(0)..=(hit + context).min(59));
            }
            let found: Vec<i64> =
                shown.blocks.iter().flatten().map(|l| l.at.unwrap().as_second()).collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
