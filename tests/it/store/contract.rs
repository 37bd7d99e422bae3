//! The contract of `ports::store`, a function per clause, run on every implementation.

use belay::domain::canonical::Hash;
use belay::domain::ids::IntentId;
use belay::ports::store::{AppendError, HoldOp, IndexOp, Store, StoreError, TimerOp};
use belay::store::{MAX_BLOB, MemoryStore, Options};
use jiff::SignedDuration;

use super::{at, draw, record, says, step, stream, work};

/// Runs each clause on each implementation, as a test of its own.
macro_rules! contract {
    ($($clause:ident),+ $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $clause() {
                super::$clause(&MemoryStore::new()).await;
            })+
        }
        mod log_and_sled {
            use super::*;
            $(#[tokio::test]
            async fn $clause() {
                let dir = super::super::dir();
                let (store, _) = belay::store::open(dir.path(), &Options::default()).unwrap();
                super::$clause(&store).await;
            })+
        }
    };
}

contract!(
    entries_are_loaded_as_they_were_appended,
    a_stream_that_moved_on_is_not_written,
    of_many_writers_with_one_version_one_wins,
    a_refused_step_leaves_no_trace,
    odd_texts_survive,
    a_record_that_would_not_read_back_is_refused,
    work_is_held_until_its_lease_ends,
    work_is_given_oldest_first_and_no_more_than_asked,
    postponed_work_waits,
    work_is_completed_once,
    work_enqueued_again_takes_the_place_of_the_earlier,
    timers_stay_due_until_cleared_or_set_anew,
    the_next_moment_is_known,
    a_window_slides,
    moments_in_the_future_count,
    an_intent_draws_once,
    a_lock_holds_until_its_release,
    draws_of_one_step_see_each_other,
    of_many_intents_the_limit_takes_no_more_than_it_has,
    taken_moments_are_told,
    a_name_belongs_to_one_stream,
    names_are_found_by_prefix,
    holds_stop_what_asks_to_be_stopped,
    blobs_are_kept_under_their_hash,
    heads_are_in_order,
    whoever_waits_is_stirred,
);

const LEASE: SignedDuration = SignedDuration::from_secs(30);

