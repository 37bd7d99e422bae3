//! What can go wrong with the one write of every action: at most one effect, nobody's edit overwritten, and
//! never a word that is not so.

use belay::domain::action::Action;
use belay::domain::plan::{Plan, Refusal};
use belay::sim::kube::faults::Effect;
use serde_json::{Value, json};

use super::cases::{Case, cases, on_write};
use super::{Stage, done, part, refusal, sim_kind};

/// A case that is planned.
async fn planned(case: &Case) -> (Stage, Plan) {
    let stage = case.stage().await;
    let plan = stage.plan(&(case.action)(&stage)).await;
    (stage, plan)
}

fn held(stage: &Stage, plan: &Plan) -> Option<Value> {
    let named = &plan.action.target().named;
    Some(part(&stage.world().object(sim_kind(named.kind), &named.namespace, &named.name)?))
}

/// Those whose target stays while it is changed.
fn edits() -> impl Iterator<Item = Case> {
    cases().into_iter().filter(|case| !["restart a pod", "run a job"].contains(&case.name))
}

#[tokio::test]
async fn a_lost_answer_is_read_back_and_nothing_is_sent_again() {
    for case in cases() {
        for (effect, took_effect) in [(Effect::DropAnswer, true), (Effect::Lose, false)] {
            let told = format!("{} {effect:?}", case.name);
            let (mut stage, plan) = planned(&case).await;
            stage.fault(on_write(&plan.action, effect));
            let warrant = stage.warrant(&plan, "inc-0");
            for _ in 0..2 {
                let applied = stage.send(&plan, &warrant).await;
                assert_eq!(done(&applied), took_effect, "{told}: {applied:?}");
                assert_eq!(stage.effects("inc-0"), usize::from(took_effect), "{told}");
                stage.restart().await;
            }
            assert_eq!(done(&stage.status(&plan, "inc-0").await), took_effect, "{told}");
            // what was read back as not done may be tried again, with a new warrant
            let second = stage.warranted(&plan, "w-2", "inc-0");
            assert!(done(&stage.send(&plan, &second).await), "{told}");
            assert_eq!(stage.effects("inc-0"), 1, "{told}");
        }
    }
}

#[tokio::test]
async fn a_no_is_told_as_such_and_leaves_nothing() {
    for case in cases() {
        let (stage, plan) = planned(&case).await;
        let before = held(&stage, &plan);
        for (code, message) in [
            (403, "admission webhook \"guard.example\" denied the request"),
            (409, "the object has been modified"),
            (500, "etcdserver: request timed out"),
            (429, "too many requests"),
        ] {
            let (told, intent) = (format!("{} {code}", case.name), format!("inc-{code}"));
            let asked = stage.writes().len();
            stage.fault(on_write(&plan.action, Effect::Fail(code, message.into())));
            let why = refusal(stage.apply(&plan, &intent).await);
            match code {
                500 => assert!(matches!(why, Refusal::NotApplied(_)), "{told}: {why:?}"),
                _ => assert!(matches!(&why, Refusal::Api(text) if text.contains(message)), "{told}: {why:?}"),
            }
            assert_eq!(stage.effects(&intent), 0, "{told}");
            if !matches!(plan.action, Action::RestartPod { .. }) {
                assert_eq!(held(&stage, &plan), before, "{told}");
                assert_eq!(stage.writes().len(), asked + 1, "{told}: asked once");
            }
        }
    }
}

#[tokio::test]
async fn a_persons_edit_stands_and_the_refusal_says_what_it_holds_now() {
    for case in edits() {
        let named = |plan: &Plan| plan.action.target().named.clone();
        // between the plan and the order: nothing is even sent
        let (stage, plan) = planned(&case).await;
        stage.edit(named(&plan).kind, &named(&plan).name, case.meddle);
        let theirs = held(&stage, &plan);
        let why = refusal(stage.apply(&plan, "inc-0").await);
        assert!(matches!(why, Refusal::Changed { .. }), "{}: {why:?}", case.name);
        assert!(why.to_string().contains(" now, and "), "{}: {why}", case.name);
        assert!(stage.writes().is_empty(), "{}", case.name);
        assert_eq!(held(&stage, &plan), theirs);
        // right before the write
        let (stage, plan) = planned(&case).await;
        stage.fault(on_write(&plan.action, case.meddling(plan.action.target())));
        let why = refusal(stage.apply(&plan, "inc-0").await);
        assert!(matches!(why, Refusal::Changed { .. }), "{}: {why:?}", case.name);
        assert_eq!(stage.effects("inc-0"), 0);
        stage.served.clock.advance(crate::sim::seconds(1));
        assert_eq!(held(&stage, &plan).map(plain), theirs.map(plain), "{}", case.name);
    }
}

