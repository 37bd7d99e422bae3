//! Every query of the table that diagnosis asks is one that Prometheus' own tool accepts.

use std::fmt::Write as _;
use std::process::Stdio;

use belay::domain::cluster::Snapshot;
use belay::domain::gauge::{Gauge, table};
use belay::domain::ids::Cluster;
use belay::domain::target::{Kind, Named, Object, RootOwner};
use jiff::{SignedDuration, Timestamp};
use tokio::process::Command;

fn object(kind: Kind, name: &str) -> Object {
    let cluster = Cluster::new("real");
    Object { named: Named { cluster, kind, namespace: "shop".into(), name: name.into() }, uid: "u".into() }
}

/// A StatefulSet `db` that was rolled out lately, in the words of a record.
fn snapshot(now: Timestamp) -> Snapshot {
    let owner = object(Kind::StatefulSet, "db");
    let text = format!(
        r#"{{"at":"{now}","target":{owner},"owner":{owner},"pod":{{"Ok":null}},"workload":{{"Ok":{{"object":{owner},
        "generation":1,"observed_generation":1,"desired":1,"current":1,"ready":1,"updated":1,"available":1,"labels":{{}},
        "annotations":{{}},"revision":null,"conditions":[],"template_changed":"{changed}","writers":[]}}}},
        "pods":{{"Ok":[{{"object":{pod},"phase":"Running","ready":true,"terminating":false,"created":null,"node":null,
        "labels":{{}},"annotations":{{}},"controller":null,"has_claims":true,"containers":[]}}]}},"revisions":{{"Ok":[]}},
        "events":{{"Ok":[]}},"budgets":{{"Ok":[]}},"autoscalers":{{"Ok":[]}},"usage":{{"Ok":[]}},"logs":{{"Ok":[]}},
        "neighbours":{{"Ok":[]}}}}"#,
        owner = serde_json::to_string(&RootOwner(owner)).unwrap(),
        pod = serde_json::to_string(&object(Kind::Pod, "db-0.x")).unwrap(),
        changed = now - SignedDuration::from_mins(30),
    );
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn promtool_accepts_every_query_of_the_table() {
    let asked = table(&snapshot(Timestamp::now()));
    assert_eq!(asked.len(), Gauge::ALL.len(), "all of the table is asked of a StatefulSet");
    let mut rules = String::from("groups:\n- name: table\n  rules:\n");
    for (n, one) in asked.iter().enumerate() {
        let _ = writeln!(
            rules,
            "  - record: belay:g{n}\n    expr: {}",
            serde_json::to_string(&one.promql).unwrap()
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rules.yml");
    std::fs::write(&file, rules).unwrap();
    let done =
        Command::new("promtool").arg("check").arg("rules").arg(&file).stdin(Stdio::null()).output().await;
    let done = done.unwrap_or_else(|e| {
        panic!("`promtool` cannot be started ({e}): run `tests/run` as root, or `apt-get install prometheus`")
    });
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
