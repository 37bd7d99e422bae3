//! belay's own MCP servers.

pub mod actions;
pub mod kubernetes;
