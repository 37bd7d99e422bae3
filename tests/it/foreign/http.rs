//! Third-party servers over streamable HTTP: redirects, addresses, tokens, and servers that are not there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect};
use belay::adapters::mcp::{Foreign, Hub, Pins, Reach, RemoteError, Settings};
use belay::ports::clock::{ManualClock, SharedClock};
use belay::ports::model::{ToolError, Tools as _};
use jiff::Timestamp;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio::net::TcpListener;

use super::odd;

const SOON: Duration = Duration::from_secs(20);

/// A well-behaved server with the tools of the odd one.
#[derive(Clone)]
struct Even;

impl ServerHandler for Even {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = odd::TOOLS.iter().map(|name| odd::parsed(odd::tool(name)));
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "hang" {
            context.ct.cancelled().await;
        }
        let size = if request.name == "flood" { 17 << 20 } else { 5 };
        Ok(CallToolResult::success(vec![ContentBlock::text("h".repeat(size))]).into())
    }
}

async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

fn even() -> Router {
    let config = StreamableHttpServerConfig::default().with_allowed_hosts(Vec::<String>::new());
    let service: StreamableHttpService<Even, LocalSessionManager> =
        StreamableHttpService::new(|| Ok(Even), Arc::default(), config);
    Router::new().nest_service("/mcp", service)
}

fn settings(url: &str, token: Option<&str>) -> Settings {
    let reach = Reach::Remote { url: url.to_owned(), token: token.map(Into::into) };
    Settings { within: Duration::from_secs(5), ..odd::settings("far", reach) }
}

fn made(settings: Settings) -> Result<Foreign, RemoteError> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let clock: SharedClock = ManualClock::new(Timestamp::UNIX_EPOCH);
    Foreign::new(settings, Arc::new(odd::pins("far")), clock)
}

fn hub(url: &str, token: Option<&str>) -> Hub {
    let mut hub = Hub::of("test");
    hub.add(Arc::new(made(settings(url, token)).unwrap())).unwrap();
    hub
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_elsewhere_is_called_and_one_bad_call_costs_itself() {
    let hub = hub(&(serve(even()).await + "/mcp"), None);
    let echo = || async { hub.call("far__echo", "{}", SOON).await.unwrap().text };
    assert_eq!(echo().await, "hhhhh");
    for bad in ["far__hang", "far__flood"] {
        assert!(matches!(hub.call(bad, "{}", SOON).await, Err(ToolError::NoAnswer(_))), "{bad}");
        assert_eq!(echo().await, "hhhhh");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_refused_and_the_token_is_not_sent_on() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let log = Arc::clone(&seen);
    let other = Router::new().fallback(move |headers: HeaderMap| async move {
        log.lock().unwrap().push(headers);
        StatusCode::NO_CONTENT
    });
    let other = serve(other).await;
    for code in ["307", "308", "302"] {
        let other = other.clone();
        let here = Router::new().fallback(move || async move {
            match code {
                "307" => Redirect::temporary(&other).into_response(),
                "308" => Redirect::permanent(&other).into_response(),
                _ => (StatusCode::FOUND, [("location", other)]).into_response(),
            }
        });
        let hub = hub(&serve(here).await, Some("s3cret"));
        let Err(ToolError::NoAnswer(why)) = hub.call("far__echo", "{}", SOON).await else {
            panic!("followed")
        };
        assert!(!why.contains("s3cret"), "{why}");
    }
    assert!(seen.lock().unwrap().is_empty(), "nothing was sent on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_costs_its_own_calls() {
    let hub = hub("http://127.0.0.1:1/mcp", None);
    assert_eq!(hub.list().await.unwrap().len(), odd::TOOLS.len(), "the list keeps what was pinned");
    let Err(ToolError::NoAnswer(why)) = hub.call("far__echo", "{}", SOON).await else {
        panic!("nobody is there")
    };
    assert!(why.starts_with("`far__echo`: ") && why.len() < 500, "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_the_connection_and_is_mute_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let hub = hub(&url, None);
    let began = std::time::Instant::now();
    let call = hub.call("far__echo", "{}", Duration::from_secs(2));
    assert!(matches!(call.await, Err(ToolError::NoAnswer(_))));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    drop(listener);
}

#[test]
fn a_token_travels_only_in_private() {
    for (url, refused) in [
        ("https://far.example/mcp", false),
        ("http://127.0.0.1:1/mcp", false),
        ("http://far.example/mcp", true),
        ("http://10.0.0.1/mcp", true),
        ("ftp://127.0.0.1/mcp", true),
        ("far.example", true),
    ] {
        let made = made(settings(url, None)).map(drop);
        assert_eq!(made.is_err(), refused, "{url}");
        if let Err(e) = made {
            assert!(e.to_string().contains("`mcpServers.far.url`"), "{e}");
        }
    }
    assert_eq!(Pins::default(), Pins::default());
}
