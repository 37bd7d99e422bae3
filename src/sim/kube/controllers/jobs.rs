//! Jobs that were made over HTTP: each runs for a while and ends as its image behaves, and goes some time after.
//! There are no pods: what is told of a Job stands in its status.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::sim::kube::behaviours::Behaviour;
use crate::sim::kube::json::{put, text, time};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::objects::{name, namespace, uid};
use crate::sim::kube::state::State;

/// How long a run takes that succeeds: an image that is there, and a small task.
const TAKES: SignedDuration = SignedDuration::from_secs(5);
/// How long one takes that fails.
const FAILS_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// A Job that runs or has ended.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    namespace: String,
    name: String,
    started: Timestamp,
    ended: Option<Timestamp>,
}

/// How a run ends.
enum End {
    Complete,
    Failed(&'static str, &'static str),
}

/// Starts the Job.
pub(crate) fn begin(state: &mut State, job: &Value) {
    let started = state.now();
    let (namespace, name) = (namespace(job).to_owned(), name(job).to_owned());
    let status = json!({
        "active": 1, "ready": 0, "startTime": time(started), "terminating": 0, "uncountedTerminatedPods": {},
    });
    state.objects.modify(Kind::Job, &namespace, &name, |job| put(job, &["status"], status));
    state.jobs.insert(uid(job).to_owned(), Run { namespace, name, started, ended: None });
}

/// Ends what is due, takes away what has stayed long enough, and says when the next of that is.
pub(super) fn reconcile(state: &mut State) {
    let runs: Vec<(String, Run)> = state.jobs.iter().map(|(uid, run)| (uid.clone(), run.clone())).collect();
    for (id, run) in runs {
        let found = state.objects.get(Kind::Job, &run.namespace, &run.name);
        let Some(job) = found.filter(|job| uid(job) == id).cloned() else {
            state.jobs.remove(&id);
            continue;
        };
        let due = match run.ended {
            None => ending(state, &job, &run, &id),
            Some(ended) => going(state, &job, &run, ended),
        };
        state.deadline = [state.deadline, due].into_iter().flatten().min();
    }
}

/// Ends the run if its time has come; otherwise, when that is.
fn ending(state: &mut State, job: &Value, run: &Run, id: &str) -> Option<Timestamp> {
    let (after, end) = fate(state, job)?;
    let at = run.started.checked_add(after).ok()?;
    if at > state.now() {
        return Some(at);
    }
    let status = ended(run, at, &end);
    state.objects.modify(Kind::Job, &run.namespace, &run.name, |job| put(job, &["status"], status));
    if let Some(run) = state.jobs.get_mut(id) {
        run.ended = Some(at);
    }
    None
}

/// Takes the Job away if it has stayed long enough; otherwise, when that is.
fn going(state: &mut State, job: &Value, run: &Run, ended: Timestamp) -> Option<Timestamp> {
    let stays = job.pointer("/spec/ttlSecondsAfterFinished").and_then(Value::as_i64)?;
    let at = ended.checked_add(SignedDuration::from_secs(stays)).ok()?;
    if at > state.now() {
        return Some(at);
    }
    state.objects.remove(Kind::Job, &run.namespace, &run.name);
    None
}

/// After how long it ends, and how; `None`: it runs for ever.
fn fate(state: &State, job: &Value) -> Option<(SignedDuration, End)> {
    let image = text(job, "/spec/template/spec/containers/0/image");
    let own = match state.images.get(image) {
        Some(Behaviour::NeverReady | Behaviour::BadImage) => None,
        Some(Behaviour::CrashAtStart { exit_code, .. }) if *exit_code != 0 => {
            let why = ("BackoffLimitExceeded", "Job has reached the specified backoff limit");
            Some((FAILS_AFTER, End::Failed(why.0, why.1)))
        }
        Some(
            Behaviour::CrashAtStart { .. }
            | Behaviour::Healthy
            | Behaviour::Leak { .. }
            | Behaviour::Reads { .. }
            | Behaviour::Busy { .. },
        )
        | None => Some((TAKES, End::Complete)),
    };
    let limit =
        job.pointer("/spec/activeDeadlineSeconds").and_then(Value::as_i64).map(SignedDuration::from_secs);
    let late = || End::Failed("DeadlineExceeded", "Job was active longer than specified deadline");
    match (own, limit) {
        (Some((after, end)), limit) if limit.is_none_or(|limit| after <= limit) => Some((after, end)),
        (_, Some(limit)) => Some((limit, late())),
        (_, None) => None,
    }
}

/// The status of a run that has ended, in the words of 1.33: the end is announced before it is there.
fn ended(run: &Run, at: Timestamp, end: &End) -> Value {
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastProbeTime": time(at), "lastTransitionTime": time(at),
        })
    };
    let common = json!({ "ready": 0, "startTime": time(run.started), "terminating": 0, "uncountedTerminatedPods": {} });
    let mut status = common;
    match end {
        End::Complete => {
            let (reason, message) = ("CompletionsReached", "Reached expected number of succeeded pods");
            let conditions = ["SuccessCriteriaMet", "Complete"].map(|kind| condition(kind, reason, message));
            put(&mut status, &["conditions"], json!(conditions));
            put(&mut status, &["completionTime"], time(at));
            put(&mut status, &["succeeded"], 1);
        }
        End::Failed(reason, message) => {
            let conditions = ["FailureTarget", "Failed"].map(|kind| condition(kind, reason, message));
            put(&mut status, &["conditions"], json!(conditions));
            put(&mut status, &["failed"], 1);
        }
    }
    status
}
