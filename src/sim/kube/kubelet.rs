//! The kubelet: steps a pod's life from one due moment to the next and shows it in the pod's status.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::behaviours::Behaviour;
use super::events::{Note, Source};
use super::json::{bytes, items, millicores, put, text, time};
use super::kinds::Kind;
use super::life::{Ended, Instance, Life, Step};
use super::objects::{hex, name, namespace, uid};
use super::pod;
use super::references;
use super::scheduler;
use super::state::State;
use super::voice::{report_kill, say, tell};

/// From scheduling to the start of the container, and from an end to what follows it.
const BEAT: SignedDuration = SignedDuration::from_secs(1);
/// From an eviction to the pod's removal, when its grace period is not shorter.
const STOPPING: SignedDuration = SignedDuration::from_secs(2);
/// A container that ran this long starts its back-off anew: the kubelet's own figure.
const FORGIVEN: SignedDuration = SignedDuration::from_mins(10);
/// How often a readiness probe that fails is reported.
const PROBE: SignedDuration = SignedDuration::from_secs(30);

/// Begins the life of a pod that has just been stored: scheduling, then the fetch of its image.
pub(crate) fn begin(state: &mut State, stored: &Value, workload: Option<String>) {
    let container = items(stored, "/spec/containers").first().cloned().unwrap_or_default();
    let now = state.now();
    let number = state.lives.len().saturating_add(usize::try_from(state.objects.version()).unwrap_or(0));
    let life = Life {
        namespace: namespace(stored).to_owned(),
        name: name(stored).to_owned(),
        uid: uid(stored).to_owned(),
        container: text(&container, "/name").to_owned(),
        image: text(&container, "/image").to_owned(),
        workload,
        cpu_limit: millicores(text(&container, "/resources/limits/cpu")).unwrap_or(1000),
        memory_limit: bytes(text(&container, "/resources/limits/memory")).unwrap_or(1 << 30),
        requests: (
            millicores(text(&container, "/resources/requests/cpu")).unwrap_or(0),
            bytes(text(&container, "/resources/requests/memory")).unwrap_or(0),
        ),
        own: None,
        read: None,
        refused: None,
        denied: false,
        step: Step::Unscheduled,
        due: None,
        stopping: false,
        restarts: 0,
        crashes: 0,
        pulls: 0,
        current: None,
        ended: None,
        previous: None,
        ready: false,
        ready_changed: now,
        born: now,
        node: None,
        unplaced: None,
        ip: format!("10.88.{}.{}", (number / 250) % 250, number % 250 + 2),
        said: Vec::new(),
    };
    let id = life.uid.clone();
    state.lives.insert(id.clone(), life);
    schedule(state, &id);
    show(state, &id);
}

/// Gives a pod a node: the schedulable one with the fewest pods.
pub(crate) fn schedule(state: &mut State, id: &str) {
    let Some(life) = state.lives.get(id) else { return };
    if life.step != Step::Unscheduled || life.stopping {
        return;
    }
    let due = state.now().checked_add(BEAT).ok();
    let (space, pod) = (life.namespace.clone(), life.name.clone());
    let node = match scheduler::place(state, life) {
        Ok(node) => node,
        Err(message) if life.unplaced.as_ref() == Some(&message) => return,
        Err(message) => {
            if let Some(life) = state.lives.get_mut(id) {
                life.unplaced = Some(message.clone());
            }
            tell(
                state,
                id,
                Note {
                    source: Source::Scheduler,
                    warning: true,
                    reason: "FailedScheduling",
                    message: &message,
                },
            );
            return;
        }
    };
    if let Some(life) = state.lives.get_mut(id) {
        life.node = Some(node.clone());
        life.step = Step::Creating;
        life.due = due;
    }
    if let Some(mut object) = state.objects.get(Kind::Pod, &space, &pod).cloned() {
        put(&mut object, &["spec", "nodeName"], node.as_str());
        state.objects.bind(Kind::Pod, object);
    }
    let message = format!("Successfully assigned {space}/{pod} to {node}");
    tell(
        state,
        id,
        Note { source: Source::Scheduler, warning: false, reason: "Scheduled", message: &message },
    );
}

/// Carries a pod over its due moment.
pub(crate) fn step(state: &mut State, id: &str) {
    let Some(life) = state.lives.get(id) else { return };
    if life.stopping {
        remove(state, id);
        return;
    }
    match life.step {
        Step::Unscheduled => schedule(state, id),
        Step::Creating | Step::PullBackOff => pull(state, id),
        Step::PullFailed => back_off_pull(state, id),
        Step::Up => live(state, id),
        Step::Crashed => after_end(state, id),
        Step::BackOff | Step::Refused => start(state, id),
    }
    show(state, id);
}

