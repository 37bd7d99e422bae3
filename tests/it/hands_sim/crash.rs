//! The action server dies while its write is under way, and the write arrives later: whatever was tried
//! meanwhile, it takes effect at most once.

use belay::domain::plan::Plan;
use belay::sim::kube::faults::Effect;

use super::cases::{Case, cases, on_write};
use super::{Stage, done};
use crate::sim::seconds;

/// The server is gone before its write has arrived, which takes a minute.
async fn died(case: &Case) -> (Stage, Plan) {
    let mut stage = case.stage().await;
    let plan = stage.plan(&(case.action)(&stage)).await;
    stage.fault(on_write(&plan.action, Effect::ApplyLate(seconds(60))));
    let warrant = stage.warrant(&plan, "inc-0");
    let sent = async {
        while stage.world().faults(|faults| faults.pending()) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        applied = stage.send(&plan, &warrant) => panic!("{applied:?}"),
        () = sent => {}
    }
    stage.restart().await;
    (stage, plan)
}

#[tokio::test]
async fn a_late_write_is_seen_once_it_has_arrived() {
    for case in cases() {
        let (stage, plan) = died(&case).await;
        assert!(!done(&stage.status(&plan, "inc-0").await), "{}", case.name);
        stage.served.clock.advance(seconds(60));
        assert_eq!(stage.effects("inc-0"), 1, "{}", case.name);
        let status = stage.status(&plan, "inc-0").await;
        assert!(done(&status), "{}: {status:?}", case.name);
        let again = stage.apply(&plan, "inc-0").await;
        assert!(done(&again), "{}: {again:?}", case.name);
        assert_eq!(stage.effects("inc-0"), 1);
    }
}

#[tokio::test]
async fn a_late_write_finds_that_it_was_done_meanwhile() {
    for case in cases() {
        let (stage, plan) = died(&case).await;
        // seen as not done, so it may be tried again; the same order is only told
        let first = stage.apply(&plan, "inc-0").await;
        assert!(!done(&first), "{}: {first:?}", case.name);
        let second = stage.warranted(&plan, "w-2", "inc-0");
        let applied = stage.send(&plan, &second).await;
        assert!(done(&applied), "{}: {applied:?}", case.name);
        let writes = stage.writes().len();
        stage.served.clock.advance(seconds(60));
        let late = stage.writes().split_off(writes);
        assert_eq!(late.len(), 1, "{}", case.name);
        assert!(!late[0].effect && late[0].status >= 400, "{}: {late:?}", case.name);
        assert_eq!(stage.effects("inc-0"), 1, "{}", case.name);
    }
}

#[tokio::test]
async fn a_late_write_does_not_undo_the_undo() {
    for case in cases() {
        let (stage, plan) = died(&case).await;
        if !plan.revertible() {
            continue;
        }
        let second = stage.warranted(&plan, "w-2", "inc-0");
        assert!(done(&stage.send(&plan, &second).await), "{}", case.name);
        let back = stage.try_revert(&plan, "inc-0").await.unwrap();
        assert!(done(&stage.apply(&back, "inc-1").await), "{}", case.name);
        stage.served.clock.advance(seconds(60));
        assert_eq!(stage.effects("inc-0"), 1, "{}: the fields were as they were planned upon", case.name);
        assert!(done(&stage.status(&back, "inc-1").await), "{}", case.name);
    }
}

/// Two hands on one cluster, neither knowing of the other, and one of them paused in the middle of its write for longer
/// than anybody would wait: in whatever order their writes arrive, one of them changes the target. (A Job of one's own is
/// no object that there is before: for two of them to be one is for the daemons to agree on.)
#[tokio::test]
async fn promise_5_of_two_hands_one_changes_the_target() {
    let mut second = 0;
    for case in cases().into_iter().filter(|case| case.name != "run a job") {
        let (stage, plan) = died(&case).await;
        // another daemon makes a plan of its own, under an intent of its own
        let acted = match stage.try_plan(&(case.action)(&stage)).await {
            Ok(other) => done(&stage.apply(&other, "inc-9").await),
            Err(_) => false,
        };
        second += u32::from(acted);
        stage.served.clock.advance(seconds(60));
        let effects = (stage.effects("inc-0"), stage.effects("inc-9"));
        assert_eq!(effects, if acted { (0, 1) } else { (1, 0) }, "{}", case.name);
        // whoever was paused is told how it is; of a pod that is gone, that it is
        let woken = stage.status(&plan, "inc-0").await;
        assert_eq!(done(&woken), !acted || case.name == "restart a pod", "{}: {woken:?}", case.name);
    }
    assert!(second > 10, "{second}");
}
