//! Two clusters under one daemon: each alert is one's, by its labels, and what is done is done there. The second
//! one is reached through servers inside it alone.

use belay::domain::record::{Answer, Outcome, Record};
use belay::domain::target::Targeted;
use belay::incident::{Phase, State};
use belay::sim::kube::{Behaviour, World};
use serde_json::Value;

use super::house::{BEGINS, House, SECOND, Wish, alert, body, until};

fn saturated(cluster: Option<&str>) -> Value {
    let mut labels = vec![
        ("alertname", "CPUSaturation"),
        ("deployment", "checkout"),
        ("namespace", "shop"),
        ("severity", "warning"),
    ];
    labels.extend(cluster.map(|cluster| ("cluster", cluster)));
    alert(&labels, BEGINS, None)
}

fn replicas(world: &World) -> i64 {
    world.deployment("shop", "checkout").unwrap().replicas
}

async fn of(house: &House, cluster: &str, wanted: fn(&State) -> bool) -> State {
    until("the incident is there", async || {
        house.incidents().await.into_iter().find(|s| s.cluster.as_str() == cluster && wanted(s))
    })
    .await
}

#[tokio::test]
async fn each_alert_is_one_clusters_and_what_is_done_is_done_there() {
    let house = House::open(Wish { second: true, ..Wish::by_hand() }).await;
    let second = house.second.clone().unwrap();
    for world in [&house.world, &second] {
        world.behave("shop", "checkout", Behaviour::Busy { demand_millicores: 1600 });
    }
    // one owner's name in two clusters is two owners
    house.deliver(body(&[saturated(Some(SECOND))])).await;
    let asked = of(&house, SECOND, |s| matches!(s.phase, Phase::Confirming(_))).await;
    assert_eq!((replicas(&second), replicas(&house.world)), (5, 3));
    house.deliver(body(&[saturated(Some("demo"))])).await;
    of(&house, "demo", |s| matches!(s.phase, Phase::Confirming(_))).await;
    assert_eq!((replicas(&second), replicas(&house.world)), (5, 5));
    house.answer(&asked, Answer::Revert).await;
    let over = of(&house, SECOND, |s| s.phase == Phase::Closed).await;
    assert_eq!(over.closed.unwrap().0, Outcome::Reverted);
    assert_eq!((replicas(&second), replicas(&house.world)), (3, 5), "and is put back there");
    // the used warrants of one are not those of the other
    assert!(house.dir.path().join(format!("{SECOND}.{}", super::house::USED)).exists());
    house.stop().await;
}

#[tokio::test]
async fn an_alert_of_no_cluster_is_a_persons() {
    let house = House::open(Wish { second: true, ..Wish::by_hand() }).await;
    house.deliver(body(&[saturated(Some("third")), saturated(None)])).await;
    until("both are told", async || {
        let told = house.incidents().await.into_iter().filter(|s| s.cluster.as_str() == "?");
        let told = told.filter(|s| matches!(s.phase, Phase::Closed | Phase::Escalated)).count();
        (told == 2).then_some(())
    })
    .await;
    for state in house.incidents().await {
        let Targeted::Unclear { why } = &state.target else { panic!("{:?}", state.target) };
        assert!(why.contains("no cluster that belay looks after"), "{why}");
    }
    assert!(house.effects().is_empty());
    house.stop().await;
}

/// What is seen of one cluster says nothing of another: that its alert which always fires does, too.
#[tokio::test]
async fn what_is_seen_is_kept_for_each_cluster() {
    let house = House::open(Wish { second: true, ..Wish::by_hand() }).await;
    until("both are armed", async || house.daemon.is_armed().await.unwrap().then_some(())).await;
    let records = house.records("brakes").await.into_iter();
    let mut armed: Vec<String> = records
        .filter_map(|r| match r {
            Record::Braked { brake, on: false, .. } if brake.contains("blind") => Some(brake),
            _ => None,
        })
        .collect();
    armed.sort();
    assert_eq!(armed, ["blind/Watchdog".to_owned(), format!("{SECOND}:blind/Watchdog")]);
    house.stop().await;
}
