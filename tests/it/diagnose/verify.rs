//! Did it help? Each expectation as held, not (yet), again, and not to be seen.
// said so that the lints know these helpers for tests
#![cfg(test)]

use belay::domain::action::Action;
use belay::domain::canonical::Hash;
use belay::domain::cluster::{ActiveAlert, Part, Snapshot};
use belay::domain::decision::Expectation::{
    self, AlertGone, JobComplete, Measures, NoNewRestarts, StillOurs, WorkloadReady,
};
use belay::domain::ids::{Fingerprint, IntentId};
use belay::domain::measure::MeasureRule;
use belay::domain::plan::Refusal;
use belay::domain::record::Intent;
use belay::domain::target::Kind;
use belay::domain::warrant::{Applied, Progress};
use belay::execute::verify::{Look, Measured, Seen, verify};
use jiff::{SignedDuration, Timestamp};

use super::{ago, ended, healthy, labels, pod, waiting};
use crate::given::{object, opening, plan, scale, terms};

fn acted() -> Timestamp {
    ago(10)
}

fn restart() -> Action {
    Action::RestartPod { pod: object(Kind::Pod, "web-new-0") }
}

fn intent(action: Action) -> Intent {
    let plan = plan(action, ago(11));
    Intent {
        id: IntentId::new("inc-0"),
        incident: opening().incident,
        plan_hash: plan.hash().unwrap(),
        plan,
        terms: terms(),
        approved_by: "grant".into(),
        set: Hash::of(b"set"),
        reverts: None,
        deadline: ago(-20),
    }
}

struct Case {
    action: Action,
    before: Snapshot,
    after: Snapshot,
    active: Part<Vec<ActiveAlert>>,
    applied: Part<Applied>,
    measured: Vec<Measured>,
}

impl Case {
    fn new(action: Action) -> Self {
        Self {
            action,
            before: healthy(),
            after: healthy(),
            active: Ok(vec![]),
            applied: Ok(Applied::done("")),
            measured: vec![],
        }
    }

    fn see(&self, expectation: Expectation) -> Seen {
        let (mut intent, alert) = (intent(self.action.clone()), labels("KubePodCrashLooping"));
        intent.terms.verify.expect.extend([StillOurs, Measures]);
        let look = Look {
            intent: &intent,
            acted: acted(),
            alert: &alert,
            before: &self.before,
            after: &self.after,
            active: &self.active,
            applied: &self.applied,
            measured: &self.measured,
        };
        let seen = verify(&look);
        let order: Vec<Expectation> = seen.iter().map(|(e, _)| *e).collect();
        assert_eq!(order, intent.terms.verify.expect);
        seen.into_iter().find(|(e, _)| *e == expectation).unwrap().1
    }
}

/// What a look shows once the world after the act is changed so.
fn after(action: Action, expectation: Expectation, change: impl Fn(&mut Snapshot)) -> Seen {
    let mut case = Case::new(action);
    change(&mut case.after);
    case.see(expectation)
}

fn held(seen: &Seen) -> bool {
    matches!(seen, Seen::Held(_))
}

fn not(seen: &Seen) -> bool {
    matches!(seen, Seen::Not(_))
}

fn again(seen: &Seen) -> bool {
    matches!(seen, Seen::Again(_))
}

fn untold(seen: &Seen) -> bool {
    matches!(seen, Seen::CannotTell(_))
}

type Change = fn(&mut Snapshot);

fn deployment(s: &mut Snapshot) -> &mut belay::domain::cluster::Workload {
    s.workload.as_mut().unwrap().as_mut().unwrap()
}

#[test]
fn the_workload_is_ready() {
    let cases: [(Change, fn(&Seen) -> bool); 9] = [
        (|_| {}, held),
        (|s| deployment(s).ready = 2, not),
        (|s| deployment(s).updated = 2, not),
        (|s| deployment(s).current = 4, not),
        (|s| deployment(s).generation = 5, not),
        (|s| s.workload = Ok(None), untold),
        (|s| s.workload = Err("forbidden".into()), untold),
        (|s| deployment(s).object.uid = "another".into(), untold),
        (|s| s.pods = Err("forbidden".into()), held),
    ];
    for (n, (change, expected)) in cases.into_iter().enumerate() {
        let seen = after(restart(), WorkloadReady, change);
        assert!(expected(&seen), "{n}: {seen:?}");
    }
    let scaled = |replicas: u32| {
        after(scale(5), WorkloadReady, move |s| {
            let w = deployment(s);
            (w.desired, w.current, w.ready, w.updated) = (replicas, replicas, replicas, replicas);
        })
    };
    assert!(held(&scaled(5)));
    let seen = scaled(4);
    assert!(matches!(&seen, Seen::Not(why) if why.contains("somebody changed it")), "{seen:?}");
}

fn end_pod_1(s: &mut Snapshot, reason: &str, at: Option<Timestamp>, restarts: u32) {
    let container = &mut s.pods.as_mut().unwrap()[1].containers[0];
    container.last_end = Some(ended(reason, 1, at));
    container.restarts = restarts;
}

