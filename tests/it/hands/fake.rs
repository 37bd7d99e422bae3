//! A cluster of one Deployment and one pod behind the `Hand` port, with faults on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use belay::domain::action::Action;
use belay::domain::action::edit::{Edit, Field};
use belay::domain::action::job::{CreateJob, LiveJob};
use belay::domain::action::live::{LiveAbout, LiveObject, LivePod, Marking, Pods};
use belay::domain::action::restart_pod::Evict;
use belay::domain::ids::IntentId;
use belay::domain::plan::INTENT_ANNOTATION;
use belay::domain::target::Object;
use belay::domain::warrant::Progress;
use belay::ports::cluster_writes::{Answer, Hand, Mode};
use belay::ports::reads::ReadError;
use serde_json::{Value, json};

use super::world::set_replicas;

/// What goes wrong with the next write that is for real.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection breaks before the API server hears of it.
    LostBefore,
    /// It takes effect and the answer is lost.
    LostAfter,
    /// It is answered so, without effect.
    Status(u16, &'static str, &'static str),
    /// Somebody sets the replicas to this just before it arrives.
    EditFirst(u32),
}

/// The cluster.
#[derive(Debug, Default)]
pub struct World {
    pub workload: Option<LiveObject>,
    pub pod: Option<LivePod>,
    pub jobs: BTreeMap<String, LiveJob>,
    pub faults: VecDeque<Fault>,
    /// What dry runs are answered.
    pub dry_run: Option<(u16, &'static str, &'static str)>,
    /// Reads fail from now on.
    pub blind: bool,
    /// Reads fail once a write was sent.
    pub blind_after_write: bool,
    /// Writes for real that were sent: replicas, marks, evictions.
    pub sent: Vec<String>,
    /// Those that took effect.
    pub effects: Vec<String>,
    /// Dry runs.
    pub rehearsed: u32,
}

/// The hand on it; clones share it.
#[derive(Debug, Clone, Default)]
pub struct FakeHand(pub Arc<Mutex<World>>);

impl FakeHand {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn read<T>(&self, of: impl FnOnce(&World) -> Option<T>) -> Result<Option<T>, ReadError> {
        let world = self.world();
        if world.blind {
            return Err(ReadError::Failed { what: "the object".into(), why: "connection refused".into() });
        }
        Ok(of(&world))
    }

    fn write(&self, name: String, mode: Mode<'_>, effect: impl FnOnce(&mut World) -> Answer) -> Answer {
        let mut world = self.world();
        if mode == Mode::DryRun {
            world.rehearsed += 1;
            return match world.dry_run {
                Some((code, reason, message)) => refused(code, reason, message),
                None => Answer::Done,
            };
        }
        world.sent.push(name.clone());
        world.blind |= world.blind_after_write;
        let fault = world.faults.pop_front();
        match fault {
            Some(Fault::LostBefore) => return Answer::Unknown("connection reset".into()),
            Some(Fault::Status(code, reason, message)) => return refused(code, reason, message),
            Some(Fault::EditFirst(replicas)) => {
                let workload = world.workload.as_mut().unwrap();
                set_replicas(workload, replicas);
                workload.generation = workload.generation.map(|n| n + 1);
            }
            Some(Fault::LostAfter) | None => {}
        }
        let answer = effect(&mut world);
        if answer == Answer::Done {
            world.effects.push(name);
        }
        if matches!(fault, Some(Fault::LostAfter)) {
            Answer::Unknown("connection reset".into())
        } else {
            answer
        }
    }
}

fn refused(code: u16, reason: &str, message: &str) -> Answer {
    Answer::Refused { code, reason: reason.into(), message: message.into() }
}

fn test_failed() -> Answer {
    refused(422, "Invalid", "the server rejected our request due to an error in our request")
}

fn marked(mode: Mode<'_>) -> Marking {
    let intent = match mode {
        Mode::Act(intent) => Some(intent.to_string()),
        Mode::DryRun => None,
    };
    Marking::Annotated { intent }
}

/// "replicas 5".
fn told(field: &Field) -> String {
    let name = field.path.rsplit('/').next().unwrap();
    field.to.as_ref().map_or_else(|| format!("no {name}"), |to| format!("{name} {to}"))
}

