//! Who may ask belay's own servers for what: a server that writes down what reaches it, behind its guard and behind the
//! door, over real HTTP.

mod browser;
mod calls;
mod oauth;
mod process;
mod sessions;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use belay::app::door::Door;
use belay::config::{McpAccessConfig, OAuthConfig};
use belay::domain::authority::Caller;
use belay::http;
use belay::ports::access::{Audit, Called};
use belay::ports::clock::{ManualClock, SharedClock};
use belay::servers::guard::{Guard, Guarded, Post};
use belay::servers::kit::{self, Narrowed, Scope};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    CompletionInfo, ContentBlock, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, Prompt, PromptArgument, PromptMessage, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate, Role,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);

fn start() -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_100).unwrap()
}

/// A server that notes what reaches it.
#[derive(Clone)]
struct Spy {
    reached: Arc<Mutex<Vec<Value>>>,
    /// What `wait` waits for.
    go: Arc<Notify>,
    scope: Scope,
}

impl Default for Spy {
    fn default() -> Self {
        Self { reached: Arc::default(), go: Arc::default(), scope: Scope::new(vec![]) }
    }
}

impl Narrowed for Spy {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn within(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }
}

impl Spy {
    fn note(&self, what: Value) {
        self.reached.lock().unwrap().push(what);
    }

    fn reached(&self) -> Vec<Value> {
        std::mem::take(&mut self.reached.lock().unwrap())
    }
}

fn tool(name: &'static str, schema: Value) -> Tool {
    let Value::Object(schema) = schema else { panic!() };
    Tool::new(name, "notes what it is asked", schema)
}

fn tools() -> [Tool; 4] {
    let namespace = json!({ "type": "string" });
    let of_one = |more: Value| {
        let mut schema = json!({
            "type": "object", "properties": { "namespace": namespace }, "required": ["namespace"],
        });
        for (key, value) in more.as_object().unwrap() {
            schema["properties"][key] = value.clone();
        }
        schema
    };
    [
        tool("look", of_one(json!({ "pod": { "type": "string" }, "options": { "type": "object" } }))),
        tool("wait", of_one(json!({}))),
        tool("query", json!({ "type": "object", "properties": { "promql": { "type": "string" } } })),
        // it may be left out, so the tool is not about one namespace
        tool("maybe", json!({ "type": "object", "properties": { "namespace": namespace } })),
    ]
}