async fn entries_are_loaded_as_they_were_appended(store: &dyn Store) {
    let mut written = store.append(says("a", Some(0), &[1, 2])).await.unwrap();
    store.append(says("b", None, &[7])).await.unwrap();
    written.extend(store.append(says("a", Some(2), &[3])).await.unwrap());
    assert_eq!(store.append(step("a", 5)).await.unwrap(), vec![], "a step may have no records");
    assert_eq!(store.load(&stream("a")).await.unwrap(), written);
    assert_eq!(written.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(written[2].record, record(3));
    assert_eq!((written[2].at, &written[2].stream), (at(0), &stream("a")));
    assert_eq!(store.load(&stream("none")).await.unwrap(), vec![]);
    let b = store.load(&stream("b")).await.unwrap();
    assert_ne!(b[0].hash, written[0].hash);
}

async fn a_stream_that_moved_on_is_not_written(store: &dyn Store) {
    store.append(says("a", Some(0), &[1])).await.unwrap();
    for known in [0, 2] {
        let error = store.append(says("a", Some(known), &[2])).await.unwrap_err();
        assert_eq!(error, AppendError::Moved { known, found: 1 });
    }
    assert_eq!(store.append(says("a", None, &[2])).await.unwrap()[0].seq, 2);
}

async fn of_many_writers_with_one_version_one_wins(store: &dyn Store) {
    let tries = (0..64).map(|n| store.append(says("a", Some(0), &[n])));
    let won = futures::future::join_all(tries).await.into_iter().flatten().count();
    assert_eq!(won, 1);
    assert_eq!(store.load(&stream("a")).await.unwrap().len(), 1);
}

async fn a_refused_step_leaves_no_trace(store: &dyn Store) {
    store
        .append({
            let mut s = step("a", 0);
            s.reserve = vec![draw("i0", "l", 1, 60)];
            s
        })
        .await
        .unwrap();
    let mut all = says("a", Some(0), &[1, 2]);
    all.enqueue = vec![work("w", "a", 0)];
    all.timers = vec![TimerOp::Set { name: "t".into(), due: at(0) }];
    all.index = vec![IndexOp::Bind { key: "k".into() }];
    all.holds = vec![HoldOp::Place { hold: "h".into(), reason: "r".into() }];
    all.reserve = vec![draw("i1", "free", 1, 60), draw("i1", "lock", 1, 0), draw("i1", "l", 1, 60)];
    let error = store.append(all.clone()).await.unwrap_err();
    let limit = AppendError::Limit { code: "limit/test".into(), key: "l".into(), taken: 1, max: 1 };
    assert_eq!(error, limit);
    assert_eq!(store.load(&stream("a")).await.unwrap(), vec![]);
    assert_eq!(store.claim(at(9), LEASE, 9).await.unwrap(), vec![]);
    assert_eq!(store.due(at(9), 9).await.unwrap(), vec![]);
    assert_eq!(store.find("").await.unwrap(), vec![]);
    assert_eq!(store.holds().await.unwrap(), vec![]);
    let keys = ["free".to_owned(), "lock".to_owned()];
    assert!(store.taken(&keys, None).await.unwrap().iter().all(|(_, taken)| taken.is_empty()));
    assert_eq!(store.heads().await.unwrap(), vec![]);
    all.reserve.pop();
    assert_eq!(store.append(all).await.unwrap().len(), 2);
}

async fn odd_texts_survive(store: &dyn Store) {
    let odd = "a\0b\"\\\n\u{7f}\u{2028}ü😀";
    let mut s = says(odd, Some(0), &[1]);
    s.enqueue = vec![work(odd, odd, 0)];
    s.timers = vec![TimerOp::Set { name: odd.into(), due: at(0) }];
    s.index = vec![IndexOp::Bind { key: odd.into() }];
    s.holds = vec![HoldOp::Place { hold: odd.into(), reason: odd.into() }];
    s.reserve = vec![draw(odd, odd, 1, 60), draw(odd, odd, 1, 0)];
    store.append(s).await.unwrap();
    assert_eq!(store.load(&stream(odd)).await.unwrap().len(), 1);
    assert_eq!(store.claim(at(0), LEASE, 9).await.unwrap()[0].work, work(odd, odd, 0));
    let timer = &store.due(at(0), 9).await.unwrap()[0];
    assert_eq!((timer.stream.as_str(), timer.name.as_str()), (odd, odd));
    assert_eq!(store.find("a\0").await.unwrap(), vec![(odd.to_owned(), stream(odd))]);
    assert_eq!(store.holds().await.unwrap()[0].hold, odd);
    assert_eq!(store.taken(&[odd.to_owned()], None).await.unwrap()[0].1, [at(0), at(0)]);
    let but = IntentId::new(odd);
    assert_eq!(store.taken(&[odd.to_owned()], Some(&but)).await.unwrap()[0].1, []);
}

async fn a_record_that_would_not_read_back_is_refused(store: &dyn Store) {
    let error = store.append(says("a", None, &[u64::MAX])).await.unwrap_err();
    assert!(matches!(error, AppendError::Unwritable(_)), "{error}");
    assert_eq!(store.load(&stream("a")).await.unwrap(), vec![]);
}

async fn work_is_held_until_its_lease_ends(store: &dyn Store) {
    let mut s = step("a", 0);
    s.enqueue = vec![work("w", "a", 10)];
    store.append(s).await.unwrap();
    assert_eq!(store.claim(at(9), LEASE, 9).await.unwrap(), vec![]);
    let first = store.claim(at(10), LEASE, 9).await.unwrap();
    assert_eq!((first[0].attempts, first[0].until), (0, at(40)));
    assert_eq!(first[0].work, work("w", "a", 10));
    assert_eq!(store.claim(at(39), LEASE, 9).await.unwrap(), vec![]);
    assert_eq!(store.claim(at(40), LEASE, 9).await.unwrap()[0].attempts, 1);
}

async fn work_is_given_oldest_first_and_no_more_than_asked(store: &dyn Store) {
    let mut s = step("a", 0);
    s.enqueue = vec![work("x", "a", 3), work("y", "a", 1), work("z", "b", 2)];
    store.append(s).await.unwrap();
    let ids = |claimed: Vec<belay::ports::store::Claimed>| {
        claimed.into_iter().map(|c| c.work.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(store.claim(at(5), LEASE, 0).await.unwrap()), [""; 0]);
    assert_eq!(ids(store.claim(at(5), LEASE, 2).await.unwrap()), ["y", "z"]);
    assert_eq!(ids(store.claim(at(5), LEASE, 2).await.unwrap()), ["x"]);
}

async fn postponed_work_waits(store: &dyn Store) {
    let mut s = step("a", 0);
    s.enqueue = vec![work("w", "a", 0)];
    store.append(s).await.unwrap();
    store.claim(at(0), LEASE, 1).await.unwrap();
    store.postpone(&"w".to_owned(), at(5)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(5)));
    assert_eq!(store.claim(at(4), LEASE, 1).await.unwrap(), vec![]);
    assert_eq!(store.claim(at(5), LEASE, 1).await.unwrap()[0].attempts, 1);
    store.postpone(&"nothing".to_owned(), at(5)).await.unwrap();
}

async fn work_is_completed_once(store: &dyn Store) {
    let mut s = step("a", 0);
    s.enqueue = vec![work("w", "a", 0)];
    store.append(s).await.unwrap();
    store.claim(at(0), LEASE, 1).await.unwrap();
    let mut done = says("a", None, &[1]);
    done.done = vec!["w".to_owned()];
    store.append(done.clone()).await.unwrap();
    let error = store.append(done).await.unwrap_err();
    assert_eq!(error, AppendError::AlreadyDone("w".to_owned()));
    assert_eq!(store.load(&stream("a")).await.unwrap().len(), 1);
    assert_eq!(store.claim(at(99), LEASE, 9).await.unwrap(), vec![]);
    assert_eq!(store.next_due().await.unwrap(), None);
}

async fn work_enqueued_again_takes_the_place_of_the_earlier(store: &dyn Store) {
    let mut s = step("a", 0);
    s.enqueue = vec![work("w", "a", 1)];
    store.append(s.clone()).await.unwrap();
    s.enqueue = vec![work("w", "a", 7)];
    store.append(s).await.unwrap();
    assert_eq!(store.claim(at(6), LEASE, 9).await.unwrap(), vec![]);
    assert_eq!(store.claim(at(7), LEASE, 9).await.unwrap().len(), 1);
}

async fn timers_stay_due_until_cleared_or_set_anew(store: &dyn Store) {
    let set = |name: &str, due| TimerOp::Set { name: name.into(), due: at(due) };
    let mut s = step("a", 0);
    s.timers = vec![set("x", 5), set("y", 3), set("z", 9)];
    store.append(s).await.unwrap();
    let names =
        |timers: Vec<belay::ports::store::Timer>| timers.into_iter().map(|t| t.name).collect::<Vec<_>>();
    assert_eq!(names(store.due(at(2), 9).await.unwrap()), [""; 0]);
    assert_eq!(names(store.due(at(5), 9).await.unwrap()), ["y", "x"]);
    assert_eq!(names(store.due(at(5), 1).await.unwrap()), ["y"]);
    assert_eq!(names(store.due(at(5), 9).await.unwrap()), ["y", "x"], "telling does not clear");
    let mut s = step("a", 0);
    s.timers =
        vec![set("y", 20), TimerOp::Clear { name: "x".into() }, TimerOp::Clear { name: "none".into() }];
    store.append(s).await.unwrap();
    let mut other = step("b", 0);
    other.timers = vec![TimerOp::Clear { name: "z".into() }];
    store.append(other).await.unwrap();
    assert_eq!(names(store.due(at(19), 9).await.unwrap()), ["z"]);
    assert_eq!(store.due(at(20), 9).await.unwrap()[1].due, at(20));
}

async fn the_next_moment_is_known(store: &dyn Store) {
    assert_eq!(store.next_due().await.unwrap(), None);
    let mut s = step("a", 0);
    s.enqueue = vec![work("w", "a", 10), work("v", "a", 50)];
    s.timers = vec![TimerOp::Set { name: "t".into(), due: at(45) }];
    store.append(s).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(10)));
    store.claim(at(10), LEASE, 1).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(40)), "when the lease ends");
    store.postpone(&"w".to_owned(), at(60)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(45)));
}

