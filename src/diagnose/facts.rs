//! The facts that policy asks for, from the same snapshot that the diagnosis was made from. What could not
//! be read is unknown, and says why.

use jiff::Timestamp;

use crate::domain::action::rollback_workload::{self, MIGRATION};
use crate::domain::action::{Action, managers};
use crate::domain::alert::Labels;
use crate::domain::cluster::{Autoscaler, Pod, Snapshot, Workload, Writer};
use crate::domain::decision::{Fact, OwnerFacts, TargetFacts};
use crate::domain::target::{Kind, Object};

/// Minutes that stand for "no person ever did": ten years.
pub const NOBODY_MINUTES: i64 = 10 * 365 * 24 * 60;
/// Work that must not be interrupted says so with this.
const DO_NOT_DISTURB: &str = "belay.dev/do-not-disturb";
/// Field managers that are no person, by the whole name. Anything else counts as one: `kubectl` and its
/// like, browsers (`Mozilla`), and whatever is not known.
const AUTOMATION: [&str; 17] = [
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-apiserver",
    "cloud-controller-manager",
    "cluster-autoscaler",
    "vpa-updater",
    "vpa-recommender",
    "belay",
    "helm",
    "Helm",
    "helm-controller",
    "kustomize-controller",
    "source-controller",
    "argocd-controller",
    "argocd-application-controller",
    "argocd-server",
];

/// The facts about what `action` would change, and about its owner.
pub fn facts(snapshot: &Snapshot, labels: &Labels, action: &Action) -> (TargetFacts, OwnerFacts) {
    (target(snapshot, labels, action.target()), owner(snapshot))
}

fn target(snapshot: &Snapshot, labels: &Labels, object: &Object) -> TargetFacts {
    let (own_labels, annotations) = described(snapshot, object);
    TargetFacts {
        object: object.clone(),
        labels: own_labels,
        annotations,
        grounded: grounded(snapshot, object),
        named_by_alert: named_by(snapshot, labels, object),
        lookalikes: lookalikes(snapshot),
        // who plans knows what was kept
        kept: Fact::NotApplicable,
    }
}

fn described(snapshot: &Snapshot, object: &Object) -> (Fact<Labels>, Fact<Labels>) {
    let gone = || Fact::Unknown(format!("`{object}` was not among what was read"));
    if object.named.kind == Kind::Pod {
        let pod = all_pods(snapshot).find(|p| p.object.uid == object.uid);
        return pod.map_or_else(
            || (gone(), gone()),
            |p| (Fact::Known(p.labels.clone()), Fact::Known(p.annotations.clone())),
        );
    }
    if let Some(config) = snapshot.recorded.configs.iter().find(|config| config.object == *object) {
        return (Fact::Known(config.labels.clone()), Fact::Known(config.annotations.clone()));
    }
    let known = |labels: &Labels, annotations: &Labels| {
        (Fact::Known(labels.clone()), Fact::Known(annotations.clone()))
    };
    if let Some(node) = snapshot.around.nodes.iter().flatten().find(|node| node.object == *object) {
        return known(&node.labels, &node.annotations);
    }
    if let Some(scaler) = scaler(snapshot, object) {
        return known(&scaler.labels, &scaler.annotations);
    }
    match workload(snapshot) {
        Fact::Known(w) if w.object.uid == object.uid => {
            (Fact::Known(w.labels.clone()), Fact::Known(w.annotations.clone()))
        }
        Fact::Unknown(why) => (Fact::Unknown(why.clone()), Fact::Unknown(why)),
        Fact::Known(_) | Fact::NotApplicable => (gone(), gone()),
    }
}

/// The named pod and the owner's pods, as far as they were read.
fn all_pods(snapshot: &Snapshot) -> impl Iterator<Item = &Pod> {
    snapshot.pod.iter().flatten().chain(snapshot.pods.iter().flatten())
}

/// By uid: the alert's own object, its owner, a pod of that owner, what the owner's template names or gets traffic
/// from, or an autoscaler over it.
fn grounded(snapshot: &Snapshot, object: &Object) -> bool {
    *object == snapshot.target
        || *object == snapshot.owner.0
        || snapshot.pods.iter().flatten().any(|p| p.object == *object)
        || snapshot.recorded.configs.iter().any(|config| config.object == *object)
        || scaler(snapshot, object).is_some()
}

/// The autoscaler over the owner that this is.
fn scaler<'a>(snapshot: &'a Snapshot, object: &Object) -> Option<&'a Autoscaler> {
    if object.named.kind != Kind::HorizontalPodAutoscaler
        || object.named.namespace != snapshot.owner.0.named.namespace
    {
        return None;
    }
    snapshot.autoscalers.iter().flatten().find(|scaler| !scaler.uid.is_empty() && scaler.uid == object.uid)
}

/// The object that the alert was resolved to, or one that a label of its kind names as well.
fn named_by(snapshot: &Snapshot, labels: &Labels, object: &Object) -> bool {
    let label = match object.named.kind {
        Kind::Deployment => "deployment",
        Kind::StatefulSet => "statefulset",
        Kind::DaemonSet => "daemonset",
        Kind::ReplicaSet => "replicaset",
        // `pod` names the exporter in the usual stack: only the resolved target counts
        _ => return *object == snapshot.target,
    };
    let is = |label: &str, value: &str| labels.get(label).is_some_and(|v| v == value);
    *object == snapshot.target || (is(label, &object.named.name) && is("namespace", &object.named.namespace))
}

