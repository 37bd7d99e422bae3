//! An MCP server of belay's over HTTP, for clients that show its bearer token.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use tower::Service;

use super::auth::WebhookAuth;

/// Where it is found.
const PATH: &str = "/mcp";

/// The routes of this service.
pub fn mcp_routes<S>(service: S, token: SecretString) -> Router
where
    S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    let auth = Arc::new(WebhookAuth::Bearer(token));
    Router::new().nest_service(PATH, service).layer(middleware::from_fn_with_state(auth, admitted))
}

async fn admitted(State(auth): State<Arc<WebhookAuth>>, request: Request<Body>, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    match peer {
        Some(peer) if auth.admits(request.headers(), peer.ip()) => next.run(request).await,
        Some(_) | None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