/// What the API server does with the one patch; `false`: a test failed and nothing happened.
pub fn changed(live: &mut LiveObject, order: &Edit, mode: Mode<'_>) -> bool {
    let intent = match mode {
        Mode::Act(intent) => intent.as_str(),
        Mode::DryRun => "plan",
    };
    if live.object.uid != order.object().uid || live.generation != order.generation() {
        return false;
    }
    let mut content = live.content.clone();
    for Field { path, from, to } in order.fields(intent) {
        if content.pointer(&path) != from.as_ref() {
            return false;
        }
        let op = match (from, to) {
            (None, Some(to)) => json!({ "op": "add", "path": path, "value": to }),
            (Some(_), Some(to)) => json!({ "op": "replace", "path": path, "value": to }),
            (_, None) => json!({ "op": "remove", "path": path }),
        };
        let patch: json_patch::Patch = serde_json::from_value(json!([op])).unwrap();
        json_patch::patch(&mut content, &patch).unwrap();
    }
    live.content = content;
    live.generation = live.generation.map(|n| n + 1);
    live.marking = marked(mode);
    if let Some(desired) = live.content.pointer("/spec/replicas").and_then(Value::as_u64) {
        live.pods.get_or_insert(Pods::default()).desired = desired.try_into().unwrap();
    }
    true
}

#[async_trait]
impl Hand for FakeHand {
    async fn object(&self, _: &Action) -> Result<Option<LiveObject>, ReadError> {
        self.read(|w| w.workload.clone())
    }

    async fn pod(&self, _: &Object) -> Result<Option<LivePod>, ReadError> {
        self.read(|w| w.pod.clone())
    }

    async fn about(&self, _: &Object) -> Result<Option<LiveAbout>, ReadError> {
        let about = |live: &LiveObject| LiveAbout { object: live.object.clone(), owner: live.owner.clone() };
        self.read(|w| w.workload.as_ref().map(about))
    }

    async fn job(&self, _: &str, name: &str) -> Result<Option<LiveJob>, ReadError> {
        self.read(|w| w.jobs.get(name).cloned())
    }

    async fn create_job(&self, order: &CreateJob, mode: Mode<'_>) -> Answer {
        let intent = match mode {
            Mode::Act(intent) => intent.as_str(),
            Mode::DryRun => "plan",
        };
        let body = order.body(intent);
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        let intent = body["metadata"]["annotations"][INTENT_ANNOTATION].as_str().map(str::to_owned);
        self.write(format!("job {name}"), mode, |world| {
            if world.jobs.contains_key(&name) {
                return refused(409, "AlreadyExists", "already exists");
            }
            world.jobs.insert(name.clone(), LiveJob { name, intent, progress: Progress::Running });
            Answer::Done
        })
    }

    async fn edit(&self, order: &Edit, mode: Mode<'_>) -> Answer {
        let told: Vec<String> = order.fields("intent").iter().map(told).collect();
        self.write(told.join(", "), mode, |world| {
            let Some(live) = &mut world.workload else { return refused(404, "NotFound", "not found") };
            if changed(live, order, mode) { Answer::Done } else { test_failed() }
        })
    }

    async fn rehearse_template(&self, _: &Edit) -> Answer {
        self.write("new pods".into(), Mode::DryRun, |_| Answer::Done)
    }

    async fn rehearse(&self, _: &Evict) -> Answer {
        self.write("new pod".into(), Mode::DryRun, |_| Answer::Done)
    }

    async fn mark(&self, order: &Evict, intent: &IntentId) -> Answer {
        self.write("mark".into(), Mode::Act(intent), |world| {
            let Some(live) = world.pod.as_mut().filter(|p| p.object.uid == order.pod.uid) else {
                return test_failed();
            };
            live.marking = marked(Mode::Act(intent));
            Answer::Done
        })
    }

    async fn evict(&self, order: &Evict, mode: Mode<'_>) -> Answer {
        self.write("evict".into(), mode, |world| match &world.pod {
            None => refused(404, "NotFound", "not found"),
            Some(live) if live.object.uid != order.pod.uid => refused(409, "Conflict", "the uid differs"),
            Some(_) => {
                world.pod = None;
                Answer::Done
            }
        })
    }
}
