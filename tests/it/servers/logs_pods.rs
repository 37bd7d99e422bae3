//! The logs of a cluster's pods: on the simulated API server, and on plain reads that a test makes up.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use belay::adapters::kube::{Access, KubeReads, connect};
use belay::adapters::pod_logs::PodLogs;
use belay::domain::cluster::{
    Container, ContainerState, Ended, Event, LogTail, Pod, Probes, Revision, Workload,
};
use belay::domain::ids::Cluster;
use belay::domain::log::Severity;
use belay::domain::log::pattern::Pattern;
use belay::domain::target::{Kind, Named, Object};
use belay::ports::clock::SystemClock;
use belay::ports::logs::{Logs as _, Query};
use belay::ports::reads::{Listed, Listing, LogQuery, ReadError, Stretch, StretchQuery};
use jiff::SignedDuration;

use super::logs_stores::{at, query};
use crate::sim::{Served, live, run_until, start};

type Lines = Vec<(&'static str, &'static str)>;

/// Pods with what they wrote; one that is not there never answers, `denied` is refused.
#[derive(Clone, Default)]
struct Fake {
    pods: Vec<Pod>,
    logs: BTreeMap<(String, bool), Lines>,
    cut: bool,
}

pub fn pod(name: &str, labels: &[(&str, &str)], controller: Option<(Kind, &str)>, restarts: u32) -> Pod {
    let object = |kind: Kind, name: &str| Object {
        named: Named { cluster: Cluster::new("eu-1"), kind, namespace: "shop".into(), name: name.into() },
        uid: name.into(),
    };
    let ended =
        Ended { reason: "Error".into(), exit_code: 1, at: Some(at("2026-11-21T02:10:00Z")), started: None };
    let container = Container {
        name: "api".into(),
        image: "api:1".into(),
        ready: true,
        restarts,
        state: ContainerState::Running { since: None },
        last_end: (restarts > 0).then_some(ended),
        memory_limit: None,
        cpu_limit_millis: None,
        probes: Probes::default(),
    };
    Pod {
        object: object(Kind::Pod, name),
        phase: "Running".into(),
        ready: true,
        terminating: false,
        not_ready_since: None,
        created: None,
        node: Some("node-1".into()),
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        annotations: BTreeMap::default(),
        controller: controller.map(|(kind, name)| object(kind, name)),
        has_claims: false,
        containers: vec![container],
        reason: String::new(),
        unscheduled: None,
        needs: None,
    }
}

#[async_trait]
impl Listing for Fake {
    async fn pods(&self, _: &str) -> Result<Listed<Pod>, ReadError> {
        Ok(Listed { items: self.pods.clone(), left_out: Some(0) })
    }

    async fn deployments(&self, _: &str) -> Result<Listed<Workload>, ReadError> {
        Ok(Listed { items: vec![], left_out: Some(0) })
    }

    async fn events(&self, _: &str) -> Result<Listed<Event>, ReadError> {
        Ok(Listed { items: vec![], left_out: Some(0) })
    }

    async fn revisions(&self, _: &str, name: &str) -> Result<Listed<Revision>, ReadError> {
        Err(ReadError::NotFound { what: name.to_owned() })
    }

    async fn log(&self, query: &LogQuery) -> Result<LogTail, ReadError> {
        Err(ReadError::NotFound { what: query.pod.clone() })
    }

    async fn stretch(&self, query: &StretchQuery) -> Result<Stretch, ReadError> {
        if query.pod.starts_with("denied") {
            return Err(ReadError::Refused { what: "a log".into(), why: "no".into() });
        }
        let Some(lines) = self.logs.get(&(query.pod.clone(), query.previous)) else {
            return std::future::pending().await;
        };
        let lines = lines.iter().map(|(time, text)| (at(time), (*text).to_owned())).collect();
        Ok(Stretch { lines, cut: self.cut })
    }
}

fn logs(fake: Fake) -> PodLogs {
    PodLogs::new(Arc::new(fake), None, BTreeMap::new())
}

const SAID: [(&str, &str); 4] = [
    ("2026-11-21T02:05:00Z", "2026-11-21 02:05:00 ERROR payment failed"),
    ("2026-11-21T02:05:00Z", "java.lang.IllegalStateException: no stock"),
    ("2026-11-21T02:05:00Z", "\tat com.example.Pay.call(Pay.java:17)"),
    ("2026-11-21T02:06:00Z", "level=info msg=ok"),
];

#[tokio::test]
async fn a_services_pods_are_known_by_label_or_by_what_controls_them() {
    let pods = vec![
        pod("a", &[("app", "checkout")], None, 0),
        pod("b", &[("app.kubernetes.io/name", "checkout")], None, 0),
        pod("checkout-7f4b9-x", &[], Some((Kind::ReplicaSet, "checkout-7f4b9")), 0),
        pod("checkout-0", &[], Some((Kind::StatefulSet, "checkout")), 0),
        pod("checkout-api-7f4b9-x", &[], Some((Kind::ReplicaSet, "checkout-api-7f4b9")), 0),
        pod("other", &[("app", "other")], None, 0),
    ];
    let said = |pod: &Pod| ((pod.object.named.name.clone(), false), SAID.to_vec());
    let fake = Fake { logs: pods.iter().map(said).collect(), pods, cut: false };
    let found = logs(fake.clone()).search(&query()).await.unwrap();
    let pods: std::collections::BTreeSet<&str> = found.lines().map(|l| l.instance.pod.as_str()).collect();
    assert_eq!(pods.into_iter().collect::<Vec<_>>(), ["a", "b", "checkout-0", "checkout-7f4b9-x"]);
    let none = Query { service: Some("nobody".into()), ..query() };
    let error = logs(fake.clone()).search(&none).await.unwrap_err();
    assert_eq!(error.to_string(), "a pod of service `nobody` in namespace `shop` does not exist");
    let mapped = PodLogs::new(
        Arc::new(fake),
        Some("app".into()),
        [("checkout".to_owned(), "other".to_owned())].into(),
    );
    let found = mapped.search(&query()).await.unwrap();
    assert!(found.lines().all(|line| line.instance.pod == "other" && line.service == "other"));
}

