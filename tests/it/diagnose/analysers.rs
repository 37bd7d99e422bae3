//! Each analyser on hand-made snapshots: what it says, how sure it is, and what it leaves to others.

use belay::diagnose::{NOBODY_MINUTES, diagnose, facts};
use belay::domain::action::Action;
use belay::domain::action::job::Templates;
use belay::domain::cluster::{Autoscaler, Snapshot, Writer};
use belay::domain::decision::Fact;
use belay::domain::finding::Certainty::{Certain, Likely, Possible};
use belay::domain::finding::{Cause, Certainty};
use belay::domain::record::Diagnosis;
use belay::domain::target::Kind;

use super::{
    ago, ended, healthy, labels, other_owner, pod, revision, running, usage, waiting, with_end, with_pod,
};

/// By an alert of which it cannot be said that nothing is wrong.
fn of(snapshot: &Snapshot) -> Diagnosis {
    diagnose(snapshot, &labels("ApiErrorRateHigh"), &Templates::default())
}

fn causes(snapshot: &Snapshot) -> Vec<(&'static str, Certainty)> {
    of(snapshot).findings.iter().map(|f| (f.cause.name(), f.certainty)).collect()
}

fn acts(snapshot: &Snapshot) -> Vec<String> {
    of(snapshot).candidates.iter().map(|c| c.action.words()).collect()
}

#[test]
fn killed_for_memory() {
    let killed = |at| ended("OOMKilled", 137, at);
    let backing_off = waiting("CrashLoopBackOff");
    for (snapshot, expected) in [
        (with_end(killed(Some(ago(2))), &backing_off, 4), Some(Certain)),
        (with_end(killed(Some(ago(500))), &backing_off, 4), Some(Certain)),
        (with_end(killed(Some(ago(59))), &running(), 1), Some(Certain)),
        (with_end(killed(Some(ago(61))), &running(), 1), None),
        (with_end(killed(None), &running(), 1), Some(Likely)),
    ] {
        let found = causes(&snapshot);
        assert_eq!(found, expected.map(|sure| ("OOMKilled", sure)).into_iter().collect::<Vec<_>>());
        let act = acts(&snapshot);
        assert_eq!(act.len(), found.len(), "{act:?}");
    }
    let one = of(&with_end(killed(Some(ago(2))), &backing_off, 4));
    let Cause::OomKilled { container, limit, restarts } = &one.findings[0].cause else { panic!() };
    assert_eq!((container.as_str(), limit.as_deref(), *restarts), ("web", Some("256Mi"), 4));
    assert!(!one.findings[0].evidence.is_empty());
    for id in &one.findings[0].evidence {
        assert!(one.evidence.iter().any(|e| e.id == *id), "{id} is cited and not there");
    }
}

#[test]
fn a_crash_loop() {
    let error = |code| ended("Error", code, Some(ago(2)));
    for (snapshot, expected) in [
        (with_end(error(3), &waiting("CrashLoopBackOff"), 1), Some(Certain)),
        (with_end(error(3), &running(), 3), Some(Likely)),
        (with_end(error(3), &running(), 2), None),
        (with_end(ended("Completed", 0, Some(ago(2))), &running(), 9), None),
        (with_end(ended("Error", 3, Some(ago(300))), &running(), 9), None),
        (with_end(error(3), &waiting("ContainerCreating"), 3), None),
    ] {
        let expected: Vec<_> = expected.map(|sure| ("CrashLoop", sure)).into_iter().collect();
        assert_eq!(causes(&snapshot), expected);
    }
}

#[test]
fn an_image_that_cannot_be_had() {
    for reason in ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"] {
        let snapshot = with_pod(|pod| {
            pod.ready = false;
            pod.containers[0].state = waiting(reason);
        });
        assert_eq!(causes(&snapshot), [("ImagePull", Certain)]);
        assert!(acts(&snapshot).is_empty(), "a restart asks for the same image");
    }
}

