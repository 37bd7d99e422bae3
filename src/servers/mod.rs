//! belay's own MCP servers.

pub mod actions;
pub mod alerts;
pub mod deploys;
pub mod guard;
pub mod incidents;
pub mod kit;
pub mod kubernetes;
pub mod logs;
pub mod map;
pub mod metrics;
pub mod reads;
pub mod runbooks;
pub mod traces;
