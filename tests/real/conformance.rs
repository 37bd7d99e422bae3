//! belay's own kubernetes server before clients of others: the official MCP conformance suite over HTTP, and MCP
//! Inspector over standard input and output. `tests/run` puts both into `target/mcp`, of pinned versions, with the Node
//! that they need.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use belay::ports::clock::{SharedClock, SystemClock};
use belay::sim::kube::World;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, port, until};

const BELAY: &str = env!("CARGO_BIN_EXE_belay");
const SUITE: &str = "@modelcontextprotocol/conformance/dist/index.js";
const INSPECTOR: &str = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";

fn installed(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mcp/node_modules").join(name);
    assert!(path.exists(), "`{}` is missing: `tests/run real` installs it", path.display());
    path
}

/// Node 22, which both need; Debian's is older.
fn node() -> PathBuf {
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    installed(&format!("node-linux-{machine}/bin/node"))
}

/// A simulated cluster, and a configuration of belay's that names it.
struct Scene {
    folder: tempfile::TempDir,
    stop: CancellationToken,
}

impl Scene {
    async fn new(more: &str) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(World::shop(clock).serve(listener, stop.clone()));
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "policies: policies\ncluster: {{ name: real, url: {api:?} }}\nlimits: {{ namespaces: [shop] }}\n{more}"
        );
        std::fs::write(folder.path().join("belay.yaml"), config).unwrap();
        Self { folder, stop }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("belay.yaml")
    }

    /// Runs a program of Node's to its end, in a home of its own.
    async fn run(&self, script: &str, args: &[&str]) -> Output {
        let mut command = Command::new(node());
        command.arg(installed(script)).args(args).current_dir(self.folder.path());
        command.env("HOME", self.folder.path()).env("NO_COLOR", "1").stdin(Stdio::null()).kill_on_drop(true);
        tokio::time::timeout(PATIENCE * 2, command.output()).await.expect("it did not end").unwrap()
    }

    async fn inspect(&self, args: &[&str]) -> Value {
        let config = self.config().display().to_string();
        let server = ["--cli", BELAY, "mcp", "serve", "kubernetes", "-c", &config];
        let output = self.run(INSPECTOR, &[&server, args].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {said}"))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What it cannot pass is listed with its reason in `conformance.yaml`; the suite fails if one of these passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conformance_suite_finds_what_is_expected() {
    let port = port();
    // the suite asks as a page of this machine, too, and faster than people
    let mcp = format!(
        "mcp: {{ environment: test, allowedOrigins: ['http://localhost:{port}'], callsPerMinute: 600 }}\n"
    );
    let scene = Scene::new(&mcp).await;
    let mut server = Command::new(BELAY);
    server.args(["mcp", "serve", "kubernetes", "--listen", &format!("127.0.0.1:{port}"), "-c"]);
    server.arg(scene.config()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _server = server.kill_on_drop(true).spawn().unwrap();
    until("it listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;

    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/conformance.yaml");
    let url = format!("http://localhost:{port}/mcp/kubernetes");
    let args = ["server", "--url", &url, "--expected-failures", &expected.display().to_string()];
    let output = scene.run(SUITE, &args).await;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    for passed in
        ["server-initialize", "tools-list", "server-sse-multiple-streams", "dns-rebinding-protection"]
    {
        assert!(out.contains(&format!("✓ {passed}")), "{passed}: {out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspector_understands_it_on_standard_input_and_output() {
    let scene = Scene::new("").await;
    let names = |listed: &Value, key: &str, name: &str| -> Vec<String> {
        listed[key].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    let tools = scene.inspect(&["--method", "tools/list"]).await;
    assert!(names(&tools, "tools", "name").contains(&"list_deployments".to_owned()));
    let call = ["--method", "tools/call", "--tool-name", "list_deployments", "--tool-arg", "namespace=shop"];
    let called = scene.inspect(&call).await;
    let text = called["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("all 5 deployments in namespace `shop`"), "{text}");
    assert!(called["structuredContent"].is_object());
    let resources = scene.inspect(&["--method", "resources/list"]).await;
    let web = "k8s://namespaces/shop/deployments/web".to_owned();
    assert!(names(&resources, "resources", "uri").contains(&web));
    let prompts = scene.inspect(&["--method", "prompts/list"]).await;
    assert!(!names(&prompts, "prompts", "name").is_empty());
}
