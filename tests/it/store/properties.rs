//! Random steps: every store shows the same, reopened or not; and limits hold against any clock.

use belay::domain::ids::IntentId;
use belay::ports::store::{Append, AppendError, HoldOp, IndexOp, Reserve, Store, TimerOp};
use belay::store::MemoryStore;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use super::{at, draw, look, open, record, stream, work};

const NAMES: [&str; 3] = ["a", "ab", "b\0"];

fn name() -> impl Strategy<Value = String> {
    select(NAMES.to_vec()).prop_map(str::to_owned)
}

fn timer() -> impl Strategy<Value = TimerOp> {
    prop_oneof![
        (name(), 0..50i64).prop_map(|(name, due)| TimerOp::Set { name, due: at(due) }),
        name().prop_map(|name| TimerOp::Clear { name }),
    ]
}

fn index() -> impl Strategy<Value = IndexOp> {
    prop_oneof![name().prop_map(|key| IndexOp::Bind { key }), name().prop_map(|key| IndexOp::Unbind { key }),]
}

fn hold() -> impl Strategy<Value = HoldOp> {
    prop_oneof![
        (name(), name()).prop_map(|(hold, reason)| HoldOp::Place { hold, reason }),
        name().prop_map(|hold| HoldOp::Lift { hold }),
        name().prop_map(|hold| HoldOp::Lift { hold }),
    ]
}

fn reserve() -> impl Strategy<Value = Reserve> {
    (name(), name(), 1..4u32, select(vec![0, 10, 40]))
        .prop_map(|(i, key, max, window)| draw(&i, &key, max, window))
}

prop_compose! {
    fn any_step()(
        stream_name in name(), expected in proptest::option::weighted(0.3, 0..4u64), moment in 0..100i64,
        records in vec(0..9u64, 0..3), works in vec((name(), 0..50i64), 0..2), done in vec(name(), 0..2),
        timers in vec(timer(), 0..3), reserve in vec(reserve(), 0..3), release in vec(name(), 0..2),
        (index, holds, unless_held) in (vec(index(), 0..3), vec(hold(), 0..2), any::<bool>()),
    ) -> Append {
        Append {
            stream: stream(&stream_name),
            expected,
            at: at(moment),
            records: records.into_iter().map(record).collect(),
            enqueue: works.into_iter().map(|(id, due)| work(&id, "a", due)).collect(),
            done: if moment % 3 == 0 { done } else { Vec::new() },
            timers,
            reserve,
            release: release.into_iter().map(IntentId::new).collect(),
            index,
            holds,
            unless_held,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_store_shows_the_same(steps in vec(any_step(), 1..12)) {
        Runtime::new().unwrap().block_on(async {
            let (kept, again) = (super::dir(), super::dir());
            let limits: Vec<String> = NAMES.map(str::to_owned).into();
            let (memory, (log, _)) = (MemoryStore::new(), open(kept.path()));
            for (n, step) in steps.into_iter().enumerate() {
                let told = memory.append(step.clone()).await;
                assert_eq!(log.append(step.clone()).await, told);
                let seen = look(&memory, &limits).await;
                assert_eq!(look(&log, &limits).await, seen);
                if n % 4 == 3 {
                    // and from nothing but the log
                    std::fs::remove_dir_all(again.path().join("projection")).unwrap();
                }
                let (reopened, _) = open(again.path());
                assert_eq!(reopened.append(step).await, told);
                assert_eq!(look(&reopened, &limits).await, seen);
            }
        });
    }

    #[test]
    fn a_group_of_steps_is_taken_as_one_by_one(steps in vec(any_step(), 1..40)) {
        Runtime::new().unwrap().block_on(async {
            let dir = super::dir();
            let (memory, (log, _)) = (MemoryStore::new(), open(dir.path()));
            let limits: Vec<String> = NAMES.map(str::to_owned).into();
            // asked for in this order without waiting: the queue keeps it
            let together = futures::future::join_all(steps.iter().map(|step| log.append(step.clone()))).await;
            for (step, together) in steps.into_iter().zip(together) {
                assert_eq!(memory.append(step).await, together);
            }
            assert_eq!(look(&log, &limits).await, look(&memory, &limits).await);
        });
    }
}

const DAY: i64 = 86_400;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_window_ever_holds_more_than_its_limit(
        moves in vec(prop_oneof![8 => 0..30i64, 1 => -DAY..DAY, 1 => -40..0i64, 1 => Just(400 * DAY), 1 => Just(-400 * DAY)], 1..60),
        max in 1..5u32, window in 1..120i64,
    ) {
        Runtime::new().unwrap().block_on(async {
            let (store, mut now, mut drawn) = (MemoryStore::new(), 0, Vec::new());
            for (n, step) in moves.into_iter().enumerate() {
                now += step;
                let mut act = Append::to(stream("a"), None, at(now));
                act.reserve = vec![draw(&format!("i{n}"), "l", max, window)];
                match store.append(act).await {
                    Ok(_) => drawn.push(now),
                    Err(AppendError::Limit { taken, .. }) => assert!(taken >= max),
                    Err(other) => panic!("{other}"),
                }
            }
            for end in &drawn {
                let within = drawn.iter().filter(|t| **t <= *end && **t > end - window).count();
                assert!(within <= max as usize, "{within} within {window} s up to {end}: {drawn:?}");
            }
        });
    }

    #[test]
    fn policy_is_told_all_that_a_clock_within_a_day_can_count(
        jumps in vec(-DAY..DAY, 1..40), steps in vec(0..4000i64, 40), window in 1..7200i64,
    ) {
        Runtime::new().unwrap().block_on(async {
            let (store, mut truth, mut drawn) = (MemoryStore::new(), 0, Vec::new());
            for (n, (jump, step)) in jumps.into_iter().zip(steps).enumerate() {
                truth += step;
                let now = truth + jump;
                let told = store.taken(&["l".to_owned()], None).await.unwrap().remove(0).1;
                for moment in drawn.iter().filter(|t| **t > now - window) {
                    assert!(told.contains(&at(*moment)));
                }
                let mut act = Append::to(stream("a"), None, at(now));
                act.reserve = vec![draw(&format!("i{n}"), "l", u32::MAX, window)];
                store.append(act).await.unwrap();
                drawn.push(now);
            }
        });
    }
}