#[test]
fn no_container_restarted_since() {
    let cases: [(Change, fn(&Seen) -> bool); 8] = [
        (|_| {}, held),
        (|s| end_pod_1(s, "OOMKilled", Some(ago(5)), 1), again),
        (|s| end_pod_1(s, "Error", Some(ago(5)), 0), again),
        (|s| end_pod_1(s, "Error", None, 1), again),
        // the act's own pod, and pods that are ending, end by our doing or a controller's
        (|s| s.pods.as_mut().unwrap()[0].containers[0].restarts = 5, held),
        (
            |s| {
                end_pod_1(s, "Error", Some(ago(5)), 1);
                s.pods.as_mut().unwrap()[1].terminating = true;
            },
            held,
        ),
        (|s| s.pods = Err("forbidden".into()), untold),
        (
            |s| {
                let mut new = pod(7);
                new.created = Some(ago(8));
                new.containers[0].restarts = 1;
                new.containers[0].state = waiting("CrashLoopBackOff");
                s.pods.as_mut().unwrap().push(new);
            },
            again,
        ),
    ];
    for (n, (change, expected)) in cases.into_iter().enumerate() {
        let seen = after(restart(), NoNewRestarts, change);
        assert!(expected(&seen), "{n}: {seen:?}");
    }
    let seen = after(restart(), NoNewRestarts, |s| end_pod_1(s, "OOMKilled", Some(ago(5)), 1));
    assert!(matches!(&seen, Seen::Again(why) if why.ends_with("was killed for memory again")), "{seen:?}");
}

#[test]
fn restarts_are_told_by_their_date_where_nobody_counted_before() {
    let mut case = Case::new(restart());
    case.before.pods = Err("forbidden".into());
    assert!(held(&case.see(NoNewRestarts)));
    end_pod_1(&mut case.after, "Error", Some(ago(11)), 3);
    assert!(held(&case.see(NoNewRestarts)), "that was before");
    end_pod_1(&mut case.after, "Error", None, 3);
    assert!(untold(&case.see(NoNewRestarts)));
    end_pod_1(&mut case.after, "Error", Some(ago(9)), 3);
    assert!(again(&case.see(NoNewRestarts)));
}

#[test]
fn a_restart_whose_end_says_nothing_is_seen_without_a_count_before() {
    let mut case = Case::new(scale(5));
    case.before.pods = Err("forbidden".into());
    case.after.pods.as_mut().unwrap()[1].containers[0].restarts = 2;
    assert!(untold(&case.see(NoNewRestarts)), "two restarts of unknown date");
}

fn active(pairs: &[(&str, &str)], suppressed: bool) -> ActiveAlert {
    ActiveAlert {
        fingerprint: Fingerprint::new("f"),
        labels: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        starts_at: ago(30),
        suppressed,
        silenced: false,
    }
}

#[test]
fn the_alert_is_gone() {
    let name = ("alertname", "KubePodCrashLooping");
    let ns = ("namespace", "shop");
    for (alerts, expected) in [
        (vec![], held as fn(&Seen) -> bool),
        (vec![active(&[name, ns, ("deployment", "web")], false)], not),
        (vec![active(&[name, ns, ("deployment", "web")], true)], not),
        (vec![active(&[name, ns, ("pod", "web-new-2")], false)], not),
        (vec![active(&[name, ns, ("pod", "cart-1")], false)], held),
        (vec![active(&[name, ("namespace", "other"), ("deployment", "web")], false)], held),
        (vec![active(&[("alertname", "Other"), ns, ("deployment", "web")], false)], held),
    ] {
        let mut case = Case::new(restart());
        case.active = Ok(alerts.clone());
        let seen = case.see(AlertGone);
        assert!(expected(&seen), "{alerts:?}: {seen:?}");
    }
    let mut case = Case::new(restart());
    // the pod that was evicted is still of this owner
    case.after.pods.as_mut().unwrap().remove(0);
    case.active = Ok(vec![active(&[name, ns, ("pod", "web-new-0")], false)]);
    assert!(not(&case.see(AlertGone)));
    case.active = Err("no answer".into());
    assert!(untold(&case.see(AlertGone)));
    case.active = Ok(vec![]);
    case.after.pods = Err("forbidden".into());
    assert!(untold(&case.see(AlertGone)));
}

fn job(progress: Option<Progress>) -> Part<Applied> {
    Ok(Applied::Done { detail: String::new(), changed: None, progress, proposed: None })
}

/// What one look at an act shows, where a Job has to be complete.
fn seen_of_job(case: &Case) -> Vec<(Expectation, Seen)> {
    let (mut intent, alert) = (intent(case.action.clone()), labels("KubePodCrashLooping"));
    intent.terms.verify.expect = vec![WorkloadReady, AlertGone, NoNewRestarts, JobComplete];
    let (before, after, active, applied) = (&case.before, &case.after, &case.active, &case.applied);
    verify(&Look {
        intent: &intent,
        acted: acted(),
        alert: &alert,
        before,
        after,
        active,
        applied,
        measured: &[],
    })
}