/// Sets the due moment of a pod anew, after its behaviour was changed from outside.
pub(crate) fn replan(state: &mut State, id: &str) {
    let Some(life) = state.lives.get(id) else { return };
    if life.step != Step::Up || life.stopping {
        return;
    }
    let due = next_of_running(state, life);
    let (behaviour, _) = state.behaviour(life);
    let now = state.now();
    if let Some(life) = state.lives.get_mut(id) {
        life.due = due;
        if !behaviour.becomes_ready() {
            life.set_ready(false, now);
        }
    }
    show(state, id);
}

/// Begins the end of a pod; whether it was not under way already.
pub(crate) fn stop(state: &mut State, id: &str) -> bool {
    let now = state.now();
    let Some(life) = state.lives.get_mut(id).filter(|life| !life.stopping) else { return false };
    life.stopping = true;
    let (space, pod, node) = (life.namespace.clone(), life.name.clone(), life.node.clone());
    let container = life.container.clone();
    let running = life.step == Step::Up;
    let grace = state
        .objects
        .get(Kind::Pod, &space, &pod)
        .and_then(|object| object.pointer("/spec/terminationGracePeriodSeconds"))
        .and_then(Value::as_i64)
        .unwrap_or(30);
    let until = now.checked_add(SignedDuration::from_secs(grace)).unwrap_or(now);
    if let Some(life) = state.lives.get_mut(id) {
        life.due = now.checked_add(STOPPING).ok().map(|end| end.min(until));
    }
    state.objects.modify(Kind::Pod, &space, &pod, |object| {
        put(object, &["metadata", "deletionTimestamp"], time(until));
        put(object, &["metadata", "deletionGracePeriodSeconds"], grace);
        let next = super::objects::generation(object).saturating_add(1);
        put(object, &["metadata", "generation"], next);
    });
    if running {
        let source = Source::Kubelet { node: node.as_deref().unwrap_or_default(), container: &container };
        tell(
            state,
            id,
            Note {
                source,
                warning: false,
                reason: "Killing",
                message: &format!("Stopping container {container}"),
            },
        );
    }
    true
}

fn remove(state: &mut State, id: &str) {
    if let Some(life) = state.lives.remove(id) {
        state.objects.remove(Kind::Pod, &life.namespace, &life.name);
    }
}

fn pull(state: &mut State, id: &str) {
    let Some(life) = state.lives.get(id) else { return };
    let (behaviour, _) = state.behaviour(life);
    if behaviour != Behaviour::BadImage {
        start(state, id);
        return;
    }
    let image = life.image.clone();
    let denied = references::no_pull_secret(state, life);
    let due = state.now().checked_add(BEAT).ok();
    if let Some(life) = state.lives.get_mut(id) {
        life.denied = denied;
        life.step = Step::PullFailed;
        life.pulls = life.pulls.saturating_add(1);
        life.due = due;
    }
    say(state, id, false, "Pulling", &format!("Pulling image \"{image}\""));
    let cause = format!("Failed to pull image \"{image}\": {}", pod::pull_error(&image, denied));
    say(state, id, true, "Failed", &cause);
    say(state, id, true, "Failed", "Error: ErrImagePull");
}

fn back_off_pull(state: &mut State, id: &str) {
    let now = state.now();
    let Some(life) = state.lives.get_mut(id) else { return };
    life.step = Step::PullBackOff;
    life.due = now.checked_add(life.pull_back_off()).ok();
    let message = format!("Back-off pulling image \"{}\"", life.image);
    say(state, id, false, "BackOff", &message);
    say(state, id, true, "Failed", "Error: ImagePullBackOff");
}

