//! The hub: the tools of several MCP servers as one list. What is on offer is fixed when a server joins:
//! a tool that changes its definition later is still offered, and called, as it was then described.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use rmcp::model::{JsonObject, Tool};
use serde_json::Value;

use super::client::{CallError, Client};
use super::text;
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
}

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
        Ok(self.offers.values().map(|offer| offer.spec.clone()).collect())
    }

    async fn call(&self, name: &str, arguments: &str, within: Duration) -> Result<ToolResult, ToolError> {
        let unknown = || ToolError::Unknown(text::bounded(name, 80));
        let offer = self.offers.get(name).ok_or_else(unknown)?;
        let client = self.clients.get(&offer.server).ok_or_else(unknown)?;
        let failed = |text: String| Ok(ToolResult { text, failed: true });
        // models leave out the arguments of tools that need none
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        let Ok(arguments) = serde_json::from_str::<JsonObject>(arguments) else {
            return failed(format!("the arguments of `{name}` are no JSON object"));
        };
        match client.call(&offer.tool, arguments, within).await {
            Ok(result) => Ok(ToolResult {
                text: text::bounded(&said(&result), MAX_RESULT),
                failed: result.is_error == Some(true),
            }),
            Err(CallError::Protocol(why)) => failed(text::bounded(&why, MAX_RESULT)),
            Err(CallError::NoAnswer(why)) => Err(ToolError::NoAnswer(format!("`{name}`: {why}"))),
        }
    }
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
        description: text::bounded(tool.description.as_deref().unwrap_or_default(), MAX_DESCRIPTION),
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
