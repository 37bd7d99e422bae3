//! A server of belay's own over standard input and output, or over streamable HTTP: whoever mounts the latter asks
//! clients for their token first.

use std::sync::Arc;

use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, ServiceExt as _};
use tokio_util::sync::CancellationToken;

/// Serving over stdio ended with an error.
#[derive(Debug, thiserror::Error)]
#[error("the server on stdio ended: {0}")]
pub struct Ended(String);

/// Serves on standard input and output until the client goes away.
pub async fn serve_stdio<S: ServerHandler>(server: S) -> Result<(), Ended> {
    let running = server.serve(rmcp::transport::stdio()).await.map_err(|e| Ended(e.to_string()))?;
    running.waiting().await.map(drop).map_err(|e| Ended(e.to_string()))
}

/// The server as a service of HTTP, which takes requests of at most `body` bytes; it ends with `stop`. Each request
/// stands for itself: a client that comes back after a restart of this server finds it as it was.
pub fn service<S: ServerHandler + Clone>(
    server: S,
    body: usize,
    stop: &CancellationToken,
) -> StreamableHttpService<S, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // names are for browsers; no browser has the bearer token
        .with_allowed_hosts(Vec::<String>::new())
        .with_max_request_body_bytes(body)
        .with_cancellation_token(stop.child_token());
    StreamableHttpService::new(move || Ok(server.clone()), Arc::new(LocalSessionManager::default()), config)
}
