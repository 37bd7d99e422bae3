//! What the record adds to a diagnosis: a change before the failure, and templates that were seen to work. Where
//! it is right, and where it is not.

use belay::diagnose::{diagnose, facts};
use belay::domain::action::job::Templates;
use belay::domain::action::{Action, ActionKind};
use belay::domain::canonical::Hash;
use belay::domain::cluster::{ConfigRef, How, Snapshot};
use belay::domain::decision::Fact;
use belay::domain::finding::Certainty::{self, Certain, Likely, Possible};
use belay::domain::recorded::{
    Change, Concern, Config, Healthy, Memory, Restored, Withheld, WorkloadHistory,
};
use belay::domain::target::Kind;
use jiff::Timestamp;

use super::{ago, ended, healthy, labels, now, pod, revision, running, waiting, with_end};
use crate::given::{object, owner};

fn causes(snapshot: &Snapshot) -> Vec<(&'static str, Certainty)> {
    let found = diagnose(snapshot, &labels("ApiErrorRateHigh"), &Templates::default());
    found.findings.iter().map(|f| (f.cause.name(), f.certainty)).collect()
}

fn acts(snapshot: &Snapshot) -> Vec<String> {
    let found = diagnose(snapshot, &labels("ApiErrorRateHigh"), &Templates::default());
    found.candidates.iter().map(|c| c.action.words()).collect()
}

fn change(at: Timestamp) -> Change {
    let text = |text: &str| Some(format!("{text:?}"));
    let field = Restored { path: "/data/mode".into(), value: text("fast"), instead_of: text("warp") };
    Change {
        at,
        watched: true,
        version: 3,
        seen: ago(900),
        fields: vec![field],
        withheld: vec![],
        selected: false,
    }
}

fn read(name: &str, changes: Vec<Change>) -> Config {
    Config {
        object: object(Kind::ConfigMap, name),
        concern: Concern::Read { ways: vec![ConfigRef { name: name.into(), how: How::Environment }] },
        labels: [("app".to_owned(), "web".to_owned())].into(),
        annotations: [].into(),
        changes,
    }
}

/// Pod 0 crash-loops since ten minutes ago; `flags`, which it reads, was changed so many minutes ago.
fn crashing(changed: i64) -> Snapshot {
    let mut snapshot = with_end(ended("Error", 1, Some(ago(2))), &waiting("CrashLoopBackOff"), 3);
    for pod in snapshot.pods.iter_mut().flatten().take(1).chain(snapshot.pod.iter_mut().flatten()) {
        pod.not_ready_since = Some(ago(10));
    }
    snapshot.recorded.configs = vec![read("flags", vec![change(ago(changed))])];
    snapshot
}

const RESTORE: &str = "restore ConfigMap `flags` to recorded version 3";
const RESTART: &str = "restart pod `web-new-0`";

#[test]
fn a_config_that_was_changed_before_its_pods_began_to_fail_is_restored() {
    let snapshot = crashing(12);
    assert_eq!(causes(&snapshot), [("ConfigChanged", Certain), ("CrashLoop", Certain)]);
    assert_eq!(acts(&snapshot), [RESTORE], "a restart reads the same again");
    let found = diagnose(&snapshot, &labels("KubePodCrashLooping"), &Templates::default());
    let Action::RestoreConfig { restore, .. } = &found.candidates[0].action else { panic!() };
    assert_eq!(restore.workload, Some(owner().0));
    assert_eq!(restore.fields, change(ago(12)).fields);
    assert_eq!(found.findings[0].suggests, [ActionKind::RestoreConfig]);
    let page = found.evidence.iter().find(|e| e.title.starts_with("changes of what its pods read")).unwrap();
    assert!(found.findings[0].evidence.contains(&page.id));
    assert!(page.summary.contains("/data/mode") && !page.summary.contains("warp"), "{}", page.summary);
    // it is reached from the alert by the template, and what policy reads of it is known
    let (target, _) = facts(&snapshot, &labels("x"), &found.candidates[0].action);
    assert!(target.grounded && !target.named_by_alert);
    assert_eq!(target.labels, Fact::Known([("app".to_owned(), "web".to_owned())].into()));
    let mut unread = snapshot;
    unread.recorded = Memory::default();
    assert!(!facts(&unread, &labels("x"), &found.candidates[0].action).0.grounded);
}

#[test]
fn a_change_that_does_not_explain_it_leads_to_nothing() {
    let only = |snapshot: &Snapshot, why: &str| {
        assert_eq!(causes(snapshot), [("CrashLoop", Certain)], "{why}");
        assert_eq!(acts(snapshot), [RESTART], "{why}");
    };
    only(&crashing(5), "it failed before the change");
    only(&crashing(80), "the change is long past");
    let mut long = crashing(12);
    for pod in long.pods.iter_mut().flatten().take(1).chain(long.pod.iter_mut().flatten()) {
        pod.containers[0].restarts = 30;
    }
    only(&long, "it has been looping for longer than that");
    let mut well = crashing(12);
    well.pods = healthy().pods;
    well.pod = Ok(None);
    assert!(causes(&well).is_empty(), "nothing fails");
    // changed and changed back: there is nothing to write
    let mut back = crashing(12);
    back.recorded.configs[0].changes[0].fields.clear();
    assert!(acts(&back).is_empty());
}

