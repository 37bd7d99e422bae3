//! One round's world: the simulated cluster and Alertmanager in this process, the daemon beside it, and
//! everybody who looks on.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use belay::ports::clock::{Clock as _, SystemClock};
use belay::sim::alertmanager::{Alertmanager, Pace, Rule, Settings, Timing};
use belay::sim::kube::faults::{Effect, Rule as FaultRule};
use belay::sim::kube::{Arrival, Behaviour, Budget, DeploymentSpec, Kind, Objects, Verb, World, WriteSeen};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::case::{Answers, Case, Dice, Edit, EditAt, Fault, Moment};
use super::door::{Door, noise};
use super::journal;
use super::process::Process;

/// The cluster's name.
pub const CLUSTER: &str = "kill";
/// Of every daemon: each has an address of its own, outside of what outgoing connections are given.
const PORT: u16 = 9099;
/// How many writes meet with the round's mishap.
const MISHAPS: u32 = 2;
/// Deliveries beside Alertmanager's: one or two between two kills.
const DELIVERIES: u64 = 10;

/// A write that has arrived, and the journal as it was at that instant.
#[derive(Debug)]
pub struct Arrived {
    pub arrival: Arrival,
    pub journal: Vec<u8>,
}

/// A person's change of the Deployment.
#[derive(Debug, Clone)]
pub struct Edited {
    pub at: Timestamp,
    pub edit: Edit,
    /// Generation and replicas, before and after.
    pub before: (i64, i64),
    pub after: (i64, i64),
}

/// What the API server's hook does: copies the journal, and kills when it is told to.
#[derive(Debug, Default)]
pub struct Hook {
    pub arrived: Mutex<Vec<Arrived>>,
    pub armed: Mutex<Option<Moment>>,
    pub tripped: Notify,
}

pub struct Scene {
    pub case: Case,
    pub folder: TempDir,
    pub state_dir: PathBuf,
    pub world: World,
    pub alertmanager: Alertmanager,
    pub door: Door,
    pub process: Arc<Process>,
    pub hook: Arc<Hook>,
    pub edits: Arc<Mutex<Vec<Edited>>>,
    /// Generation and replicas of the Deployment at the beginning.
    pub at_first: (i64, i64),
    stop: CancellationToken,
    sides: JoinSet<()>,
}

impl Fault {
    pub const fn deployment(self) -> &'static str {
        match self {
            Self::Oom => "web",
            Self::Saturation => "checkout",
        }
    }

    pub const fn alert(self) -> &'static str {
        match self {
            Self::Oom => "KubePodCrashLooping",
            Self::Saturation => "CPUSaturation",
        }
    }
}

impl Scene {
    /// Sets everything up but the daemon, whose address is `host`.
    pub async fn set(case: Case, host: Ipv4Addr) -> Self {
        let client = belay::sim::client().unwrap();
        let folder = tempfile::Builder::new().prefix("belay-kill-").tempdir().unwrap();
        let state_dir = folder.path().join("state");
        let (stop, mut sides) = (CancellationToken::new(), JoinSet::new());
        let world = world();
        let listen = SocketAddr::from((host, PORT));
        let url = format!("http://{listen}");
        let door = Door::new(&url, &client);
        let [api, listing, hooks] = [bound().await, bound().await, bound().await];
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let config = folder.path().join("belay.yaml");
        std::fs::write(&config, configuration(listen, &address(&api), &address(&listing))).unwrap();
        let policies = folder.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kill/policy.yaml");
        std::fs::copy(policy, policies.join("policy.yaml")).unwrap();

        let settings = settings(case.fault).receiver(&address(&hooks), None);
        let alertmanager = Alertmanager::new(world.clone(), settings, client.clone());
        sides.spawn(world.serve(api, stop.clone()));
        sides.spawn(alertmanager.serve(listing, stop.clone()));
        sides.spawn(alertmanager.run(stop.clone()));
        sides.spawn(door.clone().serve(hooks, stop.clone()));
        let process = Arc::new(Process::new(&config, &url, &client));
        let hook = Arc::new(Hook::default());
        hook.hang_in(&world, &process, &state_dir);
        let at_first = figures(&world, case.fault);
        let edits = Arc::default();
        sides.spawn(person(case.clone(), world.clone(), Arc::clone(&edits), stop.clone()));
        sides.spawn(traffic(case.seed, door.clone(), stop.clone()));
        let scene = Self {
            case,
            folder,
            state_dir,
            world,
            alertmanager,
            door,
            process,
            hook,
            edits,
            at_first,
            stop,
            sides,
        };
        scene.spoil();
        scene
    }

    /// Something breaks.
    pub fn break_it(&self) {
        let name = self.case.fault.deployment();
        match self.case.fault {
            Fault::Oom => {
                let pod = self.world.pods("shop", name).remove(0).name;
                let oom_after = SignedDuration::from_millis(200);
                self.world.behave_pod("shop", &pod, Behaviour::Leak { oom_after });
            }
            Fault::Saturation => {
                self.world.behave("shop", name, Behaviour::Busy { demand_millicores: 1_600 });
            }
        }
    }

    /// Writes for real, as far as they were handled.
    pub fn writes(&self) -> Vec<WriteSeen> {
        self.world.writes().into_iter().filter(|write| !write.dry_run).collect()
    }

    pub fn figures(&self) -> (i64, i64) {
        figures(&self.world, self.case.fault)
    }

