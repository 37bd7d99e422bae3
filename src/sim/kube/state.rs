//! Everything the world knows, and how it moves forward: from one due moment to the next, with the
//! controllers run to a standstill after each.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::behaviours::{Behaviour, Running};
use super::controllers;
use super::controllers::jobs::Run;
use super::faults::{Faults, Late};
use super::kinds::Kind;
use super::kubelet;
use super::life::Life;
use super::objects::Objects;
use super::tokens::Token;
use super::write_log::WriteLog;

/// Rounds of the controllers after one change: a rollout step touches deployment, replica sets, pods and
/// budgets in turn, so that a handful settles it; the bound only stops two edits that fight.
const ROUNDS: usize = 64;

/// What a workload's pods do.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    pub behaviour: Behaviour,
    pub since: Timestamp,
    pub ready_after: SignedDuration,
}

#[derive(Debug)]
pub(crate) struct State {
    pub objects: Objects,
    /// The life of each pod, by uid.
    pub lives: BTreeMap<String, Life>,
    /// Behaviour by namespace and name of the root controller.
    pub workloads: BTreeMap<(String, String), Workload>,
    /// Behaviour by image; wins over the workload's.
    pub images: BTreeMap<String, Behaviour>,
    pub faults: Faults,
    /// Requests that were received and take effect later.
    pub late: Vec<Late>,
    pub log: WriteLog,
    pub tokens: Vec<Token>,
    /// Effective evictions by pod uid.
    pub evictions: BTreeMap<String, u32>,
    /// The Jobs that were made over HTTP, by uid.
    pub jobs: BTreeMap<String, Run>,
    /// The next moment at which a rollout's deadline passes, or a Job ends or goes.
    pub deadline: Option<Timestamp>,
    /// Requests that arrived.
    pub requests: u64,
    /// The version at which the controllers last found nothing to do.
    settled: u64,
}

impl State {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            objects: Objects::new(seed, now),
            lives: BTreeMap::new(),
            workloads: BTreeMap::new(),
            images: BTreeMap::new(),
            faults: Faults::default(),
            late: Vec::new(),
            log: WriteLog::default(),
            tokens: Vec::new(),
            evictions: BTreeMap::new(),
            jobs: BTreeMap::new(),
            deadline: None,
            requests: 0,
            settled: 0,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.objects.now
    }

    /// The next moment at which something happens by itself.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let lives = self.lives.values().filter_map(|life| life.due);
        let late = self.late.iter().map(|late| late.due);
        lives.chain(late).chain(self.deadline).min()
    }

    /// Lets everything happen that is due until `target`. A clock that went back stands still.
    pub(crate) fn advance(&mut self, target: Timestamp) {
        while let Some(due) = self.next_due().filter(|due| *due <= target) {
            self.objects.now = self.now().max(due);
            self.fire();
            self.reconcile();
        }
        self.objects.now = self.now().max(target);
    }

    /// Runs the controllers until they find nothing to do; at once when nothing changed since.
    pub(crate) fn reconcile(&mut self) {
        if self.objects.version() == self.settled {
            return;
        }
        for _ in 0..ROUNDS {
            let before = self.objects.version();
            controllers::reconcile(self);
            if self.objects.version() == before {
                break;
            }
        }
        self.settled = self.objects.version();
    }

    /// The behaviour of a pod's container and since when it holds.
    pub(crate) fn behaviour(&self, life: &Life) -> (Behaviour, Timestamp) {
        let (behaviour, since) = self.declared(life);
        match (&behaviour, &life.read) {
            (Behaviour::Reads { .. }, Some(read)) => (read.clone(), since),
            _ => (behaviour, since),
        }
    }

    /// What a container that starts now makes of what it reads.
    pub(crate) fn read(&self, life: &Life) -> Option<Behaviour> {
        let Behaviour::Reads { config, key, good } = self.declared(life).0 else { return None };
        let config = self.objects.get(Kind::ConfigMap, &life.namespace, &config);
        let value = config.and_then(|config| config.pointer("/data")?.get(&key)?.as_str());
        Some(if value == Some(good.as_str()) {
            Behaviour::Healthy
        } else {
            let log = format!("cannot start: `{key}` is {}", value.unwrap_or("not set"));
            Behaviour::CrashAtStart { exit_code: 1, log }
        })
    }

    fn declared(&self, life: &Life) -> (Behaviour, Timestamp) {
        if let Some(own) = &life.own {
            return own.clone();
        }
        if let Some(behaviour) = self.images.get(&life.image) {
            return (behaviour.clone(), life.born);
        }
        self.workload(life)
            .map_or((Behaviour::Healthy, life.born), |workload| (workload.behaviour.clone(), workload.since))
    }

    /// How long after its start a container becomes ready.
    pub(crate) fn ready_after(&self, life: &Life) -> SignedDuration {
        self.workload(life).map_or(SignedDuration::ZERO, |workload| workload.ready_after)
    }

    /// The running instance of a pod's container, for the usage functions.
    pub(crate) fn running(&self, life: &Life) -> Option<(Behaviour, Running)> {
        let started = life.current.as_ref()?.started;
        let (behaviour, since) = self.behaviour(life);
        Some((behaviour, Running { started, since, restarts: life.restarts }))
    }

    /// The life of a pod by its name.
    pub(crate) fn life(&self, namespace: &str, name: &str) -> Option<&Life> {
        let pod = self.objects.get(Kind::Pod, namespace, name)?;
        self.lives.get(super::objects::uid(pod))
    }

    /// How many pods of a pod's workload serve.
    pub(crate) fn serving(&self, life: &Life) -> u64 {
        let peers = self.lives.values().filter(|peer| {
            peer.namespace == life.namespace && peer.workload == life.workload && peer.ready && !peer.stopping
        });
        u64::try_from(peers.count()).unwrap_or(u64::MAX)
    }

    fn workload(&self, life: &Life) -> Option<&Workload> {
        let name = life.workload.clone()?;
        self.workloads.get(&(life.namespace.clone(), name))
    }

    fn fire(&mut self) {
        let now = self.now();
        let due: Vec<String> = self
            .lives
            .iter()
            .filter(|(_, life)| life.due.is_some_and(|due| due <= now))
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in due {
            kubelet::step(self, &uid);
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            // a deadline passes without any object having changed
            self.settled = 0;
        }
        super::faults::apply_late(self);
    }
}
