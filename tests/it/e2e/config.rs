//! A ConfigMap is changed, and the pods that read it crash: recorded, found, asked, restored, verified, and put
//! back where people want that. And where restoring would be wrong, it is not done.

use std::time::Duration;

use assert_cmd::Command;
use belay::domain::action::ActionKind;
use belay::domain::plan::Direction;
use belay::domain::record::{Answer, Outcome};
use belay::domain::recorded::Place;
use belay::domain::target::Kind as K;
use belay::incident::Phase;
use belay::sim::kube::Kind;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::house::{CLUSTER, House, Wish, alert, body, until};

const GRANT: &str = "    - id: restore
      alerts: ['alertname=~\"KubePodCrashLooping|CartUnreachable\"']
      when: \"finding.cause == 'ConfigChanged'\"
      actions: [restore_config]
      environments: [shop]
      level: 4
      limits: { perTarget: { max: 1, window: 24h } }
      verify: { within: 30m, stabilise: 15s, expect: [workload_ready, no_new_restarts], onFailure: escalate }
      confirm: { approval: one, within: 30m, onSilence: keep }
      playbook: true
";

const SETTINGS: &str = "cart-settings";

fn wish() -> Wish {
    let mut wish = Wish::by_hand().with("  grants:\n", &format!("  grants:\n{GRANT}"));
    let example = include_str!("../../../policies/examples/config-changed.yaml");
    wish.examples.push(("policies/demo/examples/config-changed.yaml".into(), example.into()));
    wish
}

fn place(kind: K, name: &str) -> Place {
    Place { kind, namespace: "shop".into(), name: name.into() }
}

/// How many versions are recorded.
fn recorded(house: &House, kind: K, name: &str) -> u64 {
    let book = house.daemon.ports().sites.all().next().unwrap().recorder.as_ref().unwrap().book();
    book.config(&place(kind, name)).map_or(0, |history| history.count)
}

async fn until_recorded(house: &House, kind: K, name: &str, count: u64) {
    until("it is recorded", async || (recorded(house, kind, name) >= count).then_some(())).await;
}

fn edit(house: &House, kind: Kind, name: &str, patch: &Value) {
    house.world.edit(|objects| objects.merge(kind, "shop", name, patch)).unwrap();
}

fn backend(house: &House) -> Value {
    house.world.object(Kind::ConfigMap, "shop", SETTINGS).unwrap()["data"]["BACKEND"].clone()
}

/// Somebody restarts the pods of `cart`, as one does to have them read a change.
fn restart(house: &House) {
    let note = json!({ "kubectl.kubernetes.io/restartedAt": "2026-11-21T02:00:30Z" });
    let patch = json!({ "spec": { "template": { "metadata": { "annotations": note } } } });
    edit(house, Kind::Deployment, "cart", &patch);
}

/// A new pod of `cart` crash-loops, and the alert says so.
async fn crashes(house: &House) {
    let pod = until("a new pod crash-loops", async || {
        house.world.pods("shop", "cart").into_iter().find(|pod| pod.waiting == "CrashLoopBackOff")
    })
    .await;
    let alert = super::house::crash_loop(&pod.name, "2026-11-21T02:00:30Z", None);
    house.deliver(body(&[alert])).await;
}

/// `cart-settings` was given this, and the pods were restarted to read it.
async fn changed(wish: Wish, data: &Value) -> House {
    let house = House::open(wish).await;
    until_recorded(&house, K::ConfigMap, SETTINGS, 1).await;
    edit(&house, Kind::ConfigMap, SETTINGS, &json!({ "data": data }));
    until_recorded(&house, K::ConfigMap, SETTINGS, 2).await;
    restart(&house);
    crashes(&house).await;
    house
}

