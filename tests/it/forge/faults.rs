//! Each request goes wrong in each way, twice; the process dies at each step: there is one branch and one pull
//! request in the end, or none, and what is not known is said.

use std::collections::BTreeSet;

use belay::domain::plan::Refusal;
use belay::domain::warrant::{Applied, Stands};
use belay::sim::forge::{Asked, Fault, State, Vendor};
use jiff::SignedDuration;

use super::desk::{BOTH, Desk, PATH, TOKEN, WEB, done, refusal, stands};

/// What can go wrong with a request, and whether a refusal is definite.
fn faults() -> Vec<(Fault, bool)> {
    vec![
        (Fault::LostAnswer, false),
        (Fault::LostRequest, false),
        (Fault::Garbled, false),
        (Fault::Status(500), false),
        (Fault::Status(503), false),
        (Fault::StatusAfter(502), false),
        (Fault::TooOften(3_600), false),
        (Fault::Status(401), true),
        (Fault::Status(403), true),
        (Fault::Status(409), true),
        (Fault::Status(422), true),
        (Fault::StatusAfter(409), true),
        (Fault::StatusAfter(422), true),
        (Fault::Status(301), true),
    ]
}

/// Tries until it is done or refused, as the daemon does with an unknown outcome.
async fn until_known(desk: &Desk, plan: &belay::domain::plan::Plan, intent: &str) -> (Applied, u32) {
    for tries in 1..=6 {
        let applied = desk.apply(plan, intent, &format!("w-{intent}-{tries}")).await;
        assert!(desk.made().0 <= 1 && desk.made().1 <= 1, "{:?}", desk.made());
        match &applied {
            Applied::Unknown { detail } => {
                assert!(!detail.contains(TOKEN) && !detail.contains("127.0.0.1"), "{detail}");
                // the pause that was asked for
                desk.clock.advance(SignedDuration::from_secs(1));
            }
            Applied::Done { .. } | Applied::Refused { .. } => return (applied, tries),
        }
        let told = desk.status(plan, intent).await;
        if desk.made().1 == 0 {
            assert!(!done(&told), "{told:?}");
        }
    }
    (Applied::Unknown { detail: "it never ends".into() }, 6)
}

#[tokio::test]
async fn every_request_goes_wrong_in_every_way_twice() {
    for vendor in BOTH {
        for asked in [Asked::Tip, Asked::File, Asked::List, Asked::Branch, Asked::Commit, Asked::Open] {
            if asked == Asked::Branch && vendor == Vendor::GitLab {
                continue; // the commit makes it
            }
            for (fault, definite) in faults() {
                let desk = Desk::new(vendor).await;
                let plan = desk.plan().await;
                let limited = matches!(fault, Fault::TooOften(_));
                for _ in 0..(if limited { 1 } else { 2 }) {
                    desk.forge.fail(asked, fault.clone());
                }
                let (applied, _) = until_known(&desk, &plan, "inc-0").await;
                let told = format!("{vendor:?} {asked:?} {fault:?}: {applied:?} {:?}", desk.forge.calls());
                match &applied {
                    Applied::Done { .. } => {
                        assert_eq!(desk.made(), (1, 1), "{told}");
                        let file = desk.forge.repo();
                        assert_eq!(
                            file.file("belay/inc-0", PATH).unwrap(),
                            WEB.replace("replicas: 3", "replicas: 5")
                        );
                    }
                    Applied::Refused { refusal } => {
                        let text = refusal.to_string();
                        assert!(!text.contains(TOKEN) && !text.contains("127.0.0.1"), "{text}");
                        let read = Asked::READS.contains(&asked);
                        assert!(definite || (read && matches!(refusal, Refusal::Unreadable(_))), "{told}");
                        assert_eq!(desk.made().1, 0, "{told}");
                    }
                    Applied::Unknown { .. } => assert!(limited, "{told}"),
                }
                if limited {
                    // nothing is sent before the pause is over
                    let sent = desk.forge.calls().len();
                    let _ = desk.status(&plan, "inc-0").await;
                    assert_eq!(desk.forge.calls().len(), sent, "{told}");
                }
            }
        }
    }
}

