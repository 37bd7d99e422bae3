//! What Argo CD would put back is proposed in its repository instead: opened, closed, merged, left alone.

use belay::domain::action::ActionKind;
use belay::domain::record::{Answer, Ask, Outcome, Record};
use belay::domain::warrant::Applied;
use belay::incident::{Phase, State};
use belay::sim::forge::{Asked, Fault, State as Pull, Vendor};
use belay::sim::kube::Kind;
use serde_json::json;

use super::house::{House, Wish, body, saturation, until};

const GRANT: &str = "    - id: propose-more-replicas
      alerts: ['alertname=\"CPUSaturation\"']
      when: \"finding.cause == 'Saturation' && owner.gitops.selfHeal\"
      actions: [open_pull_request]
      environments: [shop]
      level: 3
      limits: { perTarget: { max: 1, window: 1h } }
      blastRadius: { maxReplicaDelta: 2, maxReplicas: 12 }
      verify: { within: 20m, stabilise: 15s, expect: [workload_ready, alert_gone], onFailure: escalate }
      confirm: { approval: one, within: 30m, onSilence: keep }
      playbook: true
";
const PATH: &str = "apps/shop/checkout.yaml";
const STARTS: &str = "2026-11-21T01:50:00Z";

fn manifest(replicas: u32) -> String {
    format!(
        "# the shop\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: checkout, namespace: shop }}\nspec:\n  replicas: {replicas} # sized in May\n"
    )
}

fn wish(vendor: Vendor, grant: &str) -> Wish {
    let wish = Wish::by_hand();
    let mut wish =
        if grant.is_empty() { wish } else { wish.with("  grants:\n", &format!("  grants:\n{grant}")) };
    let example = include_str!("../../../policies/demo/examples/saturation.yaml");
    let (kept, direct) =
        ("selfHeal: true", example.lines().find(|line| line.starts_with("action:")).unwrap());
    let action = direct.strip_prefix("action: ").unwrap();
    let proposed = format!("action: {{ kind: open_pull_request, insteadOf: {action} }}");
    let example = example.replace(direct, &proposed).replace("selfHeal: false", kept);
    assert!(example.contains(kept), "{example}");
    wish.examples.push(("policies/demo/examples/proposed.yaml".into(), example));
    Wish { forge: Some((vendor, vec![(PATH, manifest(3))])), ..wish }
}

/// `checkout` is kept by Argo CD, and has more to do than it can.
async fn saturated(wish: Wish) -> House {
    saturated_after(wish, |_| {}).await
}

async fn saturated_after(wish: Wish, prepare: impl FnOnce(&House)) -> House {
    let house = House::open(wish).await;
    prepare(&house);
    let mark = json!({ "metadata": { "labels": { "argocd.argoproj.io/instance": "shop" } } });
    house.world.edit(|objects| objects.merge(Kind::Deployment, "shop", "checkout", &mark)).unwrap();
    house.surge();
    until("it is busy", async || {
        let fires = |labels: &belay::domain::alert::Labels| labels["alertname"] == "CPUSaturation";
        house.alertmanager.firing().iter().any(fires).then_some(())
    })
    .await;
    house.deliver(body(&[saturation("checkout", STARTS, None)])).await;
    house
}

async fn proposed(house: &House) -> State {
    let asked = |state: &State| {
        matches!(state.phase, Phase::Verifying(_))
            && state.question.as_ref().is_some_and(|q| q.accepted_at.is_some())
    };
    house.find("it is proposed", "checkout", asked).await
}

#[tokio::test]
async fn it_is_opened_told_with_its_link_and_closed_on_request() {
    for vendor in [Vendor::GitHub, Vendor::GitLab] {
        let house = saturated(wish(vendor, GRANT)).await;
        let state = proposed(&house).await;
        let forge = house.forge.as_ref().unwrap();
        let plan = &state.acts[0].intent.plan;
        assert_eq!(plan.action.kind(), ActionKind::OpenPullRequest);
        assert_eq!(plan.changes[0].to.as_deref(), Some("5"));
        let pull = forge.repo().pulls[0].clone();
        assert_eq!(pull.state, Pull::Open);
        assert!(pull.body.contains(state.id.as_str()), "{}", pull.body);
        assert_eq!(forge.repo().file(&pull.from, PATH).unwrap(), manifest(5));
        assert_eq!(house.writes(), [], "nothing in the cluster is written");
        assert_eq!(house.replicas("checkout"), 3);
        // refused once, and asked about anew
        let entries = house.entries(&state.id).await;
        let refused = entries.iter().filter(|e| matches!(&e.record, Record::NotPlanned { .. })).count();
        assert_eq!(refused, 1);
        let question = &state.question.as_ref().unwrap().question;
        assert_eq!(question.ask, Ask::ConfirmOrRevert);
        let views = house.people.views.lock().unwrap().clone();
        let view = views.iter().rev().find(|view| view.question.is_some()).unwrap();
        let link = format!(
            "/shop/deploy/{}",
            if vendor == Vendor::GitHub { "pull/1" } else { "-/merge_requests/1" }
        );
        assert!(view.headline.contains(&link), "{}", view.headline);
        assert!(view.headline.contains("Nothing changes until people merge it."), "{}", view.headline);
        let text = format!("{view:?}");
        assert!(text.contains("Revert closes it") && !text.contains("It helped"), "{text}");

        house.answer(&state, Answer::Revert).await;
        let over = house.phase("checkout", |phase| *phase == Phase::Closed).await;
        assert_eq!(over.closed.unwrap().0, Outcome::Reverted);
        assert_eq!(forge.repo().pulls[0].state, Pull::Closed);
        assert_eq!(forge.repo().branches.len(), 1, "its branch is gone");
        assert_eq!(forge.calls().iter().filter(|asked| **asked == Asked::Open).count(), 1);
        assert_eq!(house.writes(), []);
        house.stop().await;
    }
}

