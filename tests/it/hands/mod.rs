//! The hands: plans, warrants, the action server over MCP, and the hub.
// said so that the lints know these helpers for tests
#![cfg(test)]

pub mod edits;
pub mod fake;
mod hub;
pub mod key;
mod plans;
mod server;
mod warrants;
pub mod world;
