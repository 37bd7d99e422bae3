//! The real binary as a process that can be killed at any instant, also from within the simulated world.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

/// From the start to being ready. Only a daemon that hangs takes this long: a machine that builds something
/// beside this has taken twenty seconds.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// `belay serve`. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct Process {
    config: PathBuf,
    log: PathBuf,
    url: String,
    client: reqwest::Client,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// The daemon of this configuration; not started yet.
    pub fn new(config: &Path, url: &str, client: &reqwest::Client) -> Self {
        let log = config.with_file_name("belay.log");
        let (url, client) = (url.to_owned(), client.clone());
        Self { config: config.to_owned(), log, url, client, child: Mutex::default() }
    }

    pub fn start(&self) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_belay"))
            .args(["serve", "-c"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        *self.child.lock().unwrap() = Some(child);
    }

    /// Waits until it takes webhooks; how long that took, or what it did instead.
    pub async fn ready(&self) -> Result<Duration, String> {
        let (began, probe) = (Instant::now(), format!("{}/readyz", self.url));
        loop {
            if let Some(status) = self.ended() {
                return Err(format!("it ended by itself ({status}) instead of starting"));
            }
            let answer = self.client.get(&probe).send().await;
            if answer.is_ok_and(|a| a.status().is_success()) {
                return Ok(began.elapsed());
            }
            if began.elapsed() > READY_WITHIN {
                return Err(format!("it was not ready within {READY_WITHIN:?}"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // polls
        }
    }

    /// How it ended, if it did and was not killed.
    pub fn ended(&self) -> Option<String> {
        let mut child = self.child.lock().unwrap();
        child.as_mut().and_then(|c| c.try_wait().unwrap()).map(|status| status.to_string())
    }

    /// SIGKILL, now; the process does not run on once this returns, or only to die.
    pub fn kill(&self) {
        if let Some(child) = self.child.lock().unwrap().as_mut() {
            // it may have died by itself: then `reap` says so
            child.start_kill().ok();
        }
    }

    /// Waits for its end; `Err` when it had ended by itself.
    pub async fn reap(&self) -> Result<(), String> {
        let child = self.child.lock().unwrap().take();
        let Some(mut child) = child else { return Ok(()) };
        let status = child.wait().await.unwrap();
        if status.code().is_none() { Ok(()) } else { Err(format!("it ended by itself ({status})")) }
    }

    /// The end of what it said.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}
