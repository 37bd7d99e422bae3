//! What stands before each of belay's own read-only servers: a server itself, that lets through what its caller may have.
//! Over HTTP the caller is whoever the listener found the token to be of; over standard input and output it is who
//! started the process. What belay's servers do not have is not let through either: tasks, skills, subscriptions and
//! requests of no known kind.

mod pass;
mod reach;

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    ContentBlock, ErrorCode, ErrorData, Extensions, GetPromptRequestParams, GetPromptResponse,
    InitializeRequestParams, InitializeResult, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, Prompt, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};

use crate::domain::authority::Caller;
use crate::servers::kit::{Narrowed, quoted};
use pass::{Answer, Call, Refused};
pub use pass::{Guard, Post, WITHIN};
pub use reach::Denied;

/// What a caller is told who may do this at another time or in another way: no code of the protocol says that.
const NOT_NOW: ErrorCode = ErrorCode(-32_003);

/// A server behind its guard.
#[derive(Clone)]
pub struct Guarded<S> {
    server: S,
    guard: Arc<Guard>,
    /// Who started the process; over HTTP each request says who calls.
    home: Option<Arc<Caller>>,
}

impl<S: ServerHandler + Narrowed> Guarded<S> {
    /// For requests over HTTP: each must carry its `Caller` in the extensions of its head.
    pub fn over_http(server: S, guard: Arc<Guard>) -> Self {
        Self { server, guard, home: None }
    }

    /// For one client on standard input and output: whoever started the process.
    pub fn of_process(server: S, guard: Arc<Guard>, caller: Caller) -> Self {
        Self { server, guard, home: Some(Arc::new(caller)) }
    }

    /// Who asks. A request that should say so and does not is nobody's, never the process's own.
    fn caller(&self, extensions: &Extensions) -> Option<Arc<Caller>> {
        match &self.home {
            Some(home) => Some(Arc::clone(home)),
            None => extensions.get::<http::request::Parts>()?.extensions.get::<Arc<Caller>>().cloned(),
        }
    }

    /// The server as far as this caller may see it. The check of what a call is about is not enough: a trace or an edge
    /// of the map that begins in a namespace leads into others.
    fn server_for(&self, caller: &Caller) -> S {
        if caller.sees_everything() {
            return self.server.clone();
        }
        self.server.within(self.server.scope().among(caller.namespaces()))
    }

    async fn pass<T, F>(
        &self,
        context: &RequestContext<RoleServer>,
        call: Call,
        run: impl FnOnce(Arc<Caller>) -> F,
    ) -> Result<Result<T, ErrorData>, Refused>
    where
        T: Answer,
        F: Future<Output = Result<Result<T, ErrorData>, Denied>>,
    {
        let caller = self.caller(&context.extensions);
        let run = |_: &Caller| async {
            match caller.clone() {
                Some(caller) => run(caller).await,
                None => Err(Denied::Nobody),
            }
        };
        self.guard.pass(caller.as_deref(), call, &context.ct, run).await
    }

    async fn prompt(
        &self,
        name: &str,
        context: RequestContext<RoleServer>,
    ) -> Result<Option<Prompt>, ErrorData> {
        let all = self.server.list_prompts(None, context).await?;
        Ok(all.prompts.into_iter().find(|prompt| prompt.name == name))
    }
}

macro_rules! answers {
    ($($list:ty),*) => { $(impl Answer for $list { fn failed(&self) -> bool { false } })* };
}

answers!(
    InitializeResult,
    ListToolsResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    GetPromptResponse,
    ReadResourceResponse,
    CompleteResult
);

fn call(method: &'static str) -> Call {
    Call { method, what: String::new(), namespace: None }
}

fn call_of(method: &'static str, what: &str, arguments: Option<&JsonObject>) -> Call {
    Call { method, what: quoted(what), namespace: reach::named(arguments) }
}

/// An error of the protocol that says why.
fn error(refused: &Refused) -> ErrorData {
    let code = match refused {
        Refused::Denied(Denied::Argument(..) | Denied::NoNamespace(_)) => ErrorCode::INVALID_PARAMS,
        Refused::Denied(_) | Refused::TooOften(_) => NOT_NOW,
        Refused::TooLong(_) | Refused::Abandoned => ErrorCode::INTERNAL_ERROR,
    };
    ErrorData::new(code, refused.to_string(), None)
}

fn flat<T>(passed: Result<Result<T, ErrorData>, Refused>) -> Result<T, ErrorData> {
    passed.unwrap_or_else(|refused| Err(error(&refused)))
}

/// What a server said went wrong with a list may name what this caller may not see.
fn withheld(caller: &Caller, error: ErrorData) -> ErrorData {
    if caller.sees_everything() || error.code == ErrorCode::INVALID_PARAMS {
        return error;
    }
    ErrorData::new(error.code, "the list could not be read", None)
}