async fn a_window_slides(store: &dyn Store) {
    let draw_at = |n: i64| {
        let mut s = step("a", n);
        s.reserve = vec![draw(&format!("i{n}"), "l", 2, 60)];
        store.append(s)
    };
    draw_at(0).await.unwrap();
    draw_at(30).await.unwrap();
    assert!(matches!(draw_at(59).await, Err(AppendError::Limit { taken: 2, max: 2, .. })));
    draw_at(60).await.unwrap();
    assert!(matches!(draw_at(89).await, Err(AppendError::Limit { .. })));
    draw_at(90).await.unwrap();
}

async fn moments_in_the_future_count(store: &dyn Store) {
    let draw_at = |n: i64| {
        let mut s = step("a", n);
        s.reserve = vec![draw(&format!("i{n}"), "l", 1, 60)];
        store.append(s)
    };
    draw_at(86_400).await.unwrap();
    for back in [0, 86_339, 86_400 - 1] {
        assert!(matches!(draw_at(back).await, Err(AppendError::Limit { taken: 1, .. })));
    }
    draw_at(86_460).await.unwrap();
    assert!(matches!(draw_at(86_430).await, Err(AppendError::Limit { taken: 2, .. })));
}

async fn an_intent_draws_once(store: &dyn Store) {
    let mut s = step("a", 0);
    s.reserve = vec![draw("i", "l", 1, 60), draw("i", "lock", 1, 0)];
    store.append(s.clone()).await.unwrap();
    s.at = at(30);
    store.append(s).await.unwrap();
    let taken = store.taken(&["l".to_owned(), "lock".to_owned()], None).await.unwrap();
    assert_eq!(taken, [("l".to_owned(), vec![at(0)]), ("lock".to_owned(), vec![at(0)])]);
}

