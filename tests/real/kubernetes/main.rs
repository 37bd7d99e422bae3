//! The actions and their undos before a real API server with its controllers, in namespaces of the tests' own: whatever
//! cluster `BELAY_TEST_KUBECONFIG` names. `tests/run kubernetes` says how where it is missing. Nodes are never
//! touched: they are not the tests' own.
#![cfg(test)]
#![allow(clippy::large_futures, reason = "the helpers of tests read better at the place of use")]

mod cases;
#[path = "../../it/hands/key.rs"]
mod key;
mod proxy;
mod stage;

use belay::domain::action::Action;
use belay::domain::plan::{Plan, Refusal};
use belay::domain::recorded::{Content, Observation};
use belay::domain::target::{Kind, RootOwner};
use belay::domain::warrant::Applied;
use belay::ports::recorder::Shown;
use serde_json::Value;

use cases::{Case, cases};
use proxy::Fault;
use stage::{Stage, in_a_namespace};

fn done(applied: &Applied) -> bool {
    matches!(applied, Applied::Done { .. })
}

/// Whether it is one that says of itself that it cannot be put back.
async fn no_undo(stage: &Stage, plan: &Plan, intent: &str) -> bool {
    if !plan.revertible() {
        let why = stage.try_revert(plan, intent).await.unwrap_err();
        assert!(matches!(why, Refusal::NothingToDo(_)), "{why}");
    }
    !plan.revertible()
}

/// What the object says that it is to be.
async fn spec(stage: &Stage, case: &Case) -> Value {
    stage.get(&stage.path(case.on)).await[case.content()].clone()
}

/// Each case in a namespace of its own, one after the other: a cluster of the tests' size has room for few pods.
async fn each(story: impl AsyncFn(&mut Stage, &Case, &Action)) {
    for case in cases() {
        in_a_namespace(async |stage| {
            let mut stage = stage.lock().await;
            case.prepare(&stage).await;
            let action = case.action(&stage).await;
            story(&mut stage, &case, &action).await;
        })
        .await;
    }
}

