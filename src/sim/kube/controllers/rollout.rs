//! What a Deployment reports of itself: counts, availability, progress and its deadline.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::deployment::{current, margins, sets};
use crate::sim::kube::json::{flag, int, items, moment, put, text, time};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::objects::{generation, name, namespace};
use crate::sim::kube::state::State;

/// Notes that a new ReplicaSet has begun to take over.
pub(super) fn begun(state: &mut State, deployment: &Value, set: &str) {
    let now = state.now();
    state.objects.modify(Kind::Deployment, namespace(deployment), name(deployment), |deployment| {
        let message = format!("Created new replica set \"{set}\"");
        let says = ("True", "NewReplicaSetCreated", message.as_str());
        let progressing = condition(deployment, "Progressing", says, now);
        let others = others(deployment, "Progressing");
        put(deployment, &["status", "conditions"], joined(others, progressing));
    });
}

/// Brings the status up to date.
pub(super) fn report(state: &mut State, listed: &Value) {
    let Some(deployment) = state.objects.get(Kind::Deployment, namespace(listed), name(listed)).cloned()
    else {
        return;
    };
    let counts = Counts::of(state, &deployment);
    let set = current(state, &deployment);
    let now = state.now();
    let available = availability(&deployment, &counts, now);
    let progress = progress(&deployment, &counts, set.as_ref().map_or("", name), now);
    let mut status = counts.status(&deployment);
    let failure =
        sets(state, &deployment).iter().find_map(|set| items(set, "/status/conditions").first().cloned());
    let failure = failure.map(|why| {
        let says = ("True", text(&why, "/reason").to_owned(), text(&why, "/message").to_owned());
        condition(&deployment, "ReplicaFailure", (says.0, &says.1, &says.2), now)
    });
    let conditions: Vec<Value> = [available, progress].into_iter().chain(failure).collect();
    put(&mut status, &["conditions"], Value::Array(conditions));
    if let Some(deadline) = deadline(&deployment, &status) {
        state.deadline = Some(state.deadline.map_or(deadline, |known| known.min(deadline)));
    }
    let mut reported = deployment;
    put(&mut reported, &["status"], status);
    state.objects.update(Kind::Deployment, reported);
}

/// How many pods there are, by what they are.
#[derive(Debug, Clone, Copy)]
struct Counts {
    desired: i64,
    total: i64,
    updated: i64,
    ready: i64,
    available: i64,
    terminating: i64,
}

impl Counts {
    fn of(state: &State, deployment: &Value) -> Self {
        let sets = sets(state, deployment);
        let sum = |pointer: &str| sets.iter().map(|set| int(set, pointer)).sum::<i64>();
        Self {
            desired: int(deployment, "/spec/replicas"),
            total: sum("/status/replicas"),
            updated: current(state, deployment).map_or(0, |set| int(&set, "/status/replicas")),
            ready: sum("/status/readyReplicas"),
            available: sum("/status/availableReplicas"),
            terminating: sum("/status/terminatingReplicas"),
        }
    }

    /// Fields that are zero are left out, as by the real server.
    fn status(&self, deployment: &Value) -> Value {
        let mut status =
            json!({ "observedGeneration": generation(deployment), "terminatingReplicas": self.terminating });
        let fields = [
            ("replicas", self.total),
            ("updatedReplicas", self.updated),
            ("readyReplicas", self.ready),
            ("availableReplicas", self.available),
            ("unavailableReplicas", (self.total.max(self.desired) - self.available).max(0)),
        ];
        for (key, count) in fields.into_iter().filter(|(_, count)| *count > 0) {
            put(&mut status, &[key], count);
        }
        status
    }

    fn complete(&self) -> bool {
        self.updated == self.desired && self.total == self.desired && self.available == self.desired
    }

    fn progressed(&self, deployment: &Value) -> bool {
        let before = |pointer: &str| int(deployment, pointer);
        let old = |total: i64, updated: i64| total - updated;
        self.updated > before("/status/updatedReplicas")
            || old(self.total, self.updated)
                < old(before("/status/replicas"), before("/status/updatedReplicas"))
            || self.ready > before("/status/readyReplicas")
            || self.available > before("/status/availableReplicas")
    }
}

