//! The world's edges: one vendor each, thin, and making no choices.

mod address;
pub mod alertmanager;
mod forge_http;
pub mod github;
pub mod gitlab;
pub mod jaeger;
pub mod kube;
pub mod mcp;
mod monitoring;
pub mod openai;
pub mod pager_webhook;
pub mod prometheus;
pub mod slack;
pub mod tempo;
pub mod terminal;
pub mod visible;
