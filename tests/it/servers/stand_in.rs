//! A small server that stands in for a store: it says what a test tells it to, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode};
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

/// What came in.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Asked {
    /// A parameter of its query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&self.query).unwrap();
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What it says.
pub enum Says {
    /// JSON.
    Json(Value),
    /// A status, a content type, and a text.
    Text(u16, &'static str, String),
    /// A redirect to itself.
    Redirect,
    /// A body without end.
    Endless,
    /// Nothing, ever.
    Nothing,
}

type Script = dyn Fn(&Asked) -> Says + Send + Sync;

#[derive(Clone)]
struct Shared {
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub struct StandIn {
    pub url: String,
    shared: Shared,
    _task: AbortOnDropHandle<std::io::Result<()>>,
}

impl StandIn {
    pub async fn start(script: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let shared = Shared { script: Arc::new(script), asked: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let task = AbortOnDropHandle::new(tokio::spawn(axum::serve(listener, router).into_future()));
        Self { url, shared, _task: task }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let asked = Asked {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    shared.asked.lock().unwrap().push(asked.clone());
    let built = |status: u16, kind: &str, body: Body| {
        let status = StatusCode::from_u16(status).unwrap();
        Response::builder().status(status).header("content-type", kind).body(body).unwrap()
    };
    match (shared.script)(&asked) {
        Says::Json(value) => built(200, "application/json; charset=UTF-8", Body::from(value.to_string())),
        Says::Text(status, kind, text) => built(status, kind, Body::from(text)),
        Says::Redirect => {
            let mut response = built(302, "text/plain", Body::empty());
            response.headers_mut().insert("location", asked.path.parse().unwrap());
            response
        }
        Says::Endless => {
            let chunk = Ok::<_, std::io::Error>(vec![b' '; 256 << 10]);
            built(
                200,
                "application/json",
                Body::from_stream(futures::stream::repeat_with(move || {
                    chunk.as_ref().map(Clone::clone).map_err(|e| std::io::Error::other(e.to_string()))
                })),
            )
        }
        Says::Nothing => std::future::pending().await,
    }
}