/// While a Job runs nobody can tell; once it failed it did not help, whatever else is so; only once it is
/// complete is the rest looked at.
#[test]
fn a_job_is_looked_at_first() {
    let complete = Progress::Complete { at: Some(acted() + SignedDuration::from_secs(30)) };
    let failed = Progress::Failed { why: "BackoffLimitExceeded".into() };
    for (applied, expected) in [
        (job(Some(Progress::Running)), untold as fn(&Seen) -> bool),
        (job(Some(failed)), |seen| matches!(seen, Seen::Again(why) if why.contains("BackoffLimit"))),
        (job(None), untold),
        (Ok(Applied::Unknown { detail: "no answer".into() }), untold),
        (Err("the action server is down".into()), untold),
    ] {
        // an alert that still fires says nothing of a Job that has not ended
        let mut case = Case { applied, ..Case::new(scale(5)) };
        case.after.pods = Err("forbidden".into());
        let seen = seen_of_job(&case);
        let [(JobComplete, seen)] = seen.as_slice() else { panic!("{seen:?}") };
        assert!(expected(seen), "{:?}: {seen:?}", case.applied);
    }
    let case = Case { applied: job(Some(complete)), ..Case::new(scale(3)) };
    let seen = seen_of_job(&case);
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|(_, seen)| held(seen)), "{seen:?}");
}

/// What ended while the Job ran is what it was to remedy; what ends after it is *again*.
#[test]
fn restarts_are_counted_from_the_end_of_the_job_on() {
    let end = acted() + SignedDuration::from_secs(30);
    for (seconds, again) in [(10, false), (40, true)] {
        let at = acted() + SignedDuration::from_secs(seconds);
        let mut case =
            Case { applied: job(Some(Progress::Complete { at: Some(end) })), ..Case::new(scale(3)) };
        let pods = case.after.pods.as_mut().unwrap();
        pods[0].containers[0].restarts += 1;
        pods[0].containers[0].last_end = Some(ended("OOMKilled", 137, Some(at)));
        let seen = seen_of_job(&case);
        assert_eq!(seen.iter().any(|(_, seen)| matches!(seen, Seen::Again(_))), again, "{seen:?}");
    }
}

/// Once somebody changes what was changed, nobody can tell any more what the act has done.
#[test]
fn what_was_changed_is_still_what_was_written() {
    let changed = Applied::Done {
        detail: String::new(),
        changed: Some("it holds 7 now".into()),
        progress: None,
        proposed: None,
    };
    let refused = Applied::Refused { refusal: Refusal::NotApplied("it is as it was".into()) };
    let cases: [(Part<Applied>, fn(&Seen) -> bool); 5] = [
        (Ok(Applied::done("")), held),
        (Ok(changed), untold),
        (Ok(refused), untold),
        (Ok(Applied::Unknown { detail: "no answer".into() }), untold),
        (Err("the action server is down".into()), untold),
    ];
    for (applied, expected) in cases {
        let case = Case { applied, ..Case::new(scale(5)) };
        let seen = case.see(StillOurs);
        assert!(expected(&seen), "{:?}: {seen:?}", case.applied);
    }
}

fn measured(rule: &str, before: Part<Option<f64>>, now: Part<f64>) -> Measured {
    Measured { rule: MeasureRule::try_from(rule.to_owned()).unwrap(), before, now }
}

/// One that does not hold counts more than one that nobody can tell, and that more than all that hold.
#[test]
fn every_measure_has_become_what_it_has_to_be() {
    let fell = || measured("p99 falls", Ok(Some(2.0)), Ok(1.0));
    let rose = || measured("p99 falls", Ok(Some(2.0)), Ok(3.0));
    let unread = || measured("errors below 0.1", Ok(None), Err("no answer".into()));
    let unknown = || measured("p99 falls", Err("no answer".into()), Ok(1.0));
    let low = || measured("errors below 0.1", Ok(None), Ok(0.012_345_6));
    for (measured, expected, says) in [
        (
            vec![fell(), low()],
            held as fn(&Seen) -> bool,
            "`p99 falls` holds: it is 1, and was 2; `errors below 0.1` holds: it is 0.01235",
        ),
        (vec![fell(), rose()], not, "`p99 falls` does not hold: it is 3, and was 2"),
        (vec![unread(), rose()], not, "does not hold"),
        (vec![fell(), unread()], untold, "`errors` now could not be read: no answer"),
        (vec![unknown()], untold, "`p99` when it was done could not be read"),
    ] {
        let case = Case { measured, ..Case::new(scale(5)) };
        let seen = case.see(Measures);
        assert!(expected(&seen) && format!("{seen:?}").contains(says), "{seen:?}");
    }
}
