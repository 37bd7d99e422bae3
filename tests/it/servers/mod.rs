//! belay's own read-only servers, over MCP in process, and what they read from.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod logs;
mod logs_faults;
mod logs_pods;
mod logs_stores;
mod stand_in;
