//! The hub: the tools of several MCP servers as one list. What belay's own servers offer is fixed when they join; of
//! third-party servers it is what people accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rmcp::model::{JsonObject, Tool};
use serde_json::Value;

use super::client::{CallError, Client};
use super::foreign::{Failure, Foreign};
use super::text;
use crate::domain::redact;
use crate::ports::model::{ToolError, ToolResult, ToolSpec, Tools};

/// How long a server may take to list its tools.
const LISTING: Duration = Duration::from_secs(10);

/// The most text that one call gives to the model: 24 KiB are about 6,000 tokens, so that ten calls still
/// leave room in the smallest window that is worth using.
const MAX_RESULT: usize = 24 * 1024;

/// The most of a description that is passed on: it is the server's text, and goes into every turn.
const MAX_DESCRIPTION: usize = 2048;

/// Which of a server's tools may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow(BTreeSet<String>);

impl Allow {
    /// These tools, by their own names, and no others.
    pub fn only<I: IntoIterator<Item = S>, S: Into<String>>(tools: I) -> Self {
        Self(tools.into_iter().map(Into::into).collect())
    }
}

/// A server could not join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// Names are made of both, so that one must not look like two.
    #[error("`{0}` cannot be the name of an MCP server: letters, digits and single dashes or underscores")]
    BadName(String),
    /// The name is taken.
    #[error("there is already an MCP server named `{0}`")]
    Taken(String),
    /// The name is for one of belay's own servers.
    #[error("`{0}` is a name of belay's own: give the MCP server another in `mcpServers`")]
    Reserved(String),
    /// Its tools could not be listed.
    #[error("the tools of MCP server `{server}` could not be listed")]
    NoList {
        /// Which server.
        server: String,
        /// Why.
        #[source]
        source: CallError,
    },
    /// A tool that is allowed is not there.
    #[error("MCP server `{server}` has no tool `{tool}`, which is allowed")]
    Missing {
        /// Which server.
        server: String,
        /// Which tool.
        tool: String,
    },
}

/// Several servers, as one set of tools.
#[derive(Default)]
pub struct Hub {
    clients: BTreeMap<String, Client>,
    offers: BTreeMap<String, Offer>,
    foreign: BTreeMap<String, Arc<Foreign>>,
    /// Who calls, as third-party servers count.
    caller: String,
}

/// The names of belay's own servers, those to come included: no other server may bear one.
pub const RESERVED: [&str; 12] = [
    "actions",
    "alerts",
    "belay",
    "deploys",
    "incidents",
    "kubernetes",
    "logs",
    "map",
    "metrics",
    "reads",
    "runbooks",
    "traces",
];

struct Offer {
    server: String,
    tool: String,
    spec: ToolSpec,
}

impl Hub {
    /// A hub without servers.
    pub fn new() -> Self {
        Self::default()
    }

    /// A hub without servers, whose calls are counted as those of `caller`.
    pub fn of(caller: &str) -> Self {
        Self { caller: caller.to_owned(), ..Self::default() }
    }

    /// Adds a third-party server, which need not be up.
    pub fn add(&mut self, foreign: Arc<Foreign>) -> Result<(), HubError> {
        let name = foreign.name().to_owned();
        if !speakable(&name) {
            return Err(HubError::BadName(name));
        }
        if RESERVED.iter().any(|ours| ours.eq_ignore_ascii_case(&name)) {
            return Err(HubError::Reserved(name));
        }
        if self.clients.contains_key(&name) || self.foreign.contains_key(&name) {
            return Err(HubError::Taken(name));
        }
        self.foreign.insert(name, foreign);
        Ok(())
    }

    async fn call_foreign(
        &self,
        name: &str,
        (foreign, tool): (&Foreign, &str),
        arguments: JsonObject,
        within: Duration,
    ) -> Result<ToolResult, ToolError> {
        match foreign.call(&self.caller, tool, arguments, within).await {
            Ok(result) => Ok(told(&result)),
            Err(Failure::Said(why)) => Ok(ToolResult { text: format!("`{name}`: {why}"), failed: true }),
            Err(Failure::Mute(why)) => Err(ToolError::NoAnswer(format!("`{name}`: {why}"))),
        }
    }

