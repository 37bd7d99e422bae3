//! MCP servers of others: what is pinned, what is called, what they cost when they misbehave, and where they may run.

mod children;
mod config;
mod detector;
mod http;
pub mod odd;
mod pin_command;
mod pins;
mod reads;
mod redaction;
