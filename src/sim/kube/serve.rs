//! The world's HTTP server and the task that moves it on. It speaks through hyper itself rather than
//! `axum::serve`, because a lost answer has to close the connection.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

use axum::body::{Body, Bytes};
use http::{HeaderMap, Response, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::World;
use super::api;
use super::faults::{Fate, Late, fate};
use super::route::{self, Request};
use super::status::{Answer, Payload};
use super::watch;
use super::write_log::Arrival;

/// The largest body: etcd takes no object above 1.5 MiB, and the real server no request above 3 MiB.
const BODY: usize = 3 << 20;

/// The connection closes without an answer.
#[derive(Debug)]
struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was lost on purpose")
    }
}

impl std::error::Error for Lost {}

impl World {
    /// Serves the API on `listener` and moves the world on, until `shutdown`.
    pub fn serve(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let world = self.clone();
        async move {
            let mut connections = JoinSet::new();
            let ticks = world.tick();
            tokio::pin!(ticks);
            loop {
                tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = &mut ticks => break,
                    Some(_) = connections.join_next(), if !connections.is_empty() => {}
                    accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                        connections.spawn(connection(world.clone(), stream, shutdown.clone()));
                    }
                }
            }
            connections.shutdown().await;
        }
    }

    /// Sleeps until the next due moment, for ever; ends only when the world does.
    async fn tick(&self) {
        let mut moved = self.moved();
        loop {
            let (_, due) = *moved.borrow_and_update();
            tokio::select! {
                () = self.clock().sleep_until(due.unwrap_or(Timestamp::MAX)) => self.with(|_| ()),
                changed = moved.changed() => if changed.is_err() { return },
            }
        }
    }
}

async fn connection(world: World, stream: TcpStream, shutdown: CancellationToken) {
    let done = shutdown.clone();
    let service = service_fn(move |request| answer(world.clone(), request, shutdown.clone()));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = done.cancelled() => {}
        // a client that leaves, or an answer lost on purpose: nobody is left to tell
        _ = serving => {}
    }
}

async fn answer(
    world: World,
    request: http::Request<Incoming>,
    shutdown: CancellationToken,
) -> Result<Response<Body>, Lost> {
    let request = read(request).await?;
    let answer = match world.receive(&request) {
        Fate::Handle => world.apply(&request),
        Fate::Fail(code, message) => world.with(|state| api::refuse(state, &request, code, &message)),
        Fate::Delay(span) => {
            world.clock().sleep(span).await;
            world.apply(&request)
        }
        Fate::Hang => std::future::pending().await,
        Fate::Lose => return Err(Lost),
        Fate::DropAnswer => {
            world.apply(&request);
            return Err(Lost);
        }
        Fate::AnswerLate(span) => {
            let answer = world.apply(&request);
            world.clock().sleep(span).await;
            answer
        }
        Fate::ApplyLate(span) => world.apply_late(request, span).await.map_err(|_| Lost)?,
    };
    Ok(respond(world, answer, shutdown))
}

impl World {
    /// Tells the hook of a write's arrival and decides what becomes of the request.
    fn receive(&self, request: &Request) -> Fate {
        self.with(|state| {
            state.requests = state.requests.saturating_add(1);
            let target = route::target(&request.path);
            let verb = request.verb(target.as_ref());
            if let Some(hook) = state.log.on_arrival.as_ref().filter(|_| verb.mutates()) {
                let intent = api::intent(state, target.as_ref(), request);
                hook(&Arrival {
                    verb,
                    path: request.path.clone(),
                    user_agent: request.user_agent.clone(),
                    dry_run: request.dry_run(),
                    body: serde_json::from_slice(&request.body).unwrap_or(serde_json::Value::Null),
                    intent,
                });
            }
            fate(state, verb, &request.path, request.dry_run())
        })
    }

    fn apply(&self, request: &Request) -> Answer {
        self.with(|state| api::apply(state, request))
    }

    /// Leaves the request to the world, which applies it in time, also when nobody waits any more.
    fn apply_late(&self, request: Request, span: SignedDuration) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        self.with(|state| {
            let due = state.now().checked_add(span).unwrap_or(Timestamp::MAX);
            state.late.push(Late { due, request, answer });
        });
        receiver
    }
}

async fn read(request: http::Request<Incoming>) -> Result<Request, Lost> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY).collect().await.map_err(|_| Lost)?.to_bytes();
    let query = parts.uri.query().unwrap_or_default();
    let query: BTreeMap<String, String> = serde_urlencoded::from_str(query).unwrap_or_default();
    let header = |name| text(&parts.headers, name);
    let token = header(header::AUTHORIZATION).strip_prefix("Bearer ").map(str::to_owned);
    Ok(Request {
        path: parts.uri.path().to_owned(),
        query,
        content_type: header(header::CONTENT_TYPE),
        user_agent: header(header::USER_AGENT),
        accept: header(header::ACCEPT),
        token,
        body: body.to_vec(),
        method: parts.method,
    })
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn respond(world: World, answer: Answer, shutdown: CancellationToken) -> Response<Body> {
    let (kind, body) = match answer.payload {
        Payload::Json(value) => ("application/json", Body::from(Bytes::from(value.to_string()))),
        Payload::Text(text) => ("text/plain", Body::from(text)),
        Payload::Watch(wanted) => ("application/json", watch::body(world, wanted, shutdown)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-cache, private"));
    response
}