    /// Adds a server under a name; exactly the allowed tools become `name__tool`.
    pub async fn join(&mut self, server: &str, client: Client, allow: &Allow) -> Result<(), HubError> {
        if !speakable(server) {
            return Err(HubError::BadName(server.to_owned()));
        }
        if self.clients.contains_key(server) {
            return Err(HubError::Taken(server.to_owned()));
        }
        let listed = client.tools(LISTING).await;
        let tools = listed.map_err(|source| HubError::NoList { server: server.to_owned(), source })?;
        let mut found = BTreeMap::new();
        for wanted in &allow.0 {
            let missing = || HubError::Missing { server: server.to_owned(), tool: wanted.clone() };
            let tool = tools.iter().find(|t| t.name == *wanted).ok_or_else(missing)?;
            let spec = describe(server, tool);
            found.insert(spec.name.clone(), Offer { server: server.to_owned(), tool: wanted.clone(), spec });
        }
        self.offers.append(&mut found);
        self.clients.insert(server.to_owned(), client);
        Ok(())
    }
}

#[async_trait]
impl Tools for Hub {
    async fn list(&self) -> Result<Vec<ToolSpec>, ToolError> {
        let own = self.offers.values().map(|offer| offer.spec.clone());
        let foreign = self.foreign.iter().flat_map(|(server, foreign)| {
            foreign.offers().into_iter().map(|tool| describe(server, &tool)).collect::<Vec<_>>()
        });
        Ok(own.chain(foreign).collect())
    }

    async fn call(&self, name: &str, arguments: &str, within: Duration) -> Result<ToolResult, ToolError> {
        let unknown = || ToolError::Unknown(text::bounded(name, 80));
        let failed = |text: String| Ok(ToolResult { text, failed: true });
        // models leave out the arguments of tools that need none
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        let read = serde_json::from_str::<JsonObject>(arguments);
        let no_object = || failed(format!("the arguments of `{name}` are no JSON object"));
        let (server, tool) = name.split_once("__").ok_or_else(unknown)?;
        if let Some(foreign) = self.foreign.get(server) {
            foreign.allowed().find(|allowed| *allowed == tool).ok_or_else(unknown)?;
            let Ok(arguments) = read else { return no_object() };
            return self.call_foreign(name, (foreign, tool), arguments, within).await;
        }
        let offer = self.offers.get(name).ok_or_else(unknown)?;
        let client = self.clients.get(&offer.server).ok_or_else(unknown)?;
        let Ok(arguments) = read else { return no_object() };
        match client.call(&offer.tool, arguments, within).await {
            Ok(result) => Ok(told(&result)),
            Err(CallError::Protocol(why)) => failed(text::bounded(&why, MAX_RESULT)),
            Err(CallError::NoAnswer(why)) => Err(ToolError::NoAnswer(format!("`{name}`: {why}"))),
        }
    }
}

/// What a call gives, within bounds.
pub(super) fn told(result: &rmcp::model::CallToolResult) -> ToolResult {
    let text = text::bounded(&said(result), MAX_RESULT);
    ToolResult { text, failed: result.is_error == Some(true) }
}

/// The text of a result; where a server sends structure only, that.
fn said(result: &rmcp::model::CallToolResult) -> String {
    match (&result.structured_content, result.content.is_empty()) {
        (Some(structured), true) => structured.to_string(),
        (_, _) => text::of(&result.content),
    }
}

fn describe(server: &str, tool: &Tool) -> ToolSpec {
    let mut schema = Value::Object((*tool.input_schema).clone());
    strip(&mut schema, 0);
    ToolSpec {
        name: format!("{server}__{}", tool.name),
        // what a person could not see must not be said to the model either
        description: redact::clean(
            &text::bounded(tool.description.as_deref().unwrap_or_default(), MAX_DESCRIPTION),
            usize::MAX,
        ),
        schema: schema.to_string(),
    }
}

/// Schemas nest this deep at most; what lies deeper is left as it is.
const DEEPEST: usize = 32;

/// Takes out what models' servers stumble over: `$schema`, and `format` where it is a keyword (and not a
/// property of that name).
fn strip(schema: &mut Value, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    match schema {
        Value::Object(map) => {
            map.remove("$schema");
            if map.get("format").is_some_and(Value::is_string) {
                map.remove("format");
            }
            for (key, value) in map.iter_mut() {
                match (key.as_str(), value) {
                    ("properties" | "patternProperties" | "$defs" | "definitions", Value::Object(named)) => {
                        named.values_mut().for_each(|inner| strip(inner, depth + 1));
                    }
                    ("enum" | "const" | "default" | "examples", _) => {}
                    (_, value) => strip(value, depth + 1),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| strip(inner, depth + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn speakable(name: &str) -> bool {
    let fit = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=32).contains(&name.len()) && name.bytes().all(fit) && !name.contains("__")
}
