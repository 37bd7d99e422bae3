//! A backend that answers as it is told, over HTTP, and lies as it is told.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, Uri, header};
use tokio_util::task::AbortOnDropHandle;

/// An answer: its status, its type and its body.
pub struct Says(pub u16, pub &'static str, pub Vec<u8>);

impl Says {
    pub fn json(body: impl Into<String>) -> Self {
        Self(200, "application/json", body.into().into_bytes())
    }
}

type Answers = dyn Fn(&Uri) -> Says + Send + Sync;

/// The backend, and what it was asked.
#[derive(Clone)]
pub struct Backend {
    answers: Arc<Answers>,
    asked: Arc<Mutex<Vec<String>>>,
    pub url: String,
    _task: Arc<AbortOnDropHandle<std::io::Result<()>>>,
}

impl Backend {
    pub async fn start(answers: impl Fn(&Uri) -> Says + Send + Sync + 'static) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/base/", listener.local_addr().unwrap());
        let (answers, asked): (Arc<Answers>, Arc<Mutex<Vec<String>>>) = (Arc::new(answers), Arc::default());
        let state = (Arc::clone(&answers), Arc::clone(&asked));
        let router = Router::new().fallback(answer).with_state(state);
        let task = AbortOnDropHandle::new(tokio::spawn(axum::serve(listener, router).into_future()));
        Self { answers, asked, url, _task: Arc::new(task) }
    }

    /// What it was asked, in order: path and query.
    pub fn asked(&self) -> Vec<String> {
        let _ = &self.answers;
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    State((answers, asked)): State<(Arc<Answers>, Arc<Mutex<Vec<String>>>)>,
    request: Request<Body>,
) -> Response<Body> {
    asked.lock().unwrap().push(request.uri().to_string());
    let Says(status, kind, body) = answers(request.uri());
    let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, kind);
    if (300..400).contains(&status) {
        response = response.header(header::LOCATION, "/base/elsewhere");
    }
    response.body(Body::from(body)).unwrap()
}

/// Each way in which a backend lies or fails, and what is told of it.
pub fn faults() -> Vec<(Says, &'static str)> {
    let large = vec![b' '; (32 << 20) + 1];
    vec![
        (Says(401, "application/json", b"{}".to_vec()), "check the credentials"),
        (Says(403, "application/json", b"{}".to_vec()), "check the credentials"),
        (Says(429, "text/plain", b"slow down".to_vec()), "429"),
        (Says(502, "text/html", b"<html>bad gateway</html>".to_vec()), "502"),
        (Says(302, "text/plain", Vec::new()), "302"),
        (Says(200, "text/html", b"<html>log in</html>".to_vec()), "cannot be read"),
        (Says(200, "application/json", br#"{"data":[{"traceID":"ab","spans":[{"#.to_vec()), "cannot be read"),
        (Says(200, "application/json", large), "larger than 32 MiB"),
    ]
}