    /// What goes wrong with the writes.
    fn spoil(&self) {
        let path = match self.case.fault {
            Fault::Oom => "/api/v1/namespaces/shop/pods",
            Fault::Saturation => "/apis/apps/v1/namespaces/shop/deployments",
        };
        let (verb, ending) = match self.case.fault {
            Fault::Oom => (Verb::Create, "/eviction"),
            Fault::Saturation => (Verb::Patch, ""),
        };
        let mishap = match self.case.answers {
            Answers::Prompt => None,
            Answers::Dropped => Some(Effect::DropAnswer),
            Answers::Lost => Some(Effect::Lose),
            Answers::Late => Some(Effect::AnswerLate(SignedDuration::from_millis(400))),
            Answers::Delayed(millis) => Some(Effect::ApplyLate(SignedDuration::from_millis(millis))),
        };
        let rule = |effect| FaultRule::on(verb, path, effect).ending(ending).dry_run(false);
        self.world.faults(|faults| {
            if let Some((edit, EditAt::Write)) = self.case.edit {
                let (edits, fault) = (Arc::clone(&self.edits), self.case.fault);
                faults.add(rule(Effect::Edit(Box::new(move |objects| {
                    change(objects, fault, edit, &edits);
                }))));
            }
            if let Some(effect) = mishap {
                faults.add(rule(effect).times(MISHAPS));
            }
        });
    }

    /// Ends everything; gives the folder.
    pub async fn end(mut self) -> TempDir {
        self.stop.cancel();
        while self.sides.join_next().await.is_some() {}
        self.folder
    }
}

impl Hook {
    fn hang_in(self: &Arc<Self>, world: &World, process: &Arc<Process>, state_dir: &Path) {
        let (hook, process, state_dir) = (Arc::clone(self), Arc::clone(process), state_dir.to_owned());
        world.on_write(move |arrival| {
            if !arrival.dry_run {
                let journal = journal::copy(&state_dir);
                hook.arrived.lock().unwrap().push(Arrived { arrival: arrival.clone(), journal });
            }
            let due = if arrival.dry_run { Moment::Rehearsal } else { Moment::Arrival };
            let mut armed = hook.armed.lock().unwrap();
            if *armed == Some(due) {
                process.kill();
                *armed = None;
                hook.tripped.notify_one();
            }
        });
    }
}

/// A person who edits at a moment of their own.
async fn person(case: Case, world: World, edits: Arc<Mutex<Vec<Edited>>>, stop: CancellationToken) {
    let Some((edit, EditAt::Random(after))) = case.edit else { return };
    if tokio::time::timeout(after, stop.cancelled()).await.is_err() {
        world.edit(|objects| change(objects, case.fault, edit, &edits));
    }
}

/// Deliveries at random moments, beside Alertmanager's own.
async fn traffic(seed: u64, door: Door, stop: CancellationToken) {
    let mut dice = Dice::new(!seed);
    for number in 0..DELIVERIES {
        let pause = dice.millis(50, 800);
        if tokio::time::timeout(pause, stop.cancelled()).await.is_ok() {
            return;
        }
        door.deliver(noise(CLUSTER, number)).await;
    }
}

async fn bound() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Two Deployments that start within half a second.
fn world() -> World {
    let spec = |name| DeploymentSpec::new(name, 3).ready_after(SignedDuration::from_millis(500));
    let busy = Behaviour::Busy { demand_millicores: 600 };
    World::builder(Arc::new(SystemClock))
        .namespace("shop")
        .deployment(spec("web").limits("500m", "256Mi"))
        .deployment(spec("checkout").behaviour(busy))
        .pdb("web", Budget::MaxUnavailable("1".to_owned()))
        .build()
}

/// Fractions of a second where Alertmanager has minutes. The window is longer than the 1.2 s for which a
/// crashing container does not wait, so that its alert does not flap. Alertmanager repeats itself every two seconds: duplicates,
/// and what brings the alert back after the journal was lost.
fn settings(fault: Fault) -> Settings {
    let millis = SignedDuration::from_millis;
    let rule = match fault {
        Fault::Oom => Rule::KubePodCrashLooping,
        Fault::Saturation => Rule::CpuSaturation,
    };
    Settings {
        evaluate_every: millis(150),
        timing: Timing { hold: millis(150), window: millis(2_000) },
        pace: Pace { group_wait: millis(150), group_interval: millis(800), repeat_interval: millis(2_000) },
        rules: [rule, Rule::Watchdog].into(),
        ..Settings::quick(CLUSTER)
    }
}

fn configuration(listen: SocketAddr, api: &str, alertmanager: &str) -> String {
    format!(
        "listen: {listen}\nstateDir: state\npolicies: policies\nlog: {{ filter: debug }}\n\
         oneProcessHoldsEverything: true\ncluster: {{ name: {CLUSTER}, url: {api:?} }}\nalertmanager: {{ url: {alertmanager:?} }}\n\
         limits: {{ namespaces: [shop], extraRights: ['* *'] }}\n"
    )
}

fn figures(world: &World, fault: Fault) -> (i64, i64) {
    let view = world.deployment("shop", fault.deployment()).unwrap();
    (view.generation, view.replicas)
}

/// The annotation that a person sets.
pub const NOTE: &str = "team.example/note";

fn change(objects: &mut Objects, fault: Fault, edit: Edit, edits: &Mutex<Vec<Edited>>) {
    let name = fault.deployment();
    let figures = |objects: &Objects| {
        let object = objects.get(Kind::Deployment, "shop", name).unwrap();
        let int = |path| object.pointer(path).unwrap().as_i64().unwrap();
        (int("/metadata/generation"), int("/spec/replicas"))
    };
    let patch = match edit {
        Edit::Replicas(replicas) => json!({ "spec": { "replicas": replicas } }),
        Edit::Annotation => json!({ "metadata": { "annotations": { NOTE: "hands off" } } }),
    };
    let before = figures(objects);
    objects.merge(Kind::Deployment, "shop", name, &patch);
    let (after, at) = (figures(objects), SystemClock.now());
    edits.lock().unwrap().push(Edited { at, edit, before, after });
}