/// Without the moment at which a node was tainted.
fn plain(mut spec: Value) -> Value {
    if let Some(taint) = spec.pointer_mut("/taints/0/timeAdded") {
        *taint = Value::Null;
    }
    spec
}

#[tokio::test]
async fn an_undo_never_overwrites_a_later_edit() {
    for case in edits() {
        let acted = async || {
            let (stage, plan) = planned(&case).await;
            assert!(done(&stage.apply(&plan, "inc-0").await));
            (stage, plan)
        };
        // the field is theirs now: an undo is not even planned. Where the edit is what was there before, or
        // what was written, it is no less theirs
        let (stage, plan) = acted().await;
        let named = plan.action.target().named.clone();
        if !plan.revertible() {
            continue;
        }
        let theirs = |object: &mut Value| later(&plan, object);
        stage.edit(named.kind, &named.name, theirs);
        let held_then = held(&stage, &plan);
        let why = stage.try_revert(&plan, "inc-0").await.unwrap_err();
        assert!(matches!(why, Refusal::Changed { .. }), "{}: {why:?}", case.name);
        assert!(why.to_string().contains("now, and we wrote"), "{}: {why}", case.name);
        assert_eq!(held(&stage, &plan), held_then);
        // right before the undo's own write
        let (stage, plan) = acted().await;
        let back = stage.try_revert(&plan, "inc-0").await.unwrap();
        let planned = plan.clone();
        let target = plan.action.target().named.clone();
        let edit = Effect::Edit(Box::new(move |objects| {
            let change = |object: &mut Value| later(&planned, object);
            objects.modify(sim_kind(target.kind), &target.namespace, &target.name, change).unwrap();
        }));
        stage.fault(on_write(&plan.action, edit));
        let why = refusal(stage.apply(&back, "inc-1").await);
        assert!(matches!(why, Refusal::Changed { .. }), "{}: {why:?}", case.name);
        assert_eq!(held(&stage, &plan).map(plain), held_then.map(plain), "{}", case.name);
        assert_eq!(stage.effects("inc-1"), 0);
    }
}

/// A person's change of the field that the plan changed last: a switch back to what it was, anything else
/// to something new.
fn later(plan: &Plan, object: &mut Value) {
    let change = plan.changes.last().unwrap();
    let (parent, key) = change.path.rsplit_once('/').unwrap();
    let place = object.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match place.get(key).cloned() {
        Some(Value::Number(_)) => place.insert(key.into(), 3.into()),
        Some(Value::String(text)) if text.ends_with("Gi") => place.insert(key.into(), "800Mi".into()),
        Some(Value::String(_)) => place.insert(key.into(), "theirs".into()),
        Some(Value::Object(_)) => place.insert(key.into(), json!({ "app": "theirs" })),
        Some(Value::Bool(true)) => place.insert(key.into(), false.into()),
        Some(Value::Bool(false)) | None => place.insert(key.into(), true.into()),
        Some(other) => panic!("{other}"),
    };
}

#[tokio::test]
async fn an_object_that_is_gone_or_another_one_is_left_alone() {
    for case in cases() {
        for (when, again) in [("before", false), ("before", true), ("meanwhile", false), ("meanwhile", true)]
        {
            let told = format!("{} {when} {again}", case.name);
            let (stage, plan) = planned(&case).await;
            let target = plan.action.target().named.clone();
            let mut replace: belay::sim::kube::faults::Edit = Box::new(move |objects| {
                let kind = sim_kind(target.kind);
                let gone = objects.remove(kind, &target.namespace, &target.name);
                if let Some(gone) = gone.filter(|_| again) {
                    objects.insert(kind, gone);
                }
            });
            match when {
                "before" => stage.world().edit(|objects| replace(objects)),
                _ => stage.fault(on_write(&plan.action, Effect::Edit(replace))),
            }
            let applied = stage.apply(&plan, "inc-0").await;
            if when == "meanwhile" && matches!(plan.action, Action::RunJob { .. }) {
                // the Job is an object of its own: what it is about is read right before, and can go at any time
                assert!(done(&applied), "{told}: {applied:?}");
                continue;
            }
            if when == "meanwhile" && matches!(plan.action, Action::RestartPod { .. }) {
                // it was marked and is gone: nothing shows that it was somebody else
                assert!(done(&applied), "{told}: {applied:?}");
                continue;
            }
            let why = refusal(applied);
            assert!(matches!(why, Refusal::Gone { .. }), "{told}: {why:?}");
            assert_eq!(stage.effects("inc-0"), 0, "{told}");
            let status = refusal(stage.status(&plan, "inc-0").await);
            assert!(matches!(status, Refusal::Gone { .. }), "{told}: {status:?}");
            let back = stage.try_revert(&plan, "inc-0").await.unwrap_err();
            assert!(matches!(back, Refusal::Gone { .. } | Refusal::NothingToDo(_)), "{told}: {back:?}");
        }
    }
}