fn availability(deployment: &Value, counts: &Counts, now: Timestamp) -> Value {
    let enough = counts.available >= counts.desired - margins(deployment).0;
    let says = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    condition(deployment, "Available", says, now)
}

fn progress(deployment: &Value, counts: &Counts, set: &str, now: Timestamp) -> Value {
    let kept = find(deployment, "Progressing");
    let reason = text(&kept, "/reason").to_owned();
    match (flag(deployment, "/spec/paused"), reason.as_str()) {
        // a rollout that has failed says so also while it is paused
        (true, "DeploymentPaused" | "ProgressDeadlineExceeded") => return kept,
        (true, _) => {
            let says = ("Unknown", "DeploymentPaused", "Deployment is paused");
            return condition(deployment, "Progressing", says, now);
        }
        (false, "DeploymentPaused") => {
            let says = ("Unknown", "DeploymentResumed", "Deployment is resumed");
            return condition(deployment, "Progressing", says, now);
        }
        (false, _) => {}
    }
    // a finished rollout stays finished, also when its pods fail later
    if reason == "NewReplicaSetAvailable" && counts.total == counts.updated {
        return kept;
    }
    let (done, moving) = (
        format!("ReplicaSet \"{set}\" has successfully progressed."),
        format!("ReplicaSet \"{set}\" is progressing."),
    );
    if counts.complete() {
        return condition(deployment, "Progressing", ("True", "NewReplicaSetAvailable", &done), now);
    }
    if counts.progressed(deployment) {
        let mut fresh = condition(deployment, "Progressing", ("True", "ReplicaSetUpdated", &moving), now);
        put(&mut fresh, &["lastUpdateTime"], time(now));
        return fresh;
    }
    let late = expiry(deployment, &kept).is_some_and(|deadline| deadline <= now);
    if late && reason != "ProgressDeadlineExceeded" {
        let message = format!("ReplicaSet \"{set}\" has timed out progressing.");
        return condition(deployment, "Progressing", ("False", "ProgressDeadlineExceeded", &message), now);
    }
    kept
}

/// When the rollout that `status` describes will have taken too long.
fn deadline(deployment: &Value, status: &Value) -> Option<Timestamp> {
    let progressing =
        items(status, "/conditions").iter().find(|known| text(known, "/type") == "Progressing")?;
    let over = matches!(text(progressing, "/reason"), "NewReplicaSetAvailable" | "ProgressDeadlineExceeded");
    if over { None } else { expiry(deployment, progressing) }
}

/// The first second after the deadline of a rollout that last moved at the condition's update.
fn expiry(deployment: &Value, progressing: &Value) -> Option<Timestamp> {
    if flag(deployment, "/spec/paused") {
        return None;
    }
    let seconds = deployment.pointer("/spec/progressDeadlineSeconds").and_then(Value::as_i64).unwrap_or(600);
    let moved = moment(progressing, "/lastUpdateTime")?;
    moved.checked_add(SignedDuration::from_secs(seconds.saturating_add(1))).ok()
}

fn find(deployment: &Value, kind: &str) -> Value {
    let known = items(deployment, "/status/conditions").iter().find(|known| text(known, "/type") == kind);
    known.cloned().unwrap_or_else(|| json!({}))
}

fn others(deployment: &Value, kind: &str) -> Vec<Value> {
    items(deployment, "/status/conditions")
        .iter()
        .filter(|known| text(known, "/type") != kind)
        .cloned()
        .collect()
}

fn joined(mut conditions: Vec<Value>, one: Value) -> Value {
    conditions.push(one);
    Value::Array(conditions)
}

/// A condition that keeps its times as long as it says the same.
fn condition(deployment: &Value, kind: &str, says: (&str, &str, &str), now: Timestamp) -> Value {
    let (status, reason, message) = says;
    let before = find(deployment, kind);
    let kept = |same: bool, pointer: &str| {
        if same { text(&before, pointer).to_owned() } else { time(now) }
    };
    let same_status = text(&before, "/status") == status;
    json!({
        "lastTransitionTime": kept(same_status, "/lastTransitionTime"),
        "lastUpdateTime": kept(same_status && text(&before, "/reason") == reason, "/lastUpdateTime"),
        "message": message,
        "reason": reason,
        "status": status,
        "type": kind,
    })
}
