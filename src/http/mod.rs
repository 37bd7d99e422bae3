//! The listener: a hyper server with limits on connections, headers, bodies and time, and the routes
//! over handles that `app` gives.

mod auth;
mod clicks;
mod health;
mod mcp;
mod served;
mod server;
pub mod slack;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::Daemon;

pub use auth::WebhookAuth;
pub use clicks::Clicks;
pub use mcp::mcp_routes;
pub use served::server_routes;
pub use server::serve;

/// What a listener serves.
pub type Routes = Router;

/// What the routes need.
#[derive(Clone)]
pub struct Gate {
    /// The daemon.
    pub daemon: Daemon,
    /// Who may deliver alerts.
    pub webhook: Arc<WebhookAuth>,
    /// How Slack's clicks are verified, where Slack is configured.
    pub slack: Option<Arc<Clicks>>,
}

/// All routes.
pub fn routes(gate: Gate) -> Router {
    Router::new()
        .route("/api/v1/alerts/webhook", post(webhook::receive))
        .route("/slack/interactions", post(clicks::interact))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(gate)
}
