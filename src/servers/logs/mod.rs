//! The logs server: what a service said, found by severity, time and pattern, and what went wrong in it, over MCP:
//! bounded, redacted, and within the namespaces that are allowed.

mod args;
mod errors;
mod search;
mod text;
mod views;

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::schema_for_output;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

use crate::ports::clock::SharedClock;
use crate::ports::logs::Logs;
use crate::servers::kit::{Prompt, Scope, answer, lean, narrows, offers_prompts};
use args::{ErrorArgs, SearchArgs};
pub use errors::summed_up;
use views::{Errors, Lines};

/// The tools of the logs server, by name.
pub const TOOLS: [&str; 2] = ["search_logs", "get_error_summary"];

/// The MCP face of a store of logs.
#[derive(Clone)]
pub struct LogServer {
    logs: Arc<dyn Logs>,
    scope: Scope,
    clock: SharedClock,
    tool_router: ToolRouter<Self>,
}

narrows!(LogServer, scope);

#[tool_router]
impl LogServer {
    /// Serves what `logs` keeps, within `scope`.
    pub fn new(logs: Arc<dyn Logs>, scope: Scope, clock: SharedClock) -> Self {
        Self { logs, scope, clock, tool_router: lean(Self::tool_router()) }
    }

    /// Find log lines of a service by severity, time and pattern, with lines around them; the newest are shown.
    #[tool(
        name = "search_logs",
        output_schema = schema_for_output::<Lines>(),
        annotations(
            title = "Search logs",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn search_logs(&self, Parameters(args): Parameters<SearchArgs>) -> CallToolResult {
        answer(search::lines(&*self.logs, &self.scope, &args, self.clock.now()).await)
    }

    /// Count a service's errors by kind: the top ten with first and last time, traces, and a sample with its stack.
    #[tool(
        name = "get_error_summary",
        output_schema = schema_for_output::<Errors>(),
        annotations(
            title = "Sum up errors",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_error_summary(&self, Parameters(args): Parameters<ErrorArgs>) -> CallToolResult {
        answer(errors::errors(&*self.logs, &self.scope, &args, self.clock.now()).await)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for LogServer {
    offers_prompts!(Prompt::SHARED, scope);

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_prompts().build())
            .with_server_info(Implementation::new("belay-logs", env!("CARGO_PKG_VERSION")))
            .with_instructions(
                "Searches the logs of one cluster's services, and sums up what went wrong in them.",
            )
    }
}
