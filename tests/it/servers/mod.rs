//! belay's own MCP servers, with what they read stood in for.

mod backend;
mod incidents;
mod map;
mod traces;
mod traces_adapters;
mod traces_tree;