/// Starts an instance of the container, unless something that it is made with is missing.
fn start(state: &mut State, id: &str) {
    let now = state.now();
    if let Some(why) = state.lives.get(id).and_then(|life| references::missing(state, life)) {
        let Some(life) = state.lives.get_mut(id) else { return };
        life.step = Step::Refused;
        // it is tried again as soon as something changes
        life.due = None;
        let known = state.lives.get(id).is_some_and(|life| life.refused.as_ref() == Some(&why));
        if let Some(life) = state.lives.get_mut(id) {
            life.refused = Some(why.clone());
        }
        if !known {
            say(state, id, true, "Failed", &format!("Error: {why}"));
        }
        return;
    }
    let read = state.lives.get(id).and_then(|life| state.read(life));
    let Some(life) = state.lives.get_mut(id) else { return };
    life.read = read;
    if life.ended.is_some() {
        life.restarts = life.restarts.saturating_add(1);
    }
    let instance = hex(format!("{id}/{}", life.restarts).as_bytes());
    life.current = Some(Instance { id: instance, started: now });
    life.step = Step::Up;
    let image = life.image.clone();
    let pulled =
        format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
    say(state, id, false, "Pulled", &pulled);
    say(state, id, false, "Created", "Container created");
    say(state, id, false, "Started", "Container started");
    live(state, id);
}

/// What a running container does at `now`: ends, becomes ready, or goes on.
fn live(state: &mut State, id: &str) {
    let now = state.now();
    let Some(life) = state.lives.get(id) else { return };
    let Some((behaviour, run)) = state.running(life) else { return };
    if behaviour.ends_at(run).is_some_and(|end| end <= now) {
        end(state, id, &behaviour);
        return;
    }
    let ready_at = run.started.checked_add(state.ready_after(life)).unwrap_or(now);
    let ready = behaviour.becomes_ready() && ready_at <= now;
    if !behaviour.becomes_ready() && run.started < now {
        say(state, id, true, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503");
    }
    if let Some(life) = state.lives.get_mut(id) {
        life.set_ready(ready, now);
    }
    let due = state.lives.get(id).and_then(|life| next_of_running(state, life));
    if let Some(life) = state.lives.get_mut(id) {
        life.due = due;
    }
}

/// The next moment at which something happens to a running container.
fn next_of_running(state: &State, life: &Life) -> Option<Timestamp> {
    let (behaviour, run) = state.running(life)?;
    let ready_at = run.started.checked_add(state.ready_after(life)).ok();
    let ready_at = ready_at.filter(|_| !life.ready && behaviour.becomes_ready());
    let probe = state.now().checked_add(PROBE).ok().filter(|_| !behaviour.becomes_ready());
    [behaviour.ends_at(run), ready_at, probe].into_iter().flatten().min()
}

fn end(state: &mut State, id: &str, behaviour: &Behaviour) {
    let now = state.now();
    let (exit_code, reason) = behaviour.ending();
    let Some(since) = state.lives.get(id).map(|life| state.behaviour(life).1) else { return };
    let Some(life) = state.lives.get_mut(id) else { return };
    let Some(current) = life.current.take() else { return };
    let forgiven = now.duration_since(current.started) >= FORGIVEN;
    life.crashes = if forgiven { 1 } else { life.crashes.saturating_add(1) };
    life.previous = life.ended.take();
    life.ended = Some(Ended {
        id: current.id,
        started: current.started,
        finished: now,
        exit_code,
        reason,
        behaviour: behaviour.clone(),
        restarts: life.restarts,
        since,
    });
    life.step = Step::Crashed;
    life.set_ready(false, now);
    life.due = now.checked_add(BEAT).ok();
    if reason == "OOMKilled" {
        report_kill(state, id);
    }
}

/// A first end is followed by a start at once, a further one by the back-off.
fn after_end(state: &mut State, id: &str) {
    let Some(life) = state.lives.get_mut(id) else { return };
    if life.crashes < 2 {
        start(state, id);
        return;
    }
    let finished = life.ended.as_ref().map_or(life.born, |ended| ended.finished);
    life.step = Step::BackOff;
    life.due = finished.checked_add(life.back_off()).ok();
    let message = format!(
        "Back-off restarting failed container {} in pod {}_{}({id})",
        life.container, life.name, life.namespace
    );
    say(state, id, true, "BackOff", &message);
}

/// Writes a pod's life into its status.
pub(crate) fn show(state: &mut State, id: &str) {
    let Some(life) = state.lives.get(id) else { return };
    let Some(object) = state.objects.get(Kind::Pod, &life.namespace, &life.name) else { return };
    let status = pod::status(life, object);
    let mut object = object.clone();
    put(&mut object, &["status"], status);
    state.objects.update(Kind::Pod, object);
}

/// The controller references that a new pod carries.
pub(crate) fn owned_by(owner: &Value) -> Value {
    json!([{
        "apiVersion": text(owner, "/apiVersion"),
        "kind": text(owner, "/kind"),
        "name": name(owner),
        "uid": uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}
