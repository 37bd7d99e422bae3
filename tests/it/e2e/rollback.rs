//! A release that does not come up is rolled back, and rolled forth again where people want that.

use belay::domain::action::ActionKind;
use belay::domain::record::{Answer, Outcome};
use belay::incident::Phase;
use belay::sim::kube::{Behaviour, Kind};
use serde_json::{Value, json};

use super::house::{CLUSTER, House, Wish, alert, body};

const GRANT: &str = "    - id: roll-back
      alerts: ['alertname=\"KubeDeploymentRolloutStuck\"']
      when: \"finding.cause in ['FailedRollout', 'ImagePull'] && owner.kind == 'Deployment'\"
      actions: [rollback_workload]
      environments: [shop]
      level: 3
      limits: { perTarget: { max: 1, window: 24h } }
      blastRadius: { maxUnavailable: 50%, keepReady: 1 }
      verify: { within: 20m, stabilise: 15s, expect: [workload_ready, alert_gone], onFailure: escalate }
      confirm: { approval: one, within: 30m, onSilence: keep }
      playbook: true
";

const BROKEN: &str = "registry.example/shop/web:broken";

fn image(house: &House) -> Value {
    let web = house.world.object(Kind::Deployment, "shop", "web").unwrap();
    web.pointer("/spec/template/spec/containers/0/image").unwrap().clone()
}

/// `web` is given an image that cannot be pulled, and the alert says so.
async fn released(annotations: &Value) -> House {
    let mut wish = Wish::by_hand().with("  grants:\n", &format!("  grants:\n{GRANT}"));
    let example = include_str!("../../../policies/examples/bad-release.yaml");
    wish.examples.push(("policies/demo/examples/bad-release.yaml".into(), example.into()));
    let house = House::open(wish).await;
    house.world.behave_image(BROKEN, Behaviour::BadImage);
    let mut template =
        house.world.object(Kind::Deployment, "shop", "web").unwrap()["spec"]["template"].clone();
    template["spec"]["containers"][0]["image"] = BROKEN.into();
    let patch = json!({ "metadata": { "annotations": annotations }, "spec": { "template": template } });
    house.world.edit(|objects| objects.merge(Kind::Deployment, "shop", "web", &patch)).unwrap();
    super::house::until("a new pod is stuck", async || {
        house.world.pods("shop", "web").into_iter().find(|pod| pod.waiting.contains("ImagePull"))
    })
    .await;
    let labels = [
        ("alertname", "KubeDeploymentRolloutStuck"),
        ("cluster", CLUSTER),
        ("namespace", "shop"),
        ("deployment", "web"),
        ("severity", "warning"),
    ];
    house.deliver(body(&[alert(&labels, "2026-11-21T01:50:00Z", None)])).await;
    house
}

#[tokio::test]
async fn a_release_that_does_not_come_up_is_rolled_back_and_forth() {
    let house = released(&json!({ "belay.dev/migration": "false" })).await;
    let asked = house.phase("web", |phase| matches!(phase, Phase::Approving | Phase::Confirming(_))).await;
    let reasons = &asked.decided.as_ref().unwrap().decision.reasons;
    assert!(matches!(asked.phase, Phase::Confirming(_)), "{reasons:?}");
    let plan = asked.plan.as_ref().unwrap();
    assert_eq!(plan.action.kind(), ActionKind::RollbackWorkload);
    let paths: Vec<&str> = plan.changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, ["/spec/template/spec/containers/0/image"]);
    assert_ne!(image(&house), BROKEN);
    assert!(asked.kept.is_some(), "the stuck pods were kept");
    // a person knows better: forth again
    house.answer(&asked, Answer::Revert).await;
    house.find("it is put back", "web", |s| s.acts.first().is_some_and(|act| act.put_back.is_some())).await;
    assert_eq!(image(&house), BROKEN);
    house.stop().await;
}

#[tokio::test]
async fn a_rollback_that_may_cross_a_migration_is_asked_first_and_one_that_does_is_refused() {
    let house = released(&json!({})).await;
    let asked = house.phase("web", |phase| *phase == Phase::Approving).await;
    assert_eq!(image(&house), BROKEN);
    house.answer(&asked, Answer::Approve).await;
    let over = house.phase("web", |phase| *phase == Phase::Closed).await;
    assert_eq!(over.closed.unwrap().0, Outcome::Remedied);
    assert_ne!(image(&house), BROKEN);
    house.stop().await;

    let house = released(&json!({ "belay.dev/migration": "true" })).await;
    let refused = house.phase("web", |phase| *phase == Phase::Escalated).await;
    assert!(refused.escalations[0].contains("a migration lies between"), "{:?}", refused.escalations);
    assert_eq!(house.writes(), []);
    house.stop().await;
}
