//! The action server: plans, and executes only plans that the governance layer signed. Four tools over
//! MCP; whoever else connects can at most plan and look.

mod engine;
mod http;
mod ledger;
mod limits;
pub mod manifest;
mod proposal_text;
mod propose;
mod repositories;
mod schema;
mod steps;
mod warrant;

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};
use rmcp::service::RequestContext;
use rmcp::{Json, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::action::Action;
use crate::domain::ids::IntentId;
use crate::domain::plan::{Plan, Refusal};
use crate::domain::target::RootOwner;
use crate::domain::warrant::{Applied, SignedWarrant};

pub use engine::Engine;
pub use http::service;
pub use ledger::{Ledger, LedgerError, Use};
pub use limits::HardLimits;
pub use repositories::{Repositories, Repository};
pub use schema::{Described, Wire};
pub use warrant::{Authentic, LONGEST_LIFE, NotAKey, SKEW, VerifyingKeys, Warrant, key_id};

/// The tools of the action server, by name.
pub const TOOLS: [&str; 4] = ["plan", "plan_revert", "apply", "status"];

/// What `plan` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanArgs {
    /// What is to be done.
    action: Wire<Action>,
    /// Who is thought to answer for the target.
    owner: Wire<RootOwner>,
}

/// What `plan_revert` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRevertArgs {
    /// The plan that was carried out.
    done: Wire<Plan>,
    /// The intent it was carried out as.
    intent: Wire<IntentId>,
    /// Undos of what was done to the object after it: their mark may stand there instead.
    #[serde(default)]
    undos: Vec<Wire<IntentId>>,
}

/// What `apply` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyArgs {
    /// Exactly what is to be done.
    plan: Wire<Plan>,
    /// The signed permission for exactly this plan.
    warrant: Wire<SignedWarrant>,
}

/// What `status` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusArgs {
    /// What was to be done.
    plan: Wire<Plan>,
    /// As which intent.
    intent: Wire<IntentId>,
}

/// A plan, or why there is none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanReply {
    /// The plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Wire<Plan>>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Wire<Refusal>>,
}

/// What became of an order.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AppliedReply {
    /// The outcome.
    outcome: Wire<Applied>,
}

/// The MCP face of the engine.
#[derive(Clone)]
pub struct ActionServer {
    engine: Arc<Engine>,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl ActionServer {
    /// Serves this engine.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, tool_router: Self::tool_router() }
    }

    /// Work an action out against the live object, and let the API server dry-run it. Changes nothing.
    #[tool(
        name = "plan",
        annotations(
            title = "Plan",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn plan(&self, Parameters(args): Parameters<PlanArgs>) -> Json<PlanReply> {
        reply(self.engine.plan(&args.action.0, &args.owner.0).await)
    }

    /// Work out how an act is put back, as long as nobody changed it since. Changes nothing.
    #[tool(
        name = "plan_revert",
        annotations(
            title = "Plan the undo",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn plan_revert(&self, Parameters(args): Parameters<PlanRevertArgs>) -> Json<PlanReply> {
        let ours: Vec<IntentId> =
            std::iter::once(args.intent).chain(args.undos).map(|intent| intent.0).collect();
        reply(self.engine.plan_revert(&args.done.0, &ours).await)
    }

    /// Carry out exactly this plan under a warrant signed for it. Asked again, it tells what became of it.
    #[tool(
        name = "apply",
        annotations(
            title = "Apply",
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn apply(
        &self,
        Parameters(args): Parameters<ApplyArgs>,
        context: RequestContext<RoleServer>,
    ) -> Json<AppliedReply> {
        let outcome = self.engine.apply(&args.plan.0, &args.warrant.0, &context.ct).await;
        Json(AppliedReply { outcome: Wire(outcome) })
    }

    /// Tell what became of an intent, read from the object. Changes nothing.
    #[tool(
        name = "status",
        annotations(
            title = "Status",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn status(&self, Parameters(args): Parameters<StatusArgs>) -> Json<AppliedReply> {
        let outcome = self.engine.status(&args.plan.0, &args.intent.0).await;
        Json(AppliedReply { outcome: Wire(outcome) })
    }
}

fn reply(planned: Result<Plan, Refusal>) -> Json<PlanReply> {
    Json(match planned {
        Ok(plan) => PlanReply { plan: Some(Wire(plan)), refusal: None },
        Err(refusal) => PlanReply { plan: None, refusal: Some(Wire(refusal)) },
    })
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for ActionServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("belay-actions", env!("CARGO_PKG_VERSION")))
            .with_instructions("Plans actions, and carries out those that belay's governance layer signed.")
    }
}
