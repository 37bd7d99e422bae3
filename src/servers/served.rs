//! A server of belay's own over streamable HTTP. Whoever mounts it asks clients for their token first.

use std::sync::Arc;

use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

/// The server as a service of HTTP, which takes requests of at most `body` bytes; it ends with `stop`. Each request
/// stands for itself: a client that comes back after a restart of this server finds it as it was.
pub(super) fn service<S: ServerHandler + Clone>(
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