#[tokio::test]
async fn merged_and_in_force_it_helped() {
    let house = saturated(wish(Vendor::GitHub, GRANT)).await;
    let state = proposed(&house).await;
    house.answer(&state, Answer::Confirm).await;
    let state = house.find("it is confirmed", "checkout", |s| s.acts[0].confirmed_by.is_some()).await;
    assert!(matches!(state.phase, Phase::Verifying(_)), "seen by people is not merged");
    house.forge.as_ref().unwrap().edit(|repo| repo.merge(1));
    // as Argo CD does
    let synced = json!({ "spec": { "replicas": 5 } });
    house.world.edit(|objects| objects.merge(Kind::Deployment, "shop", "checkout", &synced)).unwrap();
    let over = house.phase("checkout", |phase| *phase == Phase::Closed).await;
    let (outcome, summary, _) = over.closed.unwrap();
    assert_eq!(outcome, Outcome::Remedied, "{summary}");
    let applied = format!("{:?}", house.daemon.incident(&state.id).await.unwrap().acts[0].seen);
    assert!(applied.contains("was merged"), "{applied}");
    house.stop().await;
}

#[tokio::test]
async fn what_nobody_merges_is_escalated_and_never_called_a_remedy() {
    let house = saturated(wish(Vendor::GitLab, &GRANT.replace("within: 20m", "within: 2m"))).await;
    let state = house.phase("checkout", |phase| *phase == Phase::Escalated).await;
    let why = state.escalations.last().unwrap();
    assert!(why.contains("what was proposed is not in force") && why.contains("is open"), "{why}");
    assert_eq!(house.forge.as_ref().unwrap().repo().pulls[0].state, Pull::Open);
    // it ends with its alert
    house.deliver(body(&[saturation("checkout", STARTS, Some("2026-11-21T02:30:00Z"))])).await;
    let over = house.phase("checkout", |phase| *phase == Phase::Closed).await;
    assert_eq!(over.closed.unwrap().0, Outcome::HandedOver);
    house.stop().await;
}

#[tokio::test]
async fn what_people_decline_is_escalated_and_what_resolves_by_itself_is_over() {
    let house = saturated(wish(Vendor::GitHub, GRANT)).await;
    proposed(&house).await;
    house.forge.as_ref().unwrap().edit(|repo| repo.close(1));
    let state = house.phase("checkout", |phase| *phase == Phase::Escalated).await;
    assert!(state.escalations[0].contains("was closed without being merged"), "{:?}", state.escalations);
    house.stop().await;

    let house = saturated(wish(Vendor::GitHub, GRANT)).await;
    proposed(&house).await;
    house.deliver(body(&[saturation("checkout", STARTS, Some("2026-11-21T02:05:00Z"))])).await;
    let over = house.phase("checkout", |phase| *phase == Phase::Closed).await;
    let (outcome, summary, _) = over.closed.unwrap();
    assert_eq!(outcome, Outcome::ResolvedBySelf);
    assert!(summary.contains("is open"), "{summary}");
    house.stop().await;
}

#[tokio::test]
async fn without_a_grant_or_a_repository_a_person_is_called_with_both_reasons() {
    let house = saturated(wish(Vendor::GitHub, "")).await;
    let asked = house.phase("checkout", |phase| matches!(phase, Phase::Escalated | Phase::Closed)).await;
    let why = &asked.escalations[0];
    assert!(why.contains("Argo CD manages") && why.contains("policy does not let belay do that"), "{why}");
    assert!(!house.forge.as_ref().unwrap().calls().iter().any(|asked| Asked::WRITES.contains(asked)));
    house.stop().await;

    let house = saturated(Wish { forge: None, ..wish(Vendor::GitHub, GRANT) }).await;
    let state = house.phase("checkout", |phase| *phase == Phase::Escalated).await;
    let why = &state.escalations[0];
    assert!(why.contains("Argo CD manages") && why.contains("no repository is configured"), "{why}");
    assert_eq!(state.acts.len(), 0);
    house.stop().await;
}

#[tokio::test]
async fn lost_answers_are_read_back_and_nothing_is_there_twice() {
    let house = saturated_after(wish(Vendor::GitHub, GRANT), |house| {
        let forge = house.forge.as_ref().unwrap();
        forge.fail(Asked::Commit, Fault::LostAnswer);
        forge.fail(Asked::Open, Fault::LostRequest);
        forge.fail(Asked::Open, Fault::StatusAfter(503));
    })
    .await;
    let state = proposed(&house).await;
    let forge = house.forge.as_ref().unwrap();
    assert_eq!((forge.repo().pulls.len(), forge.repo().branches.len(), forge.pending()), (1, 2, 0));
    let unknown = house
        .entries(&state.id)
        .await
        .iter()
        .any(|entry| matches!(&entry.record, Record::Acted { applied: Applied::Unknown { .. }, .. }));
    assert!(unknown, "{}", house.story().await);
    house.stop().await;
}
