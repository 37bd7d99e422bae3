//! The real `belay serve` before a simulated cluster that this process serves over HTTP.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use belay::domain::record::Record;
use belay::intake;
use belay::ports::clock::{SharedClock, SystemClock};
use belay::sim::kube::{Behaviour, World};
use belay::store;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::alertmanager::TOKEN;
use super::until;

const BELAY: &str = env!("CARGO_BIN_EXE_belay");
const POLICY: &str = include_str!("../../policies/demo/demo.yaml");

/// The program and its world; killed when dropped.
pub struct Belay {
    world: World,
    dir: tempfile::TempDir,
    port: u16,
    child: Child,
    stop: CancellationToken,
}

impl Belay {
    /// Starts it: webhook on `port`, before a shop of its own.
    pub async fn start(port: u16, alertmanager: &str) -> Self {
        Self::start_with(port, alertmanager, "").await
    }

    /// The same, with `more` in its configuration.
    pub async fn start_with(port: u16, alertmanager: &str, more: &str) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let world = World::shop(clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(world.serve(listener, stop.clone()));

        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "listen: 127.0.0.1:{port}\nstateDir: state\npolicies: policies\n\
             oneProcessHoldsEverything: true\ncluster: {{ name: real, url: {api:?} }}\nalertmanager: {{ url: {alertmanager:?} }}\n\
             webhook: {{ bearerTokenFile: token }}\nlimits: {{ namespaces: [shop], extraRights: ['* *'] }}\n{more}"
        );
        std::fs::write(dir.path().join("belay.yaml"), config).unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        let examples = dir.path().join("policies/examples");
        std::fs::create_dir_all(&examples).unwrap();
        for name in ["oom.yaml", "saturation.yaml", "hands-off.yaml"] {
            let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/demo/examples").join(name);
            std::fs::copy(shipped, examples.join(name)).unwrap();
        }
        // without its own tests, and with seconds of stabilisation: this is the machine's own clock
        let rules = POLICY.split("\n  tests:").next().unwrap();
        let rules =
            rules.replace("verify: { within: 20m, expect", "verify: { within: 5m, stabilise: 2s, expect");
        std::fs::write(dir.path().join("policies/shop.yaml"), rules).unwrap();
        let child = spawn(&dir);
        let mut this = Self { world, dir, port, child, stop };
        this.ready().await;
        this
    }

    async fn ready(&mut self) {
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        let http = belay::sim::client().unwrap();
        until("belay is ready", async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                panic!("belay ended with {status}:\n{log}");
            }
            http.get(&url).send().await.ok().filter(|a| a.status().is_success()).map(drop)
        })
        .await;
    }

    /// Ends it as systemd and Kubernetes do; the state stays.
    pub async fn halt(&mut self) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status().await.unwrap();
        assert!(sent.success());
        let ended = tokio::time::timeout(super::PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert!(ended.success(), "{ended}");
    }

    /// Starts it again on the same state.
    pub async fn resume(&mut self) {
        self.child = spawn(&self.dir);
        self.ready().await;
    }

    /// Ends it for good; what `belay audit verify` says of the journal.
    pub async fn stop(mut self) -> String {
        self.halt().await;
        self.stop.cancel();
        self.command(&["audit", "verify"]).await
    }

    /// What a command prints.
    pub async fn command(&self, args: &[&str]) -> String {
        let state = self.state();
        let Output { status, stdout, stderr } =
            Command::new(BELAY).args(args).arg("--state-dir").arg(&state).output().await.unwrap();
        assert!(status.success(), "{args:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// The name of the only incident.
    pub async fn incident(&self) -> String {
        let listed = self.command(&["incidents", "list", "--json"]).await;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let all = listed["with"].as_array().unwrap();
        assert_eq!(all.len(), 1, "{listed}");
        all[0]["incident"].as_str().unwrap().to_owned()
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Everything in the journal, read beside the running daemon. The last line may be half written.
    pub fn records(&self) -> Vec<Record> {
        let mut out = Vec::new();
        let journal = self.state().join(store::LOG_FILE);
        let whole = std::fs::read(&journal).unwrap_or_default();
        let end = whole.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let copy = self.dir.path().join("copy.jsonl");
        std::fs::write(&copy, &whole[..end]).unwrap();
        store::export(&copy, &mut out).unwrap();
        let lines = out.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice::<Exported>(line).unwrap().record).collect()
    }

    /// The fingerprints of every delivery that was kept.
    pub fn fingerprints(&self) -> BTreeSet<String> {
        let records = self.records();
        let deliveries = records.iter().filter_map(|r| match r {
            Record::Received { body } => Some(intake::parse(body).unwrap()),
            _ => None,
        });
        deliveries.flat_map(|d| d.alerts).map(|a| a.fingerprint.to_string()).collect()
    }

    /// `checkout` has more to do than three pods can.
    pub fn surge(&self) {
        self.world.behave("shop", "checkout", Behaviour::Busy { demand_millicores: 1600 });
    }

    pub fn replicas(&self, deployment: &str) -> i64 {
        self.world.deployment("shop", deployment).unwrap().replicas
    }

    /// Writes that were no dry runs.
    pub fn writes(&self) -> usize {
        self.world.writes().iter().filter(|w| !w.dry_run).count()
    }
}

#[derive(serde::Deserialize)]
struct Exported {
    record: Record,
}

fn spawn(dir: &tempfile::TempDir) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.path().join("log")).unwrap();
    Command::new(BELAY)
        .args(["serve", "--config"])
        .arg(dir.path().join("belay.yaml"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