#[test]
fn what_could_be_something_else_is_not_certain() {
    let possible = |snapshot: &Snapshot, why: &str| {
        assert_eq!(causes(snapshot), [("CrashLoop", Certain), ("ConfigChanged", Possible)], "{why}");
        assert_eq!(acts(snapshot), [RESTART], "{why}");
    };
    let mut found = crashing(12);
    found.recorded.configs[0].changes[0].watched = false;
    possible(&found, "when it changed is not known");
    let released = |before: Hash| {
        let mut released = crashing(12);
        released.workload.as_mut().unwrap().as_mut().unwrap().template_changed = Some(ago(11));
        let revisions = released.revisions.as_mut().unwrap();
        (revisions[0].content, revisions[1].content) = (Some(Hash::of(b"2")), Some(before));
        released
    };
    possible(&released(Hash::of(b"1")), "the template changed as well");
    let restarted = released(Hash::of(b"2"));
    assert_eq!(causes(&restarted)[0], ("ConfigChanged", Certain), "it was restarted to read the change");
    assert_eq!(acts(&restarted), [RESTORE]);

    let mut two = crashing(12);
    two.recorded.configs.push(read("limits", vec![change(ago(11))]));
    assert_eq!(causes(&two), [("CrashLoop", Certain), ("ConfigChanged", Likely)]);
    assert_eq!(acts(&two), [RESTART, "restore ConfigMap `limits` to recorded version 3"]);
    let mut killed = with_end(ended("OOMKilled", 137, Some(ago(2))), &waiting("CrashLoopBackOff"), 3);
    killed.pod.as_mut().unwrap().as_mut().unwrap().not_ready_since = Some(ago(10));
    killed.pods.as_mut().unwrap()[0].not_ready_since = Some(ago(10));
    killed.recorded = crashing(12).recorded;
    assert_eq!(causes(&killed), [("OOMKilled", Certain), ("ConfigChanged", Likely)]);
    assert_eq!(acts(&killed), [RESTART, RESTORE]);
}

#[test]
fn a_pod_that_runs_and_is_not_ready_counts_once_it_had_time_to_start() {
    let unready = |minutes: i64| {
        let mut snapshot = crashing(12);
        for pod in snapshot.pods.iter_mut().flatten().take(1).chain(snapshot.pod.iter_mut().flatten()) {
            let container = &mut pod.containers[0];
            (container.state, container.last_end, container.restarts) = (running(), None, 0);
            (pod.ready, container.ready, pod.not_ready_since) = (false, false, Some(ago(minutes)));
        }
        causes(&snapshot)
    };
    assert_eq!(unready(5), [("ConfigChanged", Likely)]);
    assert!(unready(0).is_empty());
    let mut refused = crashing(12);
    for pod in refused.pods.iter_mut().flatten().take(1).chain(refused.pod.iter_mut().flatten()) {
        (pod.containers[0].state, pod.containers[0].last_end) = (waiting("CreateContainerConfigError"), None);
    }
    assert_eq!(causes(&refused), [("ConfigChanged", Certain)], "a key that it needs is gone");
}

#[test]
fn what_cannot_be_restored_is_carried_along_so_that_planning_says_why() {
    let mut secret = crashing(12);
    let change = &mut secret.recorded.configs[0].changes[0];
    change.fields.clear();
    change.withheld =
        vec![Withheld { path: "/data/password".into(), why: "looks like a secret".into(), changed: true }];
    assert_eq!(acts(&secret), [RESTORE]);
    let found = diagnose(&secret, &labels("x"), &Templates::default());
    let Action::RestoreConfig { restore, .. } = &found.candidates[0].action else { panic!() };
    assert!(restore.withheld[0].changed);
}

/// Service `web` was changed twenty minutes ago.
fn rerouted(selects: bool, selected: bool) -> Snapshot {
    let mut snapshot = healthy();
    let changes = vec![Change { selected, ..change(ago(20)) }];
    snapshot.recorded.configs = vec![Config {
        object: object(Kind::Service, "web"),
        concern: Concern::Traffic { selects },
        ..read("web", changes)
    }];
    snapshot
}

#[test]
fn a_service_that_selects_no_pods_any_more_is_restored_while_they_are_well() {
    let lost = rerouted(false, true);
    assert_eq!(causes(&lost), [("ConfigChanged", Certain)]);
    assert_eq!(acts(&lost), ["restore Service `web` to recorded version 3"]);
    assert!(causes(&rerouted(true, true)).is_empty(), "it selects them");
    assert!(causes(&rerouted(false, false)).is_empty(), "it did not before, either");
    let mut unwell = lost.clone();
    unwell.workload.as_mut().unwrap().as_mut().unwrap().ready = 2;
    assert!(causes(&unwell).is_empty(), "something else is wrong with them");
    let mut found = lost;
    found.recorded.configs[0].changes[0].watched = false;
    assert_eq!((causes(&found), acts(&found).len()), (vec![("ConfigChanged", Possible)], 0));
}

