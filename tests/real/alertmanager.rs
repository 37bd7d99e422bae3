//! A real Alertmanager of its own: loopback, a temporary folder, short intervals, a bearer token.

use std::collections::BTreeSet;
use std::process::Stdio;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::until;

/// What it shows at belay's webhook.
pub const TOKEN: &str = "a-token-of-the-tests";
/// The alert of a saturated `checkout`.
pub const CPU: &[(&str, &str)] = &[
    ("alertname", "CPUSaturation"),
    ("cluster", "real"),
    ("deployment", "checkout"),
    ("namespace", "shop"),
    ("severity", "warning"),
];

/// The running program; killed when dropped.
pub struct Alertmanager {
    port: u16,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
    _child: Child,
}

impl Alertmanager {
    /// Starts it on `port`; it delivers to belay on `webhook`.
    pub async fn start(port: u16, webhook: u16) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "route:\n  receiver: belay\n  group_by: [alertname, namespace]\n  group_wait: 1s\n  group_interval: 2s\n\
             receivers:\n- name: belay\n  webhook_configs:\n  - url: http://127.0.0.1:{webhook}/api/v1/alerts/webhook\n\
             \x20   http_config: {{ authorization: {{ credentials: {TOKEN} }} }}\n"
        );
        let file = dir.path().join("alertmanager.yml");
        std::fs::write(&file, config).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| {
                panic!(
                    "`prometheus-alertmanager` cannot be started ({e}). This suite needs the real program: \
                     run `tests/run` as root, or `apt-get install prometheus-alertmanager`"
                )
            });
        let http = belay::sim::client().unwrap();
        let this = Self { port, http, _dir: dir, _child: child };
        let ready = format!("{}/-/ready", this.url());
        until("Alertmanager is ready", async || {
            let answer = this.http.get(&ready).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        this
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Posts alerts as Prometheus does; those with an end are over.
    pub async fn post(&self, alerts: &[(&[(&str, &str)], Option<&str>)]) {
        let posted: Vec<Value> = alerts
            .iter()
            .map(|(labels, ends)| {
                let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
                alert(labels, ends.is_some())
            })
            .collect();
        self.send(&posted).await;
    }

    /// Posts `count` alerts of one name that belay knows nothing about.
    pub async fn flood(&self, name: &str, count: usize) {
        let posted: Vec<Value> = (0..count)
            .map(|n| {
                let labels = json!({ "alertname": name, "severity": "warning", "number": n.to_string() });
                alert(labels.as_object().unwrap().clone(), false)
            })
            .collect();
        self.send(&posted).await;
    }

    async fn send(&self, alerts: &[Value]) {
        let url = format!("{}/api/v2/alerts", self.url());
        let body = serde_json::to_string(alerts).unwrap();
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }

    /// The fingerprints of all alerts that it knows.
    pub async fn fingerprints(&self) -> BTreeSet<String> {
        let answer = self.http.get(format!("{}/api/v2/alerts", self.url())).send().await.unwrap();
        let alerts: Vec<Value> = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        alerts.iter().map(|a| a["fingerprint"].as_str().unwrap().to_owned()).collect()
    }

    /// Silences what the matcher names, by Alertmanager's own tool.
    pub async fn silence(&self, matcher: &str) {
        let done = Command::new("amtool")
            .args(["silence", "add", "--comment=test", "--author=test", "--duration=1h"])
            .arg(format!("--alertmanager.url={}", self.url()))
            .arg(matcher)
            .output()
            .await
            .expect("`amtool` comes with Debian's package prometheus-alertmanager");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

fn alert(labels: serde_json::Map<String, Value>, over: bool) -> Value {
    let now = Timestamp::now();
    let mut alert = json!({
        "labels": labels,
        "annotations": { "summary": "posted by a test" },
        "startsAt": (now - SignedDuration::from_mins(1)).to_string(),
        "generatorURL": "http://prometheus.example/graph",
    });
    if over {
        alert["endsAt"] = json!(now.to_string());
    }
    alert
}
