//! Real third-party MCP servers, over stdio and over HTTP: they are called, and crash, hang, say too much and change.
//! `tests/run` puts them into `target/mcp`, of pinned versions and without running anything of theirs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay::adapters::mcp::{Foreign, Hub, Pins, Program, Reach, Settings, Standing};
use belay::ports::clock::{SharedClock, SystemClock};
use belay::ports::model::{ToolError, ToolResult, Tools as _};
use belay::sim::kube::World;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::until;

const SOON: Duration = Duration::from_secs(20);
const EVERYTHING: &str = "@modelcontextprotocol/server-everything/dist/index.js";

fn installed(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mcp/node_modules").join(name);
    assert!(path.exists(), "`{}` is missing: `tests/run real` installs it", path.display());
    path
}

fn node() -> PathBuf {
    let known = ["/usr/bin/node", "/usr/local/bin/node"].map(PathBuf::from);
    known.into_iter().find(|path| path.exists()).expect("node is missing: `tests/run real` installs it")
}

fn kubernetes() -> PathBuf {
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let name = format!("kubernetes-mcp-server-linux-{machine}");
    installed(&format!("{name}/bin/{name}"))
}

/// One server, its tools accepted as they are, and a hub that calls it.
struct Set {
    hub: Hub,
    foreign: Arc<Foreign>,
    pins: Pins,
}

fn settings(reach: Reach, tools: &[&str]) -> Settings {
    Settings {
        name: "real".into(),
        reach,
        allow: tools.iter().map(|tool| (*tool).to_owned()).collect::<BTreeSet<_>>(),
        per_minute: 600,
        within: SOON,
    }
}

fn with(settings: Settings, pins: Pins) -> Set {
    rustls::crypto::ring::default_provider().install_default().ok();
    let clock: SharedClock = Arc::new(SystemClock);
    let foreign = Arc::new(Foreign::new(settings, Arc::new(pins.clone()), clock).unwrap());
    let mut hub = Hub::of("test");
    hub.add(Arc::clone(&foreign)).unwrap();
    Set { hub, foreign, pins }
}

/// Accepts all that the server says of itself now, as `belay mcp pin --accept` does.
async fn accepted(settings: Settings) -> Set {
    let first = with(settings.clone(), Pins::default());
    let mut pins = Pins::default();
    for tool in first.foreign.survey().await.unwrap() {
        pins.accept("real", &tool);
    }
    with(settings, Pins::parse(&pins.text()).unwrap())
}

impl Set {
    async fn call(&self, tool: &str, arguments: &str, within: Duration) -> Result<ToolResult, ToolError> {
        self.hub.call(&format!("real__{tool}"), arguments, within).await
    }

    async fn said(&self, tool: &str, arguments: &str) -> String {
        let result = self.call(tool, arguments, SOON).await.unwrap();
        assert!(!result.failed, "{tool}: {}", result.text);
        result.text
    }
}

fn everything(marker: &str) -> Program {
    let index = installed(EVERYTHING);
    Program {
        command: node(),
        args: vec![index.display().to_string(), "stdio".into(), marker.into()],
        env: [("GIVEN".to_owned(), "yes".into())].into(),
    }
}

const ITS_TOOLS: [&str; 4] = ["echo", "get-env", "get-sum", "trigger-long-running-operation"];

/// The process whose arguments hold this word.
fn pid_of(marker: &str) -> Option<u32> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = all.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    let runs = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
    };
    pids.filter(|pid| *pid != std::process::id()).find(runs)
}

