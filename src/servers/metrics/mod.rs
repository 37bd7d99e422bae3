//! The metrics server: a service's metrics by name, what changed of them, and PromQL for whoever may see everything;
//! over MCP, read-only and bounded.

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

use crate::domain::measure::Measures;
use crate::ports::clock::SharedClock;
use crate::ports::reads::Metrics;
use crate::servers::kit::{Prompt, Scope, answer, lean, narrows, offers_prompts};
use args::{ChangeArgs, QueryArgs, RangeArgs, ServiceArgs};
use eyes::Eyes;
use views::{Changes, Queried, Ranged, ServiceMetric};

/// The tools of the metrics server, by name.
pub const TOOLS: [&str; 4] = ["get_service_metrics", "detect_change", "query", "query_range"];

/// The MCP face of the reads.
#[derive(Clone)]
pub struct MetricsServer {
    eyes: Eyes,
    tool_router: ToolRouter<Self>,
}

narrows!(MetricsServer, eyes.scope);

#[tool_router]
impl MetricsServer {
    /// Serves what `metrics` answers, by the names of `measures`, within `scope`.
    pub fn new(metrics: Arc<dyn Metrics>, measures: Arc<Measures>, clock: SharedClock, scope: Scope) -> Self {
        Self { eyes: Eyes::new(metrics, measures, clock, scope), tool_router: lean(Self::tool_router()) }
    }

    /// A metric of a service over a period: requests, errors, latency, cpu, memory, volumes, replicas.
    #[tool(
        name = "get_service_metrics",
        output_schema = schema_for_output::<ServiceMetric>(),
        annotations(
            title = "Read a service's metric",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_service_metrics(&self, Parameters(args): Parameters<ServiceArgs>) -> CallToolResult {
        answer(self.eyes.service(&args).await)
    }

    /// Whether a metric of a service shifted its level, its trend, and when it will meet its limit.
    #[tool(
        name = "detect_change",
        output_schema = schema_for_output::<Changes>(),
        annotations(
            title = "Find changes of a metric",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn detect_change(&self, Parameters(args): Parameters<ChangeArgs>) -> CallToolResult {
        answer(self.eyes.changes(&args).await)
    }

    /// Any PromQL at one moment. Only for who may see every namespace.
    #[tool(
        name = "query",
        output_schema = schema_for_output::<Queried>(),
        annotations(
            title = "Query Prometheus",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn query(&self, Parameters(args): Parameters<QueryArgs>) -> CallToolResult {
        answer(self.eyes.query(&args).await)
    }

    /// Any PromQL over a stretch of time. Only for who may see every namespace.
    #[tool(
        name = "query_range",
        output_schema = schema_for_output::<Ranged>(),
        annotations(
            title = "Query Prometheus over time",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn query_range(&self, Parameters(args): Parameters<RangeArgs>) -> CallToolResult {
        answer(self.eyes.query_range(&args).await)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for MetricsServer {
    offers_prompts!(Prompt::SHARED, eyes.scope);

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_prompts().build())
            .with_server_info(Implementation::new("belay-metrics", env!("CARGO_PKG_VERSION")))
            .with_instructions("Measures the services of one cluster by its Prometheus. Changes nothing.")
    }
}
