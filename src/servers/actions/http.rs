//! The action server over streamable HTTP. Whoever mounts it asks clients for their token first.

use std::sync::Arc;

use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::ActionServer;

/// The largest request: a plan of 64 KiB of changes, written twice with its undo, and its warrant.
const BODY: usize = 1 << 20;

/// The server as a service of HTTP; it ends with `stop`. Each request stands for itself: a client that comes
/// back after a restart of this server finds it as it was.
pub fn service(
    server: ActionServer,
    stop: &CancellationToken,
) -> StreamableHttpService<ActionServer, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // names are for browsers; no browser has the bearer token
        .with_allowed_hosts(Vec::<String>::new())
        .with_max_request_body_bytes(BODY)
        .with_cancellation_token(stop.child_token());
    StreamableHttpService::new(move || Ok(server.clone()), Arc::new(LocalSessionManager::default()), config)
}
