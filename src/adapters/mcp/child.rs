//! A third-party server as a child process. The only place where belay starts a program: one that the configuration
//! names by its full path, without a shell, with the environment it was given and no other, as the leader of a process
//! group that ends with the connection.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio_util::task::AbortOnDropHandle;

use crate::domain::rate::{Rate, Rates};
use crate::domain::redact;
use crate::ports::clock::SharedClock;

/// The longest line of a child's standard error that is logged.
const LINE: usize = 400;

/// Lines of a child's standard error that are logged: a start's banner at once, and then one every three seconds.
const LINES: Rate = Rate { per_minute: 20, burst: 20 };

/// A program to start.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its full path.
    pub command: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, SecretString>,
}

/// A running child; dropped, it is killed with all that it started and that stayed in its group.
pub(super) struct Running {
    child: Child,
    group: Option<Pid>,
    _log: Option<AbortOnDropHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // the group is still ours as long as its leader was not reaped
        if let (Some(group), true) = (self.group, self.child.id().is_some()) {
            let _ = kill_process_group(group, Signal::KILL); // it may be gone already
        }
    }
}

/// Starts the program of this server; its standard input and output are the connection.
pub(super) fn start(
    server: &str,
    program: &Program,
    clock: &SharedClock,
) -> Result<(Running, (ChildStdout, ChildStdin)), String> {
    let mut command = Command::new(&program.command);
    command.args(&program.args).env_clear();
    command.envs(program.env.iter().map(|(name, value)| (name, value.expose_secret())));
    // not the daemon's own folder, where the configuration may lie
    command.current_dir("/").process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |why: String| format!("`{}` could not be started: {why}", program.command.display());
    let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let log = child.stderr.take().map(|stderr| follow(server.to_owned(), stderr, clock.clone()));
    let pipes = (child.stdout.take(), child.stdin.take());
    let running = Running { child, group, _log: log };
    match pipes {
        (Some(stdout), Some(stdin)) => Ok((running, (stdout, stdin))),
        (_, _) => Err(failed("it has no standard input or output".to_owned())),
    }
}

fn follow(server: String, stderr: ChildStderr, clock: SharedClock) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move { log_lines(&server, stderr, &clock).await }))
}

/// Logs what the child says, line by line, escaped and bounded; and reads on, since a pipe that is full would stop it.
async fn log_lines<R: AsyncRead + Unpin>(server: &str, mut stderr: R, clock: &SharedClock) {
    let mut rates = Rates::new(LINES, 1);
    let (mut lines, mut dropped) = (Lines::default(), 0u64);
    let mut chunk = vec![0; 4096];
    while let Ok(n @ 1..) = stderr.read(&mut chunk).await {
        for line in lines.take(chunk.get(..n).unwrap_or_default()) {
            if rates.take((), clock.now()).is_err() {
                dropped += 1;
                continue;
            }
            let said = redact::line(&line, LINE);
            tracing::info!(server, said, dropped, "an MCP server wrote to its standard error");
            dropped = 0;
        }
    }
}

/// Bytes as lines, each cut to what may be logged.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.begun);
                whole.push(String::from_utf8_lossy(&line).into_owned());
            } else if self.begun.len() < 4 * LINE {
                // four bytes are the longest character
                self.begun.push(*byte);
            }
        }
        whole.retain(|line| !line.trim().is_empty());
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_bounded() {
        let mut lines = Lines::default();
        assert!(lines.take(b"half").is_empty());
        assert_eq!(lines.take(b" a line\n\n  \nnext\nre"), ["half a line", "next"]);
        assert!(lines.take(&vec![b'x'; 1 << 20]).is_empty());
        let [long] = lines.take(b"\n").try_into().unwrap();
        assert_eq!(long.len(), 4 * LINE);
    }
}
