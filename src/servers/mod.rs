//! belay's own MCP servers.

pub mod actions;
pub mod deploys;
pub mod kit;
pub mod kubernetes;
pub mod logs;
pub mod reads;
pub mod runbooks;
