//! Between belay's hand and the cluster: passes every request on with the test's own account, notes the writes, and
//! lets one of them go wrong as networks and people do.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use kube::Client;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// The largest object of a cluster is 1.5 MiB.
const BODY: usize = 4 << 20;

/// What befalls the next write that is no dry run.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It never arrives, and no answer comes.
    Lost,
    /// It takes effect, and no answer comes.
    AnswerLost,
    /// The API server says that it failed, and it did nothing.
    Fails,
    /// Somebody else changes the object first.
    After { path: String, patch: Value },
}

/// A write as it passed.
#[derive(Debug, Clone)]
pub struct Write {
    pub path: String,
    /// The intent that the `User-Agent` names.
    pub intent: Option<String>,
    pub status: u16,
}

/// The way to the cluster.
#[derive(Clone)]
pub struct Proxy {
    client: Client,
    fault: Arc<Mutex<Option<Fault>>>,
    writes: Arc<Mutex<Vec<Write>>>,
    pub url: String,
}

impl Proxy {
    /// Listens on loopback until the handle is dropped.
    pub async fn start(client: Client) -> (Self, AbortOnDropHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let proxy = Self { client, fault: Arc::default(), writes: Arc::default(), url };
        let routes = Router::new().fallback(pass).with_state(proxy.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (proxy, AbortOnDropHandle::new(serving))
    }

    /// This befalls the next write.
    pub fn fail_next(&self, fault: Fault) {
        *self.fault.lock().unwrap() = Some(fault);
    }

    /// What was written in the name of this intent, and accepted by the cluster.
    pub fn effects(&self, intent: &str) -> Vec<Write> {
        let writes = self.writes.lock().unwrap();
        writes.iter().filter(|w| w.intent.as_deref() == Some(intent) && w.status < 300).cloned().collect()
    }

    /// Sends a request with the test's own account.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> (u16, Vec<u8>) {
        let response = self.client.send(request.map(kube::client::Body::from)).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY).await.unwrap().to_vec();
    let dry = parts.uri.query().is_some_and(|query| query.contains("dryRun")) || dry_body(&body);
    let review = parts.uri.path().contains("selfsubject");
    let write = parts.method != Method::GET && !dry && !review;
    let fault = if write { proxy.fault.lock().unwrap().take() } else { None };
    match &fault {
        Some(Fault::Lost) => return no_answer(),
        Some(Fault::Fails) => {
            let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","message":"etcd is away","code":500}"#;
            return answer(500, status.into());
        }
        Some(Fault::After { path, patch }) => drop(merge(&proxy, path, patch).await),
        Some(Fault::AnswerLost) | None => {}
    }
    let mut request = http::Request::builder().method(parts.method.clone()).uri(parts.uri.clone());
    for name in ["content-type", "accept", "user-agent"] {
        if let Some(value) = parts.headers.get(name) {
            request = request.header(name, value);
        }
    }
    let (status, body) = proxy.send(request.body(body).unwrap()).await;
    if write {
        let agent = parts.headers.get("user-agent").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let intent = agent.split_once(" intent/").map(|(_, intent)| intent.to_owned());
        let path = parts.uri.path().to_owned();
        proxy.writes.lock().unwrap().push(Write { path, intent, status });
    }
    if matches!(fault, Some(Fault::AnswerLost)) { no_answer() } else { answer(status, body.into()) }
}

/// An eviction says in its body that it is a rehearsal.
fn dry_body(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body.pointer("/deleteOptions/dryRun").is_some()
}

/// Changes an object as a person would.
pub async fn merge(proxy: &Proxy, path: &str, change: &Value) -> Value {
    let request = http::Request::patch(format!("{path}?fieldManager=a-person"))
        .header("content-type", "application/merge-patch+json")
        .body(change.to_string().into_bytes())
        .unwrap();
    let (status, body) = proxy.send(request).await;
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

fn answer(status: u16, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response
}

/// The connection breaks in the middle of the answer.
fn no_answer() -> Response {
    let broken = futures::stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("gone")) });
    answer(200, Body::from_stream(broken))
}
