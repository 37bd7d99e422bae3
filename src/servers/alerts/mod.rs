//! The alerts server: what fires and fired in a namespace with thresholds, values and trends, silences, who is on call
//! and who was called; over MCP, read-only and bounded.

mod active;
mod args;
mod history;
mod people;
mod sources;
mod text;
mod views;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::schema_for_output;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

use crate::servers::kit::{Prompt, Scope, answer, lean, narrows, offers_prompts};
use args::{ActiveArgs, HistoryArgs, OnCallArgs, PagesArgs, SilenceArgs, SimilarArgs};
use sources::Eyes;
pub use sources::{Mapped, Pager, Sources};
use views::{Active, History, OnCall, Pages, Silences, Similar};

/// The tools of the alerts server, by name.
pub const TOOLS: [&str; 6] = [
    "get_active_alerts",
    "get_alert_history",
    "get_silences",
    "get_on_call_schedule",
    "get_pages",
    "similar_alerts",
];

/// The MCP face of the reads.
#[derive(Clone)]
pub struct AlertsServer {
    eyes: Eyes,
    tool_router: ToolRouter<Self>,
}

narrows!(AlertsServer, eyes.scope);

#[tool_router]
impl AlertsServer {
    /// Serves what these sources know, within `scope`.
    pub fn new(sources: Sources, scope: Scope) -> Self {
        Self { eyes: Eyes::new(sources, scope), tool_router: lean(Self::tool_router()) }
    }

    /// Alerts that fire in a namespace, with threshold, value now, trend and runbook; the loudest first.
    #[tool(
        name = "get_active_alerts",
        output_schema = schema_for_output::<Active>(),
        annotations(
            title = "List firing alerts",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_active_alerts(&self, Parameters(args): Parameters<ActiveArgs>) -> CallToolResult {
        answer(self.eyes.active(&args).await)
    }

    /// What fired in a namespace: when, how long, who was called.
    #[tool(
        name = "get_alert_history",
        output_schema = schema_for_output::<History>(),
        annotations(
            title = "Read the history of alerts",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_alert_history(&self, Parameters(args): Parameters<HistoryArgs>) -> CallToolResult {
        answer(self.eyes.history(&args).await)
    }

    /// Silences that are about a namespace, by whom and why.
    #[tool(
        name = "get_silences",
        output_schema = schema_for_output::<Silences>(),
        annotations(
            title = "List silences",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_silences(&self, Parameters(args): Parameters<SilenceArgs>) -> CallToolResult {
        answer(self.eyes.silences(&args).await)
    }

    /// Who is on call for a namespace, now and next.
    #[tool(
        name = "get_on_call_schedule",
        output_schema = schema_for_output::<OnCall>(),
        annotations(
            title = "See who is on call",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_on_call_schedule(&self, Parameters(args): Parameters<OnCallArgs>) -> CallToolResult {
        answer(self.eyes.on_call(&args).await)
    }

    /// PagerDuty's incidents about a namespace: state, who has them, who acknowledged.
    #[tool(
        name = "get_pages",
        output_schema = schema_for_output::<Pages>(),
        annotations(
            title = "List pages",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_pages(&self, Parameters(args): Parameters<PagesArgs>) -> CallToolResult {
        answer(self.eyes.pages(&args).await)
    }

    /// Alerts like one, firing or past: the same alert, the same service.
    #[tool(
        name = "similar_alerts",
        output_schema = schema_for_output::<Similar>(),
        annotations(
            title = "Find similar alerts",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn similar_alerts(&self, Parameters(args): Parameters<SimilarArgs>) -> CallToolResult {
        answer(self.eyes.similar(&args).await)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for AlertsServer {
    offers_prompts!(Prompt::SHARED, eyes.scope);

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_prompts().build())
            .with_server_info(Implementation::new("belay-alerts", env!("CARGO_PKG_VERSION")))
            .with_instructions("Knows the alerts of one cluster and who is on call. Changes nothing.")
    }
}
