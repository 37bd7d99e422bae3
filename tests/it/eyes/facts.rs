//! The facts that policy is asked with.

use belay::diagnose::{NOBODY_MINUTES, facts};
use belay::domain::action::Action;
use belay::domain::alert::Labels;
use belay::domain::cluster::*;
use belay::domain::decision::{Fact, OwnerFacts, TargetFacts};
use belay::domain::target::{Kind, RootOwner};

use super::*;

fn restart(snapshot: &Snapshot) -> (TargetFacts, OwnerFacts) {
    facts(snapshot, &labels("KubePodCrashLooping"), &Action::RestartPod { pod: snapshot.target.clone() })
}

fn of_owner(change: impl FnOnce(&mut Snapshot)) -> OwnerFacts {
    let mut snapshot = healthy();
    change(&mut snapshot);
    restart(&snapshot).1
}

fn own(snapshot: &mut Snapshot) -> &mut Workload {
    snapshot.workload.as_mut().unwrap().as_mut().unwrap()
}

fn one(key: &str, value: &str) -> Labels {
    Labels::from([(key.to_owned(), value.to_owned())])
}

#[test]
fn a_plain_deployment() {
    let (target, owner) = restart(&healthy());
    assert!(target.grounded && target.named_by_alert);
    assert_eq!(target.lookalikes, Fact::Known(0));
    assert_eq!((owner.replicas, owner.ready), (Fact::Known(3), Fact::Known(3)));
    assert_eq!((owner.stateful, owner.busy), (Fact::Known(false), Fact::Known(false)));
    assert_eq!((owner.gitops_self_heal, owner.hpa), (Fact::Known(false), Fact::Known(false)));
    assert_eq!(owner.minutes_since_rollout, Fact::Known(1440));
    assert_eq!(owner.changed_by_person_minutes, Fact::Known(NOBODY_MINUTES));
}

#[test]
fn state_is_a_stateful_set_or_a_claim() {
    assert_eq!(
        of_owner(|s| s.owner = RootOwner(object(Kind::StatefulSet, "db"))).stateful,
        Fact::Known(true)
    );
    assert_eq!(of_owner(|s| s.pods.as_mut().unwrap()[2].has_claims = true).stateful, Fact::Known(true));
    assert!(matches!(of_owner(|s| s.pods = Err("no".into())).stateful, Fact::Unknown(_)));
}

#[test]
fn work_in_progress_is_seen_on_owner_pod_and_job() {
    let mark = || one("belay.dev/do-not-disturb", "true");
    assert_eq!(of_owner(|s| own(s).annotations = mark()).busy, Fact::Known(true));
    assert_eq!(of_owner(|s| s.pods.as_mut().unwrap()[1].annotations = mark()).busy, Fact::Known(true));
    assert_eq!(of_owner(|s| own(s).object = object(Kind::Job, "batch")).busy, Fact::Known(true));
    let off = of_owner(|s| own(s).annotations = one("belay.dev/do-not-disturb", "false"));
    assert_eq!(off.busy, Fact::Known(false));
    assert!(matches!(of_owner(|s| s.pods = Err("no".into())).busy, Fact::Unknown(_)));
    assert!(matches!(of_owner(|s| s.workload = Err("no".into())).busy, Fact::Unknown(_)));
}

#[test]
fn gitops_controllers_are_seen_by_their_marks() {
    for key in [
        "argocd.argoproj.io/instance",
        "argocd.argoproj.io/tracking-id",
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/name",
    ] {
        assert_eq!(of_owner(|s| own(s).labels = one(key, "x")).gitops_self_heal, Fact::Known(true), "{key}");
        assert_eq!(
            of_owner(|s| own(s).annotations = one(key, "x")).gitops_self_heal,
            Fact::Known(true),
            "{key}"
        );
    }
    let helm = of_owner(|s| own(s).labels = one("app.kubernetes.io/managed-by", "Helm"));
    assert_eq!(helm.gitops_self_heal, Fact::Known(false), "plain helm puts nothing back by itself");
    let left_alone = of_owner(|s| {
        own(s).labels = one("kustomize.toolkit.fluxcd.io/name", "x");
        own(s).annotations = one("kustomize.toolkit.fluxcd.io/reconcile", "disabled");
    });
    assert_eq!(left_alone.gitops_self_heal, Fact::Known(false));
}

