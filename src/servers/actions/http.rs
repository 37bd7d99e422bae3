//! The action server over streamable HTTP.

use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio_util::sync::CancellationToken;

use super::ActionServer;
use crate::servers::kit;

/// The largest request: a plan of 64 KiB of changes, written twice with its undo, and its warrant.
const BODY: usize = 1 << 20;

/// The server as a service of HTTP; it ends with `stop`.
pub fn service(
    server: ActionServer,
    stop: &CancellationToken,
) -> StreamableHttpService<ActionServer, LocalSessionManager> {
    kit::service(server, BODY, stop)
}