async fn a_lock_holds_until_its_release(store: &dyn Store) {
    let lock = |intent: &str| {
        let mut s = step("a", 0);
        s.reserve = vec![draw(intent, "lock", 1, 0), draw(intent, "window", 9, 60)];
        s
    };
    store.append(lock("i")).await.unwrap();
    let mut late = lock("j");
    late.at = at(1_000_000);
    assert!(matches!(store.append(late.clone()).await, Err(AppendError::Limit { taken: 1, .. })));
    late.release = vec![IntentId::new("i")];
    store.append(late).await.unwrap();
    let taken = store.taken(&["lock".to_owned()], None).await.unwrap();
    assert_eq!(taken[0].1, [at(1_000_000)]);
    let mut free = step("a", 0);
    free.release = vec![IntentId::new("j"), IntentId::new("nobody")];
    store.append(free).await.unwrap();
    assert_eq!(store.taken(&["lock".to_owned()], None).await.unwrap()[0].1, []);
    let window = store.taken(&["window".to_owned()], Some(&IntentId::new("i"))).await.unwrap();
    assert_eq!(window[0].1, [at(1_000_000)], "a windowed draw stays");
}

async fn draws_of_one_step_see_each_other(store: &dyn Store) {
    let mut s = step("a", 0);
    s.reserve = vec![draw("i", "l", 1, 60), draw("j", "l", 1, 60)];
    assert!(matches!(store.append(s.clone()).await, Err(AppendError::Limit { taken: 1, .. })));
    s.reserve[1] = draw("i", "l", 1, 60);
    store.append(s).await.unwrap();
}

async fn of_many_intents_the_limit_takes_no_more_than_it_has(store: &dyn Store) {
    let tries = (0..64).map(|n| {
        let mut s = step(&format!("s{n}"), n % 10);
        s.reserve = vec![draw(&format!("i{n}"), "l", 3, 60), draw(&format!("i{n}"), "lock", 5, 0)];
        store.append(s)
    });
    let won = futures::future::join_all(tries).await.into_iter().flatten().count();
    assert_eq!(won, 3);
}

async fn taken_moments_are_told(store: &dyn Store) {
    let day = 86_400;
    for n in [5, 1, 3, 10 * day, 10 * day + 60] {
        let mut s = step("a", n);
        s.reserve = vec![draw(&format!("i{n}"), "l", 9, 60)];
        store.append(s).await.unwrap();
        if n == 3 {
            let told =
                store.taken(&["l".to_owned(), "m".to_owned()], Some(&IntentId::new("i5"))).await.unwrap();
            assert_eq!(told, [("l".to_owned(), vec![at(1), at(3)]), ("m".to_owned(), vec![])]);
        }
    }
    let told = store.taken(&["l".to_owned()], None).await.unwrap();
    assert_eq!(told[0].1, [at(10 * day), at(10 * day + 60)], "what is long past is not told");
}

