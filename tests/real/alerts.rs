//! The metrics server and the alerts server before a real Prometheus with a rule of its own, which tells a real
//! Alertmanager.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use belay::adapters::alertmanager::Alertmanager as Router;
use belay::adapters::mcp::{InProcess, connect_in_process};
use belay::adapters::prometheus::{Credentials, Prometheus};
use belay::domain::measure::Measures;
use belay::ports::clock::SystemClock;
use belay::servers::alerts::{AlertsServer, Sources};
use belay::servers::kit::Scope;
use belay::servers::metrics::MetricsServer;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::alertmanager::Alertmanager;
use super::until;

/// A Prometheus that scrapes itself as if it were a pod of `web`, and finds fault with that.
const CONFIG: &str = "
global: { scrape_interval: 1s, evaluation_interval: 1s }
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:ALERTMANAGER'] }] }] }
rule_files: [rules.yml]
scrape_configs:
- job_name: self
  static_configs:
  - { targets: ['127.0.0.1:PROMETHEUS'], labels: { namespace: shop, pod: web-0, deployment: web } }
";
const RULES: &str = "
groups:
- name: real
  rules:
  - alert: WebIsUp
    expr: sum by (namespace, deployment) (up) >= 0.5
    labels: { severity: critical }
    annotations: { runbook_url: 'https://runbooks.example/web', summary: web is up }
  - record: instance:up
    expr: up
";

/// Killed when dropped.
struct Running {
    url: String,
    _dir: tempfile::TempDir,
    _child: Child,
}

fn prometheus(alertmanager: u16) -> Running {
    rustls::crypto::ring::default_provider().install_default().ok();
    let (dir, port) = (tempfile::tempdir().unwrap(), super::port());
    let path = |name: &str| dir.path().join(name).display().to_string();
    let config =
        CONFIG.replace("ALERTMANAGER", &alertmanager.to_string()).replace("PROMETHEUS", &port.to_string());
    std::fs::write(path("prometheus.yml"), config).unwrap();
    std::fs::write(path("rules.yml"), RULES).unwrap();
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", path("prometheus.yml")))
        .arg(format!("--storage.tsdb.path={}", path("data")))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|e| {
            panic!("`prometheus` cannot be started ({e}): run `tests/run` as root, or `apt-get install prometheus`")
        });
    Running { url: format!("http://127.0.0.1:{port}"), _dir: dir, _child: child }
}

