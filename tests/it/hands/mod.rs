//! The hands: plans, warrants, the action server over MCP, and the hub.

pub mod fake;
mod hub;
mod plans;
mod server;
mod warrants;
pub mod world;