#[tokio::test]
async fn there_and_back_each_in_one_write() {
    each(async |stage, case, action| {
        let before = spec(stage, case).await;
        let plan = stage.plan(action).await;
        assert_eq!(spec(stage, case).await, before, "planning changes nothing");
        assert!(done(&stage.apply(&plan, "it-1").await));
        assert_ne!(spec(stage, case).await, before);
        assert!(done(&stage.status(&plan, "it-1").await));
        let again = stage.warrant(&plan, "w-again", "it-1");
        assert!(done(&stage.apply_by(&plan, &again).await), "it is told, and not done again");
        assert_eq!(stage.proxy.effects("it-1").len(), 1);
        if no_undo(stage, &plan, "it-1").await {
            return;
        }
        let back = stage.try_revert(&plan, "it-1").await.unwrap_or_else(|why| panic!("{case:?}: {why}"));
        assert!(done(&stage.apply(&back, "it-2").await));
        assert_eq!(spec(stage, case).await, before, "{case:?}: every touched field is as it was");
        assert_eq!(stage.proxy.effects("it-2").len(), 1);
        let status = stage.status(&plan, "it-1").await;
        assert!(matches!(status, Applied::Done { changed: Some(_), .. }), "{case:?}: {status:?}");
    })
    .await;
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_is_read_back_and_never_doubled() {
    each(async |stage, case, action| {
        for (n, fault) in [Fault::Lost, Fault::Fails, Fault::AnswerLost].into_iter().enumerate() {
            let took_effect = matches!(fault, Fault::AnswerLost);
            let plan = stage.plan(action).await;
            let (intent, warrant) =
                (format!("it-{n}"), stage.warrant(&plan, &format!("w-{n}"), &format!("it-{n}")));
            stage.proxy.fail_next(fault.clone());
            let seen = stage.apply_by(&plan, &warrant).await;
            assert_eq!(done(&seen), took_effect, "{case:?} {fault:?}: {seen:?}");
            // it dies, and whoever comes after it finds what it left
            stage.restart().await;
            assert_eq!(done(&stage.status(&plan, &intent).await), took_effect, "{case:?} {fault:?}");
            assert_eq!(done(&stage.apply_by(&plan, &warrant).await), took_effect, "a warrant is good once");
            let fresh = stage.warrant(&plan, &format!("w-{n}-fresh"), &intent);
            assert!(done(&stage.apply_by(&plan, &fresh).await), "{case:?} {fault:?}");
            assert_eq!(stage.proxy.effects(&intent).len(), 1, "{case:?} {fault:?}");
            if no_undo(stage, &plan, &intent).await {
                stage.settled(case.on).await;
                continue;
            }
            let back = stage.try_revert(&plan, &intent).await.unwrap();
            assert!(done(&stage.apply(&back, &format!("it-{n}-back")).await));
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_person_changed_is_never_overwritten() {
    each(async |stage, case, action| {
        // between the plan and the act, and between the act's own last look and its write
        for between in [false, true] {
            let before = spec(stage, case).await;
            let plan = stage.plan(action).await;
            let path = stage.path(case.on);
            if between {
                stage.proxy.fail_next(Fault::After { path: path.clone(), patch: case.theirs() });
            } else {
                stage.edit(case.on, &case.theirs()).await;
            }
            let intent = format!("it-{between}");
            let seen = stage.apply(&plan, &intent).await;
            let Applied::Refused { refusal } = seen else { panic!("{case:?}: {seen:?}") };
            assert!(matches!(refusal, Refusal::Changed { .. }), "{case:?}: {refusal}");
            assert!(stage.proxy.effects(&intent).is_empty(), "{case:?}");
            let theirs = spec(stage, case).await;
            assert_ne!(theirs, before, "it stands");
            // the person puts it back, so that the second round begins where the first did
            stage.edit(case.on, &serde_json::json!({ case.content(): back(&before, &theirs) })).await;
        }
        let plan = stage.plan(action).await;
        assert!(done(&stage.apply(&plan, "it-act").await));
        stage.edit(case.on, &case.theirs_after()).await;
        let theirs = spec(stage, case).await;
        let why = stage.try_revert(&plan, "it-act").await.unwrap_err();
        assert!(matches!(why, Refusal::Changed { .. }) || !plan.revertible(), "{case:?}: {why}");
        assert_eq!(spec(stage, case).await, theirs);
        let status = stage.status(&plan, "it-act").await;
        assert!(matches!(status, Applied::Done { changed: Some(_), .. }), "{case:?}: {status:?}");
    })
    .await;
}

/// The patch that takes `now` back to `before`: what came since is taken away.
fn back(before: &Value, now: &Value) -> Value {
    let (Value::Object(was), Value::Object(is)) = (before, now) else { return before.clone() };
    let mut patch = was.clone();
    for (key, value) in is {
        let earlier = was.get(key).map_or(Value::Null, |earlier| back(earlier, value));
        patch.insert(key.clone(), earlier);
    }
    Value::Object(patch)
}

#[tokio::test]
async fn a_pod_is_evicted_once_and_comes_back() {
    in_a_namespace(async |stage| {
        let mut stage = stage.lock().await;
        stage.make(Kind::Pod).await;
        for (n, fault) in [None, Some(Fault::Lost), Some(Fault::AnswerLost)].into_iter().enumerate() {
            stage.settled(Kind::Deployment).await;
            stage.until("three pods are left", async || stage.pods().await.len() == 3).await;
            let pod = stage.pods().await.remove(0);
            let plan = stage.plan(&Action::RestartPod { pod: pod.clone() }).await;
            assert_eq!(plan.owner, RootOwner(stage.object(Kind::Deployment).await));
            let intent = format!("it-{n}");
            let warrant = stage.warrant(&plan, &format!("w-{n}"), &intent);
            if let Some(fault) = fault {
                stage.proxy.fail_next(fault); // befalls the mark: nothing is evicted unmarked
                assert!(!done(&stage.apply_by(&plan, &warrant).await));
                stage.restart().await;
            }
            let fresh = stage.warrant(&plan, &format!("w-{n}-fresh"), &intent);
            assert!(done(&stage.apply_by(&plan, &fresh).await));
            assert!(done(&stage.apply_by(&plan, &fresh).await), "told, and not done again");
            let evictions = stage.proxy.effects(&intent);
            assert_eq!(evictions.iter().filter(|w| w.path.ends_with("/eviction")).count(), 1);
            stage.until("it is gone", async || !stage.pods().await.contains(&pod)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_done_elsewhere() {
    in_a_namespace(async |stage| {
        let stage = stage.lock().await;
        stage.make(Kind::Deployment).await;
        let mut workload = stage.object(Kind::Deployment).await;
        workload.named.namespace = "kube-system".to_owned();
        let why = stage
            .try_plan_as(&Action::ScaleWorkload { workload: workload.clone(), replicas: 4 }, &workload)
            .await;
        assert!(matches!(why, Err(Refusal::Limit(_))), "{why:?}");
    })
    .await;
}

/// The recorder's watch: what is there, each change, and that it is gone, as a real API server tells it.
#[tokio::test]
async fn what_changes_is_watched() {
    in_a_namespace(async |stage| {
        let stage = stage.lock().await;
        stage.make(Kind::ConfigMap).await;
        let (following, mut shown) = stage.follow(Kind::ConfigMap).await;
        let mut next = async || {
            let waited = tokio::time::timeout(stage::PATIENCE, shown.recv()).await;
            waited.expect("the watch shows something").expect("the watch goes on")
        };
        let named = |seen: &Observation, name: &str| seen.object.named.name == name;
        let Shown::Page(page) = next().await else { panic!("first the list") };
        assert!(page.iter().any(|seen| named(seen, "under-test")), "{} are there", page.len());
        let Shown::Whole(places) = next().await else { panic!("then all of it") };
        assert_eq!(places.len(), page.len());
        stage.edit(Kind::ConfigMap, &serde_json::json!({ "data": { "MODE": "slow" } })).await;
        // others of the namespace's own may come to be meanwhile
        let changed = loop {
            match next().await {
                Shown::Changed(seen) if named(&seen, "under-test") => break seen,
                Shown::Changed(_) => {}
                Shown::Page(_) | Shown::Whole(_) | Shown::Gone(_) => panic!("it is a change"),
            }
        };
        let Content::Config(content) = &changed.content else { panic!("a ConfigMap's") };
        assert!(format!("{content:?}").contains("slow"), "{content:?}");
        stage.remove(Kind::ConfigMap).await;
        let gone = loop {
            match next().await {
                Shown::Gone(place) => break place,
                Shown::Changed(_) => {}
                Shown::Page(_) | Shown::Whole(_) => panic!("it is gone"),
            }
        };
        assert_eq!(gone.name, "under-test");
        following.abort();
    })
    .await;
}