impl<S: ServerHandler + Narrowed> ServerHandler for Guarded<S> {
    fn get_info(&self) -> ServerConfig {
        self.server.get_info()
    }

    fn supported_protocol_versions(&self) -> std::borrow::Cow<'static, [ProtocolVersion]> {
        self.server.supported_protocol_versions()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.server.get_tool(name)
    }

    /// A handshake makes a session, so it counts as a call.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let inner = context.clone();
        let run =
            |_: Arc<Caller>| async move { Ok::<_, Denied>(self.server.initialize(request, inner).await) };
        flat(self.pass(&context, call("initialize"), run).await)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let inner = context.clone();
        let run = |caller: Arc<Caller>| async move {
            let listed = self.server.list_tools(request, inner).await;
            Ok::<_, Denied>(listed.map_err(|e| withheld(&caller, e)).map(|mut listed| {
                listed.tools.retain(|tool| caller.sees_everything() || reach::is_of_one_namespace(tool));
                listed
            }))
        };
        flat(self.pass(&context, call("tools/list"), run).await)
    }

    /// What is not let through is said in the answer, where the model can read it.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let inner = context.clone();
        let call = call_of("tools/call", &request.name, request.arguments.as_ref());
        let run = |caller: Arc<Caller>| async move {
            let tool = self.server.get_tool(&request.name);
            reach::tool(&caller, &request.name, tool.as_ref(), request.arguments.as_ref())?;
            Ok(self.server_for(&caller).call_tool(request, inner).await)
        };
        self.pass(&context, call, run).await.unwrap_or_else(|refused| {
            Ok(CallToolResult::error(vec![ContentBlock::text(refused.to_string())]).into())
        })
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let inner = context.clone();
        let run = |caller: Arc<Caller>| async move {
            let listed = self.server.list_prompts(request, inner).await;
            let mine =
                |prompt: &Prompt| caller.sees_everything() || reach::prompt_is_of_one_namespace(prompt);
            Ok::<_, Denied>(listed.map_err(|e| withheld(&caller, e)).map(|mut listed| {
                listed.prompts.retain(mine);
                listed
            }))
        };
        flat(self.pass(&context, call("prompts/list"), run).await)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let inner = context.clone();
        let call = call_of("prompts/get", &request.name, request.arguments.as_ref());
        let run = |caller: Arc<Caller>| async move {
            if !caller.sees_everything() {
                let prompt = match self.prompt(&request.name, inner.clone()).await {
                    Ok(prompt) => prompt,
                    Err(e) => return Ok(Err(withheld(&caller, e))),
                };
                reach::prompt(&caller, &request.name, prompt.as_ref(), request.arguments.as_ref())?;
            }
            Ok(self.server_for(&caller).get_prompt(request, inner).await)
        };
        flat(self.pass(&context, call, run).await)
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let inner = context.clone();
        let run = |caller: Arc<Caller>| async move {
            let listed = self.server_for(&caller).list_resources(request, inner).await;
            Ok::<_, Denied>(listed.map_err(|e| withheld(&caller, e)).map(|mut listed| {
                listed.resources.retain(|resource| reach::resource(&caller, &resource.uri).is_ok());
                listed
            }))
        };
        flat(self.pass(&context, call("resources/list"), run).await)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let inner = context.clone();
        let run = |caller: Arc<Caller>| async move {
            let listed = self.server.list_resource_templates(request, inner).await;
            let mine = |uri: &str| caller.sees_everything() || reach::template_is_of_one_namespace(uri);
            Ok::<_, Denied>(listed.map_err(|e| withheld(&caller, e)).map(|mut listed| {
                listed.resource_templates.retain(|template| mine(&template.uri_template));
                listed
            }))
        };
        flat(self.pass(&context, call("resources/templates/list"), run).await)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let inner = context.clone();
        let namespace = reach::namespace_of(&request.uri).map(str::to_owned);
        let call = Call { method: "resources/read", what: quoted(&request.uri), namespace };
        let run = |caller: Arc<Caller>| async move {
            reach::resource(&caller, &request.uri)?;
            Ok(self.server_for(&caller).read_resource(request, inner).await)
        };
        flat(self.pass(&context, call, run).await)
    }

    /// What could complete an argument may name what only some may see.
    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let inner = context.clone();
        let run = |caller: Arc<Caller>| async move {
            if !caller.sees_everything() {
                return Ok::<_, Denied>(Ok(CompleteResult::default()));
            }
            Ok(self.server.complete(request, inner).await)
        };
        flat(self.pass(&context, call("completion/complete"), run).await)
    }
}
