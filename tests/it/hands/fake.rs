//! A cluster of one Deployment and one pod behind the `Hand` port, with faults on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use belay::domain::action::live::{LivePod, LiveWorkload, Marking};
use belay::domain::action::restart_pod::Evict;
use belay::domain::action::scale_workload::SetReplicas;
use belay::domain::ids::IntentId;
use belay::domain::target::Object;
use belay::ports::cluster_writes::{Answer, Hand, Mode};
use belay::ports::reads::ReadError;

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
    pub workload: Option<LiveWorkload>,
    pub pod: Option<LivePod>,
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
                workload.replicas = replicas;
                workload.generation += 1;
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

#[async_trait]
impl Hand for FakeHand {
    async fn workload(&self, _: &Object) -> Result<Option<LiveWorkload>, ReadError> {
        self.read(|w| w.workload.clone())
    }

    async fn pod(&self, _: &Object) -> Result<Option<LivePod>, ReadError> {
        self.read(|w| w.pod.clone())
    }

    async fn set_replicas(&self, order: &SetReplicas, mode: Mode<'_>) -> Answer {
        self.write(format!("replicas {}", order.to), mode, |world| {
            let Some(live) = &mut world.workload else { return refused(404, "NotFound", "not found") };
            let same = live.object.uid == order.workload.uid
                && live.generation == order.generation
                && live.replicas == order.from;
            if !same {
                return test_failed();
            }
            live.replicas = order.to;
            live.generation += 1;
            live.marking = marked(mode);
            Answer::Done
        })
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
