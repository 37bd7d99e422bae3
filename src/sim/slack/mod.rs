//! A Slack workspace of one channel, over HTTP: the methods that belay calls, Slack's limits and errors,
//! faults on demand, and people who press buttons by requests that are signed as Slack signs them.

mod limits;
mod press;
mod server;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use press::{Forge, NotPressed, Press, Request};

/// Who is who in the fake.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The bot token that is accepted.
    pub token: String,
    /// The secret by which clicks are signed.
    pub signing_secret: String,
    /// The app's id.
    pub app: String,
    /// The workspace's id.
    pub team: String,
    /// The only channel's id.
    pub channel: String,
}

impl Default for Workspace {
    fn default() -> Self {
        Self {
            token: "xoxb-simulated".to_owned(),
            signing_secret: "simulated-signing-secret".to_owned(),
            app: "A0BELAY".to_owned(),
            team: "T0SHOP".to_owned(),
            channel: "C0ONCALL".to_owned(),
        }
    }
}

/// What goes wrong with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `Retry-After` in seconds; nothing is carried out.
    RateLimited(u32),
    /// This HTTP status; nothing is carried out.
    Status(u16),
    /// `ok: false` with this code; nothing is carried out.
    Code(String),
    /// Carried out; the connection breaks in the middle of the answer.
    LostAnswer,
    /// Carried out; no answer ever comes.
    SilentAfter,
    /// Not carried out; no answer ever comes.
    SilentBefore,
}

/// A message in the channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id.
    pub ts: String,
    /// What it shows now.
    pub now: Shown,
    /// What it showed before, oldest first.
    pub before: Vec<Shown>,
    /// `metadata` as it was posted.
    pub metadata: Value,
    /// Somebody deleted it.
    pub deleted: bool,
    /// `chat.update` is refused with this code.
    pub frozen: Option<String>,
}

/// What a message shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The fallback.
    pub text: String,
    /// The blocks.
    pub blocks: Vec<Value>,
}

#[derive(Debug)]
struct State {
    workspace: Workspace,
    messages: Vec<Message>,
    faults: VecDeque<(String, Fault)>,
    calls: Vec<String>,
}

type Shared = Arc<Mutex<State>>;

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Slack's error code for a message of this JSON, if it would refuse it.
pub fn would_take(message: &Value) -> Result<(), &'static str> {
    limits::blocks(message["blocks"].as_array().ok_or("no_text")?)
}

/// The running fake; stops when dropped.
#[derive(Debug)]
pub struct FakeSlack {
    address: SocketAddr,
    state: Shared,
    server: JoinHandle<io::Result<()>>,
}

impl Drop for FakeSlack {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeSlack {
    /// Starts on a free port of this machine.
    pub async fn start(workspace: Workspace) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (messages, faults, calls) = (Vec::new(), VecDeque::new(), Vec::new());
        let state = Arc::new(Mutex::new(State { workspace, messages, faults, calls }));
        let router = server::router(state.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, state, server })
    }

    /// The base for `slack.api_url`.
    pub fn api_url(&self) -> String {
        format!("http://{}/api", self.address)
    }

    /// Makes the next call of `method` go wrong; several are taken in order.
    pub fn fail(&self, method: &str, fault: Fault) {
        lock(&self.state).faults.push_back((method.to_owned(), fault));
    }

    /// The messages, oldest first, deleted ones included.
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.state).messages.clone()
    }

    /// The methods that were called, in order, whether or not they went wrong.
    pub fn calls(&self) -> Vec<String> {
        lock(&self.state).calls.clone()
    }

    /// Somebody deletes a message.
    pub fn delete(&self, ts: &str) {
        self.change(ts, |message| message.deleted = true);
    }

    /// From now on `chat.update` of this message is refused with `code`.
    pub fn freeze(&self, ts: &str, code: &str) {
        self.change(ts, |message| message.frozen = Some(code.to_owned()));
    }

    fn change(&self, ts: &str, change: impl FnOnce(&mut Message)) {
        if let Some(message) = lock(&self.state).messages.iter_mut().find(|m| m.ts == ts) {
            change(message);
        }
    }
}
