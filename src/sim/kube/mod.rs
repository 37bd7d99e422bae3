//! A simulated Kubernetes cluster: objects, controllers and containers in memory, on a clock that is
//! passed in, behind the real API over HTTP.
//!
//! All state is under one lock. Every access first lets happen what is due until now, so that what is read
//! is always current; a task sleeps until the next due moment, so that watches hear of it in time.

mod api;
mod behaviours;
mod builder;
mod controllers;
mod defaults;
mod discovery;
mod endpoints;
mod events;
mod eviction;
pub mod faults;
mod inspect;
mod json;
mod kinds;
mod kubelet;
mod life;
mod logs;
mod managed;
mod metrics;
mod objects;
mod patch;
mod pod;
mod reads;
mod references;
mod route;
mod scale;
mod scheduler;
mod selectors;
mod serve;
mod shop;
mod spec;
mod state;
mod status;
mod tokens;
mod voice;
mod watch;
mod workloads;
mod write_log;
mod writes;

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch as signal;

pub use behaviours::Behaviour;
pub use builder::Builder;
pub use faults::Faults;
pub use inspect::{DeploymentView, PodView};
pub use kinds::{Kind, Spelling};
pub use objects::Objects;
pub use route::Verb;
pub use shop::{Fault, Pods, SHOP};
pub use spec::{Budget, DeploymentSpec};
pub use tokens::{Access, Granted, Token};
pub use write_log::{Arrival, INTENT, WriteSeen};

use crate::ports::clock::SharedClock;
use state::State;

/// The simulated cluster; clones share it.
#[derive(Debug, Clone)]
pub struct World {
    shared: Arc<Shared>,
}

/// What moves in the world: the store's version and the next due moment.
type Pulse = (u64, Option<Timestamp>);

#[derive(Debug)]
struct Shared {
    clock: SharedClock,
    state: Mutex<State>,
    moved: signal::Sender<Pulse>,
}

impl World {
    /// A world without workloads.
    pub fn builder(clock: SharedClock) -> Builder {
        Builder::new(clock)
    }

    fn from_state(clock: SharedClock, state: State) -> Self {
        let moved = signal::Sender::new((state.objects.version(), state.next_due()));
        Self { shared: Arc::new(Shared { clock, state: Mutex::new(state), moved }) }
    }

    /// The clock of this world.
    pub fn clock(&self) -> &SharedClock {
        &self.shared.clock
    }

    /// Changes objects as a person would, at once; the controllers follow.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Objects) -> T) -> T {
        self.with(|state| change(&mut state.objects))
    }

    /// Changes what goes wrong on purpose.
    pub fn faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        self.with(|state| change(&mut state.faults))
    }

    /// How many requests arrived so far.
    pub fn requests(&self) -> u64 {
        self.with(|state| state.requests)
    }

    /// Every mutating request so far.
    pub fn writes(&self) -> Vec<WriteSeen> {
        self.with(|state| state.log.seen.clone())
    }

    /// Appends every further mutating request to a file as a JSON line, before it is answered.
    pub fn log_writes_to(&self, file: File) {
        self.with(|state| state.log.file = Some(file));
    }

    /// Calls `hook` for every mutating request when it arrives, before anything else happens to it. The
    /// hook runs under the world's lock and must not call the world.
    pub fn on_write(&self, hook: impl Fn(&Arrival) + Send + 'static) {
        self.with(|state| state.log.on_arrival = Some(Box::new(hook)));
    }

    /// Changes what the pods of a workload do, from now on.
    pub fn behave(&self, namespace: &str, workload: &str, behaviour: Behaviour) {
        self.with(|state| state.behave(namespace, workload, behaviour));
    }

    /// Changes what the containers of an image do, from their next start on; wins over the workload's.
    pub fn behave_image(&self, image: &str, behaviour: Behaviour) {
        self.with(|state| state.images.insert(image.to_owned(), behaviour));
    }

    /// Changes what one pod does, from now on; its successor behaves as the workload does.
    pub fn behave_pod(&self, namespace: &str, pod: &str, behaviour: Behaviour) {
        self.with(|state| state.behave_pod(namespace, pod, behaviour));
    }

    /// Makes a pod's container write a line to its log.
    pub fn say(&self, namespace: &str, pod: &str, line: &str) {
        self.with(|state| {
            let now = state.now();
            let uid = state.life(namespace, pod).map(|life| life.uid.clone());
            if let Some(life) = uid.and_then(|uid| state.lives.get_mut(&uid)) {
                life.said.push((now, line.to_owned()));
            }
        });
    }

    /// Runs `f` on the world as it is now, and tells the watches when something moved.
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(self.shared.clock.now());
        let out = f(&mut state);
        state.reconcile();
        let pulse = (state.objects.version(), state.next_due());
        drop(state);
        self.shared.moved.send_if_modified(|known| {
            let moved = *known != pulse;
            *known = pulse;
            moved
        });
        out
    }

    /// Hears of every move of the world.
    fn moved(&self) -> signal::Receiver<Pulse> {
        self.shared.moved.subscribe()
    }
}
