//! belay's own read-only MCP servers besides that of the cluster.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod backend;
mod deliveries;
mod deploys;
mod given;
mod runbooks;
