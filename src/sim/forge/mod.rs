//! One repository on a forge, over HTTP, as GitHub or as GitLab shows it: branches, files, commits and pull
//! requests, faults on demand, and people who push, merge and close.

mod github;
mod gitlab;
mod repo;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use repo::{Pull, Repo, State};

/// Whose API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Vendor {
    GitHub,
    GitLab,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The newest commit of a branch.
    Tip,
    /// A file at a commit.
    File,
    /// The pull requests of a branch.
    List,
    /// A new branch (GitHub only).
    Branch,
    /// A commit of one file.
    Commit,
    /// A new pull request.
    Open,
    /// Closing one.
    Close,
    /// Taking a branch away.
    Remove,
}

impl Asked {
    /// Those that change something, in the order in which a proposal is made and taken back.
    pub const WRITES: [Self; 5] = [Self::Branch, Self::Commit, Self::Open, Self::Close, Self::Remove];
    /// The others.
    pub const READS: [Self; 3] = [Self::Tip, Self::File, Self::List];
}

/// What goes wrong with one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status; nothing is carried out.
    Status(u16),
    /// This status, although it is carried out.
    StatusAfter(u16),
    /// 429 with `Retry-After` in seconds; nothing is carried out.
    TooOften(u32),
    /// 403 as GitHub ends a window: none is left, and until when; nothing is carried out.
    UsedUp(i64),
    /// Carried out; the connection breaks in the middle of the answer.
    LostAnswer,
    /// The connection breaks; nothing is carried out.
    LostRequest,
    /// Carried out; the answer never ends.
    SilentAfter,
    /// Not carried out; the answer never ends.
    SilentBefore,
    /// Carried out; the answer is no JSON.
    Garbled,
    /// A person pushes this text of this file to this branch just before.
    PushFirst(String, String, String),
}

struct World {
    token: String,
    repo: Repo,
    faults: VecDeque<(Asked, Fault)>,
    calls: Vec<Asked>,
}

type Shared = Arc<Mutex<World>>;

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running fake; stops when dropped.
pub struct FakeForge {
    vendor: Vendor,
    address: SocketAddr,
    world: Shared,
    server: JoinHandle<io::Result<()>>,
}

impl Drop for FakeForge {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeForge {
    /// Starts on a free port of this machine, with this token and these files on `main`.
    pub async fn start(vendor: Vendor, token: &str, files: &[(&str, &str)]) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let world = World {
            token: token.to_owned(),
            repo: Repo::new(files),
            faults: VecDeque::new(),
            calls: Vec::new(),
        };
        let world = Arc::new(Mutex::new(world));
        let router = match vendor {
            Vendor::GitHub => github::router(world.clone()),
            Vendor::GitLab => gitlab::router(world.clone()),
        };
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { vendor, address, world, server })
    }

    /// The base of its API.
    pub fn url(&self) -> String {
        let base = match self.vendor {
            Vendor::GitHub => "api/v3",
            Vendor::GitLab => "api/v4",
        };
        format!("http://{}/{base}", self.address)
    }

    /// The name of its only repository.
    pub const fn repository(&self) -> &'static str {
        repo::NAME
    }

    /// Makes the next request of this kind go wrong; several are taken in order.
    pub fn fail(&self, asked: Asked, fault: Fault) {
        lock(&self.world).faults.push_back((asked, fault));
    }

    /// How many faults have not happened.
    pub fn pending(&self) -> usize {
        lock(&self.world).faults.len()
    }

    /// What was asked, in order, whether or not it went wrong.
    pub fn calls(&self) -> Vec<Asked> {
        lock(&self.world).calls.clone()
    }

    /// The repository as it is.
    pub fn repo(&self) -> Repo {
        lock(&self.world).repo.clone()
    }

    /// Somebody changes the repository.
    pub fn edit(&self, change: impl FnOnce(&mut Repo)) {
        change(&mut lock(&self.world).repo);
    }
}

/// An answer with a status.
type Answer = (u16, Value);

fn no(status: u16, message: &str) -> Answer {
    (status, json!({ "message": message }))
}

/// Carries one request out, unless something goes wrong with it.
fn carry_out(
    world: &Shared,
    asked: Asked,
    headers: &HeaderMap,
    effect: impl FnOnce(&mut Repo) -> Answer,
) -> Response {
    let mut world = lock(world);
    world.calls.push(asked);
    let bearer = format!("Bearer {}", world.token);
    if headers.get(header::AUTHORIZATION).is_none_or(|given| given.as_bytes() != bearer.as_bytes()) {
        return answer(no(401, "Bad credentials"));
    }
    let at = world.faults.iter().position(|(of, _)| *of == asked);
    let fault = at.and_then(|at| world.faults.remove(at)).map(|(_, fault)| fault);
    match fault {
        None => answer(effect(&mut world.repo)),
        Some(Fault::PushFirst(branch, path, text)) => {
            world.repo.push(&branch, &path, &text, "somebody's");
            answer(effect(&mut world.repo))
        }
        Some(Fault::Status(status)) => answer(no(status, "something is wrong")),
        Some(Fault::StatusAfter(status)) => {
            let _ = effect(&mut world.repo);
            answer(no(status, "something is wrong"))
        }
        Some(Fault::TooOften(seconds)) => {
            let after = [("retry-after", seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, after, "Retry later").into_response()
        }
        Some(Fault::UsedUp(until)) => {
            let window =
                [("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", until.to_string())];
            (StatusCode::FORBIDDEN, window, Json(json!({ "message": "API rate limit exceeded" })))
                .into_response()
        }
        Some(Fault::LostAnswer) => {
            let _ = effect(&mut world.repo);
            broken()
        }
        Some(Fault::LostRequest) => broken(),
        Some(Fault::SilentAfter) => {
            let _ = effect(&mut world.repo);
            silent()
        }
        Some(Fault::SilentBefore) => silent(),
        Some(Fault::Garbled) => {
            let _ = effect(&mut world.repo);
            (StatusCode::OK, "<html>").into_response()
        }
    }
}

fn answer((status, body): Answer) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::NO_CONTENT {
        status.into_response()
    } else {
        (status, Json(body)).into_response()
    }
}

/// An answer whose body ends in an error, by which the server closes the connection.
fn broken() -> Response {
    let cut = futures::stream::once(async { Err::<Bytes, _>(io::Error::other("cut")) });
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(cut)).into_response()
}

/// An answer that never ends.
fn silent() -> Response {
    let never = futures::stream::pending::<Result<Bytes, io::Error>>();
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(never)).into_response()
}

fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or(Value::Null)
}