#[test]
fn persons_are_told_from_programs_by_the_field_manager() {
    let wrote = |manager: &str, at: Option<i64>| {
        let writer = Writer { manager: manager.into(), at: at.map(after) };
        of_owner(|s| own(s).writers.push(writer)).changed_by_person_minutes
    };
    for program in
        ["kube-controller-manager", "belay", "argocd-controller", "kustomize-controller", "kubelet"]
    {
        assert_eq!(wrote(program, Some(-60)), Fact::Known(NOBODY_MINUTES), "{program}");
    }
    for person in ["kubectl-edit", "kubectl-client-side-apply", "Mozilla", "node-fetch", "belay2", ""] {
        assert_eq!(wrote(person, Some(-300)), Fact::Known(5), "{person}");
    }
    assert_eq!(wrote("kubectl", Some(90)), Fact::Known(0), "a clock ahead of ours");
    assert!(matches!(wrote("kubectl", None), Fact::Unknown(_)));
    assert!(matches!(of_owner(|s| own(s).writers.clear()).changed_by_person_minutes, Fact::Unknown(_)));
}

#[test]
fn names_that_are_nearly_the_same_are_counted() {
    let count = |names: &[&str]| {
        let mut snapshot = healthy();
        snapshot.owner.0.named.name = "monitoring".into();
        snapshot.neighbours = Ok(names.iter().map(|n| (*n).to_owned()).collect());
        restart(&snapshot).0.lookalikes
    };
    assert_eq!(count(&["monitoring", "checkout"]), Fact::Known(0), "not itself");
    assert_eq!(
        count(&["monitoring-2", "monitorlng", "rnonitoring", "mon1tor1ng", "m0n1t0r1ng"]),
        Fact::Known(5)
    );
    assert_eq!(count(&["monitoring-old"]), Fact::Known(0));
    let mut snapshot = healthy();
    snapshot.neighbours = Err("no".into());
    assert!(matches!(restart(&snapshot).0.lookalikes, Fact::Unknown(_)));
}

#[test]
fn what_was_not_reached_from_the_alert_is_not_grounded() {
    let snapshot = healthy();
    let stranger = Action::RestartPod { pod: object(Kind::Pod, "db-0") };
    let (target, _) = facts(&snapshot, &labels("X"), &stranger);
    assert!(!target.grounded && !target.named_by_alert);
    assert!(matches!(target.annotations, Fact::Unknown(_)));
    let mut renewed = snapshot.pods.as_ref().unwrap()[1].object.clone();
    renewed.uid = "another".into();
    assert!(!facts(&snapshot, &labels("X"), &Action::RestartPod { pod: renewed }).0.grounded, "by uid");
    let scale = Action::ScaleWorkload { workload: owner().0, replicas: 5 };
    let (target, _) = facts(&snapshot, &labels("X"), &scale);
    assert!(target.grounded && !target.named_by_alert);
    let mut named = labels("X");
    named.insert("deployment".into(), "web".into());
    assert!(facts(&snapshot, &named, &scale).0.named_by_alert);
    named.insert("namespace".into(), "other".into());
    assert!(!facts(&snapshot, &named, &scale).0.named_by_alert);
}

#[test]
fn what_could_not_be_read_is_unknown_and_says_why() {
    let mut snapshot = healthy();
    snapshot.workload = Err("no answer".into());
    snapshot.autoscalers = Err("forbidden".into());
    let (_, owner) = restart(&snapshot);
    assert_eq!(owner.replicas, Fact::Unknown("no answer".into()));
    assert_eq!(owner.gitops_self_heal, Fact::Unknown("no answer".into()));
    assert_eq!(owner.hpa, Fact::Unknown("forbidden".into()));
    assert_eq!(owner.minutes_since_rollout, Fact::Unknown("no answer".into()));
    let undated = of_owner(|s| own(s).template_changed = None);
    assert!(matches!(undated.minutes_since_rollout, Fact::Unknown(_)));
}