/// A rollout under way whose new pod is stuck, or not.
fn rollout(stuck: bool) -> Snapshot {
    let mut snapshot = healthy();
    snapshot.revisions = Ok(vec![revision("web-new", 2, 1, 0), revision("web-old", 1, 3, 3)]);
    let mut new = pod(0);
    new.ready = false;
    new.containers[0].state = waiting(if stuck { "CrashLoopBackOff" } else { "ContainerCreating" });
    new.containers[0].last_end = stuck.then(|| ended("OOMKilled", 137, Some(ago(1))));
    snapshot.pods = Ok(vec![new]);
    snapshot
}

#[test]
fn a_rollout_that_fails() {
    assert_eq!(causes(&rollout(true)), [("OOMKilled", Certain), ("FailedRollout", Likely)]);
    // a restart would start the same failing template
    assert_eq!(
        acts(&rollout(true)),
        ["roll back Deployment `web` to template `web-old`", "pause the rollout of Deployment `web`"]
    );
    let mut gone = rollout(true);
    gone.revisions = Ok(vec![revision("web-new", 2, 1, 0), revision("web-old", 1, 3, 0)]);
    assert!(acts(&gone).is_empty(), "of a template that nothing serves from nobody knows that it works");
    assert!(causes(&rollout(false)).is_empty(), "a rollout under way is no failure");
    let mut late = rollout(false);
    let condition = &mut late.workload.as_mut().unwrap().as_mut().unwrap().conditions[0];
    (condition.status, condition.reason) = ("False".into(), "ProgressDeadlineExceeded".into());
    assert_eq!(causes(&late), [("FailedRollout", Certain)]);
    let Cause::FailedRollout { revision, old_ready } = of(&late).findings[0].cause else { panic!() };
    assert_eq!((revision, old_ready), (2, 3));
}

#[test]
fn without_the_revisions_nobody_restarts_what_may_be_a_failing_template() {
    let mut blind = rollout(true);
    blind.revisions = Err("forbidden".into());
    assert_eq!(causes(&blind), [("OOMKilled", Certain)]);
    assert!(acts(&blind).is_empty());
}

fn busy(cpu: [u32; 3]) -> Snapshot {
    let mut snapshot = healthy();
    snapshot.usage = Ok(cpu.iter().enumerate().map(|(n, cpu)| usage(n, *cpu)).collect());
    snapshot
}

#[test]
fn saturation() {
    assert_eq!(causes(&busy([500, 490, 480])), [("Saturation", Certain)]);
    assert_eq!(causes(&busy([449, 450, 450])), []);
    assert_eq!(causes(&busy([900, 100, 100])), [], "one hot pod is no saturation");
    let Action::ScaleWorkload { replicas, .. } = of(&busy([500; 3])).candidates[0].action else { panic!() };
    assert_eq!(replicas, 5);
    let mut partly = busy([500; 3]);
    partly.usage.as_mut().unwrap().pop();
    assert_eq!(causes(&partly), [("Saturation", Possible)]);

    let mut scaled = busy([500; 3]);
    scaled.autoscalers = Ok(vec![Autoscaler { name: "web".into(), min: 2, max: 6, ..Autoscaler::default() }]);
    assert!(acts(&scaled).is_empty(), "the autoscaler would set it back");
    scaled.autoscalers = Err("forbidden".into());
    assert!(acts(&scaled).is_empty(), "there may be one");
}

