//! Reads from an API server that is busy, slow or says no; and what saturation looks like from outside.

use std::sync::Arc;
use std::time::Duration;

use belay::adapters::kube::{Access, KubeReads, connect};
use belay::diagnose::diagnose;
use belay::domain::action::Action;
use belay::domain::action::job::Templates;
use belay::domain::ids::Cluster;
use belay::domain::target::{Kind as K, Named};
use belay::ports::clock::SystemClock;
use belay::ports::reads::{Listing as _, LogQuery, ReadError, Reads as _};
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{Fault, Verb};

use super::labels;
use crate::sim::{Served, live, run_until};

fn named(kind: K, name: &str) -> Named {
    Named { cluster: Cluster::new("eu-1"), kind, namespace: "shop".into(), name: name.into() }
}

async fn eyes(served: &Served) -> KubeReads {
    let client =
        connect(&Access::Url { url: served.url.clone(), ca_file: None, token_file: None }).await.unwrap();
    KubeReads::new(client, Cluster::new("eu-1"), served.clock.clone())
}

#[tokio::test]
async fn a_saturated_deployment_is_measured_and_scaled_from_three_to_five() {
    let served = Served::shop().await;
    served.world.break_it(Fault::Surge { deployment: "checkout".into(), demand_millicores: 9000 });
    run_until(&served.clock, 60, || served.world.saturation("shop", "checkout").is_some_and(|s| s >= 0.95));
    let reads = eyes(&served).await;
    let located = reads.locate(&named(K::Deployment, "checkout")).await.unwrap();
    let snapshot = reads.snapshot(&located).await.unwrap();
    assert_eq!(snapshot.usage.as_ref().unwrap().len(), 3);
    let found = diagnose(&snapshot, &labels("CPUSaturation"), &Templates::default());
    let actions: Vec<Action> = found.candidates.into_iter().map(|c| c.action).collect();
    assert_eq!(actions, [Action::ScaleWorkload { workload: located.owner.0, replicas: 5 }]);
    let search = reads.locate(&named(K::Deployment, "search")).await.unwrap();
    let scalers = reads.snapshot(&search).await.unwrap().autoscalers.unwrap();
    let scalers: Vec<_> = scalers.into_iter().map(|s| (s.name, s.min, s.max)).collect();
    assert_eq!(scalers, [("search".to_owned(), 2, 6)]);
    served.stop().await;
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_one_that_says_no_is_not() {
    let served = Served::shop().await;
    let client =
        connect(&Access::Url { url: served.url.clone(), ca_file: None, token_file: None }).await.unwrap();
    let reads = KubeReads::new(client, Cluster::new("eu-1"), Arc::new(SystemClock));
    let web = "/apis/apps/v1/namespaces/shop/deployments/web";
    let left = |code: u16, times: u32| {
        served.world.faults(|f| {
            f.clear();
            f.add(Rule::any(web, Effect::Fail(code, "no".into())).times(times));
        });
    };
    for code in [429, 500, 503] {
        left(code, 2);
        assert!(reads.locate(&named(K::Deployment, "web")).await.is_ok(), "{code}");
        left(code, 3);
        assert!(
            matches!(reads.locate(&named(K::Deployment, "web")).await, Err(ReadError::Failed { .. })),
            "{code}"
        );
    }
    served.world.faults(|f| {
        f.clear();
        f.add(Rule::any(web, Effect::Lose));
    });
    assert!(reads.locate(&named(K::Deployment, "web")).await.is_ok(), "a closed connection");
    left(403, 1);
    assert!(matches!(reads.locate(&named(K::Deployment, "web")).await, Err(ReadError::Refused { .. })));
    served.stop().await;
}

#[tokio::test]
async fn a_part_that_hangs_costs_only_itself() {
    let served = Served::shop().await;
    let reads = eyes(&served).await.with_deadline(Duration::from_millis(500));
    let located = reads.locate(&named(K::Deployment, "web")).await.unwrap();
    served.world.faults(|f| f.add(Rule::on(Verb::List, "/api/v1/namespaces/shop/events", Effect::Hang)));
    let snapshot = reads.snapshot(&located).await.unwrap();
    assert!(snapshot.events.as_ref().unwrap_err().contains("no answer within"), "{:?}", snapshot.events);
    assert!(snapshot.pods.is_ok() && snapshot.workload.is_ok());
    served.stop().await;
}

#[tokio::test]
async fn text_of_the_cluster_arrives_cleaned_and_redacted() {
    let served = Served::shop().await;
    let reads = eyes(&served).await;
    let pod = live(&served.world, "web").remove(0).name;
    served.world.say("shop", &pod, "\u{1b}[31mDB_PASSWORD=hunter2\u{1b}[0m \u{202e}evil");
    let query =
        LogQuery { namespace: "shop".into(), pod, container: Some("web".into()), previous: false, tail: 3 };
    let log = reads.log(&query).await.unwrap();
    assert_eq!(log.lines.last().unwrap(), "DB_PASSWORD=[redacted] <U+202E>evil");
    assert!(log.lines.len() <= 3);
    served.stop().await;
}
