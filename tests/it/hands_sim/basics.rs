//! Both first actions end to end, and what can go wrong with their requests.

use belay::domain::ids::IntentId;
use belay::domain::plan::Refusal;
use belay::domain::target::RootOwner;
use belay::ports::actions::Actions as _;
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{Kind, Verb};
use serde_json::json;

use super::{PODS, Stage, WEB, done, refusal};

#[tokio::test]
async fn scaled_and_put_back_each_in_one_patch() {
    let stage = Stage::new().await;
    let before = stage.replicas();
    let plan = stage.plan(&stage.scale(5)).await;
    assert!(stage.writes().is_empty(), "planning changes nothing");
    assert!(done(&stage.apply(&plan, "inc-0").await));
    assert_eq!(stage.replicas(), 5);
    let writes = stage.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].intent.as_deref(), Some("inc-0"));
    assert!(writes[0].user_agent.ends_with(" intent/inc-0"), "{}", writes[0].user_agent);

    let back = stage.actions().plan_revert(&plan, &IntentId::new("inc-0")).await.unwrap().unwrap();
    assert!(done(&stage.apply(&back, "inc-1").await));
    assert_eq!(stage.replicas(), before);
    assert_eq!(stage.writes().len(), 2);
    let template = stage.world().object(Kind::Deployment, "shop", "web").unwrap();
    let template = template.pointer("/spec/template").unwrap().to_string();
    assert!(!template.contains("belay.dev/intent"), "the mark is on the object, not on its template");
}

#[tokio::test]
async fn a_pod_is_rehearsed_marked_and_evicted_by_uid() {
    let stage = Stage::new().await;
    let action = stage.restart_pod();
    let plan = stage.plan(&action).await;
    assert_eq!(plan.owner, RootOwner(stage.web()));
    assert_eq!(plan.blast.desired, 3);
    let rehearsals = stage.world().writes();
    assert!(rehearsals.iter().all(|write| write.dry_run && !write.changed));
    assert!(rehearsals.iter().any(|write| write.path == PODS && write.status == 201), "{rehearsals:?}");
    assert!(done(&stage.apply(&plan, "inc-0").await));
    let writes = stage.writes();
    let verbs: Vec<_> = writes.iter().map(|write| (write.verb, write.effect)).collect();
    assert_eq!(writes.len(), 2, "{verbs:?}");
    assert_eq!(writes[1].body["deleteOptions"]["preconditions"]["uid"], action.target().uid.as_str());
    assert_eq!(stage.world().effects()["inc-0"], 1);
    assert!(done(&stage.apply(&plan, "inc-0").await));
    assert_eq!(stage.writes().len(), 2);
}

#[tokio::test]
async fn a_lost_answer_is_read_back() {
    for (effect, took_effect) in [(Effect::DropAnswer, true), (Effect::Lose, false)] {
        let stage = Stage::new().await;
        let plan = stage.plan(&stage.scale(5)).await;
        stage.fault(Rule::on(Verb::Patch, WEB, effect).dry_run(false));
        let warrant = stage.warrant(&plan, "inc-0");
        for _ in 0..2 {
            let seen = stage.actions().apply(&plan, &warrant).await.unwrap();
            assert_eq!(done(&seen), took_effect, "{seen:?}");
        }
        assert_eq!(stage.replicas() == 5, took_effect);
        assert_eq!(stage.writes().len(), usize::from(took_effect), "never sent again");
    }
    for (effect, took_effect) in [(Effect::DropAnswer, true), (Effect::Lose, false)] {
        let stage = Stage::new().await;
        let plan = stage.plan(&stage.restart_pod()).await;
        stage.fault(Rule::any(PODS, effect).ending("/eviction").dry_run(false));
        let warrant = stage.warrant(&plan, "inc-0");
        for _ in 0..2 {
            let seen = stage.actions().apply(&plan, &warrant).await.unwrap();
            assert_eq!(done(&seen), took_effect, "{seen:?}");
        }
        let effects = stage.world().effects().get("inc-0").copied().unwrap_or(0);
        assert_eq!(effects, usize::from(took_effect));
    }
}

#[tokio::test]
async fn an_edit_right_before_the_write_wins_and_is_named() {
    let stage = Stage::new().await;
    let plan = stage.plan(&stage.scale(5)).await;
    let edit: belay::sim::kube::faults::Edit = Box::new(|objects| {
        objects.merge(Kind::Deployment, "shop", "web", &json!({ "spec": { "replicas": 4 } }));
    });
    stage.fault(Rule::on(Verb::Patch, WEB, Effect::Edit(edit)).dry_run(false));
    let why = refusal(stage.apply(&plan, "inc-0").await);
    assert!(matches!(why, Refusal::Changed { .. }), "{why:?}");
    assert_eq!(stage.replicas(), 4);
}

#[tokio::test]
async fn an_answer_of_5xx_leaves_it_open_until_it_is_read_back() {
    let stage = Stage::new().await;
    let plan = stage.plan(&stage.scale(5)).await;
    stage.fault(Rule::on(Verb::Patch, WEB, Effect::Fail(503, "overloaded".into())).dry_run(false));
    let why = refusal(stage.apply(&plan, "inc-0").await);
    assert!(matches!(why, Refusal::NotApplied(_)), "{why:?}");
    assert_eq!(stage.writes().len(), 1, "asked once");
}

#[tokio::test]
async fn a_full_budget_refuses_the_plan_in_its_own_words() {
    let stage = Stage::new().await;
    stage.world().edit(|objects| {
        let budgets: Vec<String> = objects
            .list(Kind::PodDisruptionBudget, "shop")
            .filter_map(|b| Some(b.pointer("/metadata/name")?.as_str()?.to_owned()))
            .collect();
        for name in budgets {
            let patch = json!({ "spec": { "minAvailable": 3, "maxUnavailable": null } });
            objects.merge(Kind::PodDisruptionBudget, "shop", &name, &patch);
        }
        let selector = json!({ "matchLabels": { "app": "web" } });
        let spec = json!({ "minAvailable": 3, "selector": selector });
        if objects.get(Kind::PodDisruptionBudget, "shop", "web").is_none() {
            objects.insert(
                Kind::PodDisruptionBudget,
                json!({ "metadata": { "name": "web", "namespace": "shop" }, "spec": spec }),
            );
        }
    });
    let why = stage.try_plan(&stage.restart_pod()).await.unwrap_err();
    assert!(matches!(&why, Refusal::Api(text) if text.contains("disruption budget")), "{why:?}");
    assert!(stage.writes().is_empty());
}

#[tokio::test]
async fn a_quota_that_is_full_keeps_the_old_pod() {
    let stage = Stage::new().await;
    let plan = stage.plan(&stage.restart_pod()).await;
    stage.fault(Rule::on(Verb::Create, PODS, Effect::Fail(403, "exceeded quota: pods".into())).dry_run(true));
    let why = refusal(stage.apply(&plan, "inc-0").await);
    assert!(why.to_string().contains("exceeded quota"), "{why}");
    assert!(stage.writes().is_empty());
}