#[tokio::test]
async fn a_config_that_was_changed_is_restored_and_can_be_put_back() {
    let house = changed(wish(), &json!({ "BACKEND": "reddis", "DEBUG": "1" })).await;
    let asked = house
        .phase("cart", |phase| matches!(phase, Phase::Approving | Phase::Confirming(_) | Phase::Escalated))
        .await;
    let plan = asked.plan.as_ref().unwrap_or_else(|| panic!("{:?} {:?}", asked.phase, asked.escalations));
    assert_eq!(plan.action.kind(), ActionKind::RestoreConfig);
    let fields: Vec<_> =
        plan.changes.iter().map(|c| (c.path.as_str(), c.from.as_deref(), c.to.as_deref())).collect();
    assert_eq!(
        fields,
        [("/data/BACKEND", Some("\"reddis\""), Some("\"redis\"")), ("/data/DEBUG", Some("\"1\""), None)]
    );
    assert_eq!(plan.owner.0.named.name, "cart", "it is done for the workload");
    assert!(plan.note.as_ref().unwrap().contains("`cart` reads it into its environment"), "{:?}", plan.note);
    if asked.phase == Phase::Approving {
        assert_eq!(backend(&house), "reddis");
        house.answer(&asked, Answer::Approve).await;
    }
    let over = house
        .find("it helped", "cart", |s| {
            matches!(s.phase, Phase::Confirming(_)) || matches!(s.closed, Some((Outcome::Remedied, ..)))
        })
        .await;
    assert_eq!(backend(&house), "redis");
    assert_eq!(house.world.deployment("shop", "cart").unwrap().ready, 2);
    // what belay wrote is recorded, too
    until_recorded(&house, K::ConfigMap, SETTINGS, 3).await;
    let done = &over.acts[0].intent.plan;
    let ours = std::slice::from_ref(&over.acts[0].intent.id);
    let back = house
        .daemon
        .ports()
        .sites
        .all()
        .next()
        .unwrap()
        .actions
        .plan_revert_after(done, &ours[0], &[])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(back.direction, Direction::Revert);
    if matches!(over.phase, Phase::Confirming(_)) {
        house.answer(&over, Answer::Revert).await;
        house
            .find("it is put back", "cart", |s| s.acts.first().is_some_and(|act| act.put_back.is_some()))
            .await;
        assert_eq!(backend(&house), "reddis");
        assert_eq!(house.world.object(Kind::ConfigMap, "shop", SETTINGS).unwrap()["data"]["DEBUG"], "1");
    }
    house.stop().await;
}

