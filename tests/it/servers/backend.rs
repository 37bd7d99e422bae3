//! A backend over HTTP that answers as it is told, or goes wrong in a way that backends do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Response};
use tokio_util::task::AbortOnDropHandle;

/// How it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It never answers.
    Slow,
    /// It answers with this status.
    Status(u16),
    /// It says that it is asked too often, for an hour.
    TooOften,
    /// It sends a page for people.
    Page,
    /// Its JSON ends in the middle.
    Cut,
    /// Its answer does not end.
    Endless,
    /// It sends whoever asks elsewhere: to itself.
    Redirect,
}

/// All ways, with a word that has to be in what is said of it.
pub const WAYS: [(Wrong, &str); 9] = [
    (Wrong::Slow, "no answer|in time|timed out"),
    (Wrong::Status(500), "500"),
    (Wrong::Status(401), "401"),
    (Wrong::Status(403), "403"),
    (Wrong::Page, "cannot be read"),
    (Wrong::Cut, "cannot be read"),
    (Wrong::Endless, "larger than"),
    (Wrong::Redirect, "302"),
    // last: who is told to wait, waits
    (Wrong::TooOften, "429"),
];

/// What came in: path with query, and who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub path: String,
    pub authorization: String,
}

#[derive(Clone, Default)]
struct Shared {
    /// Path without query to body.
    answers: Arc<BTreeMap<String, String>>,
    wrong: Arc<Mutex<Option<Wrong>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// The server.
pub struct Backend {
    pub url: String,
    shared: Shared,
    _task: AbortOnDropHandle<std::io::Result<()>>,
}

impl Backend {
    pub async fn start(answers: &[(&str, &str)]) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let answers = answers.iter().map(|(path, body)| ((*path).to_owned(), (*body).to_owned())).collect();
        let shared = Shared { answers: Arc::new(answers), ..Shared::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let task = AbortOnDropHandle::new(tokio::spawn(axum::serve(listener, router).into_future()));
        Self { url, shared, _task: task }
    }

    pub fn go_wrong(&self, wrong: Option<Wrong>) {
        *self.shared.wrong.lock().unwrap() = wrong;
    }

    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.asked.lock().unwrap())
    }
}

async fn answer(
    State(shared): State<Shared>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response<Body> {
    let authorization = headers.get("authorization").map_or("", |v| v.to_str().unwrap()).to_owned();
    let path = uri.path_and_query().unwrap().to_string();
    shared.asked.lock().unwrap().push(Asked { path, authorization });
    let body = shared.answers.get(uri.path()).cloned();
    let json = |status: u16, body: Body| {
        Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
    };
    let wrong = *shared.wrong.lock().unwrap();
    match (wrong, body) {
        (Some(Wrong::Slow), _) => std::future::pending().await,
        (Some(Wrong::Status(status)), _) => json(status, Body::from("{\"message\":\"no\"}")),
        (Some(Wrong::TooOften), _) => {
            Response::builder().status(429).header("retry-after", "3600").body(Body::empty()).unwrap()
        }
        (Some(Wrong::Page), _) => {
            let page = "<html><body>Sign in</body></html>";
            Response::builder().header("content-type", "text/html").body(Body::from(page)).unwrap()
        }
        (Some(Wrong::Cut), Some(body)) => json(200, Body::from(body[..body.len() / 2].to_owned())),
        (Some(Wrong::Endless), _) => {
            let chunk = Bytes::from(vec![b' '; 1 << 16]);
            let chunks = futures::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
            json(200, Body::from_stream(chunks))
        }
        (Some(Wrong::Redirect), _) => {
            Response::builder().status(302).header("location", uri.path()).body(Body::empty()).unwrap()
        }
        (Some(Wrong::Cut) | None, None) => json(404, Body::from("{\"message\":\"Not Found\"}")),
        (None, Some(body)) => json(200, Body::from(body)),
    }
}
