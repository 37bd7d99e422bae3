//! What the real binary needs when nothing happens: its size, the time until it is ready, its memory.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::stand::{configuration, policies, scratch, simulated};

const BELAY: &str = env!("CARGO_BIN_EXE_belay");
/// How often the start is measured; the second and later ones find a journal.
const STARTS: usize = 5;
/// How long the daemon is left alone before its memory counts: the first reconciliations are over then.
const SETTLED: Duration = Duration::from_secs(8);
/// When a start counts as failed.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A daemon that ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Measures and prints.
pub fn print() {
    let size = fs::metadata(BELAY).unwrap().len();
    println!("binary: {} MiB", tenths(size));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let (_, api) = runtime.block_on(simulated(&mut tasks, &stop));
    let dir = scratch();
    fs::create_dir_all(dir.path().join("policies/examples")).unwrap();
    for (path, text) in policies() {
        let name = path.rsplit_once("/policies/").unwrap().1;
        fs::write(dir.path().join("policies").join(name), text).unwrap();
    }
    let listen = free();
    let config = dir.path().join("belay.yaml");
    fs::write(&config, configuration(dir.path(), api, &listen.to_string())).unwrap();
    let mut starts = Vec::new();
    let mut running: Option<Running> = None;
    for _ in 0..STARTS {
        drop(running.take());
        let begun = Instant::now();
        ready(listen, running.insert(start(&config)));
        starts.push(begun.elapsed());
    }
    println!("start to ready: first {:.0?}, then {:.0?}", starts[0], &starts[1..]);
    sleep(SETTLED);
    let daemon = running.unwrap();
    let (resident, anonymous) = (memory(&daemon.0, "VmRSS:"), memory(&daemon.0, "RssAnon:"));
    println!(
        "idle after {SETTLED:?}: {} MiB resident, of which {} MiB its own and not the binary's pages",
        tenths(resident),
        tenths(anonymous)
    );
    drop(daemon);
    stop.cancel();
    runtime.block_on(async { while tasks.join_next().await.is_some() {} });
}

fn start(config: &Path) -> Running {
    let mut command = Command::new(BELAY);
    command.args(["serve", "--config"]).arg(config).stdin(Stdio::null());
    Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// A port that was free a moment ago.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn ready(listen: SocketAddr, running: &mut Running) {
    let begun = Instant::now();
    while !is_ready(listen) {
        if let Some(status) = running.0.try_wait().unwrap() {
            panic!("`belay serve` ended with {status}");
        }
        assert!(begun.elapsed() < READY_WITHIN, "`belay serve` is not ready after {READY_WITHIN:?}");
        sleep(Duration::from_millis(1));
    }
}

fn is_ready(listen: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(listen)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: belay\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

/// A line of `/proc/…/status`, in bytes.
fn memory(child: &Child, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Bytes as MiB with one decimal.
fn tenths(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{}", tenths / 10, tenths % 10)
}
