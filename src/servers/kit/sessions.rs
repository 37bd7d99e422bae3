//! A server over streamable HTTP with sessions, for clients of others: whoever mounts it has asked for their token, has
//! checked `Host` and `Origin`, and has read the body. Clients of protocol 2025-11-25 and before have a session each, and
//! may come back to a call whose connection broke off (`Last-Event-ID`) while it is under way; later ones need none.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ServerHandler;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tower::util::BoxCloneSyncService;

/// Sessions at a time, of all callers of a server: half of the connections that the listener takes. A session that is not
/// used ends after five minutes.
const SESSIONS: usize = 128;
/// A stream that says nothing is cut by proxies after 60 s, most of them.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The largest message, in bytes: arguments are names, spans and queries of a few KiB.
const BODY: usize = 256 << 10;

/// A server that has nothing: the type of answers has to be named by some server's, and is the same for all.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl ServerHandler for Nothing {}

type Answer =
    <StreamableHttpService<Nothing, LocalSessionManager> as Service<http::Request<String>>>::Response;

/// Any server over HTTP. Requests have been read: their bodies are text.
pub type HttpService = BoxCloneSyncService<http::Request<String>, Answer, Infallible>;

/// Sessions in memory, of which there is a bounded number.
struct Sessions {
    local: LocalSessionManager,
    /// One to make a session at a time, so that their number holds.
    making: Semaphore,
}

/// No further session, or what went wrong with one.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There are as many as may be.
    #[error("there are {SESSIONS} sessions, which is the most: try again in some minutes")]
    Full,
    /// What the sessions say.
    #[error(transparent)]
    Local(#[from] LocalSessionManagerError),
}

impl SessionManager for Sessions {
    type Error = SessionError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionError> {
        let _one = self.making.acquire().await.map_err(|_| SessionError::Full)?;
        if self.local.sessions.read().await.len() >= SESSIONS {
            return Err(SessionError::Full);
        }
        Ok(self.local.create_session().await?)
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionError> {
        Ok(self.local.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionError> {
        Ok(self.local.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionError> {
        Ok(self.local.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        Ok(self.local.create_stream(id, message).await?)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionError> {
        Ok(self.local.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        Ok(self.local.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        Ok(self.local.resume(id, last_event_id).await?)
    }
}

/// The server as a service of HTTP with sessions; it ends with `stop`.
pub fn with_sessions<S: ServerHandler + Clone>(server: S, stop: &CancellationToken) -> HttpService {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(true)
        .with_json_response(true)
        .with_sse_keep_alive(Some(KEEP_ALIVE))
        // checked before, for every path
        .with_allowed_hosts(Vec::<String>::new())
        .with_max_request_body_bytes(BODY)
        .with_cancellation_token(stop.child_token());
    let sessions = Sessions { local: LocalSessionManager::default(), making: Semaphore::new(1) };
    BoxCloneSyncService::new(StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(sessions),
        config,
    ))
}
