//! belay's own MCP servers.

pub mod actions;
pub mod deploys;
pub mod guard;
pub mod kit;
pub mod kubernetes;
pub mod logs;
pub mod alerts;
pub mod kit;
pub mod kubernetes;
pub mod metrics;
pub mod reads;
pub mod runbooks;
pub mod incidents;
pub mod kit;
pub mod kubernetes;
pub mod map;
pub mod reads;
pub mod traces;
