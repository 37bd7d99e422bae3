//! belay's own MCP servers.

pub mod actions;
pub mod incidents;
pub mod kit;
pub mod kubernetes;
pub mod map;
pub mod reads;
pub mod traces;
