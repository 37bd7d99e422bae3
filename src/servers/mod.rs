//! belay's own MCP servers.

pub mod actions;
pub mod kubernetes;
pub mod reads;
mod served;