/// Structure and text; `None` where it is trouble.
async fn answer(server: &InProcess, tool: &str, arguments: Value) -> Option<(Value, String)> {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let result = server.client.call(tool, arguments, Duration::from_secs(20)).await.unwrap();
    let text = result.content[0].as_text().unwrap().text.clone();
    Some((result.structured_content?, text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_alert_has_its_threshold_value_history_and_silence() {
    let port = super::port();
    let alertmanager = Alertmanager::start(port, super::port()).await;
    let running = prometheus(port);
    let prometheus = Arc::new(Prometheus::new(&running.url, Credentials::None).unwrap());
    let sources = Sources {
        metrics: Some(Arc::clone(&prometheus) as _),
        rules: Some(Arc::clone(&prometheus) as _),
        router: Some(Arc::new(Router::new(&alertmanager.url(), Credentials::None).unwrap())),
        pager: None,
        roster: None,
        clock: Arc::new(SystemClock),
    };
    let scope = || Scope::new(vec!["shop".into()]);
    let alerts = connect_in_process(AlertsServer::new(sources, scope())).await.unwrap();

    let ask = json!({"namespace":"shop"});
    let row = until("the alert fires with its value", async || {
        let (structure, _) = answer(&alerts, "get_active_alerts", ask.clone()).await?;
        let row = structure["alerts"].get(0)?.clone();
        // the trend of a young series is not known at once
        (row["value"] == 1.0).then_some(row)
    })
    .await;
    assert_eq!((&row["alert"], &row["threshold"]), (&json!("WebIsUp"), &json!(">= 0.5")));
    assert_eq!((&row["service"], &row["severity"]), (&json!("web"), &json!("critical")));
    assert_eq!(
        (&row["runbook"], &row["summary"]),
        (&json!("https://runbooks.example/web"), &json!("web is up"))
    );
    assert!(row["shape"].as_str().unwrap().contains('▁'), "by a range of its expression: {row}");

    let history = json!({"namespace":"shop","since":"15m","alert":"WebIsUp"});
    let row = until("it is in the series of alerts", async || {
        let (structure, _) = answer(&alerts, "get_alert_history", history.clone()).await?;
        structure["episodes"].get(0).cloned()
    })
    .await;
    assert_eq!(
        (&row["alert"], &row["until"], &row["service"]),
        (&json!("WebIsUp"), &json!(null), &json!("web"))
    );
    let similar = json!({"namespace":"shop","alert":"WebIsUp","since":"15m"});
    let (structure, text) = answer(&alerts, "similar_alerts", similar).await.unwrap();
    assert_eq!(structure["similar"][0]["times"], 1, "known by both, and counted once: {text}");

    alertmanager.silence("namespace=~\"sh.*\"").await;
    let row = until("it is silenced", async || {
        let (structure, _) = answer(&alerts, "get_silences", ask.clone()).await?;
        let row = structure["silences"].get(0)?.clone();
        (row["quiets"] == json!(["WebIsUp"])).then_some(row)
    })
    .await;
    assert_eq!((&row["by"], &row["matchers"]), (&json!("test"), &json!(["namespace=~sh.*"])));
    let (structure, _) = answer(&alerts, "get_active_alerts", ask.clone()).await.unwrap();
    assert_eq!(structure["alerts"][0]["quiet"], true);

    let measures =
        Measures::shipped_and([("up".to_owned(), r#"max(up{pod=~"$pods"})"#.to_owned())].into()).unwrap();
    let names: Vec<String> = measures.names().map(str::to_owned).collect();
    let server = MetricsServer::new(prometheus, Arc::new(measures), Arc::new(SystemClock), scope());
    let metrics = connect_in_process(server).await.unwrap();
    for name in names {
        // every query is one that it understands, whether or not it has such series
        let arguments = json!({"namespace":"shop","service":"web","metric":name});
        let (structure, text) =
            answer(&metrics, "get_service_metrics", arguments).await.unwrap_or_else(|| panic!("{name}"));
        if name == "up" {
            assert_eq!(structure["value"], json!(null));
            assert_eq!(structure["series"][0]["max"], 1.0, "{text}");
        }
    }
    let arguments = json!({"namespace":"shop","service":"web","metric":"up","since":"5m"});
    let (_, text) = answer(&metrics, "detect_change", arguments).await.unwrap();
    assert!(text.contains("all 1 series"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_query_goes_to_a_real_prometheus_for_who_sees_everything() {
    let running = prometheus(super::port());
    let prometheus = Arc::new(Prometheus::new(&running.url, Credentials::None).unwrap());
    let measures = Arc::new(Measures::shipped_and([].into()).unwrap());
    let server = MetricsServer::new(prometheus, measures, Arc::new(SystemClock), Scope::new(vec![]));
    let metrics = connect_in_process(server).await.unwrap();
    let (structure, text) = until("there is a sample", async || {
        let found = answer(&metrics, "query", json!({"promql":"sum(up) by (pod)"})).await?;
        (found.0["samples"].as_array()?.len() == 1).then_some(found)
    })
    .await;
    assert_eq!(
        (&structure["samples"][0]["value"], &structure["samples"][0]["labels"]["pod"]),
        (&json!(1.0), &json!("web-0"))
    );
    assert!(text.contains("pod=web-0"), "{text}");
    let (structure, _) =
        answer(&metrics, "query_range", json!({"promql":"vector(2)","since":"30d","step_seconds":15}))
            .await
            .unwrap();
    assert_eq!(
        (&structure["series"][0]["avg"], &structure["series"][0]["points"]),
        (&json!(2.0), &json!(301))
    );
    assert!(answer(&metrics, "query", json!({"promql":"sum(rate(x[5m])"})).await.is_none());
}
