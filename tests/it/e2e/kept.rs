//! What an act takes away is kept first; where that fails, a person is asked.

use belay::domain::evidence::Preserved;
use belay::domain::record::Record;
use belay::incident::Phase;
use belay::sim::kube::Verb;
use belay::sim::kube::faults::{Effect, Rule};

use super::house::{House, Wish};

#[tokio::test]
async fn logs_events_and_pods_are_kept_before_a_pod_goes() {
    let house = House::open(Wish::default()).await;
    let pod = house.leak("web").await;
    let asked = house.phase("web", |phase| matches!(phase, Phase::Confirming(_))).await;
    let entries = house.entries(&asked.id).await;
    let kept =
        entries.iter().position(|e| matches!(&e.record, Record::Planned { kept: Some(_), .. })).unwrap();
    let intended = entries.iter().position(|e| matches!(e.record, Record::Intended(_))).unwrap();
    assert!(kept < intended);
    let Some(Preserved::Blob(hash)) = asked.kept else { panic!("{:?}", asked.kept) };
    let blob = house.daemon.ports().store.blob(hash).await.unwrap().unwrap();
    let (snapshot, words): (belay::domain::cluster::Snapshot, Vec<belay::domain::cluster::LogTail>) =
        serde_json::from_slice(&blob).unwrap();
    assert!(snapshot.pods.unwrap().iter().any(|seen| seen.object.uid == pod.uid));
    assert!(snapshot.events.unwrap().iter().any(|event| event.reason == "BackOff"), "its events are there");
    let own: Vec<_> = words.iter().filter(|log| log.pod == pod.name).collect();
    assert!(own.iter().any(|log| log.previous && !log.lines.is_empty()), "{words:?}");
    house.stop().await;
}

#[tokio::test]
async fn where_they_cannot_be_kept_a_person_is_asked() {
    let house = House::open(Wish::default()).await;
    let forbidden = Effect::Fail(403, "pods/log is forbidden".into());
    house
        .world
        .faults(|faults| faults.add(Rule::on(Verb::Get, "/api", forbidden).ending("/log").times(100_000)));
    house.leak("web").await;
    let asked = house.phase("web", |phase| *phase == Phase::Approving).await;
    assert!(matches!(asked.kept, Some(Preserved::Not(_))), "{:?}", asked.kept);
    let reasons = asked.decided.unwrap().decision.reasons;
    assert!(reasons.iter().any(|reason| reason.code == "evidence/not-kept"), "{reasons:?}");
    assert_eq!(house.writes(), []);
    house.stop().await;
}
