//! What acting costs: 200 incidents over 50 namespaces at once, each with its own act and lock, from the alert to the
//! question; then each act put back by a person, one after the other.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use belay::app::Daemon;
use belay::app::build::{self, Given};
use belay::config;
use belay::domain::decision::Person;
use belay::domain::record::Answer;
use belay::incident::{Phase, State};
use belay::ports::clock::SystemClock;
use belay::sim::kube::{Behaviour, DeploymentSpec, World};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::stand::{Nobody, scratch};

const NAMESPACES: usize = 50;
/// Deployments in each.
const EACH: usize = 4;
const ALL: usize = NAMESPACES * EACH;
/// As the kernel counts processor time.
const TICKS_A_SECOND: f64 = 100.0;
/// When it counts as failed: each act verifies for ten seconds at least, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures and prints.
pub fn print() {
    let world = world();
    // the cluster's own work is not belay's: it has threads of its own, by name
    let cluster = runtime("cluster");
    let stop = CancellationToken::new();
    let api = cluster.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = listener.local_addr().unwrap();
        cluster.spawn(world.serve(listener, stop.clone()));
        api
    });
    let belay = runtime("belay");
    let dir = scratch();
    let names: Vec<String> = (0..NAMESPACES).map(space).collect();
    let text = format!(
        "stateDir: '{}'\npolicies: p\ncluster: {{ name: lab, url: 'http://{api}' }}\n\
         limits: {{ namespaces: [{}], extraRights: ['* *'] }}\n",
        dir.path().display(),
        names.join(", ")
    );
    let config = config::parse("the measure", &text).unwrap();
    let given = Given {
        clock: Arc::new(SystemClock),
        policies: policies(),
        messenger: Arc::new(Nobody),
        pager: Arc::new(Nobody),
        simulated: true,
    };
    let built = belay.block_on(build::build(&config, given)).unwrap();
    let (daemon, token) = (built.daemon.clone(), stop.clone());
    let running = belay.spawn(async move { daemon.run(token).await.unwrap() });

    let (before, begun) = (processor("belay"), Instant::now());
    belay.block_on(async {
        for namespace in 0..NAMESPACES {
            built.daemon.receive(body(namespace)).await.unwrap();
        }
    });
    let story = || belay.block_on(story(&built.daemon));
    let acted = || world.deployments().iter().filter(|d| d.replicas == 5).count();
    let scaled = wait(|| acted() == ALL, begun, &story);
    let asked = wait(|| belay.block_on(confirming(&built.daemon)).len() == ALL, begun, &story);
    let spent = processor("belay") - before;
    println!(
        "{ALL} incidents in {NAMESPACES} namespaces at once: all acted after {scaled:.1?}, all verified and asked after \
         {asked:.1?}, {:.1} ms of CPU for each, from the alert to the question",
        spent * 1000.0 / count(ALL)
    );

    let before = processor("belay");
    let mut restored: Vec<Duration> = belay
        .block_on(confirming(&built.daemon))
        .into_iter()
        .map(|state| belay.block_on(put_back(&built.daemon, &world, &state)))
        .collect();
    let spent = processor("belay") - before;
    restored.sort();
    println!(
        "put back by a person, one after the other: click to restored p50 {:.0?}, p95 {:.0?}, {:.1} ms of CPU for each",
        restored[ALL / 2],
        restored[ALL * 95 / 100],
        spent * 1000.0 / count(ALL)
    );
    stop.cancel();
    belay.block_on(running).unwrap();
}

fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread().worker_threads(2).thread_name(name).enable_all().build().unwrap()
}

fn world() -> World {
    let mut builder = World::builder(Arc::new(SystemClock));
    for namespace in 0..NAMESPACES {
        builder = builder.namespace(&space(namespace));
        for number in 0..EACH {
            let busy = Behaviour::Busy { demand_millicores: 1600 };
            let spec =
                DeploymentSpec::new(&format!("app-{number}"), 3).limits("500m", "256Mi").behaviour(busy);
            builder = builder.deployment(spec);
        }
    }
    builder.build()
}

