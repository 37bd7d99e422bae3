//! A scripted language model: a server that speaks OpenAI's chat API over HTTP, plays a script, and checks
//! what it is sent as strictly as the strictest real server would.

mod check;
mod clever;
mod play;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One answer of the scripted model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Text and no call.
    Say(String),
    /// Calls of these tools (name, arguments as text), with some text beside them.
    Call {
        /// The text.
        say: String,
        /// The calls.
        calls: Vec<(String, String)>,
    },
    /// A well-formed choice.
    Choose {
        /// The candidate.
        candidate: String,
        /// What is cited.
        evidence: Vec<String>,
    },
    /// A well-formed `no_action`.
    NoAction(String),
    /// A well-formed `escalate`.
    Escalate(String),
    /// An answer as an odd server would give it.
    Odd(Odd),
    /// This status with this body, whatever was asked.
    Http {
        /// The status.
        status: u16,
        /// The body.
        body: String,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// The inner turn, so much later.
    Slow(Duration, Box<Turn>),
}

impl Turn {
    /// One call without text.
    pub fn call(tool: &str, arguments: &str) -> Self {
        Self::Call { say: String::new(), calls: vec![(tool.to_owned(), arguments.to_owned())] }
    }
}

/// The ways in which servers differ from the standard, each seen on a real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// The calls have no `type`.
    NoType,
    /// The arguments are an object instead of text.
    ObjectArguments,
    /// Two calls without `id` and `index`.
    NoIds,
    /// Two calls with the same `id`.
    SameIds,
    /// `finish_reason: "eos_token"`, and fields nobody knows.
    OddFinish,
    /// No `id`, `object`, `created`, `model`, `usage`.
    Bare,
    /// The content is a list of parts.
    Parts,
    /// Cut off at the length limit, with half an ending.
    Length,
    /// Withheld by a filter.
    Filtered,
    /// Neither text nor calls.
    Empty,
    /// No choices at all.
    NoChoices,
    /// HTML with status 200.
    Html,
    /// More bytes than anyone should read.
    Huge,
    /// The connection is cut in the middle of the body.
    Cut,
    /// Half a JSON document.
    HalfJson,
}

/// What the server plays.
#[derive(Debug, Clone)]
pub enum Script {
    /// These turns, one per request, whoever asks.
    Turns(Vec<Turn>),
    /// Reads twice with tools it is offered, then takes the first candidate and cites its evidence; with
    /// no candidate it escalates. Knows no more than the request tells it.
    Clever,
}

/// What it saw and what was wrong with it.
#[derive(Debug, Default)]
struct Log {
    seen: Vec<Value>,
    violations: Vec<String>,
    /// Conversations that a turn of the script has ended: nothing may follow.
    over: Vec<String>,
}

#[derive(Debug)]
struct Shared {
    log: Mutex<Log>,
    turns: Mutex<Option<VecDeque<Turn>>>,
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next turn: of the script, where there is one, else what the clever one thinks of.
    fn next_turn(&self, request: &Value) -> Option<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        match turns.as_mut() {
            Some(script) => script.pop_front(),
            None => Some(clever::think(request)),
        }
    }
}

/// The running server. It stops when this is dropped.
#[derive(Debug)]
pub struct ScriptedModel {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl ScriptedModel {
    /// Starts it on a free port of the loopback interface.
    pub async fn start(script: Script) -> io::Result<Self> {
        let turns = match script {
            Script::Turns(turns) => Some(turns.into()),
            Script::Clever => None,
        };
        let shared = Arc::new(Shared { log: Mutex::default(), turns: Mutex::new(turns) });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let app = Router::new().route("/v1/chat/completions", post(answer)).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // it ends only with the task: accept errors are retried inside
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, shared, server })
    }

    /// These turns come after those that there are. The clever one has none, and stays as it is.
    pub fn then(&self, more: impl IntoIterator<Item = Turn>) {
        if let Some(turns) = self.shared.turns.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            turns.extend(more);
        }
    }

    /// What to give to a client.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The requests so far, as they came.
    pub fn seen(&self) -> Vec<Value> {
        self.shared.log().seen.clone()
    }

    /// Whatever was wrong with the requests; empty if nothing was.
    pub fn violations(&self) -> Vec<String> {
        self.shared.log().violations.clone()
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let request: Value = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            shared.log().violations.push(format!("the request is not JSON: {error}"));
            return play::http(400, r#"{"error":{"message":"not JSON"}}"#.to_owned(), None);
        }
    };
    let conversation = check::conversation(&request);
    let number = {
        let mut log = shared.log();
        let mut wrong = check::request(&request);
        if log.over.contains(&conversation) {
            wrong.push("a message came after the ending".to_owned());
        }
        log.violations.extend(wrong);
        log.seen.push(request.clone());
        log.seen.len()
    };
    let Some(turn) = shared.next_turn(&request) else {
        shared.log().violations.push("a request came after the script was over".to_owned());
        return play::http(500, "the script is over".to_owned(), None);
    };
    let turn = match turn {
        Turn::Slow(span, inner) => {
            tokio::time::sleep(span).await;
            *inner
        }
        turn => turn,
    };
    if matches!(turn, Turn::Choose { .. } | Turn::NoAction(_) | Turn::Escalate(_)) {
        shared.log().over.push(conversation);
    }
    if request.get("stream").and_then(Value::as_bool) == Some(true) {
        return play::streamed(turn, number);
    }
    play::turn(turn, number)
}
