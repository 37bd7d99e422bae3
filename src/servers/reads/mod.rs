//! The read server: what belay's core reads of a cluster, for a daemon in another one. It stands inside the cluster
//! that it reads, so that no kubeconfig leaves it. One tool, and nothing of it changes anything.

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::{ErrorData, Json, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::ports::inventory::Inventory;
use crate::ports::reads::{Listing, Located, LogQuery, Query, ReadError, Reads};

use super::kit;

/// The largest question: the namespaces of a fleet, each at most 63 bytes, a thousand of them.
const BODY: usize = 64 << 10;

/// What `read` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadArgs {
    /// A read of belay's own, tagged by `read`.
    query: Map<String, Value>,
}

/// What was read, or why nothing was.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReadReply {
    /// What was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    answer: Option<Box<RawValue>>,
    /// Why nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    error: Option<ReadError>,
}

/// The MCP face of the reads of one cluster.
#[derive(Clone)]
pub struct ReadServer {
    reads: Arc<dyn Reads>,
    listing: Arc<dyn Listing>,
    inventory: Arc<dyn Inventory>,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl ReadServer {
    /// Serves these reads.
    pub fn new(reads: Arc<dyn Reads>, listing: Arc<dyn Listing>, inventory: Arc<dyn Inventory>) -> Self {
        Self { reads, listing, inventory, tool_router: Self::tool_router() }
    }

    /// Read something of the cluster, as belay's core asks for it. Changes nothing.
    #[tool(
        name = "read",
        annotations(
            title = "Read",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn read(&self, Parameters(args): Parameters<ReadArgs>) -> Result<Json<ReadReply>, ErrorData> {
        let query: Query = serde_json::from_value(Value::Object(args.query))
            .map_err(|e| ErrorData::invalid_params(format!("`query` is none of belay's reads: {e}"), None))?;
        let reply = match self.answer(query).await {
            Ok(Ok(answer)) => ReadReply { answer: Some(answer), error: None },
            Ok(Err(error)) => ReadReply { answer: None, error: Some(error) },
            Err(e) => return Err(ErrorData::internal_error(e.to_string(), None)),
        };
        Ok(Json(reply))
    }

    async fn answer(&self, query: Query) -> Result<Result<Box<RawValue>, ReadError>, serde_json::Error> {
        fn raw<T: Serialize>(
            read: Result<T, ReadError>,
        ) -> Result<Result<Box<RawValue>, ReadError>, serde_json::Error> {
            read.map(|value| to_raw_value(&value)).map_or_else(|e| Ok(Err(e)), |raw| raw.map(Ok))
        }
        let Self { reads, listing, inventory, .. } = self;
        match query {
            Query::Locate { named } => raw(reads.locate(&named).await),
            Query::Snapshot { target, owner } => raw(reads.snapshot(&Located { target, owner }).await),
            Query::LastWords { pod } => raw(reads.last_words(&pod).await),
            Query::Fleet { namespaces } => raw(reads.fleet(&namespaces).await),
            Query::Pods { namespace } => raw(listing.pods(&namespace).await),
            Query::Deployments { namespace } => raw(listing.deployments(&namespace).await),
            Query::Events { namespace } => raw(listing.events(&namespace).await),
            Query::Revisions { namespace, deployment } => {
                raw(listing.revisions(&namespace, &deployment).await)
            }
            Query::Log { namespace, pod, container, previous, tail } => {
                raw(listing.log(&LogQuery { namespace, pod, container, previous, tail }).await)
            }
            Query::Objects { kind, namespace, after } => {
                raw(inventory.objects(kind, &namespace, after.as_deref()).await)
            }
            Query::Nodes { after } => raw(inventory.nodes(after.as_deref()).await),
            Query::Usage { namespace } => raw(inventory.usage(&namespace).await),
            Query::Templates { keeper, namespace, name } => {
                raw(inventory.templates(keeper, &namespace, &name).await)
            }
            Query::Stretch { of } => raw(listing.stretch(&of).await),
        }
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for ReadServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("belay-reads", env!("CARGO_PKG_VERSION")))
            .with_instructions("What belay reads of this cluster, for a daemon of belay's in another one.")
    }
}

/// The server as a service of HTTP; it ends with `stop`.
pub fn service(
    server: ReadServer,
    stop: &CancellationToken,
) -> StreamableHttpService<ReadServer, LocalSessionManager> {
    kit::service(server, BODY, stop)
}
