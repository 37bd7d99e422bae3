//! belay's own MCP servers: what all of them keep to, and each of them on what it reads.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod alerts;
mod authority;
mod backend;
mod built;
mod deliveries;
mod deploys;
mod given;
mod incidents;
mod kubernetes;
mod logs;
mod logs_faults;
mod logs_pods;
mod logs_stores;
mod map;
mod metrics;
mod monitoring_faults;
mod pagerduty;
mod prompts;
mod runbooks;
mod says;
mod stand_in;
mod tools;
mod traces;
mod traces_adapters;
mod traces_tree;

use std::time::Duration;

use async_trait::async_trait;
use belay::adapters::mcp::{InProcess, connect_in_process};
use belay::domain::cluster::{Event, LogTail, Pod, Revision, Workload};
use belay::domain::inventory::{ContainerUse, Keeper, KeptTemplate, Kind, Row};
use belay::ports::inventory::{Found, Inventory};
use belay::ports::reads::{Listed, Listing, LogQuery, ReadError};
use rmcp::ServerHandler;
use rmcp::model::CallToolResult;
use serde_json::Value;

/// A cluster without anything in it.
pub struct Empty;

fn none<T>() -> Listed<T> {
    Listed { items: vec![], left_out: Some(0) }
}

fn missing<T>(what: &str) -> Result<T, ReadError> {
    Err(ReadError::NotFound { what: what.to_owned() })
}

#[async_trait]
impl Listing for Empty {
    async fn pods(&self, _: &str) -> Result<Listed<Pod>, ReadError> {
        Ok(none())
    }

    async fn deployments(&self, _: &str) -> Result<Listed<Workload>, ReadError> {
        Ok(none())
    }

    async fn events(&self, _: &str) -> Result<Listed<Event>, ReadError> {
        Ok(none())
    }

    async fn revisions(&self, _: &str, name: &str) -> Result<Listed<Revision>, ReadError> {
        missing(name)
    }

    async fn log(&self, query: &LogQuery) -> Result<LogTail, ReadError> {
        missing(&query.pod)
    }
}

#[async_trait]
impl Inventory for Empty {
    async fn objects(&self, _: Kind, _: &str, _: Option<&str>) -> Result<Found<Row>, ReadError> {
        Ok(Found { listed: none(), unread: vec![] })
    }

    async fn nodes(&self, _: Option<&str>) -> Result<Found<Row>, ReadError> {
        Ok(Found { listed: none(), unread: vec![] })
    }

    async fn usage(&self, _: &str) -> Result<Found<ContainerUse>, ReadError> {
        Ok(Found { listed: none(), unread: vec![] })
    }

    async fn templates(&self, _: Keeper, _: &str, name: &str) -> Result<Listed<KeptTemplate>, ReadError> {
        missing(name)
    }
}

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