fn space(number: usize) -> String {
    format!("team-{number}")
}

/// The demo's, for every namespace, with brakes that let all of it happen at once.
fn policies() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/demo");
    let wide = |text: String| {
        let (rules, _) = text.split_once("\n  tests:").unwrap_or((&text, ""));
        rules
            .replace("target.namespace == 'shop'", "target.namespace != 'kube-system'")
            .replace(
                "maxInFlight: 4, maxActions: 10, window: 1h, ramp: [4]",
                "maxInFlight: 200, maxActions: 1000, window: 1h, ramp: [200]",
            )
            .replace(
                "expect: [workload_ready, alert_gone], onFailure: revert",
                "stabilise: 2s, expect: [workload_ready], onFailure: revert",
            )
    };
    let files = config::policies(&dir).unwrap().into_iter();
    files
        .map(|(name, text)| if name.ends_with("demo.yaml") { (name, wide(text)) } else { (name, text) })
        .collect()
}

/// The alerts of one namespace.
fn body(namespace: usize) -> Vec<u8> {
    let alert = |number: usize| {
        let mut fingerprint = String::new();
        let _ = write!(fingerprint, "{:016x}", namespace * EACH + number);
        json!({
            "status": "firing",
            "fingerprint": fingerprint,
            "labels": {
                "alertname": "CPUSaturation", "deployment": format!("app-{number}"), "namespace": space(namespace),
                "severity": "warning",
            },
            "annotations": {},
            "startsAt": "2026-11-21T02:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example/graph",
        })
    };
    let alerts: Vec<_> = (0..EACH).map(alert).collect();
    json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "belay",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am.example",
        "alerts": alerts,
    })
    .to_string()
    .into_bytes()
}

fn wait(mut so: impl FnMut() -> bool, begun: Instant, story: &dyn Fn() -> String) -> Duration {
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "it does not come about: {}", story());
        sleep(Duration::from_millis(250)); // looking costs: it is what the cluster answers with
    }
    begun.elapsed()
}

/// Where the incidents are, for a measure that failed.
async fn story(daemon: &Daemon) -> String {
    let mut phases = BTreeMap::<String, usize>::new();
    for summary in daemon.incidents(true).await.unwrap() {
        let state = daemon.incident(&summary.incident).await.unwrap();
        let why = state.escalations.last().cloned().or(state.closed.map(|(_, summary, _)| summary));
        let phase = format!("{:?}", state.phase);
        let phase = phase.split('(').next().unwrap_or_default();
        *phases.entry(format!("{phase} {}", why.unwrap_or_default())).or_default() += 1;
    }
    format!("{phases:#?}")
}

async fn confirming(daemon: &Daemon) -> Vec<State> {
    let mut found = Vec::new();
    for summary in daemon.incidents(false).await.unwrap() {
        let state = daemon.incident(&summary.incident).await.unwrap();
        if matches!(state.phase, Phase::Confirming(_)) {
            found.push(state);
        }
    }
    found
}

/// From the click until the cluster is as it was.
async fn put_back(daemon: &Daemon, world: &World, state: &State) -> Duration {
    let question = state.question.as_ref().unwrap().question.id.clone();
    let owner = state.owner.clone().unwrap().0.named;
    let begun = Instant::now();
    let by = Person::Operator { name: "measure".into() };
    daemon.answer(&state.id, question, Answer::Revert, by).await.unwrap();
    loop {
        let seen = world.deployment(&owner.namespace, &owner.name).unwrap();
        if (seen.replicas, seen.ready) == (3, 3) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "it is not put back");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The processor time of the threads of this name so far, in seconds.
fn processor(name: &str) -> f64 {
    let mut ticks = 0;
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
        let Some((head, rest)) = stat.rsplit_once(')') else { continue };
        if head.split_once('(').is_some_and(|(_, comm)| comm == name) {
            // utime and stime are the 14th and 15th fields, the 12th and 13th after the name
            ticks += rest.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum::<u64>();
        }
    }
    count(usize::try_from(ticks).unwrap()) / TICKS_A_SECOND
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}
