//! What cannot be read never makes a conclusion surer.

use belay::domain::cluster::Snapshot;
use belay::domain::finding::{Cause, Certainty};
use belay::domain::record::Diagnosis;

use super::{diagnosed, stories};

const PARTS: usize = 10;
const POD: usize = 1;
const PODS: usize = 1 << 2;
const AUTOSCALERS: usize = 1 << 6;
/// What the analysers look at: pod, workload, pods, revisions, measured use.
const LOOKED_AT: usize = 0b00_1000_1111;

/// The snapshot with those parts unreadable whose bit is set.
fn without(snapshot: &Snapshot, bits: usize) -> Snapshot {
    let why = || "no answer".to_owned();
    let gone = |part: usize| bits & (1 << part) != 0;
    let s = snapshot.clone();
    Snapshot {
        at: s.at,
        target: s.target,
        owner: s.owner,
        pod: if gone(0) { Err(why()) } else { s.pod },
        workload: if gone(1) { Err(why()) } else { s.workload },
        pods: if gone(2) { Err(why()) } else { s.pods },
        revisions: if gone(3) { Err(why()) } else { s.revisions },
        events: if gone(4) { Err(why()) } else { s.events },
        budgets: if gone(5) { Err(why()) } else { s.budgets },
        autoscalers: if gone(6) { Err(why()) } else { s.autoscalers },
        usage: if gone(7) { Err(why()) } else { s.usage },
        logs: if gone(8) { Err(why()) } else { s.logs },
        neighbours: if gone(9) { Err(why()) } else { s.neighbours },
        recorded: s.recorded,
        gauges: s.gauges,
        around: s.around,
    }
}

fn surest(found: &Diagnosis, cause: &str) -> Option<Certainty> {
    found.findings.iter().filter(|f| f.cause.name() == cause).map(|f| f.certainty).max()
}

/// Every subset of the ten parts, for every story.
#[test]
fn no_subset_of_unreadable_parts_makes_a_finding_surer_or_says_that_nothing_is_wrong() {
    for (story, snapshot) in stories() {
        let whole = diagnosed(&snapshot);
        let acts: Vec<_> = whole.candidates.iter().map(|c| &c.action).collect();
        for bits in 1..1 << PARTS {
            let found = diagnosed(&without(&snapshot, bits));
            assert_eq!(found.missing.len(), usize::try_from(bits.count_ones()).unwrap(), "{story} {bits:b}");
            for cause in Cause::NAMES {
                assert!(surest(&found, cause) <= surest(&whole, cause), "{story} {bits:b} {cause}");
            }
            let well = found.findings.iter().any(|f| f.cause == Cause::NothingWrong);
            assert!(!(well && bits & LOOKED_AT != 0), "{story} {bits:b}");
            // without the pods, the one that is still known stands in for those that are not; without the
            // autoscalers, policy is told that it is unknown whether one sets the replicas
            let new = found.candidates.iter().find(|c| !acts.contains(&&c.action));
            assert!(new.is_none() || bits & (POD | PODS | AUTOSCALERS) != 0, "{story} {bits:b} {new:?}");
            assert!(found.candidates.len() <= 3, "{story} {bits:b}");
        }
    }
}
