//! belay's own MCP servers.

pub mod actions;
pub mod guard;
pub mod kit;
pub mod kubernetes;
pub mod reads;