impl ServerHandler for Spy {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts().build();
        ServerConfig::new(capabilities)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools().into_iter().find(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools().into()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.note(json!({ "tool": request.name, "arguments": request.arguments }));
        if request.name == "wait" {
            self.go.notified().await;
        }
        Ok(CallToolResult::success(vec![ContentBlock::text("seen")]).into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let namespace = PromptArgument::new("namespace").with_required(true);
        let triage = Prompt::new("triage", None::<String>, Some(vec![namespace]));
        Ok(ListPromptsResult::with_all_items(vec![triage, Prompt::new("handover", None::<String>, None)]))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.note(json!({ "prompt": request.name, "arguments": request.arguments }));
        Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, "seen")]).into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let all = ["spy://namespaces/shop/web", "spy://namespaces/bank/web", "spy://everything"];
        Ok(ListResourcesResult::with_all_items(all.map(|uri| Resource::new(uri, uri)).into()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let all = ["spy://namespaces/{namespace}/{name}", "spy://maps/{name}"];
        Ok(ListResourceTemplatesResult::with_all_items(all.map(|t| ResourceTemplate::new(t, t)).into()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.note(json!({ "resource": request.uri }));
        Ok(ReadResourceResult::new(vec![ResourceContents::text("seen", request.uri)]).into())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.note(json!("complete"));
        Ok(CompleteResult::new(CompletionInfo::new(vec!["bank".to_owned()]).unwrap()))
    }
}

/// What was written down.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Vec<Called>>>);

impl Audit for Ledger {
    fn called(&self, call: &Called) {
        self.0.lock().unwrap().push(call.clone());
    }
}

impl Ledger {
    /// Who, what, in which namespace, and what became of it.
    fn lines(&self) -> Vec<String> {
        let line = |c: &Called| {
            let namespace = c.namespace.as_deref().unwrap_or("-");
            format!("{} {} {} {namespace} {}", c.caller, c.method, c.what, c.outcome.word())
        };
        self.0.lock().unwrap().drain(..).map(|c| line(&c)).collect()
    }
}

fn post(clock: &Arc<ManualClock>, ledger: &Ledger) -> Post {
    Post {
        server: "logs",
        environment: "production".into(),
        per_minute: None,
        within: SOON,
        clock: clock.clone(),
        audit: Arc::new(ledger.clone()),
    }
}

/// A client in this process, of a server guarded for this caller.
async fn inside(caller: Caller, post: Post, spy: &Spy) -> belay::adapters::mcp::InProcess {
    let guarded = Guarded::of_process(spy.clone(), Arc::new(Guard::new(post)), caller);
    belay::adapters::mcp::connect_in_process(guarded).await.unwrap()
}

const TOKENS: &str = "tokens:
  - { name: alice, tokenFile: alice, scopes: ['*:production:read'], namespaces: ['*'] }
  - { name: bob, tokenFile: bob, scopes: ['logs:production:read'], namespaces: [shop] }
  - name: carol   # sha256 of `carol's token, long enough`
    sha256: HASH
    scopes: ['metrics:production:read', 'logs:staging:read']
    namespaces: [shop]
";
const ALICE: &str = "alice's token, long enough";
const BOB: &str = "bob's token, long enough";
const CAROL: &str = "carol's token, long enough";

fn write_tokens(folder: &Path) -> std::path::PathBuf {
    let hash = belay::domain::canonical::Hash::of(CAROL.as_bytes()).to_string();
    std::fs::write(folder.join("tokens.yaml"), TOKENS.replace("HASH", &hash)).unwrap();
    std::fs::write(folder.join("alice"), format!("{ALICE}\n")).unwrap();
    std::fs::write(folder.join("bob"), BOB).unwrap();
    folder.join("tokens.yaml")
}

fn access() -> McpAccessConfig {
    McpAccessConfig {
        environment: "production".into(),
        public_url: None,
        allowed_origins: Vec::new(),
        tokens: None,
        oauth: None,
        calls_per_minute: 60,
    }
}

fn oauth(issuer: &str) -> OAuthConfig {
    OAuthConfig { issuer: issuer.into(), audience: None, jwks_url: None, namespaces_claim: None }
}

/// Servers behind the door, over HTTP.
struct House {
    spy: Spy,
    ledger: Ledger,
    clock: Arc<ManualClock>,
    address: SocketAddr,
    client: Client,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl House {
    /// With what the change makes of a configuration that has the tokens of the file.
    async fn with(change: impl FnOnce(&mut McpAccessConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut access = access();
        access.tokens = Some(write_tokens(folder.path()));
        change(&mut access);
        Self::open(Some(&access), folder, &["logs", "metrics"]).await
    }

    async fn open(
        access: Option<&McpAccessConfig>,
        folder: tempfile::TempDir,
        servers: &[&'static str],
    ) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (spy, ledger, clock) = (Spy::default(), Ledger::default(), ManualClock::new(start()));
        let shared: SharedClock = clock.clone();
        let door = Arc::new(Door::new(access, address, &shared).unwrap());
        let stop = CancellationToken::new();
        let serve = |server: &&'static str| {
            let per_minute = access.map(|access| access.calls_per_minute);
            let environment = door.environment().to_owned();
            let post = Post { server, environment, per_minute, ..post(&clock, &ledger) };
            let guarded = Guarded::over_http(spy.clone(), Arc::new(Guard::new(post)));
            (*server, kit::with_sessions(guarded, &stop))
        };
        let routes = http::server_routes(&door, servers.iter().map(serve).collect()).unwrap();
        let serving = http::serve(listener, routes, stop.clone());
        let task = tokio::spawn(async move { serving.await.unwrap() });
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { spy, ledger, clock, address, client, stop, task, _folder: folder }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn resource(&self, server: &str) -> String {
        self.url(&format!("/mcp/{server}"))
    }

    /// A message to a server, as clients of protocol 2026-07-28 send it: each stands for itself.
    fn ask(&self, server: &str, token: Option<&str>, method: &str, params: Value) -> RequestBuilder {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut request = self.post(server, token).header("mcp-protocol-version", "2026-07-28");
        request = request.header("mcp-method", method);
        if let Some(name) = params.get("name").or_else(|| params.get("uri")).and_then(Value::as_str) {
            request = request.header("mcp-name", name);
        }
        request.body(body.to_string())
    }

    fn post(&self, server: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.client.post(self.resource(server)).timeout(SOON);
        let request = request.header("content-type", "application/json");
        let request = request.header("accept", "application/json, text/event-stream");
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn status(&self, server: &str, token: Option<&str>) -> Response {
        self.ask(server, token, "tools/list", json!({})).send().await.unwrap()
    }

    /// The result, or the error of the protocol.
    async fn rpc(&self, token: Option<&str>, method: &str, params: Value) -> Result<Value, Value> {
        let answer = self.ask("logs", token, method, params).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
        match answer.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(answer["result"].clone()),
        }
    }

    async fn call(&self, token: &str, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        self.rpc(Some(token), "tools/call", params).await.unwrap()
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(SOON, self.task).await.unwrap().unwrap();
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn without_a_token_nobody_is_let_in_and_clients_learn_where_tokens_are_had() {
    let house = House::with(|access| access.oauth = Some(oauth("https://issuer.example"))).await;
    let answer = house.status("logs", None).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let metadata = house.url("/.well-known/oauth-protected-resource/mcp/logs");
    assert_eq!(
        header(&answer, "www-authenticate"),
        format!("Bearer resource_metadata=\"{metadata}\", scope=\"logs:production:read\"")
    );
    let told = house.client.get(&metadata).send().await.unwrap().text().await.unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["resource"], house.resource("logs"));
    assert_eq!(told["authorization_servers"], json!(["https://issuer.example"]));
    assert_eq!(told["scopes_supported"], json!(["logs:production:read"]));
    assert_eq!(told["bearer_methods_supported"], json!(["header"]));
    // with two servers there is no address without a path
    let root = house.client.get(house.url("/.well-known/oauth-protected-resource")).send().await.unwrap();
    assert_eq!(root.status(), StatusCode::NOT_FOUND);
    // a token in the address is none (RFC 6750, 2.3)
    let in_query = house.client.post(format!("{}?access_token={ALICE}", house.resource("logs")));
    assert_eq!(in_query.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    for odd in ["Basic YTpi", "Bearer", "Bearer ", "bearer", ""] {
        let answer = house.post("logs", None).header("authorization", odd).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{odd}");
    }
    let two = house.post("logs", Some(ALICE)).header("authorization", format!("Bearer {BOB}"));
    assert_eq!(two.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert!(house.spy.reached().is_empty() && house.ledger.lines().is_empty());
    house.stop().await;
}

#[tokio::test]
async fn a_server_alone_tells_of_itself_without_a_path_too() {
    let mut access = access();
    access.oauth = Some(oauth("https://issuer.example"));
    access.public_url = Some("https://belay.example.com/".into());
    let house = House::open(Some(&access), tempfile::tempdir().unwrap(), &["logs"]).await;
    let told = house.client.get(house.url("/.well-known/oauth-protected-resource")).send().await.unwrap();
    assert_eq!(told.status(), StatusCode::OK);
    let told: Value = serde_json::from_str(&told.text().await.unwrap()).unwrap();
    assert_eq!(told["resource"], "https://belay.example.com/mcp/logs");
    house.stop().await;
}

#[tokio::test]
async fn a_token_is_for_its_servers_and_its_environment() {
    let house = House::with(|access| access.oauth = Some(oauth("http://127.0.0.1:9"))).await;
    assert_eq!(house.status("logs", Some(ALICE)).await.status(), StatusCode::OK);
    assert_eq!(house.status("metrics", Some(ALICE)).await.status(), StatusCode::OK);
    assert_eq!(house.status("logs", Some(BOB)).await.status(), StatusCode::OK);
    // the step-up challenge: which scope is missing
    let answer = house.status("metrics", Some(BOB)).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let challenge = header(&answer, "www-authenticate");
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.ends_with("scope=\"metrics:production:read\""), "{challenge}");
    let resource = "/.well-known/oauth-protected-resource/mcp/metrics";
    assert!(challenge.contains(&format!("resource_metadata=\"{}\"", house.url(resource))), "{challenge}");
    // a scope for staging is none for production
    assert_eq!(house.status("logs", Some(CAROL)).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(house.status("metrics", Some(CAROL)).await.status(), StatusCode::OK);
    house.stop().await;
}

#[tokio::test]
async fn who_may_come_in_without_tokens_is_on_this_machine() {
    let house = House::open(None, tempfile::tempdir().unwrap(), &["logs"]).await;
    assert_eq!(house.status("logs", None).await.status(), StatusCode::OK);
    assert_eq!(house.ledger.lines(), ["this machine tools/list  - answered"]);
    house.stop().await;

    let clock: SharedClock = ManualClock::new(start());
    let beyond: SocketAddr = "0.0.0.0:9450".parse().unwrap();
    let refused = |access: Option<&McpAccessConfig>| match Door::new(access, beyond, &clock) {
        Ok(_) => panic!("opened"),
        Err(e) => e.to_string(),
    };
    assert!(refused(None).contains("only on a loopback address"), "{}", refused(None));
    let mut access = access();
    assert!(refused(Some(&access)).contains("has no tokens"));
    let folder = tempfile::tempdir().unwrap();
    access.tokens = Some(write_tokens(folder.path()));
    assert!(refused(Some(&access)).contains("`mcp.publicUrl`"));
    // a proxy on this machine must not make the world this machine
    let home: SocketAddr = "127.0.0.1:9450".parse().unwrap();
    let open = McpAccessConfig {
        public_url: Some("https://belay.example.com".into()),
        tokens: None,
        ..access.clone()
    };
    assert!(Door::new(Some(&open), home, &clock).err().unwrap().to_string().contains("without tokens"));
    access.public_url = Some("https://belay.example.com".into());
    assert!(Door::new(Some(&access), beyond, &clock).is_ok());
}

#[test]
fn a_file_of_tokens_that_cannot_be_meant_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_tokens(folder.path());
    let good = std::fs::read_to_string(&path).unwrap();
    let clock: SharedClock = ManualClock::new(start());
    let mut access = access();
    access.tokens = Some(path.clone());
    let home: SocketAddr = "127.0.0.1:9450".parse().unwrap();
    for (from, to, said) in [
        ("*:production:read", "*:production:write", "logs:production:read"),
        ("namespaces: ['*']", "namespaces: []", "good for nothing"),
        ("namespaces: ['*']", "namespaces: ['sh*p']", "cannot be the name of a namespace"),
        ("namespaces: ['*']", "namespaces: ['*'], more: 1", "more"),
        ("namespaces: ['*'] }", "}", "namespaces"),
        ("tokenFile: alice, ", "", "`tokenFile` or `sha256`"),
        ("tokenFile: alice", "tokenFile: bob", "another has the same token"),
        ("name: alice", "name: 'al ice'", "`name` must be"),
        ("sha256: ", "sha256: 00", "not a hash"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        std::fs::write(&path, text).unwrap();
        let why = Door::new(Some(&access), home, &clock).err().unwrap();
        let why = format!("{why} {:?}", std::error::Error::source(&why));
        assert!(why.contains(said), "{why}");
        assert!(!why.contains(ALICE), "{why}");
    }
    std::fs::write(&path, &good).unwrap();
    std::fs::write(folder.path().join("alice"), "short").unwrap();
    assert!(Door::new(Some(&access), home, &clock).err().unwrap().to_string().contains("16 characters"));
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused() {
    let parse = |mcp: &str| {
        let text = format!("policies: p\ncluster: {{ name: c }}\nmcp: {{ {mcp} }}\n");
        belay::config::parse("belay.yaml", &text)
    };
    for (mcp, said) in [
        ("callsPerMinute: 60", "environment"),
        ("environment: Production", "`mcp.environment`"),
        ("environment: '*'", "`mcp.environment`"),
        ("environment: 'a:b'", "`mcp.environment`"),
        ("environment: prod-", "`mcp.environment`"),
        ("environment: p, publicUrl: belay.example.com", "`mcp.publicUrl`"),
        ("environment: p, publicUrl: 'https://belay.example.com/mcp'", "`mcp.publicUrl`"),
        ("environment: p, publicUrl: 'ftp://belay.example.com'", "`mcp.publicUrl`"),
        ("environment: p, allowedOrigins: ['*']", "`mcp.allowedOrigins`"),
        ("environment: p, allowedOrigins: ['null']", "`mcp.allowedOrigins`"),
        ("environment: p, allowedOrigins: ['https://a.example/']", "`mcp.allowedOrigins`"),
        ("environment: p, allowedOrigins: ['https://*.example']", "`mcp.allowedOrigins`"),
        ("environment: p, callsPerMinute: 0", "`mcp.callsPerMinute`"),
        ("environment: p, callsPerMinute: 601", "`mcp.callsPerMinute`"),
        ("environment: p, oauth: { audience: a }", "issuer"),
        ("environment: p, oauth: { issuer: i, audience: ' ' }", "`mcp.oauth.audience`"),
        ("environment: p, oauth: { issuer: i, secret: x }", "secret"),
    ] {
        let why = parse(mcp).unwrap_err().to_string();
        assert!(why.contains(said), "{mcp}: {why}");
    }
    let good = "environment: production, publicUrl: 'https://belay.example.com:8443/', \
                allowedOrigins: ['http://localhost:6274', 'http://[::1]:6274'], tokens: t.yaml";
    let config = parse(good).unwrap().mcp.unwrap();
    assert_eq!(config.calls_per_minute, 60);
    assert_eq!(config.environment, "production");
}
