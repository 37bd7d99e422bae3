//! The traces server: one request's way through the services, searches for slow and failed ones, and where the time
//! went. Read-only; of other namespaces than those allowed, no more is shown than that they were passed.

mod args;
mod eyes;
mod text;
mod views;

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::schema_for_output;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

use crate::ports::clock::SharedClock;
use crate::ports::traces::Traces;
use crate::servers::kit::{Prompt, Scope, answer, lean, narrows, offers_prompts};
use args::{SearchArgs, SlowArgs, TraceArgs};
use eyes::Eyes;
use views::{Slowest, TraceView, Traces as TracesView};

/// The tools of the traces server, by name.
pub const TOOLS: [&str; 3] = ["get_trace", "search_traces", "slowest_spans"];

/// The MCP face of a tracing backend.
#[derive(Clone)]
pub struct TracesServer {
    eyes: Eyes,
    tool_router: ToolRouter<Self>,
}

narrows!(TracesServer, eyes.scope);

#[tool_router]
impl TracesServer {
    /// Serves these traces, within `scope`. `placed`: spans say in which namespace they are.
    pub fn new(traces: Arc<dyn Traces>, clock: SharedClock, scope: Scope, placed: bool) -> Self {
        Self { eyes: Eyes::new(traces, clock, scope, placed), tool_router: lean(Self::tool_router()) }
    }

    /// Read one trace: what failed, where its time went (critical path, own times), and its hops between services.
    #[tool(
        name = "get_trace",
        output_schema = schema_for_output::<TraceView>(),
        annotations(
            title = "Read a trace",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_trace(&self, Parameters(args): Parameters<TraceArgs>) -> CallToolResult {
        answer(self.eyes.trace(&args).await)
    }

    /// Search the traces of a service; the failed ones first, then the slowest.
    #[tool(
        name = "search_traces",
        output_schema = schema_for_output::<TracesView>(),
        annotations(
            title = "Search traces",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn search_traces(&self, Parameters(args): Parameters<SearchArgs>) -> CallToolResult {
        answer(self.eyes.search(&args).await)
    }

    /// The spans of a service that took longest themselves, without what they called.
    #[tool(
        name = "slowest_spans",
        output_schema = schema_for_output::<Slowest>(),
        annotations(
            title = "Slowest spans",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn slowest_spans(&self, Parameters(args): Parameters<SlowArgs>) -> CallToolResult {
        answer(self.eyes.slowest(&args).await)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for TracesServer {
    offers_prompts!(Prompt::SHARED, eyes.scope);

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_prompts().build())
            .with_server_info(Implementation::new("belay-traces", env!("CARGO_PKG_VERSION")))
            .with_instructions("Looks at traces of requests through services. Changes nothing.")
    }
}
