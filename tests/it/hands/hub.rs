//! The hub: which tools are on offer, under which names, and what their answers are cut to.

use std::time::Duration;

use belay::adapters::mcp::{Allow, Hub, HubError, InProcess, connect_in_process};
use belay::ports::model::{ToolError, Tools as _};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::world::Bench;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SayArgs {
    /// How often.
    times: u32,
    /// A property that is called as the keyword.
    #[serde(default)]
    format: Option<String>,
}

#[derive(Clone)]
struct Chatty {
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Chatty {
    fn new() -> Self {
        Self { tool_router: Self::tool_router() }
    }

    /// Say it.
    #[tool(name = "say")]
    async fn say(&self, Parameters(args): Parameters<SayArgs>) -> Result<String, String> {
        if args.times == 0 {
            return Err("nothing to say".to_owned());
        }
        let word = args.format.unwrap_or("word".to_owned());
        Ok(vec![word; args.times as usize].join(" "))
    }

    /// Never answers until it is called off.
    #[tool(name = "hang")]
    async fn hang(&self, context: RequestContext<RoleServer>) -> String {
        context.ct.cancelled().await;
        String::new()
    }

    /// Not to be offered.
    #[tool(name = "delete_everything")]
    async fn delete_everything(&self) -> String {
        "gone".to_owned()
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Chatty {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

const SOON: Duration = Duration::from_secs(10);

async fn hub() -> (Hub, [InProcess; 2]) {
    let (one, two) =
        (connect_in_process(Chatty::new()).await.unwrap(), connect_in_process(Chatty::new()).await.unwrap());
    let mut hub = Hub::new();
    hub.join("zoo", one.client.clone(), &Allow::only(["say"])).await.unwrap();
    hub.join("ant", two.client.clone(), &Allow::only(["say", "hang"])).await.unwrap();
    (hub, [one, two])
}

#[tokio::test]
async fn allowed_tools_are_listed_in_a_fixed_order_and_without_noise() {
    let (hub, _servers) = hub().await;
    let tools = hub.list().await.unwrap();
    let names: Vec<_> = tools.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["ant__hang", "ant__say", "zoo__say"]);
    let say: serde_json::Value = serde_json::from_str(&tools[1].schema).unwrap();
    assert!(say.get("$schema").is_none());
    assert!(say["properties"]["times"].get("format").is_none(), "{say}");
    assert!(say["properties"].get("format").is_some(), "a property of that name stays: {say}");
    assert_eq!(tools, hub.list().await.unwrap());
}

#[tokio::test]
async fn calls_are_bounded_and_failures_are_told() {
    let (hub, _servers) = hub().await;
    let said = hub.call("zoo__say", r#"{"times":2}"#, SOON).await.unwrap();
    assert_eq!((said.text.as_str(), said.failed), ("word word", false));
    let long = hub.call("zoo__say", r#"{"times":100000}"#, SOON).await.unwrap();
    assert!(long.text.len() < 25 * 1024 && long.text.contains("bytes left out"));
    for (arguments, expected) in [
        (r#"{"times":0}"#, "nothing to say"),
        (r#"{"times":"many"}"#, "deserialize"),
        ("[1]", "no JSON object"),
        ("", "missing field"),
    ] {
        let failed = hub.call("zoo__say", arguments, SOON).await.unwrap();
        assert!(failed.failed && failed.text.contains(expected), "{arguments}: {failed:?}");
    }
}

#[tokio::test]
async fn what_is_not_allowed_does_not_exist() {
    let (hub, _servers) = hub().await;
    for name in ["zoo__delete_everything", "zoo__hang", "say", "bear__say", "zoo__say__x", ""] {
        assert!(matches!(hub.call(name, "{}", SOON).await, Err(ToolError::Unknown(_))), "{name}");
    }
}

#[tokio::test]
async fn a_tool_that_hangs_is_given_up() {
    let (hub, _servers) = hub().await;
    let gone = hub.call("ant__hang", "{}", Duration::from_millis(50)).await;
    assert!(matches!(gone, Err(ToolError::NoAnswer(_))), "{gone:?}");
    assert!(hub.call("ant__say", r#"{"times":1}"#, SOON).await.is_ok(), "the connection lives on");
}

#[tokio::test]
async fn a_server_that_does_not_fit_cannot_join() {
    let (mut hub, servers) = hub().await;
    let client = || servers[0].client.clone();
    let none = Allow::only::<[&str; 0], _>([]);
    assert_eq!(hub.join("a__b", client(), &none).await, Err(HubError::BadName("a__b".into())));
    assert_eq!(hub.join("zoo", client(), &none).await, Err(HubError::Taken("zoo".into())));
    let missing = HubError::Missing { server: "new".into(), tool: "fly".into() };
    assert_eq!(hub.join("new", client(), &Allow::only(["fly"])).await, Err(missing));
}

#[tokio::test]
async fn the_action_servers_tools_say_what_they_are() {
    let bench = Bench::new().await;
    let tools = bench.client().tools(SOON).await.unwrap();
    assert_eq!(tools.len(), belay::servers::actions::TOOLS.len());
    for tool in &tools {
        let hints = tool.annotations.clone().unwrap();
        let writes = tool.name == "apply";
        assert_eq!(hints.read_only_hint, Some(!writes), "{}", tool.name);
        assert_eq!(hints.destructive_hint, Some(writes), "{}", tool.name);
        assert_eq!(hints.idempotent_hint, Some(true), "{}", tool.name);
        assert!(tool.output_schema.is_some());
        assert_eq!(tool.input_schema["additionalProperties"], false, "{}", tool.name);
    }
}
