//! The action server as `ports::actions`. Whatever is not a clear answer is none: the caller reads back.

use std::time::Duration;

use async_trait::async_trait;
use rmcp::model::{CallToolResult, JsonObject};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::client::Client;
use super::text;
use crate::domain::action::Action;
use crate::domain::ids::IntentId;
use crate::domain::plan::{Plan, Refusal};
use crate::domain::target::RootOwner;
use crate::domain::warrant::{Applied, SignedWarrant};
use crate::ports::actions::{Actions, NoAnswer};

/// How much of a failed call's text is passed on.
const MAX_SAID: usize = 500;

/// Calls an action server.
#[derive(Clone)]
pub struct McpActions {
    client: Client,
    within: Duration,
}

/// The result of `plan` and `plan_revert`.
#[derive(Deserialize)]
struct PlanReply {
    plan: Option<Plan>,
    refusal: Option<Refusal>,
}

/// The result of `apply` and `status`.
#[derive(Deserialize)]
struct AppliedReply {
    outcome: Applied,
}

impl McpActions {
    /// The longest that a call should be waited for: the server's own order is at most six requests to an
    /// API server that takes 10 s for each.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    /// The action server at the other end of `client`, waited for this long.
    pub const fn new(client: Client, within: Duration) -> Self {
        Self { client, within }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        tool: &str,
        arguments: serde_json::Value,
    ) -> Result<T, NoAnswer> {
        ask(&self.client, tool, arguments, self.within).await
    }

    async fn planned(
        &self,
        tool: &str,
        arguments: serde_json::Value,
    ) -> Result<Result<Plan, Refusal>, NoAnswer> {
        match self.ask(tool, arguments).await? {
            PlanReply { plan: Some(plan), refusal: None } => Ok(Ok(plan)),
            PlanReply { plan: None, refusal: Some(refusal) } => Ok(Err(refusal)),
            PlanReply { .. } => Err(NoAnswer(format!("`{tool}` gave neither a plan nor a refusal"))),
        }
    }
}

#[async_trait]
impl Actions for McpActions {
    async fn plan(&self, action: &Action, owner: &RootOwner) -> Result<Result<Plan, Refusal>, NoAnswer> {
        self.planned("plan", json!({ "action": action, "owner": owner })).await
    }

    async fn plan_revert_after(
        &self,
        done: &Plan,
        intent: &IntentId,
        undos: &[IntentId],
    ) -> Result<Result<Plan, Refusal>, NoAnswer> {
        self.planned("plan_revert", json!({ "done": done, "intent": intent, "undos": undos })).await
    }

    async fn apply(&self, plan: &Plan, warrant: &SignedWarrant) -> Result<Applied, NoAnswer> {
        let reply: AppliedReply = self.ask("apply", json!({ "plan": plan, "warrant": warrant })).await?;
        Ok(reply.outcome)
    }

    async fn status(&self, plan: &Plan, intent: &IntentId) -> Result<Applied, NoAnswer> {
        let reply: AppliedReply = self.ask("status", json!({ "plan": plan, "intent": intent })).await?;
        Ok(reply.outcome)
    }
}

/// Calls a tool of a server of belay's own; the answer is what it says of itself in structure.
pub(super) async fn ask<T: DeserializeOwned>(
    client: &Client,
    tool: &str,
    arguments: serde_json::Value,
    within: Duration,
) -> Result<T, NoAnswer> {
    let arguments = match arguments {
        serde_json::Value::Object(map) => map,
        _ => JsonObject::new(),
    };
    let result = client.call(tool, arguments, within).await.map_err(|e| NoAnswer(e.to_string()))?;
    read(tool, &result)
}

fn read<T: DeserializeOwned>(tool: &str, result: &CallToolResult) -> Result<T, NoAnswer> {
    let said = || text::bounded(&text::of(&result.content), MAX_SAID);
    if result.is_error == Some(true) {
        return Err(NoAnswer(format!("`{tool}` failed: {}", said())));
    }
    let structured = result.structured_content.clone();
    structured
        .and_then(|value| serde_json::from_value(value).ok())
        .ok_or_else(|| NoAnswer(format!("the answer of `{tool}` cannot be read: {}", said())))
}
