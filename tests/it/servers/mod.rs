//! belay's own read-only servers over MCP, on fakes of their ports, and their adapters before backends that lie.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod alerts;
mod built;
mod metrics;
mod monitoring_faults;
mod pagerduty;

use std::time::Duration;

use belay::adapters::mcp::{InProcess, connect_in_process};
use rmcp::ServerHandler;
use rmcp::model::CallToolResult;
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(20);

/// A server, and a client of it.
struct Asked(InProcess);

impl Asked {
    async fn of(server: impl ServerHandler) -> Self {
        Self(connect_in_process(server).await.unwrap())
    }

    async fn call(&self, tool: &str, arguments: Value) -> CallToolResult {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        self.0.client.call(tool, arguments, WITHIN).await.unwrap()
    }

    /// Structure and text of an answer that is none of trouble.
    async fn answer(&self, tool: &str, arguments: Value) -> (Value, String) {
        let result = self.call(tool, arguments).await;
        assert_ne!(result.is_error, Some(true), "{result:?}");
        (result.structured_content.clone().unwrap(), text(&result))
    }

    async fn trouble(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result.is_error, Some(true), "{result:?}");
        assert!(result.structured_content.is_none());
        text(&result)
    }

    /// What its tools cost a model, in tokens of about four bytes.
    async fn tokens(&self) -> usize {
        let tools = self.0.client.tools(WITHIN).await.unwrap();
        let cost = |tool: &rmcp::model::Tool| {
            let schema = serde_json::to_string(&tool.input_schema).unwrap();
            tool.name.len() + tool.description.as_deref().unwrap_or_default().len() + schema.len()
        };
        tools.iter().map(cost).sum::<usize>() / 4
    }
}

fn text(result: &CallToolResult) -> String {
    result.content[0].as_text().unwrap().text.clone()
}
