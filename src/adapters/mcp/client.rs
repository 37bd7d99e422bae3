//! A connection to one MCP server. Every request has a deadline: the library's plain calls have none, and a
//! line that is too long is dropped there without an answer.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ClientRequest, Implementation,
    JsonObject, ListRootsRequestMethod, ListToolsRequest, PaginatedRequestParams, Request, ServerResult,
    Tool,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RequestContext, RunningService};
use rmcp::transport::IntoTransport;
use rmcp::{
    ClientHandler, ErrorData, Peer, RoleClient, RoleServer, ServerHandler, ServiceError, ServiceExt as _,
};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

/// How long the handshake may take: a child process has to start within it.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The buffer of the in-process pipe: one usual message.
const PIPE: usize = 64 * 1024;

/// More pages of tools than this are not asked for: at the usual 50 a page, no model is offered so many.
const MOST_PAGES: usize = 20;

/// A request that was not answered as it should have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server refused the request as such: no such tool, no such method.
    #[error("the MCP server refused the request: {0}")]
    Protocol(String),
    /// No answer: it may have done anything.
    #[error("the MCP server did not answer: {0}")]
    NoAnswer(String),
}

/// A server could not be connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the MCP server could not be connected to: {0}")]
pub struct ConnectError(pub String);

/// Whether a server has said that its tools are others now.
#[derive(Debug, Default)]
pub(super) struct Stale {
    is: AtomicBool,
    said: Notify,
}

impl Stale {
    /// Whether it was said since this was asked last.
    pub(super) fn take(&self) -> bool {
        self.is.swap(false, Ordering::SeqCst)
    }

    /// Waits until it is said.
    pub(super) async fn said(&self) {
        self.said.notified().await;
    }
}

/// What belay is to a server: a client without sampling, elicitation or roots. The library refuses to sample by
/// itself, and declines to elicit; roots it would answer with an empty list.
#[derive(Debug, Clone, Default)]
struct Belay {
    stale: Arc<Stale>,
}

impl ClientHandler for Belay {
    #[expect(deprecated, reason = "servers still ask")]
    fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> impl Future<Output = Result<rmcp::model::ListRootsResult, ErrorData>> + Send + '_ {
        std::future::ready(Err(ErrorData::method_not_found::<ListRootsRequestMethod>()))
    }

    fn on_tool_list_changed(
        &self,
        _context: NotificationContext<RoleClient>,
    ) -> impl Future<Output = ()> + Send + '_ {
        self.stale.is.store(true, Ordering::SeqCst);
        self.stale.said.notify_one();
        std::future::ready(())
    }

    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(
            ClientCapabilities::default(),
            Implementation::new("belay", env!("CARGO_PKG_VERSION")),
        )
    }
}

/// One connected server. Clones share the connection; it ends when the last of them is dropped.
#[derive(Clone)]
pub struct Client {
    running: Arc<RunningService<RoleClient, Belay>>,
    stale: Arc<Stale>,
}

/// A server that runs as a task of this process, and the client connected to it. The task ends with this.
pub struct InProcess {
    /// The connection.
    pub client: Client,
    /// The task: the one who holds it watches it.
    pub server: AbortOnDropHandle<Result<(), ConnectError>>,
}

/// Connects over any transport: a pipe, a child's stdio, HTTP.
pub async fn connect<T, E, A>(transport: T) -> Result<Client, ConnectError>
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    connect_hearing(transport, Arc::default()).await
}

/// As `connect`, and whoever holds `stale` hears when the server says that its tools are others.
pub(super) async fn connect_hearing<T, E, A>(transport: T, stale: Arc<Stale>) -> Result<Client, ConnectError>
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    let belay = Belay { stale: Arc::clone(&stale) };
    match tokio::time::timeout(HANDSHAKE, belay.serve(transport)).await {
        Ok(Ok(running)) => Ok(Client { running: Arc::new(running), stale }),
        Ok(Err(error)) => Err(ConnectError(error.to_string())),
        Err(_) => Err(ConnectError(format!("no handshake within {} s", HANDSHAKE.as_secs()))),
    }
}

/// Runs `server` as a task and connects to it over a pipe.
pub async fn connect_in_process<S: ServerHandler>(server: S) -> Result<InProcess, ConnectError> {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let task = tokio::spawn(async move {
        let ended = |e: String| ConnectError(e);
        let running = serve(server, theirs).await?;
        running.waiting().await.map(drop).map_err(|e| ended(e.to_string()))
    });
    let server = AbortOnDropHandle::new(task);
    Ok(InProcess { client: connect(ours).await?, server })
}

async fn serve<S: ServerHandler>(
    server: S,
    pipe: tokio::io::DuplexStream,
) -> Result<RunningService<RoleServer, S>, ConnectError> {
    server.serve(pipe).await.map_err(|e| ConnectError(e.to_string()))
}

impl Client {
    /// Whether the connection has ended: the other side went away.
    pub(super) fn is_closed(&self) -> bool {
        self.running.peer().is_transport_closed()
    }

    /// Whether the server has said, since this was asked last, that its tools are others.
    pub(super) fn take_stale(&self) -> bool {
        self.stale.take()
    }

    /// Calls a tool.
    pub async fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
        within: Duration,
    ) -> Result<CallToolResult, CallError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        match self.ask(ClientRequest::CallToolRequest(Request::new(params)), within).await? {
            ServerResult::CallToolResult(result) => Ok(result),
            _ => Err(CallError::NoAnswer("its answer was none to a tool call".to_owned())),
        }
    }

    /// Every tool of the server.
    pub async fn tools(&self, within: Duration) -> Result<Vec<Tool>, CallError> {
        let (mut tools, mut cursor) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor.take());
            let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params));
            let ServerResult::ListToolsResult(page) = self.ask(request, within).await? else {
                return Err(CallError::NoAnswer("its answer was none to a list of tools".to_owned()));
            };
            tools.extend(page.tools);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(tools)
    }

    async fn ask(&self, request: ClientRequest, within: Duration) -> Result<ServerResult, CallError> {
        let peer: &Peer<RoleClient> = self.running.peer();
        let options = PeerRequestOptions::with_timeout(within);
        let handle = peer.send_cancellable_request(request, options).await.map_err(lost)?;
        handle.await_response().await.map_err(lost)
    }
}

fn lost(error: ServiceError) -> CallError {
    match error {
        ServiceError::McpError(said) => CallError::Protocol(said.message.into_owned()),
        other => CallError::NoAnswer(other.to_string()),
    }
}
