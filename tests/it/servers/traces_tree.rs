//! Any spans whatever: the tree is bounded, does not depend on their order, and its times add up.

use belay::domain::trace::{Span, SpanKind, Trace, TraceId, Tree, critical_path, hops, times};
use jiff::Timestamp;
use proptest::prelude::*;

/// A span that began so many milliseconds after the epoch and took as many.
fn span(id: u32, parent: Option<u32>, start: i64, millis: u64) -> Span {
    Span {
        start: Timestamp::from_millisecond(start).unwrap(),
        nanos: millis * 1_000_000,
        kind: SpanKind::Server,
        id: id.to_string(),
        parent: parent.map(|p| p.to_string()),
        service: format!("s{}", id % 3),
        namespace: Some("shop".into()),
        operation: "op".into(),
        error: None,
        peer: None,
        backwards: false,
    }
}

fn tree(spans: Vec<Span>) -> Tree {
    Tree::of(Trace { id: TraceId::read("ab").unwrap(), spans, left_out: 0 })
}

fn any_span() -> impl Strategy<Value = Span> {
    (0_u32..12, proptest::option::of(0_u32..14), 0_i64..60, 0_u64..60)
        .prop_map(|(id, parent, start, millis)| span(id, parent, start, millis))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_a_forest_whose_times_add_up(
        spans in proptest::collection::vec(any_span(), 0..30), seed in any::<u64>(),
    ) {
        let of = tree(spans.clone());
        // every span once, each below what is above it
        let mut order = of.downward();
        prop_assert_eq!(order.len(), of.nodes().len());
        for (place, at) in order.iter().enumerate() {
            let node = of.get(*at).unwrap();
            let above = node.parent.map(|parent| order.iter().position(|a| *a == parent).unwrap());
            prop_assert!(above.is_none_or(|above| above < place));
        }
        order.sort_unstable();
        order.dedup();
        prop_assert_eq!(order.len(), of.nodes().len());
        // the same for any order of them
        let mut shuffled = spans;
        let mut state = seed | 1;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
        }
        let again = tree(shuffled);
        prop_assert_eq!(&again, &of);
        prop_assert_eq!(hops(&again), hops(&of));
        for (node, times) in of.nodes().iter().zip(times(&of)) {
            prop_assert!(times.own <= times.whole && times.whole == node.span.nanos);
        }
        // the critical path is the time of what it is the path of
        let path: u64 = critical_path(&of).iter().map(|share| share.nanos).sum();
        let main = of.main().map_or(0, |at| of.get(at).unwrap().span.nanos);
        prop_assert_eq!(path, main);
    }
}

#[test]
fn what_is_wrong_is_counted() {
    let mut backwards = span(4, Some(1), 5, 0);
    backwards.backwards = true;
    let of = tree(vec![
        span(1, None, 0, 100),
        span(1, None, 0, 100),
        span(2, Some(9), 10, 10),
        // two that are above each other, and one above itself
        span(5, Some(6), 20, 10),
        span(6, Some(5), 21, 10),
        span(7, Some(7), 30, 1),
        backwards,
    ]);
    assert_eq!((of.odd.twice, of.odd.orphans, of.odd.rings, of.odd.backwards), (1, 1, 2, 1));
    assert_eq!((of.nodes().len(), of.roots()), (6, 4));
    // what began first of the ring stands above the other
    let five = of.nodes().iter().find(|node| node.span.id == "5").unwrap();
    assert_eq!((five.parent, five.children.len()), (None, 1));
}

#[test]
fn own_time_and_the_critical_path() {
    // a calls b and c side by side, then d; c ends after b
    let of = tree(vec![
        span(1, None, 0, 100),
        span(2, Some(1), 10, 20),
        span(3, Some(1), 10, 40),
        span(4, Some(1), 60, 30),
        span(5, Some(4), 65, 20),
    ]);
    let own: Vec<u64> = times(&of).iter().map(|t| t.own / 1_000_000).collect();
    assert_eq!(own, [30, 20, 40, 10, 20]);
    let path: Vec<(String, u64)> = critical_path(&of)
        .iter()
        .map(|share| (of.get(share.at).unwrap().span.id.clone(), share.nanos / 1_000_000))
        .collect();
    let expected = [("1", 30), ("3", 40), ("4", 10), ("5", 20)];
    assert_eq!(path, expected.map(|(id, millis)| (id.to_owned(), millis)));
}

/// A chain, a star, a ring and no parents at all, each of 100,000 spans and then some.
#[test]
fn a_hundred_thousand_spans_of_any_shape_are_looked_at() {
    const MANY: u32 = 100_100;
    type Shape = fn(u32) -> Option<u32>;
    let shapes: [(&str, Shape); 4] = [
        ("chain", |n| n.checked_sub(1)),
        ("star", |n| (n > 0).then_some(0)),
        ("ring", |n| Some((n + 1) % 100_000)),
        ("none", |_| None),
    ];
    for (name, shape) in shapes {
        let spans = (0..MANY).map(|n| span(n, shape(n), i64::from(n), 5)).collect();
        let of = tree(spans);
        assert_eq!((of.nodes().len(), of.odd.left_out), (100_000, 100), "{name}");
        assert_eq!(of.downward().len(), 100_000, "{name}");
        assert_eq!(times(&of).len(), 100_000);
        let path: u64 = critical_path(&of).iter().map(|share| share.nanos).sum();
        assert_eq!(path, 5_000_000, "{name}");
        assert!(hops(&of).len() <= 9, "{name}");
    }
}