async fn kill(pid: u32) {
    let killed = Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status().await.unwrap();
    assert!(killed.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_over_stdio() {
    let marker = format!("belay-test-{}", std::process::id());
    let set = accepted(settings(Reach::Child(everything(&marker)), &ITS_TOOLS)).await;
    assert!(set.said("echo", r#"{"message":"hello"}"#).await.contains("hello"));
    assert!(set.said("get-sum", r#"{"a":2,"b":3}"#).await.contains('5'));
    let env = set.said("get-env", "{}").await;
    assert!(env.contains("GIVEN") && !env.contains("PATH") && !env.contains("HOME"), "{env}");
    // arguments that do not fit are an answer
    let wrong = set.call("get-sum", r#"{"a":"x"}"#, SOON).await.unwrap();
    assert!(wrong.failed, "{}", wrong.text);

    // giant output
    let giant = format!(r#"{{"message":"{}"}}"#, "x".repeat(2 << 20));
    let text = set.said("echo", &giant).await;
    assert!(text.len() < 25 * 1024 && text.contains("bytes left out"), "{}", text.len());

    // hang
    let began = Instant::now();
    let slow =
        set.call("trigger-long-running-operation", r#"{"duration":60,"steps":2}"#, Duration::from_secs(2));
    assert!(matches!(slow.await, Err(ToolError::NoAnswer(_))));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(set.said("echo", r#"{"message":"still"}"#).await.contains("still"));

    // crash in mid-call
    let calling = set.call("trigger-long-running-operation", r#"{"duration":60,"steps":60}"#, SOON);
    let killing = async {
        let pid = until("it runs", async || pid_of(&marker)).await;
        kill(pid).await;
    };
    let (called, ()) = tokio::join!(calling, killing);
    assert!(matches!(called, Err(ToolError::NoAnswer(_))), "{called:?}");
    // and it is up again after its pause
    until("it is up again", async || {
        let echo = set.call("echo", r#"{"message":"again"}"#, SOON).await.ok()?;
        echo.text.contains("again").then_some(())
    })
    .await;
    drop(set);
    until("it ended", async || pid_of(&marker).is_none().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_changes_its_mind() {
    let marker = format!("belay-changed-{}", std::process::id());
    let settings = settings(Reach::Child(everything(&marker)), &ITS_TOOLS);
    let set = accepted(settings.clone()).await;
    // as if another version had been accepted
    let text = set.pins.text();
    let mut pins = Pins::default();
    for tool in ITS_TOOLS {
        let mut accepted = set.pins.accepted("real", tool).unwrap();
        if tool == "echo" {
            accepted.description = Some("Echoes.".into());
        }
        pins.accept("real", &accepted);
    }
    assert_ne!(text, pins.text());
    let set = with(settings, pins);
    let disabled = set.call("echo", r#"{"message":"hello"}"#, SOON).await.unwrap();
    assert!(disabled.failed && disabled.text.contains("its definition changed"), "{}", disabled.text);
    assert!(set.said("get-sum", r#"{"a":2,"b":3}"#).await.contains('5'));
    let [news] = <[_; 1]>::try_from(set.foreign.news()).unwrap();
    assert_eq!((news.tool.as_str(), news.standing), ("echo", Standing::Changed));
}

/// A server as a process of its own, as a sidecar is.
struct Sidecar {
    child: Child,
    url: String,
}

impl Sidecar {
    async fn start(program: &Path, args: &[String], env: &[(&str, &str)], port: u16) -> Self {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(env.iter().copied()).kill_on_drop(true);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("it listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
        Self { child, url: format!("http://127.0.0.1:{port}/mcp") }
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_over_http() {
    let port = free_port().await;
    let args = [installed(EVERYTHING).display().to_string(), "streamableHttp".to_owned()];
    let text = port.to_string();
    let program = node();
    let env = [("PORT", text.as_str())];
    let start = || Sidecar::start(&program, &args, &env, port);
    let sidecar = start().await;
    let reach = Reach::Remote { url: sidecar.url.clone(), token: None };
    let set = accepted(settings(reach, &ITS_TOOLS)).await;
    assert!(set.said("echo", r#"{"message":"hello"}"#).await.contains("hello"));
    let slow =
        set.call("trigger-long-running-operation", r#"{"duration":60,"steps":2}"#, Duration::from_secs(2));
    assert!(matches!(slow.await, Err(ToolError::NoAnswer(_))));
    assert!(set.said("echo", r#"{"message":"still"}"#).await.contains("still"));
    // crash in mid-call
    let calling =
        set.call("trigger-long-running-operation", r#"{"duration":60,"steps":60}"#, Duration::from_secs(5));
    let (called, ()) = tokio::join!(calling, sidecar.kill());
    assert!(matches!(called, Err(ToolError::NoAnswer(_))), "{called:?}");
    let _sidecar = start().await;
    until("it answers again", async || {
        let echo = set.call("echo", r#"{"message":"again"}"#, SOON).await.ok()?;
        (!echo.failed && echo.text.contains("again")).then_some(())
    })
    .await;
}

/// A kubeconfig for a simulated cluster that this process serves.
async fn cluster(folder: &Path) -> (PathBuf, CancellationToken) {
    let clock: SharedClock = Arc::new(SystemClock);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(World::shop(clock).serve(listener, stop.clone()));
    let file = folder.join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: sim\nclusters:\n- {{ name: sim, cluster: {{ server: {api:?} }} }}\n\
         users:\n- {{ name: sim, user: {{ token: sim }} }}\ncontexts:\n- {{ name: sim, context: {{ cluster: sim, user: sim, \
         namespace: shop }} }}\n"
    );
    std::fs::write(&file, text).unwrap();
    (file, stop)
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_over_stdio_and_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let (kubeconfig, _stop) = cluster(folder.path()).await;
    let flags = |more: &[&str]| {
        let own = ["--kubeconfig", kubeconfig.to_str().unwrap(), "--cluster-provider", "kubeconfig"];
        own.iter().chain(more).map(|arg| (*arg).to_owned()).collect::<Vec<_>>()
    };
    let child = |more: &[&str]| {
        Reach::Child(Program {
            command: kubernetes(),
            args: flags(more),
            env: std::collections::BTreeMap::new(),
        })
    };
    let tools = ["configuration_view", "pods_list_in_namespace", "pods_delete"];
    // its list says what it may do; which of it is called is belay's to say
    let set = accepted(settings(child(&[]), &tools)).await;
    let view = set.said("configuration_view", "{}").await;
    assert!(view.contains("sim"), "{view}");
    let pods = set.call("pods_list_in_namespace", r#"{"namespace":"shop"}"#, SOON).await.unwrap();
    // it prints tables of the API server's own making, and the simulated one makes none
    assert!(!pods.failed, "{}", pods.text);
    assert!(matches!(set.call("pods_exec", "{}", SOON).await, Err(ToolError::Unknown(_))), "not allowed");

    // started otherwise, it has other tools: what is gone is disabled and told
    let changed = with(settings(child(&["--read-only"]), &tools), set.pins.clone());
    changed.foreign.tend().await;
    let gone = changed.call("pods_delete", r#"{"name":"web"}"#, SOON).await.unwrap();
    assert!(gone.failed && gone.text.contains("no such tool"), "{}", gone.text);
    assert!(
        changed.foreign.news().iter().any(|n| n.tool == "pods_delete" && n.standing == Standing::Missing)
    );

    // the same over HTTP: the same definitions, so the same pins
    let port = free_port().await;
    let listen = ["--port".to_owned(), port.to_string(), "--bind-address".to_owned(), "127.0.0.1".to_owned()];
    let args: Vec<String> = flags(&[]).into_iter().chain(listen).collect();
    let sidecar = Sidecar::start(&kubernetes(), &args, &[], port).await;
    let reach = Reach::Remote { url: sidecar.url.clone(), token: None };
    let far = with(settings(reach, &tools), set.pins.clone());
    assert!(far.said("configuration_view", "{}").await.contains("sim"));
    sidecar.kill().await;
    assert!(matches!(
        far.call("configuration_view", "{}", Duration::from_secs(5)).await,
        Err(ToolError::NoAnswer(_))
    ));
}
