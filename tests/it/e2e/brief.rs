//! The checklist before any model: other alerts, changes, logs, what was seen before, runbooks; remembered across
//! restarts, and told to people.

use std::fs;

use belay::app::runbooks::{Watch, load};
use belay::domain::brief::{About, Brief};
use belay::domain::record::{Answer, Record};
use belay::incident::{Phase, State};
use jiff::SignedDuration;

use super::house::{House, Wish, body, crash_loop, folder, saturation};
use crate::eyes::metrics::{Fake, one};

const STARTS: &str = "2026-11-21T01:50:00Z";

fn says(state: &State, about: About) -> String {
    let brief: &Brief = &state.diagnosis.as_ref().unwrap().brief;
    let point = brief.points.iter().find(|point| point.about == about).unwrap();
    point.says.join("; ")
}

/// What people were shown of the checklist.
async fn told(house: &House) -> String {
    super::house::until("it is told", async || {
        let views = house.people.views.lock().unwrap();
        let sections = views.iter().rev().flat_map(|view| &view.sections);
        let found = sections.into_iter().find(|section| section.title == "What belay looked up")?;
        Some(format!("{:?}", found.lines))
    })
    .await
}

async fn remembered(house: &House) -> usize {
    let records = house.records("memory").await;
    records.iter().filter(|record| matches!(record, Record::Remembered(_))).count()
}

#[tokio::test]
async fn the_checklist_is_looked_up_and_told() {
    let house = House::open(Wish::by_hand()).await;
    let pod = house.leak("web").await;
    assert_eq!(house.deliver(body(&[crash_loop(&pod.name, STARTS, None)])).await, 200);
    let state = house.phase("web", |p| matches!(p, Phase::Confirming(_))).await;
    let brief = &state.diagnosis.as_ref().unwrap().brief;
    let points: Vec<About> = brief.points.iter().map(|point| point.about).collect();
    assert_eq!(points, About::ALL, "the whole checklist");
    assert_eq!(says(&state, About::Similar), "nothing like it is remembered");
    assert_eq!(says(&state, About::Runbooks), "there are no runbooks");
    assert!(says(&state, About::Errors).contains("log of `web-"), "{}", says(&state, About::Errors));
    let told = told(&house).await;
    assert!(told.contains("Seen before: nothing like it is remembered."), "{told}");
    house.stop().await;
}

#[tokio::test]
async fn what_was_done_before_is_remembered_across_a_restart() {
    let house = House::open(Wish::by_hand()).await;
    let pod = house.leak("web").await;
    assert_eq!(house.deliver(body(&[crash_loop(&pod.name, STARTS, None)])).await, 200);
    let state = house.phase("web", |p| matches!(p, Phase::Confirming(_))).await;
    house.answer(&state, Answer::Confirm).await;
    house.phase("web", |p| *p == Phase::Closed).await;
    super::house::until("it is remembered", async || (remembered(&house).await > 0).then_some(())).await;
    let policies = folder(&super::house::policy());
    let house = house.restart(policies, SignedDuration::from_hours(2)).await;
    // another alert about the same owner, later
    let pod = house.leak("web").await;
    let later = "2026-11-21T04:30:00Z";
    assert_eq!(house.deliver(body(&[crash_loop(&pod.name, later, None)])).await, 200);
    let known = |s: &State| s.id != state.id && s.diagnosis.is_some();
    let again = house.find("it is diagnosed", "web", known).await;
    let told = says(&again, About::Similar);
    assert!(told.starts_with("this alert was seen once before on this owner"), "{told}");
    assert!(told.contains("`restart_pod` was done once, helped 1 of them"), "{told}");
    house.stop().await;
}

