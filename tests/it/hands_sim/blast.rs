//! What else fails while an act is on its way: what it would take away is looked at again at the write.

use std::sync::{Arc, Mutex};

use belay::domain::plan::Refusal;
use belay::domain::warrant::Applied;
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{Budget, DeploymentSpec, Kind, Verb};

use super::{PODS, Stage, WEB, done};
use crate::sim::live;

/// More requests than one act sends.
const MOST: u32 = 40;

/// Three pods of `web`, with a budget over them or without one.
async fn stage(budget: Option<Budget>) -> Stage {
    Stage::built(|builder| {
        let builder = builder.deployment(DeploymentSpec::new("web", 3));
        match budget {
            Some(budget) => builder.pdb("web", budget),
            None => builder,
        }
    })
    .await
}

/// Notes with which of the requests below a path the other pod goes, counted from the act on.
struct Loss {
    lost: Arc<Mutex<bool>>,
}

/// Another ready pod of the owner goes with its node, right before the `n`th request of the act.
fn loses_another(stage: &Stage, n: u32) -> Loss {
    let other = live(stage.world(), "web").remove(1).name;
    let lost = Arc::new(Mutex::new(false));
    let told = Arc::clone(&lost);
    let edit = Effect::Edit(Box::new(move |objects| {
        objects.remove(Kind::Pod, "shop", &other);
        *told.lock().unwrap() = true;
    }));
    stage.fault(Rule::any("/", edit).after(n));
    Loss { lost }
}

impl Loss {
    fn happened(&self) -> bool {
        *self.lost.lock().unwrap()
    }
}

fn evicted(stage: &Stage) -> bool {
    stage
        .writes()
        .iter()
        .any(|write| write.verb == Verb::Create && write.path.ends_with("/eviction") && write.status < 300)
}

/// Ready pods of `web`, those on their way out not counted.
fn ready(stage: &Stage) -> usize {
    live(stage.world(), "web").iter().filter(|pod| pod.ready).count()
}

/// With a disruption budget, whatever fails at whatever moment: what is left is never less than it allows.
#[tokio::test]
async fn promise_17_no_budget_is_passed_whatever_fails_meanwhile() {
    let (mut before, mut after) = (0, 0);
    for n in 0..MOST {
        let stage = stage(Some(Budget::MinAvailable("2".into()))).await;
        let plan = stage.plan(&stage.restart_pod()).await;
        let loss = loses_another(&stage, n);
        let seen = stage.apply(&plan, "inc-0").await;
        if !loss.happened() {
            assert!(done(&seen), "{seen:?}");
            assert!(before > 0 && after == 0, "the act had {n} requests");
            return;
        }
        before += 1;
        after += u32::from(evicted(&stage));
        assert!(!evicted(&stage) && !done(&seen), "lost before request {n}, and evicted: {seen:?}");
        assert_eq!(ready(&stage), 2);
    }
    panic!("an act of {MOST} requests");
}

/// Without one, what failed before the last look at the owner stops it, and it says how many there would be.
#[tokio::test]
async fn promise_17_what_failed_before_the_last_look_stops_the_act() {
    let (mut stopped, mut late) = (0, 0);
    for n in 0..MOST {
        let stage = stage(None).await;
        let plan = stage.plan(&stage.restart_pod()).await;
        assert_eq!(plan.blast.unavailable_after, 1);
        let loss = loses_another(&stage, n);
        let seen = stage.apply(&plan, "inc-0").await;
        if !loss.happened() {
            assert!(done(&seen), "{seen:?}");
            // the look, and what comes between it and the eviction: rehearsals and the mark
            assert!(stopped >= 2, "the owner was looked at once more");
            assert!(late <= 6, "{late} requests lie between the last look and the eviction");
            return;
        }
        if let Applied::Refused { refusal } = &seen {
            assert!(matches!(refusal, Refusal::Limit(_) | Refusal::Changed { .. }), "{refusal}");
            assert!(!evicted(&stage));
            assert_eq!(late, 0, "refused after request {n}, where an earlier loss was not seen");
            stopped += 1;
        } else {
            late += 1;
        }
    }
    panic!("an act of {MOST} requests");
}

/// The looks are not answered from a cache: each act reads the owner and its pod itself.
#[tokio::test]
async fn promise_17_each_act_reads_its_owner_anew() {
    let stage = stage(None).await;
    let plan = stage.plan(&stage.restart_pod()).await;
    // an owner that cannot be read any more is not acted on
    let no = || Effect::Fail(503, "etcd is away".to_owned());
    stage.fault(Rule::on(Verb::Get, WEB, no()).times(MOST));
    stage.fault(Rule::on(Verb::Get, PODS, no()).times(MOST));
    let seen = stage.apply(&plan, "inc-0").await;
    assert!(!done(&seen) && !evicted(&stage), "{seen:?}");
}
