//! belay's own read-only MCP servers.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod authority;
