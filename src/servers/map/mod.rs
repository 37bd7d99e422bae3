//! The service map: who calls whom, and how each is, from traces, a mesh's metrics, annotations and a file. Each edge says
//! who told it. Read-only.

mod mesh;
mod sources;
mod views;

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
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::redact;
use crate::domain::service_map::Way;
use crate::domain::target::{is_dns_label, is_dns_name};
use crate::domain::trace::Place;
use crate::servers::kit::{
    Prompt, Readable as _, Scope, Trouble, answer, lean, narrows, object_name, offers_prompts,
};
pub use mesh::Mesh;
pub use sources::{Sources, Told};
pub use views::{Dependencies, NeighbourRow};

/// The tools of the map server, by name.
pub const TOOLS: [&str; 1] = ["get_dependencies"];

/// How a namespace's map is addressed.
pub const NAMESPACE: &str = "service-map://cluster/namespaces/{namespace}";
/// How a service's part of it is.
pub const SERVICE: &str = "service-map://cluster/namespaces/{namespace}/services/{service}";
/// Services of a namespace that its map shows.
const SERVICES: usize = 50;

/// What `get_dependencies` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DependencyArgs {
    /// The service's namespace.
    pub namespace: String,
    /// The service: its workload's name.
    #[schemars(length(max = 253))]
    pub service: String,
    /// What it calls, what calls it, or both.
    #[serde(default)]
    pub direction: Direction,
}

/// Which way to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// What it calls.
    Downstream,
    /// What calls it.
    Upstream,
    /// Both.
    #[default]
    Both,
}

impl Direction {
    const fn way(self) -> Option<Way> {
        match self {
            Self::Downstream => Some(Way::Downstream),
            Self::Upstream => Some(Way::Upstream),
            Self::Both => None,
        }
    }
}

/// The MCP face of the map.
#[derive(Clone)]
pub struct MapServer {
    sources: Sources,
    scope: Scope,
    tool_router: ToolRouter<Self>,
}

narrows!(MapServer, scope);

#[tool_router]
impl MapServer {
    /// Serves what these sources tell, within `scope`.
    pub fn new(sources: Sources, scope: Scope) -> Self {
        Self { sources, scope, tool_router: lean(Self::tool_router()) }
    }

    /// What a service calls and what calls it, how each is, how the calls go, and who says so.
    #[tool(
        name = "get_dependencies",
        output_schema = schema_for_output::<Dependencies>(),
        annotations(
            title = "Read dependencies",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_dependencies(&self, Parameters(args): Parameters<DependencyArgs>) -> CallToolResult {
        let DependencyArgs { namespace, service, direction } = args;
        answer(self.dependencies(&namespace, &service, direction.way()).await)
    }

    async fn dependencies(
        &self,
        namespace: &str,
        service: &str,
        way: Option<Way>,
    ) -> Result<Dependencies, Trouble> {
        self.scope.check(namespace)?;
        object_name(service, "a service")?;
        let place = Place { namespace: Some(namespace.to_owned()), service: service.to_owned() };
        let told = self.sources.around(&place, &self.scope).await;
        Ok(Dependencies::new(&told, &place, way, &self.scope))
    }

    /// The map of a namespace, a paragraph to the service.
    async fn namespace(&self, namespace: &str) -> Result<String, Trouble> {
        self.scope.check(namespace)?;
        let told = self.sources.of_namespace(namespace, &self.scope).await;
        let mut services = told.map.of_namespace(namespace);
        let here = told.health.keys().filter(|place| place.namespace.as_deref() == Some(namespace));
        services.extend(here.map(|place| place.service.clone()));
        let all = services.len();
        let part = |service: String| {
            let place = Place { namespace: Some(namespace.to_owned()), service };
            let mut view = Dependencies::new(&told, &place, None, &self.scope);
            view.gaps.clear();
            view.text()
        };
        let mut parts = vec![format!("{} of {all} services of namespace `{namespace}`", all.min(SERVICES))];
        parts.extend(services.into_iter().take(SERVICES).map(part));
        parts.extend(told.gaps.iter().map(|gap| format!("not known: {gap}")));
        Ok(parts.join("\n\n"))
    }
}

/// What an address names.
enum Addressed<'a> {
    Namespace(&'a str),
    Service(&'a str, &'a str),
}

fn parse(uri: &str) -> Option<Addressed<'_>> {
    let rest = uri.strip_prefix("service-map://cluster/namespaces/")?;
    match rest.split_once("/services/") {
        None => is_dns_label(rest).then_some(Addressed::Namespace(rest)),
        Some((namespace, service)) => (is_dns_label(namespace) && is_dns_name(service))
            .then_some(Addressed::Service(namespace, service)),
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for MapServer {
    offers_prompts!(Prompt::SHARED, scope);

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(
            ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts().build(),
        )
        .with_server_info(Implementation::new("belay-map", env!("CARGO_PKG_VERSION")))
        .with_instructions("Tells which services call which, and how each is. Changes nothing.")
    }

    /// A map for each allowed namespace. Where all are allowed none are listed: the template says how to address one.
    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource = |namespace: &String| {
            let uri = NAMESPACE.replace("{namespace}", namespace);
            Resource::new(uri, format!("service map of {namespace}")).with_mime_type("text/plain")
        };
        Ok(ListResourcesResult::with_all_items(self.scope.allowed().iter().map(resource).collect()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = |uri: &str, name: &str, says: &str| {
            ResourceTemplate::new(uri, name).with_description(says).with_mime_type("text/plain")
        };
        Ok(ListResourceTemplatesResult::with_all_items(vec![
            template(
                NAMESPACE,
                "namespace",
                "The services of a namespace: what each calls, what calls it, how it is",
            ),
            template(SERVICE, "service", "What a service calls and what calls it, and how each is"),
        ]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let read = match parse(&uri) {
            None => {
                let why = format!(
                    "there is no resource `{}`: the ones there are look like `{NAMESPACE}` and `{SERVICE}`",
                    redact::line(&uri, 120)
                );
                return Err(ErrorData::resource_not_found(why, None));
            }
            Some(Addressed::Namespace(namespace)) => self.namespace(namespace).await,
            Some(Addressed::Service(namespace, service)) => {
                self.dependencies(namespace, service, None).await.map(|view| view.text())
            }
        };
        let text = read.map_err(|trouble| ErrorData::resource_not_found(trouble.to_string(), None))?;
        let contents = ResourceContents::text(text, uri).with_mime_type("text/plain");
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_map_are_read() {
        let known = |uri: &str| parse(uri).is_some();
        assert!(known("service-map://cluster/namespaces/shop"));
        assert!(known("service-map://cluster/namespaces/shop/services/web"));
        for wrong in [
            "",
            NAMESPACE,
            SERVICE,
            "service-map://cluster/namespaces/",
            "service-map://cluster/namespaces/..",
            "service-map://cluster/namespaces/shop/services/",
            "service-map://cluster/namespaces/shop/services/a/b",
            "service-map://other/namespaces/shop",
            "file:///etc/passwd",
        ] {
            assert!(!known(wrong), "{wrong}");
        }
    }
}