#[tokio::test]
async fn an_error_is_found_with_its_stack_in_the_previous_instance_too() {
    let fake = Fake {
        pods: vec![pod("checkout-0", &[("app", "checkout")], None, 1)],
        logs: [
            (("checkout-0".to_owned(), true), SAID.to_vec()),
            (("checkout-0".to_owned(), false), vec![("2026-11-21T02:20:00Z", "level=info msg=started")]),
        ]
        .into(),
        cut: false,
    };
    let errors = Query { least: Some(Severity::Error), ..query() };
    let found = logs(fake.clone()).search(&errors).await.unwrap();
    assert_eq!(found.matched(), 3, "{found:?}");
    assert!(found.lines().all(|line| line.instance.previous));
    let around = Query { pattern: Some(Pattern::read("no stock").unwrap()), context: 1, ..query() };
    let found = logs(fake).search(&around).await.unwrap();
    let lines: Vec<bool> = found.lines().map(|line| line.matched).collect();
    assert_eq!(lines, [false, true, false]);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_named_and_the_rest_is_given() {
    let names: Vec<String> = (0..40).map(|n| format!("checkout-{n:02}")).collect();
    let mut pods: Vec<Pod> = names.iter().map(|name| pod(name, &[("app", "checkout")], None, 0)).collect();
    pods.push(pod("denied-1", &[("app", "checkout")], None, 0));
    for pod in &mut pods {
        pod.ready = pod.object.named.name != "denied-1";
    }
    let quick = names.iter().filter(|name| *name != "checkout-03");
    let fake =
        Fake { pods, logs: quick.map(|name| ((name.clone(), false), SAID.to_vec())).collect(), cut: true };
    let found = logs(fake).search(&Query { limit: 1000, ..query() }).await.unwrap();
    assert!(found.more && found.matched() == 28 * 4, "{}", found.matched());
    let all = found.left_out.join("\n");
    assert!(all.contains("no answer within 10 seconds about 1 pods, among them `checkout-03`"), "{all}");
    assert!(all.contains("11 logs were not read, among them those of `checkout-29`"), "{all}");
    assert!(all.contains("`denied-1/api`: reading a log was refused: no"), "{all}");
    assert!(
        all.contains("`checkout-00/api`: only what was written from 2026-11-21T02:05:00Z on was read"),
        "{all}"
    );
    let fake = Fake { pods: vec![pod("denied-1", &[("app", "checkout")], None, 0)], ..Fake::default() };
    assert!(matches!(logs(fake).search(&query()).await, Err(ReadError::Refused { .. })));
    let fake = Fake { pods: vec![pod("silent", &[("app", "checkout")], None, 0)], ..Fake::default() };
    let error = logs(fake).search(&query()).await.unwrap_err().to_string();
    assert!(error.contains("no answer within 10 seconds"), "{error}");
}

#[tokio::test]
async fn the_logs_of_a_cluster_are_read_over_http() {
    let served = Served::shop().await;
    run_until(&served.clock, 600, || live(&served.world, "web").iter().all(|pod| pod.ready));
    served.clock.advance(SignedDuration::from_mins(30));
    let name = live(&served.world, "web")[0].name.clone();
    served.world.say("shop", &name, "level=error msg=\"order 17 failed\" trace_id=4bf92f3577b34da6");
    served.clock.advance(SignedDuration::from_secs(20));
    let access = Access::Url { url: served.url.clone(), ca_file: None, token_file: None };
    let client = connect(&access).await.unwrap();
    let reads = KubeReads::new(client, Cluster::new("eu-1"), Arc::new(SystemClock));
    let logs = PodLogs::new(Arc::new(reads), None, BTreeMap::new());
    let since = start().checked_add(SignedDuration::from_mins(20)).unwrap();
    let until = start().checked_add(SignedDuration::from_mins(60)).unwrap();
    let asked = Query { service: Some("web".into()), since, until, context: 1, ..query() };
    let errors = Query { least: Some(Severity::Error), ..asked.clone() };
    let found = logs.search(&errors).await.unwrap();
    assert_eq!(found.matched(), 1, "{found:?}");
    let line = found.lines().find(|line| line.matched).unwrap();
    assert_eq!(
        (line.instance.pod.as_str(), line.trace.as_deref()),
        (name.as_str(), Some("4bf92f3577b34da6"))
    );
    assert_eq!(found.lines().count(), 3, "with one before and one after");
    let all = logs.search(&Query { context: 0, limit: 100_000, ..asked }).await.unwrap();
    assert!(all.lines().all(|line| line.at.unwrap() >= since), "nothing is older than asked for");
    served.stop().await;
}
