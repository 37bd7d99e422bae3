//! A real Prometheus of its own, with an hour of history that was put there before it started.

use std::fmt::Write as _;
use std::process::Stdio;

use belay::adapters::prometheus::{Credentials, Prometheus as Adapter};
use belay::domain::ids::Cluster;
use belay::domain::measure::Measures;
use belay::domain::target::{Kind, Named};
use belay::ports::reads::Metrics as _;
use jiff::{SignedDuration, Timestamp};
use tokio::process::{Child, Command};

use super::until;

/// The running program; killed when dropped.
struct Prometheus {
    url: String,
    _dir: tempfile::TempDir,
    _child: Child,
}

/// Runs one of its programs to its end.
async fn run(program: &str, args: &[&str]) {
    let done = Command::new(program).args(args).stdin(Stdio::null()).output().await.unwrap_or_else(|e| {
        panic!(
            "`{program}` cannot be started ({e}). This suite needs the real program: run `tests/run` as root, or \
             `apt-get install prometheus`"
        )
    });
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Prometheus {
    /// Starts it with these samples, in OpenMetrics' text.
    async fn start(samples: &str) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(path("samples"), samples).unwrap();
        std::fs::write(path("prometheus.yml"), "global: { scrape_interval: 1h }\n").unwrap();
        run("promtool", &["tsdb", "create-blocks-from", "openmetrics", &path("samples"), &path("data")])
            .await;
        let port = super::port();
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
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let (http, ready) = (belay::sim::client().unwrap(), format!("{url}/-/ready"));
        until("Prometheus is ready", async || {
            http.get(&ready).send().await.ok()?.status().is_success().then_some(())
        })
        .await;
        Self { url, _dir: dir, _child: child }
    }
}

/// A counter of cAdvisor for two pods of `web`, and one of `web-api`, a sample a minute: until `turn` each uses a
/// core, from then on half of one.
fn samples(from: Timestamp, turn: Timestamp) -> String {
    let mut text = String::from("# TYPE container_cpu_usage_seconds counter\n");
    for pod in ["web-6d4b75cb6d-hwsvk", "web-6d4b75cb6d-x7k2p", "web-api-x7k2p"] {
        let mut used = 0.0;
        for minute in 0..60 {
            let at = from + SignedDuration::from_mins(minute);
            used += if at < turn { 60.0 } else { 30.0 };
            let _ = writeln!(
                text,
                "container_cpu_usage_seconds_total{{namespace=\"shop\",pod=\"{pod}\",container=\"main\"}} {used} {}",
                at.as_second()
            );
        }
    }
    text.push_str("# EOF\n");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_measures_an_owner_before_and_after() {
    let now = Timestamp::now();
    let (from, turn) = (now - SignedDuration::from_mins(60), now - SignedDuration::from_mins(20));
    let server = Prometheus::start(&samples(from, turn)).await;
    let adapter = Adapter::new(&server.url, Credentials::None).unwrap();
    let measures = Measures::shipped_and([].into()).unwrap();
    let web = Named {
        cluster: Cluster::new("real"),
        kind: Kind::Deployment,
        namespace: "shop".into(),
        name: "web".into(),
    };
    let cpu = measures.query("cpu_usage", &web).unwrap();
    let cores = async |at| {
        let samples = adapter.query(&cpu, at).await.unwrap();
        assert_eq!(samples.len(), 1, "{samples:?}");
        (samples[0].value * 100.0).round() / 100.0
    };
    // two pods, and not the one of `web-api`
    assert_eq!(cores(turn - SignedDuration::from_mins(2)).await.to_string(), "2");
    assert_eq!(cores(now - SignedDuration::from_mins(5)).await.to_string(), "1");
    // every shipped query is one that it understands, whether or not it has such series
    for name in measures.names() {
        adapter
            .query(&measures.query(name, &web).unwrap(), now)
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    let wrong = adapter.query("sum(rate(x[5m])", now).await.unwrap_err().to_string();
    assert!(wrong.contains("parse error"), "{wrong}");
    let many = adapter
        .query("count by (pod) (container_cpu_usage_seconds_total)", now - SignedDuration::from_mins(5));
    assert_eq!(many.await.unwrap().len(), 3);
}
