//! The kubernetes server: read-only looks at pods, logs, events, rollouts and every kind of object around them over
//! MCP, bounded, cleaned, and within the namespaces that are allowed.

mod args;
mod eyes;
mod objects;
mod paced;
mod resource;
mod text;
mod usage;
mod views;

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::schema_for_output;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolResult, ErrorData, Implementation, ListResourceTemplatesResult, ListResourcesResult,
    PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler, tool, tool_handler, tool_router};

use crate::domain::redact;
use crate::ports::inventory::Inventory;
use crate::ports::reads::Listing;
use crate::servers::kit::{Prompt, Scope, Trouble, answer, lean, narrows, offers_prompts};
use args::{EventArgs, HistoryArgs, ListArgs, LogArgs, NodesArgs, ObjectsArgs, UsageArgs};
use eyes::Eyes;
use objects::Objects;
pub use paced::Paced;
use usage::Usage;
use views::{Deployments, Events, History, Log, Pods};

/// The tools of the kubernetes server, by name.
pub const TOOLS: [&str; 8] = [
    "list_pods",
    "get_pod_logs",
    "list_deployments",
    "get_events",
    "get_rollout_history",
    "list_objects",
    "list_nodes",
    "get_usage",
];

/// The MCP face of the reads.
#[derive(Clone)]
pub struct KubernetesServer {
    eyes: Eyes,
    tool_router: ToolRouter<Self>,
}

narrows!(KubernetesServer, eyes.scope);

#[tool_router]
impl KubernetesServer {
    /// Serves what these read, within `scope`.
    pub fn new(listing: Arc<dyn Listing>, inventory: Arc<dyn Inventory>, scope: Scope) -> Self {
        Self { eyes: Eyes::new(listing, inventory, scope), tool_router: lean(Self::tool_router()) }
    }

    /// List the pods of a namespace with their status, restarts and how they ended last; those in trouble first.
    #[tool(
        name = "list_pods",
        output_schema = schema_for_output::<Pods>(),
        annotations(
            title = "List pods",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_pods(&self, Parameters(args): Parameters<ListArgs>) -> CallToolResult {
        answer(self.eyes.pods(&args).await)
    }

    /// Read the last lines of a container's log, of its present or its previous instance.
    #[tool(
        name = "get_pod_logs",
        output_schema = schema_for_output::<Log>(),
        annotations(
            title = "Read a pod's log",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_pod_logs(&self, Parameters(args): Parameters<LogArgs>) -> CallToolResult {
        answer(self.eyes.log(&args).await)
    }

    /// List the Deployments of a namespace with their replicas and conditions; those in trouble first.
    #[tool(
        name = "list_deployments",
        output_schema = schema_for_output::<Deployments>(),
        annotations(
            title = "List deployments",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_deployments(&self, Parameters(args): Parameters<ListArgs>) -> CallToolResult {
        answer(self.eyes.deployments(&args).await)
    }

    /// Read the newest events of a namespace, or of one object in it.
    #[tool(
        name = "get_events",
        output_schema = schema_for_output::<Events>(),
        annotations(
            title = "Read events",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_events(&self, Parameters(args): Parameters<EventArgs>) -> CallToolResult {
        answer(self.eyes.events(&args).await)
    }

    /// Read the revisions of a workload: when each was made, with which images, and how many pods it has.
    #[tool(
        name = "get_rollout_history",
        output_schema = schema_for_output::<History>(),
        annotations(
            title = "Read a rollout's history",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_rollout_history(&self, Parameters(args): Parameters<HistoryArgs>) -> CallToolResult {
        answer(self.eyes.history(&args).await)
    }

    /// List objects of one kind in a namespace by name, page by page, with what is wrong with each. Of nodes: those
    /// that carry pods of the namespace.
    #[tool(
        name = "list_objects",
        output_schema = schema_for_output::<Objects>(),
        annotations(
            title = "List objects",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_objects(&self, Parameters(args): Parameters<ObjectsArgs>) -> CallToolResult {
        answer(self.eyes.objects(&args).await)
    }

    /// List all nodes of the cluster by name with conditions, taints and use.
    #[tool(
        name = "list_nodes",
        output_schema = schema_for_output::<Objects>(),
        annotations(
            title = "List nodes",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_nodes(&self, Parameters(args): Parameters<NodesArgs>) -> CallToolResult {
        answer(self.eyes.nodes(&args).await)
    }

    /// Read what the containers of a namespace use now, beside their limits.
    #[tool(
        name = "get_usage",
        output_schema = schema_for_output::<Usage>(),
        annotations(
            title = "Read resource usage",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_usage(&self, Parameters(args): Parameters<UsageArgs>) -> CallToolResult {
        answer(self.eyes.usage(&args).await)
    }
}

/// What every server offers, and a task or a question in one's own words.
const PROMPTS: [Prompt; 7] = [
    Prompt::Investigate,
    Prompt::Triage,
    Prompt::Explain,
    Prompt::PostMortem,
    Prompt::Handover,
    Prompt::Incident,
    Prompt::Ask,
];

#[tool_handler(router = self.tool_router)]
impl ServerHandler for KubernetesServer {
    offers_prompts!(PROMPTS, eyes.scope);

    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("belay-kubernetes", env!("CARGO_PKG_VERSION")))
            .with_instructions(
                "Looks at the workloads, logs, events, rollouts, nodes, network and limits of one Kubernetes cluster. Changes nothing.",
            )
    }

    /// The Deployments of the allowed namespaces, a namespace to the page. Where all are allowed none are
    /// listed: the template says how to address one.
    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let cursor = request.and_then(|r| r.cursor);
        let page = match cursor.as_deref().map(str::parse::<usize>) {
            None => 0,
            Some(Ok(page)) => page,
            Some(Err(_)) => return Err(ErrorData::invalid_params("this is no cursor of this server", None)),
        };
        let Some(namespace) = self.eyes.allowed().get(page) else {
            return Ok(ListResourcesResult::default());
        };
        let listed = self.eyes.raw_deployments(namespace).await;
        let listed = listed.map_err(|trouble| ErrorData::internal_error(trouble.to_string(), None))?;
        let resource = |name: &str| {
            Resource::new(resource::uri(namespace, name), format!("{namespace}/{name}"))
                .with_mime_type("text/plain")
        };
        let all = listed.items.iter().map(|d| resource(&d.object.named.name)).collect();
        let mut result = ListResourcesResult::with_all_items(all);
        result.next_cursor = (page + 1 < self.eyes.allowed().len()).then(|| (page + 1).to_string());
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = ResourceTemplate::new(resource::TEMPLATE, "deployment")
            .with_description("A Deployment with its conditions, its newest revisions and their pods")
            .with_mime_type("text/plain");
        Ok(ListResourceTemplatesResult::with_all_items(vec![template]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let Some((namespace, name)) = resource::parse(&uri) else {
            let why = format!(
                "there is no resource `{}`: the ones there are look like `{}`",
                redact::line(&uri, 120),
                resource::TEMPLATE
            );
            return Err(ErrorData::resource_not_found(why, None));
        };
        match resource::summary(&self.eyes, namespace, name).await {
            Ok(text) => {
                let contents = ResourceContents::text(text, uri).with_mime_type("text/plain");
                Ok(ReadResourceResult::new(vec![contents]).into())
            }
            Err(trouble @ Trouble::Read(_)) => Err(ErrorData::internal_error(trouble.to_string(), None)),
            Err(trouble) => Err(ErrorData::resource_not_found(trouble.to_string(), None)),
        }
    }
}
