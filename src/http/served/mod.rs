//! belay's own read-only MCP servers over HTTP, each at `/mcp/<server>`: what every request goes through before a server
//! sees it. `Host` and `Origin` first, then the token, then the session, then the body, each bounded.

mod browser;
mod session;
mod token;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any_service, get};
use axum::{Json, Router};
use futures::StreamExt as _;
use tower::{Service, ServiceExt as _};

use crate::app::door::{Door, METADATA, PATH};

use session::Seal;

/// The largest body, in bytes: arguments are names, spans and queries of a few KiB.
const MAX_BODY: usize = 256 << 10;
/// From the end of the headers to the end of the body.
const BODY_WITHIN: Duration = Duration::from_secs(20);

/// One server's place.
#[derive(Clone)]
struct Place {
    door: Arc<Door>,
    server: &'static str,
    seal: Arc<Seal>,
}

/// The routes of these servers behind the door. `None`: the machine has no randomness.
pub fn server_routes<S>(door: &Arc<Door>, servers: Vec<(&'static str, S)>) -> Option<Router>
where
    S: Service<http::Request<String>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse + 'static,
    S::Future: Send + 'static,
{
    let seal = Arc::new(Seal::new()?);
    let alone = servers.len() == 1;
    let mut routes = Router::new();
    for (server, service) in servers {
        let place = Place { door: Arc::clone(door), server, seal: Arc::clone(&seal) };
        if let Some(metadata) = door.metadata(server) {
            let metadata = Arc::new(metadata);
            let told = get(move || async move { Json(metadata) });
            routes = routes.route(&format!("{METADATA}{PATH}{server}"), told.clone());
            // without the path, where there is nothing to mistake it for
            if alone {
                routes = routes.route(METADATA, told);
            }
        }
        let service = tower::service_fn(move |request: Request| read_and_ask(service.clone(), request));
        let guarded = Router::new()
            .route(&format!("{PATH}{server}"), any_service(service))
            // of this route alone: other paths are nobody's
            .route_layer(middleware::from_fn_with_state(place, admitted));
        routes = routes.merge(guarded);
    }
    Some(routes.layer(middleware::from_fn_with_state(Arc::clone(door), browser::checked)))
}

/// Lets a request in with its caller, and its session's name as the server knows it.
async fn admitted(State(place): State<Place>, mut request: Request, next: Next) -> Response {
    let Place { door, server, seal } = place;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let Some(peer) = peer else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let admitted = match token::shown(request.headers()) {
        Ok(token) => door.admit(server, token, peer).await,
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    let caller = match admitted {
        Ok(caller) => caller,
        Err(why) => return token::turned_away(&door, server, &why),
    };
    if !seal.open(request.headers_mut(), caller.name()) {
        return (StatusCode::NOT_FOUND, "there is no such session; begin another\n").into_response();
    }
    let name = caller.name().to_owned();
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    seal.close(response.headers_mut(), &name);
    response
}

/// Reads the body, and asks the server.
async fn read_and_ask<S>(service: S, request: Request) -> Result<Response, Infallible>
where
    S: Service<http::Request<String>, Error = Infallible>,
    S::Response: IntoResponse,
{
    let (head, body) = request.into_parts();
    let text = match tokio::time::timeout(BODY_WITHIN, read(body)).await {
        Ok(Ok(text)) => text,
        Ok(Err(refused)) => return Ok(refused.into_response()),
        Err(_) => return Ok((StatusCode::REQUEST_TIMEOUT, "the body took too long\n").into_response()),
    };
    let answer = service.oneshot(http::Request::from_parts(head, text)).await?;
    Ok(answer.into_response())
}

async fn read(body: Body) -> Result<String, (StatusCode, &'static str)> {
    let refused = |status: StatusCode, why: &'static str| (status, why);
    let mut bytes = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| refused(StatusCode::BAD_REQUEST, "the body broke off\n"))?;
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 256 KiB\n"));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| refused(StatusCode::BAD_REQUEST, "the body is not UTF-8\n"))
}