#[test]
fn what_is_not_watched_is_said() {
    let mut blind = healthy();
    blind.recorded.unwatched = vec!["reading configmaps was refused".into()];
    let missing = diagnose(&blind, &labels("x"), &Templates::default()).missing;
    assert_eq!(missing, ["what changed before is not known: reading configmaps was refused"]);
}

/// A rollout whose new pod crash-loops; of the three earlier revisions these many pods serve.
fn failing_rollout(serving: [u32; 3], known: Option<WorkloadHistory>) -> Snapshot {
    let mut snapshot = healthy();
    let earlier = |n: u64, ready: u32| revision(&format!("web-{n}"), n, ready, ready);
    let [third, second, first] = serving;
    snapshot.revisions =
        Ok(vec![revision("web-new", 4, 1, 0), earlier(3, third), earlier(2, second), earlier(1, first)]);
    for revision in snapshot.revisions.as_mut().unwrap() {
        revision.created = Some(ago(600 - i64::try_from(revision.revision).unwrap()));
    }
    // an older one is scaled up for as long as the new one does not serve
    snapshot.revisions.as_mut().unwrap()[3].desired = 3;
    let mut new = pod(0);
    (new.ready, new.containers[0].state) = (false, waiting("CrashLoopBackOff"));
    new.containers[0].last_end = Some(ended("Error", 1, Some(ago(1))));
    snapshot.pods = Ok(vec![new]);
    snapshot.recorded.workload = known;
    snapshot
}

/// Watched since so many minutes; these revisions were seen to work, the latest last.
fn watched(since: i64, worked: &[u64]) -> Option<WorkloadHistory> {
    let template = |n: u64| Hash::of(&n.to_be_bytes());
    let healthy =
        |n: &u64| Healthy { template: template(*n), revision: Some(*n), name: None, until: ago(60) };
    Some(WorkloadHistory {
        object: owner().0,
        since: ago(since),
        template: template(4),
        revision: Some(4),
        name: None,
        settled: None,
        replicas: 3,
        last_above_zero: Some(3),
        zero_since: None,
        healthy: worked.iter().map(healthy).collect(),
    })
}

#[test]
fn a_rollback_goes_to_the_newest_template_that_was_seen_to_work() {
    let back = |serving, known| {
        let acts = acts(&failing_rollout(serving, known));
        acts.into_iter().find_map(|act| {
            act.strip_prefix("roll back Deployment `web` to template `web-").map(str::to_owned)
        })
    };
    let to = |n: &str| Some(format!("{n}`"));
    assert_eq!(back([0, 2, 0], None), to("2"), "of what serves, where nothing was recorded");
    assert_eq!(back([1, 2, 0], watched(1000, &[1, 2])), to("2"), "3 serves and never worked");
    assert_eq!(back([1, 2, 0], watched(1000, &[2, 1])), to("1"), "1 worked last");
    assert_eq!(back([0, 0, 0], watched(1000, &[2])), to("2"), "it worked, though nothing serves");
    assert_eq!(back([3, 0, 0], watched(1000, &[])), None, "watched from its beginning, and it never worked");
    assert_eq!(back([3, 0, 0], watched(100, &[])), to("3"), "it is older than the record");
    assert_eq!(back([0, 0, 3], watched(1000, &[4])), None, "the one that runs is nowhere to go back to");
    assert!(now() > ago(1));
}

#[test]
fn what_was_scaled_to_zero_is_scaled_back_only_where_an_alert_says_that_it_is_down() {
    let off = |minutes: i64, since: i64| {
        let mut off = healthy();
        let workload = off.workload.as_mut().unwrap().as_mut().unwrap();
        (workload.desired, workload.ready, workload.current) = (0, 0, 0);
        off.pods = Ok(vec![]);
        let known = watched(since, &[]).unwrap();
        off.recorded.workload =
            Some(WorkloadHistory { zero_since: Some(ago(minutes)), replicas: 0, ..known });
        off
    };
    let acts = |snapshot: &Snapshot, alert: &str| -> Vec<String> {
        let found = diagnose(snapshot, &labels(alert), &Templates::default());
        found.candidates.iter().map(|c| format!("{}: {}", c.cause, c.action.words())).collect()
    };
    assert_eq!(acts(&off(5, 900), "TargetDown"), ["ScaledToZero: scale Deployment `web` to 3"]);
    assert!(acts(&off(5, 900), "KubePodCrashLooping").is_empty(), "nobody misses it");
    assert!(acts(&off(90, 900), "TargetDown").is_empty(), "it has been off for long");
    assert!(acts(&off(5, 5), "TargetDown").is_empty(), "it was found so");
    assert!(acts(&healthy(), "TargetDown").is_empty());
    let mut scaled = off(5, 900);
    scaled.autoscalers = Err("forbidden".into());
    assert!(acts(&scaled, "TargetDown").is_empty(), "an autoscaler may have done it");
}