/// How many other owners of the same kind and namespace have nearly the owner's name: at most two edits
/// away, or the same once characters that look alike are made equal.
fn lookalikes(snapshot: &Snapshot) -> Fact<u32> {
    let own = &snapshot.owner.0.named.name;
    let alike = |other: &&String| {
        *other != own && (strsim::levenshtein(other, own) <= 2 || folded(other) == folded(own))
    };
    match &snapshot.neighbours {
        Ok(names) => Fact::Known(u32::try_from(names.iter().filter(alike).count()).unwrap_or(u32::MAX)),
        Err(why) => Fact::Unknown(why.clone()),
    }
}

/// Names are lower-case letters, digits, `-` and `.`: what of these looks alike is made equal.
fn folded(name: &str) -> String {
    let letters = name.replace("rn", "m").replace("vv", "w").replace("cl", "d");
    letters
        .chars()
        .filter(|c| *c != '-' && *c != '.')
        .map(|c| match c {
            '0' => 'o',
            '1' | 'i' => 'l',
            '5' => 's',
            '2' => 'z',
            '8' => 'b',
            other => other,
        })
        .collect()
}

fn owner(snapshot: &Snapshot) -> OwnerFacts {
    let workload = workload(snapshot);
    OwnerFacts {
        owner: snapshot.owner.clone(),
        replicas: map(&workload, |w| w.desired),
        ready: map(&workload, |w| w.ready),
        stateful: stateful(snapshot),
        busy: busy(snapshot, &workload),
        gitops_self_heal: map(&workload, |w| managers::gitops(&w.labels, &w.annotations).is_some()),
        hpa: snapshot
            .autoscalers
            .as_ref()
            .map_or_else(|why| Fact::Unknown(why.clone()), |a| Fact::Known(!a.is_empty())),
        minutes_since_rollout: since_rollout(snapshot, &workload),
        changed_by_person_minutes: then(&workload, |w| by_person(&w.writers, snapshot.at)),
        budget: budget(snapshot),
        migration: then(&workload, |w| migration(w)),
    }
}

/// What the tightest budget over its pods still allows.
fn budget(snapshot: &Snapshot) -> Fact<u32> {
    match &snapshot.budgets {
        Err(why) => Fact::Unknown(why.clone()),
        Ok(budgets) => budgets.iter().map(|b| b.allowed).min().map_or(Fact::NotApplicable, Fact::Known),
    }
}

/// Nothing in the cluster shows a migration of data: the workload says so itself, or it is not known.
fn migration(workload: &Workload) -> Fact<bool> {
    let silent = || Fact::Unknown(format!("the annotation `{MIGRATION}` does not say"));
    rollback_workload::migration(&workload.annotations).map_or_else(silent, Fact::Known)
}

/// The owner as a workload.
fn workload(snapshot: &Snapshot) -> Fact<&Workload> {
    match &snapshot.workload {
        Ok(Some(workload)) => Fact::Known(workload),
        Ok(None) if snapshot.owner.0.named.kind == Kind::Pod => Fact::NotApplicable,
        Ok(None) => Fact::Unknown(format!("`{}` is gone", snapshot.owner)),
        Err(why) => Fact::Unknown(why.clone()),
    }
}

fn then<A, B>(fact: &Fact<A>, f: impl FnOnce(&A) -> Fact<B>) -> Fact<B> {
    match fact {
        Fact::Known(value) => f(value),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
        Fact::NotApplicable => Fact::NotApplicable,
    }
}

fn map<A, B>(fact: &Fact<&A>, f: impl FnOnce(&A) -> B) -> Fact<B> {
    then(fact, |value| Fact::Known(f(value)))
}

fn stateful(snapshot: &Snapshot) -> Fact<bool> {
    let claims = all_pods(snapshot).any(|p| p.has_claims);
    if snapshot.owner.0.named.kind == Kind::StatefulSet || claims {
        return Fact::Known(true);
    }
    snapshot.pods.as_ref().map_or_else(|why| Fact::Unknown(why.clone()), |_| Fact::Known(false))
}

/// Work is running: a Job with running pods, or a pod or owner that asks not to be disturbed.
fn busy(snapshot: &Snapshot, workload: &Fact<&Workload>) -> Fact<bool> {
    let asks = |annotations: &Labels| annotations.get(DO_NOT_DISTURB).is_some_and(|v| v != "false");
    if all_pods(snapshot).any(|p| asks(&p.annotations)) {
        return Fact::Known(true);
    }
    let own = match workload {
        Fact::Known(w) => {
            let job = matches!(w.object.named.kind, Kind::Job | Kind::CronJob);
            Fact::Known(asks(&w.annotations) || (job && w.current > 0))
        }
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
        Fact::NotApplicable => Fact::Known(false),
    };
    match (own, &snapshot.pods) {
        (Fact::Known(false), Err(why)) => Fact::Unknown(why.clone()),
        (own, _) => own,
    }
}

fn since_rollout(snapshot: &Snapshot, workload: &Fact<&Workload>) -> Fact<i64> {
    let unread = || match &snapshot.revisions {
        Err(why) => why.clone(),
        Ok(_) => "nothing that was read says when its template changed".to_owned(),
    };
    then(workload, |w| {
        w.template_changed.map_or_else(|| Fact::Unknown(unread()), |at| Fact::Known(minutes(at, snapshot.at)))
    })
}

/// Minutes since the last writer of the spec that is not known to be a program.
fn by_person(writers: &[Writer], now: Timestamp) -> Fact<i64> {
    if writers.is_empty() {
        return Fact::Unknown("the object does not say who wrote it".into());
    }
    let mut latest = NOBODY_MINUTES;
    for writer in writers.iter().filter(|w| !AUTOMATION.contains(&w.manager.as_str())) {
        match writer.at {
            Some(at) => latest = latest.min(minutes(at, now)),
            None => return Fact::Unknown("the object does not say when it was written".into()),
        }
    }
    Fact::Known(latest)
}

/// Whole minutes; a moment in the future is now.
fn minutes(from: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(from).as_mins().max(0)
}