#[tokio::test]
async fn a_change_that_came_after_the_failure_is_left_alone() {
    let house = House::open(wish()).await;
    until_recorded(&house, K::ConfigMap, SETTINGS, 1).await;
    let crash = belay::sim::kube::Behaviour::CrashAtStart { exit_code: 3, log: "boom".into() };
    house.world.behave("shop", "cart", crash);
    until("it crash-loops", async || {
        house.world.pods("shop", "cart").into_iter().find(|pod| pod.waiting == "CrashLoopBackOff")
    })
    .await;
    // well after the first end, by the cluster's own clock
    let later = house.clock.now() + SignedDuration::from_secs(30);
    until("time has passed", async || (house.clock.now() >= later).then_some(())).await;
    edit(&house, Kind::ConfigMap, SETTINGS, &json!({ "data": { "TTL": "1h" } }));
    until_recorded(&house, K::ConfigMap, SETTINGS, 2).await;
    crashes(&house).await;
    let seen = house.find("it is diagnosed", "cart", |s| s.diagnosis.is_some()).await;
    let found = seen.diagnosis.unwrap();
    assert!(found.findings.iter().all(|f| f.cause.name() != "ConfigChanged"), "{:?}", found.findings);
    assert!(found.candidates.iter().all(|c| c.action.kind() != ActionKind::RestoreConfig));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_neither_kept_nor_restored_and_a_person_hears_why() {
    const CANARY: &str = "hunter2canary";
    let data = json!({ "BACKEND": "reddis", "DB_PASSWORD": CANARY });
    let house = changed(wish(), &data).await;
    let called = house.phase("cart", |phase| *phase == Phase::Escalated).await;
    let why = called.escalations.join("\n");
    assert!(why.contains("`/data/DB_PASSWORD`") && why.contains("looks like a secret"), "{why}");
    assert_eq!(house.effects(), []);
    for (what, code, said) in [
        ("shop/ConfigMap/cart-settings", 0, "/data/DB_PASSWORD: a secret was here"),
        ("shop/ConfigMap/cart-settings", 0, "/data/BACKEND: \"reddis\""),
        ("shop", 0, "shop/ConfigMap/cart-settings: 2 of 2 versions are kept"),
        ("", 0, "shop/Deployment/cart: watched since"),
        ("bank", 1, "nothing is recorded of `bank`"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
        command.arg("recorded").args((!what.is_empty()).then_some(what));
        command.arg("--state-dir").arg(house.dir.path()).env_remove("BELAY_STATE_DIR");
        let done = command.timeout(Duration::from_secs(60)).assert().code(code);
        let output = [done.get_output().stdout.clone(), done.get_output().stderr.clone()].concat();
        let told = String::from_utf8(output).unwrap();
        assert!(told.contains(said) && !told.contains(CANARY), "{told}");
    }
    let dir = house.stop().await;
    let mut folders = vec![dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn a_service_that_lost_its_pods_gets_them_back() {
    let house = House::open(wish()).await;
    until_recorded(&house, K::Service, "cart", 1).await;
    edit(&house, Kind::Service, "cart", &json!({ "spec": { "selector": { "app": "carts" } } }));
    until_recorded(&house, K::Service, "cart", 2).await;
    let labels = [
        ("alertname", "CartUnreachable"),
        ("cluster", CLUSTER),
        ("namespace", "shop"),
        ("deployment", "cart"),
        ("severity", "critical"),
    ];
    house.deliver(body(&[alert(&labels, "2026-11-21T02:00:10Z", None)])).await;
    let asked = house.phase("cart", |phase| matches!(phase, Phase::Approving | Phase::Confirming(_))).await;
    if asked.phase == Phase::Approving {
        house.answer(&asked, Answer::Approve).await;
    }
    let selector = || house.world.object(Kind::Service, "shop", "cart").unwrap()["spec"]["selector"].clone();
    until("it is restored", async || (selector() == json!({ "app": "cart" })).then_some(())).await;
    house.stop().await;
}

#[tokio::test]
async fn what_was_recorded_outlasts_the_daemon_and_what_changed_meanwhile_is_not_acted_on() {
    let house = House::open(wish()).await;
    until_recorded(&house, K::ConfigMap, SETTINGS, 1).await;
    edit(&house, Kind::ConfigMap, SETTINGS, &json!({ "data": { "TTL": "1h" } }));
    until_recorded(&house, K::ConfigMap, SETTINGS, 2).await;
    let policies = house.policies.clone();
    let world = house.world.clone();
    let change = json!({ "data": { "BACKEND": "reddis" } });
    let house = house
        .restart_after(policies, SignedDuration::ZERO, || {
            world.edit(|objects| objects.merge(Kind::ConfigMap, "shop", SETTINGS, &change)).unwrap();
        })
        .await;
    until_recorded(&house, K::ConfigMap, SETTINGS, 3).await;
    {
        let book = house.daemon.ports().sites.all().next().unwrap().recorder.as_ref().unwrap().book();
        let history = book.config(&place(K::ConfigMap, SETTINGS)).unwrap();
        let watched: Vec<bool> = history.versions.iter().map(|version| version.watched).collect();
        assert_eq!(watched, [false, true, false], "the last one was found, not watched");
    }
    restart(&house);
    crashes(&house).await;
    let seen = house.find("it is diagnosed", "cart", |s| s.diagnosis.is_some()).await;
    let found = seen.diagnosis.unwrap();
    assert!(found.findings.iter().any(|f| f.cause.name() == "ConfigChanged"), "{:?}", found.findings);
    assert!(found.candidates.iter().all(|c| c.action.kind() != ActionKind::RestoreConfig));
    house.stop().await;
}