#[tokio::test]
async fn runbooks_are_matched_shown_and_taken_up_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.md");
    let runbook =
        "---\nalerts: ['alertname=\"KubePodCrashLooping\"']\n---\n# Crash loops\nLook at the heap.\n";
    fs::write(&file, runbook).unwrap();
    let house = House::open(Wish::by_hand()).await;
    house.daemon.take_runbooks(load(dir.path()).unwrap());
    let pod = house.leak("web").await;
    assert_eq!(house.deliver(body(&[crash_loop(&pod.name, STARTS, None)])).await, 200);
    let state = house.phase("web", |p| matches!(p, Phase::Confirming(_))).await;
    let told = says(&state, About::Runbooks);
    assert_eq!(told, "runbook `Crash loops` (`web.md`) is for this alert, section `Crash loops`");
    let told = self::told(&house).await;
    assert!(told.contains("Look at the heap."), "{told}");
    let mut watch = Watch::new(house.daemon.clone(), dir.path());
    assert!(!watch.look(), "nothing changed");
    fs::write(&file, runbook.replace("heap", "stack")).unwrap();
    assert!(watch.look());
    fs::write(&file, "---\nalerts: [nonsense]\n---\n").unwrap();
    assert!(!watch.look(), "what cannot be used changes nothing");
    let why = load(dir.path()).unwrap_err().to_string();
    assert!(why.starts_with("runbook `web.md`, line 2: `nonsense` is no matcher of alerts"), "{why}");
    fs::write(&file, "---\nalert: x\n---\n").unwrap();
    let why = load(dir.path()).unwrap_err().to_string();
    assert!(why.contains("web.md:2") && why.contains("alert"), "{why}");
    fs::write(&file, "---\nalerts: []\n").unwrap();
    assert!(load(dir.path()).unwrap_err().to_string().contains("its front matter has no end"));
    house.stop().await;
}

#[tokio::test]
async fn the_steps_of_a_runbook_that_is_meant_are_looked_at_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let runbook = "---\nalerts: ['alertname=\"KubePodCrashLooping\"']\nsteps:\n- title: It is steady\n  check: { workload: steady }\n- title: Few fail\n  check: { metric: 'x{namespace=\"$namespace\",pod=~\"$pods\"}', below: 1 }\n- title: Ask somebody\n---\n# Crash loops\n";
    fs::write(dir.path().join("web.md"), runbook).unwrap();
    let house = House::open(Wish::by_hand()).await;
    house.daemon.take_runbooks(load(dir.path()).unwrap());
    let pod = house.leak("web").await;
    assert_eq!(house.deliver(body(&[crash_loop(&pod.name, STARTS, None)])).await, 200);
    let state = house.phase("web", |p| matches!(p, Phase::Confirming(_))).await;
    // as it is recorded with the diagnosis
    let said = says(&state, About::Runbooks);
    assert!(said.contains("`web.md` step 1 (`It is steady`): "), "{said}");
    assert!(said.contains("step 2 (`Few fail`): could not tell: no metrics are configured"), "{said}");
    assert!(said.contains("step 3 (`Ask somebody`): needs a person"), "{said}");
    let told = told(&house).await;
    assert!(told.contains("Ask somebody"), "{told}");
    house.stop().await;
}

#[tokio::test]
async fn measurements_become_part_of_what_is_diagnosed() {
    let (fake, url, _task) = Fake::start(|_, _| one(0.5)).await;
    let wish = Wish { more: format!("prometheus: {{ url: '{url}' }}\n"), ..Wish::by_hand() };
    let house = House::open(wish).await;
    house.surge();
    assert_eq!(house.deliver(body(&[saturation("checkout", STARTS, None)])).await, 200);
    let state = house.find("it is diagnosed", "checkout", |s| s.diagnosis.is_some()).await;
    let diagnosis = state.diagnosis.as_ref().unwrap();
    assert!(diagnosis.evidence.iter().any(|e| e.title == "measurements"), "{:?}", diagnosis.evidence);
    let asked = fake.asked();
    assert!(asked.iter().any(|a| a.query.contains("container_cpu_cfs_throttled_periods_total")));
    assert!(asked.iter().all(|a| a.query.contains("shop")), "each is about the namespace");
    house.stop().await;
}
