//! `restart_pod`: evicts one pod by uid, so that its controller makes a new one. There is nothing to put
//! back afterwards.

use jiff::Timestamp;

use super::live::{LivePod, Marking, changed, same};
use super::{Action, ActionKind, Class, Entry, Reversibility, Risk, Verb, expiry};
use crate::domain::ids::IntentId;
use crate::domain::plan::{BlastRadius, Direction, Plan, Preconditions, Refusal, Undo};
use crate::domain::target::{Kind, Object};
use crate::domain::warrant::Applied;

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "restart_pod",
    class: Class { undo: Reversibility::SelfHealing, risk: Risk::Low },
    why: "its controller brings back an equal pod; there is nothing to put back",
    raised_by: "medium for the last ready replica, or where no disruption is left in a budget",
    does: "evicts one pod, by uid; its controller makes a new one",
    verb: Verb { plain: "restart", doing: "restarting", done: "restarted" },
    transient: true,
};

/// Why there is no undo, for people.
const NO_UNDO: &str =
    "a pod that was restarted cannot be un-restarted; its controller brings back an equal one";

/// "pod `api-7f4b9`".
pub fn what(pod: &Object) -> String {
    format!("pod `{}`", pod.named.name)
}

/// The two writes (mark, evict), with everything that must still hold when they arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evict {
    /// The pod, by uid.
    pub pod: Object,
    /// The controller that will make the new one.
    pub controller: Object,
    /// How the intent is put on it.
    pub marking: Marking,
}

/// The plan to restart `pod`.
pub fn plan(live: Option<&LivePod>, pod: &Object, now: Timestamp) -> Result<Plan, Refusal> {
    let live = same(live, |l| &l.object, pod)?;
    replaced_by(live)?;
    if live.terminating {
        return Err(Refusal::NothingToDo(format!("`{pod}` is already terminating")));
    }
    Ok(Plan {
        action: Action::RestartPod { pod: live.object.clone() },
        direction: Direction::Forward,
        owner: live.owner.clone(),
        // the uid is the whole precondition: a pod is never changed into another one, it is replaced
        preconditions: Preconditions { uid: live.object.uid.clone(), generation: None },
        changes: Vec::new(),
        blast: blast(live),
        class: class(live),
        undo: Undo::Nothing { why: NO_UNDO.to_owned() },
        note: None,
        proposal: None,
        made_at: now,
        expires_at: expiry(now),
    })
}

/// The writes that this plan comes down to, if nothing got worse since it was made.
pub fn order(plan: &Plan, live: Option<&LivePod>) -> Result<Evict, Refusal> {
    let Action::RestartPod { pod } = &plan.action else {
        return Err(Refusal::Limit("the plan is not one of `restart_pod`".to_owned()));
    };
    if plan.preconditions.uid != pod.uid || plan.direction != Direction::Forward {
        return Err(Refusal::Limit("the plan does not fit its own target".to_owned()));
    }
    let live = same(live, |l| &l.object, pod)?;
    let controller = replaced_by(live)?;
    if live.owner != plan.owner {
        return Err(changed(pod, format!("its owner is `{}` now", live.owner)));
    }
    if live.terminating {
        return Err(changed(pod, "it is terminating already"));
    }
    no_worse(pod, &plan.blast, &blast(live))?;
    Ok(Evict { pod: pod.clone(), controller: controller.clone(), marking: live.marking.clone() })
}

/// What became of the intent, as the object shows it.
pub fn status(live: Option<&LivePod>, plan: &Plan, intent: &IntentId) -> Applied {
    let pod = plan.action.target();
    let done = |detail: &str| Applied::done(format!("pod `{}` {detail}", pod.named.name));
    let Some(live) = live.filter(|l| l.object.uid == pod.uid) else {
        return done("is gone");
    };
    match (live.terminating, live.marking.carries(intent)) {
        (true, true) => done("carries the intent and is terminating"),
        (true, false) => done("is terminating, by somebody else's hand"),
        (false, true) => refused(format!("`{pod}` was marked and not evicted")),
        (false, false) => refused(format!("`{pod}` is the same one and stays")),
    }
}

fn refused(detail: String) -> Applied {
    Applied::Refused { refusal: Refusal::NotApplied(detail) }
}

/// The controller that will make an equal pod.
fn replaced_by(live: &LivePod) -> Result<&Object, Refusal> {
    let pod = &live.object;
    let Some(controller) = &live.controller else {
        return Err(Refusal::Limit(format!("`{pod}` has no controller: nothing would bring it back")));
    };
    match controller.named.kind {
        Kind::ReplicaSet | Kind::StatefulSet | Kind::DaemonSet => Ok(controller),
        Kind::Job | Kind::CronJob => {
            Err(Refusal::Limit(format!("`{pod}` belongs to a Job: its work would be interrupted")))
        }
        Kind::Pod
        | Kind::Deployment
        | Kind::Node
        | Kind::Namespace
        | Kind::Service
        | Kind::PersistentVolumeClaim
        | Kind::HorizontalPodAutoscaler
        | Kind::PodDisruptionBudget
        | Kind::ConfigMap
        | Kind::Other => Err(Refusal::Limit(format!(
            "`{pod}` belongs to `{controller}`, which is no controller that belay knows"
        ))),
    }
}

/// The pod itself counts as unavailable after, together with those that are not ready anyway.
fn blast(live: &LivePod) -> BlastRadius {
    let ready_after = live.owner_ready.saturating_sub(u32::from(live.ready));
    BlastRadius {
        desired: live.owner_desired,
        ready: live.owner_ready,
        unavailable_after: live.owner_desired.saturating_sub(ready_after),
        replica_delta: 0,
        budget_allows: live.budget_allows,
    }
}

fn class(live: &LivePod) -> Class {
    let last_ready = live.ready && live.owner_ready <= 1;
    let risk = if last_ready || live.budget_allows == Some(0) { Risk::Medium } else { Risk::Low };
    Class { risk, ..ActionKind::RestartPod.class() }
}

/// What people or policy agreed to was this much disturbance and no more.
fn no_worse(pod: &Object, planned: &BlastRadius, now: &BlastRadius) -> Result<(), Refusal> {
    if now.unavailable_after > planned.unavailable_after {
        let detail = format!(
            "{} of {} replicas would be unavailable now, and {} when it was planned",
            now.unavailable_after, now.desired, planned.unavailable_after
        );
        return Err(changed(pod, detail));
    }
    match (planned.budget_allows, now.budget_allows) {
        (Some(before), Some(left)) if left == 0 && before > 0 => {
            Err(changed(pod, "its disruption budget allows no disruption any more"))
        }
        (None, Some(0)) => Err(changed(pod, "a disruption budget covers it now and allows no disruption")),
        _ => Ok(()),
    }
}