#[test]
fn nothing_wrong_is_said_of_what_was_seen_alone() {
    let said = |snapshot: &Snapshot, alert: &str| {
        let found = diagnose(snapshot, &labels(alert), &Templates::default()).findings;
        found.iter().any(|f| f.cause == Cause::NothingWrong)
    };
    assert!(said(&healthy(), "KubePodCrashLooping"));
    assert!(!said(&healthy(), "ApiErrorRateHigh"), "the snapshot does not show error rates");
    let lately = with_end(ended("Completed", 0, Some(ago(9))), &running(), 1);
    assert!(!said(&lately, "KubePodCrashLooping"), "it may still be in a loop");
    let long_ago = with_end(ended("Completed", 0, Some(ago(11))), &running(), 1);
    assert!(said(&long_ago, "KubePodCrashLooping"));
    for change in [
        |s: &mut Snapshot| s.workload.as_mut().unwrap().as_mut().unwrap().ready = 2,
        |s: &mut Snapshot| s.workload.as_mut().unwrap().as_mut().unwrap().generation = 5,
        |s: &mut Snapshot| s.workload = Ok(None),
        |s: &mut Snapshot| s.pods.as_mut().unwrap()[1].ready = false,
        |s: &mut Snapshot| s.usage = Err("forbidden".into()),
    ] {
        let mut snapshot = healthy();
        change(&mut snapshot);
        assert!(!said(&snapshot, "KubePodCrashLooping"));
    }
}

#[test]
fn only_pods_that_come_back_are_restarted() {
    let killed = || with_end(ended("OOMKilled", 137, Some(ago(2))), &waiting("CrashLoopBackOff"), 4);
    for (kind, expected) in [
        (Kind::StatefulSet, 1),
        (Kind::DaemonSet, 1),
        (Kind::ReplicaSet, 1),
        (Kind::Job, 0),
        (Kind::CronJob, 0),
        (Kind::Pod, 0),
        (Kind::Other, 0),
    ] {
        let mut snapshot = killed();
        snapshot.owner = other_owner(kind);
        assert_eq!(acts(&snapshot).len(), expected, "{kind}");
    }
    let mut bare = killed();
    bare.pods.as_mut().unwrap()[0].controller = None;
    bare.pod = Ok(Some(bare.pods.as_ref().unwrap()[0].clone()));
    assert!(acts(&bare).is_empty());
}

#[test]
fn facts_that_could_not_be_read_are_unknown() {
    let snapshot = with_end(ended("OOMKilled", 137, Some(ago(2))), &running(), 4);
    let action = of(&snapshot).candidates[0].action.clone();
    let read = |s: &Snapshot| facts(s, &labels("x"), &action);
    let (target, owner) = read(&snapshot);
    assert!(target.grounded && target.named_by_alert);
    assert_eq!((target.lookalikes, owner.replicas), (Fact::Known(0), Fact::Known(3)));
    assert_eq!(owner.changed_by_person_minutes, Fact::Known(NOBODY_MINUTES));
    assert_eq!(owner.minutes_since_rollout, Fact::Known(600));

    let mut blind = snapshot.clone();
    blind.workload = Err("forbidden".into());
    blind.pods = Err("forbidden".into());
    blind.autoscalers = Err("forbidden".into());
    blind.neighbours = Err("forbidden".into());
    let (target, owner) = read(&blind);
    let unknown = || Fact::Unknown("forbidden".into());
    assert_eq!((owner.replicas, owner.ready, target.lookalikes), (unknown(), unknown(), unknown()));
    assert_eq!((owner.hpa, owner.busy, owner.stateful, owner.gitops_self_heal), {
        let unknown = || Fact::Unknown("forbidden".into());
        (unknown(), unknown(), unknown(), unknown())
    });

    let mut edited = snapshot;
    let workload = edited.workload.as_mut().unwrap().as_mut().unwrap();
    workload.writers.push(Writer { manager: "kubectl-edit".into(), at: Some(ago(7)) });
    workload.annotations.insert("argocd.argoproj.io/instance".into(), "shop".into());
    edited.neighbours = Ok(vec!["web".into(), "vveb".into(), "wep".into(), "checkout".into()]);
    edited.pods.as_mut().unwrap()[1].has_claims = true;
    let (target, owner) = read(&edited);
    assert_eq!(owner.changed_by_person_minutes, Fact::Known(7));
    assert_eq!((owner.gitops_self_heal, owner.stateful), (Fact::Known(true), Fact::Known(true)));
    assert_eq!(target.lookalikes, Fact::Known(2));
}