#[tokio::test]
async fn closing_goes_wrong_in_every_way_twice() {
    for vendor in BOTH {
        for asked in [Asked::Tip, Asked::List, Asked::Close, Asked::Remove] {
            for (fault, definite) in faults() {
                let desk = Desk::new(vendor).await;
                let plan = desk.plan().await;
                assert!(done(&desk.apply(&plan, "inc-0", "w-0").await));
                let back = desk.revert(&plan, "inc-0").await.unwrap();
                let limited = matches!(fault, Fault::TooOften(_));
                for _ in 0..(if limited { 1 } else { 2 }) {
                    desk.forge.fail(asked, fault.clone());
                }
                let (applied, _) = until_known(&desk, &back, "inc-1").await;
                let told = format!("{vendor:?} {asked:?} {fault:?}: {applied:?}");
                let state = desk.forge.repo().pulls[0].state;
                match &applied {
                    Applied::Done { .. } => assert_eq!(state, State::Closed, "{told}"),
                    Applied::Refused { refusal } => {
                        assert!(definite && matches!(refusal, Refusal::Api(_)), "{told}");
                        assert_eq!(state, State::Open, "{told}");
                    }
                    Applied::Unknown { .. } => assert!(limited, "{told}"),
                }
            }
        }
    }
}

/// The process dies before or after each request took effect, and another one goes on.
#[tokio::test]
async fn whatever_step_it_dies_at_there_is_one_in_the_end() {
    for vendor in BOTH {
        for asked in [Asked::List, Asked::Tip, Asked::File, Asked::Branch, Asked::Commit, Asked::Open] {
            if asked == Asked::Branch && vendor == Vendor::GitLab {
                continue;
            }
            for fault in [Fault::SilentBefore, Fault::SilentAfter] {
                let mut desk = Desk::new(vendor).await;
                let plan = desk.plan().await;
                desk.forge.fail(asked, fault.clone());
                died(&desk, &plan, "inc-0").await;
                desk.restart();
                let told = desk.status(&plan, "inc-0").await;
                let opened = asked == Asked::Open && matches!(fault, Fault::SilentAfter);
                assert_eq!(done(&told), opened, "{vendor:?} {asked:?} {fault:?}: {told:?}");
                let applied = desk.apply(&plan, "inc-0", "w-2").await;
                assert_eq!(
                    stands(&applied),
                    Some(Stands::Open),
                    "{vendor:?} {asked:?} {fault:?}: {applied:?}"
                );
                assert_eq!(desk.made(), (1, 1));
            }
        }
        for asked in [Asked::List, Asked::Tip, Asked::Close, Asked::Remove] {
            for fault in [Fault::SilentBefore, Fault::SilentAfter] {
                let mut desk = Desk::new(vendor).await;
                let plan = desk.plan().await;
                desk.apply(&plan, "inc-0", "w-0").await;
                let back = desk.revert(&plan, "inc-0").await.unwrap();
                desk.forge.fail(asked, fault.clone());
                died(&desk, &back, "inc-1").await;
                desk.restart();
                let applied = desk.apply(&back, "inc-1", "w-2").await;
                assert!(done(&applied), "{vendor:?} {asked:?} {fault:?}: {applied:?}");
                assert_eq!(desk.forge.repo().pulls[0].state, State::Closed);
            }
        }
    }
}

async fn died(desk: &Desk, plan: &belay::domain::plan::Plan, intent: &str) {
    let reached = async {
        while desk.forge.pending() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        applied = desk.apply(plan, intent, "w-1") => panic!("{applied:?}"),
        () = reached => {}
    }
}

#[tokio::test]
async fn somebody_who_pushes_in_that_moment_is_not_overwritten() {
    for vendor in BOTH {
        let desk = Desk::new(vendor).await;
        let plan = desk.plan().await;
        let push = Fault::PushFirst("belay/inc-0".into(), PATH.into(), "theirs".into());
        desk.forge.fail(Asked::Commit, push);
        let why = refusal(desk.apply(&plan, "inc-0", "w-0").await);
        assert!(matches!(why, Refusal::Api(_)), "{why:?}");
        assert_eq!(desk.forge.repo().file("belay/inc-0", PATH), Some("theirs"));
        assert_eq!(desk.made(), (1, 0));
    }
}

#[tokio::test]
async fn a_definite_no_leaves_no_branch_behind() {
    for vendor in BOTH {
        let desk = Desk::new(vendor).await;
        let plan = desk.plan().await;
        desk.forge.fail(Asked::Open, Fault::Status(403));
        let why = refusal(desk.apply(&plan, "inc-0", "w-0").await);
        assert!(matches!(&why, Refusal::Api(text) if text.contains("403")), "{why:?}");
        assert_eq!(desk.made(), (0, 0));
        let all: BTreeSet<String> = desk.forge.calls().iter().map(|asked| format!("{asked:?}")).collect();
        assert!(all.contains("Remove"));
    }
}