async fn a_name_belongs_to_one_stream(store: &dyn Store) {
    let bind = IndexOp::Bind { key: "k".into() };
    let unbind = IndexOp::Unbind { key: "k".into() };
    let with = |name: &str, ops: Vec<IndexOp>| {
        let mut s = step(name, 0);
        s.index = ops;
        store.append(s)
    };
    with("a", vec![bind.clone()]).await.unwrap();
    with("a", vec![bind.clone()]).await.unwrap();
    let error = with("b", vec![bind.clone()]).await.unwrap_err();
    assert_eq!(error, AppendError::Taken { key: "k".into(), stream: stream("a") });
    with("b", vec![unbind.clone()]).await.unwrap();
    assert_eq!(store.find("k").await.unwrap(), [("k".to_owned(), stream("a"))]);
    with("a", vec![unbind]).await.unwrap();
    assert_eq!(store.find("k").await.unwrap(), vec![]);
    with("b", vec![bind]).await.unwrap();
}

async fn names_are_found_by_prefix(store: &dyn Store) {
    let mut s = step("a", 0);
    s.index = ["x/2", "x/1", "x", "y"].map(|key| IndexOp::Bind { key: key.into() }).into();
    store.append(s).await.unwrap();
    let found = store.find("x").await.unwrap();
    assert_eq!(found.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["x", "x/1", "x/2"]);
    assert_eq!(store.find("x/").await.unwrap().len(), 2);
    assert_eq!(store.find("z").await.unwrap(), vec![]);
}

async fn holds_stop_what_asks_to_be_stopped(store: &dyn Store) {
    let placed = |op| {
        let mut s = step("daemon", 0);
        s.holds = vec![op];
        s
    };
    let place = |reason: &str| HoldOp::Place { hold: "ann".into(), reason: reason.into() };
    store.append(placed(place("first"))).await.unwrap();
    let mut again = placed(place("second"));
    again.at = at(9);
    store.append(again).await.unwrap();
    let told = store.holds().await.unwrap();
    assert_eq!((told.len(), told[0].reason.as_str(), told[0].since), (1, "second", at(0)));
    let mut act = says("a", None, &[1]);
    store.append(act.clone()).await.unwrap();
    act.unless_held = true;
    let error = store.append(act.clone()).await.unwrap_err();
    assert_eq!(error, AppendError::Held("`ann`: second".into()));
    store.append(placed(HoldOp::Lift { hold: "bob".into() })).await.unwrap();
    assert!(store.append(act.clone()).await.is_err());
    store.append(placed(HoldOp::Lift { hold: "ann".into() })).await.unwrap();
    store.append(act).await.unwrap();
}

async fn blobs_are_kept_under_their_hash(store: &dyn Store) {
    for bytes in [vec![], b"evidence".to_vec(), vec![7; 100_000]] {
        let hash = store.put_blob(bytes.clone()).await.unwrap();
        assert_eq!(hash, Hash::of(&bytes));
        assert_eq!(store.put_blob(bytes.clone()).await.unwrap(), hash, "keeping it again changes nothing");
        assert_eq!(store.blob(hash).await.unwrap(), Some(bytes));
    }
    assert_eq!(store.blob(Hash::ZERO).await.unwrap(), None);
    let large = store.put_blob(vec![0; MAX_BLOB + 1]).await;
    assert!(matches!(large, Err(StoreError::Unavailable(_))));
}

async fn heads_are_in_order(store: &dyn Store) {
    for name in ["b", "a", "ab"] {
        store.append(says(name, None, &[1, 2])).await.unwrap();
    }
    let last = store.append(says("a", None, &[3])).await.unwrap();
    let heads = store.heads().await.unwrap();
    let seen: Vec<_> = heads.iter().map(|h| (h.stream.as_str(), h.entries)).collect();
    assert_eq!(seen, [("a", 3), ("ab", 2), ("b", 2)]);
    assert_eq!(heads[0].hash, last[0].hash);
}

async fn whoever_waits_is_stirred(store: &dyn Store) {
    let mut s = step("a", 0);
    s.enqueue = vec![work("w", "a", 0)];
    store.append(s).await.unwrap();
    store.stirred().await;
    let mut s = step("a", 0);
    s.timers = vec![TimerOp::Set { name: "t".into(), due: at(1) }];
    let ((), appended) = tokio::join!(store.stirred(), store.append(s));
    appended.unwrap();
}
