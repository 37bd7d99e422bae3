//! The world's edges: one vendor each, thin, and making no choices.

mod address;
pub mod alertmanager;
pub mod cloudwatch;
pub mod elasticsearch;
mod forge_http;
pub mod github;
pub mod gitlab;
pub mod kube;
pub mod logs;
pub mod loki;
pub mod mcp;
mod monitoring;
pub mod openai;
pub mod pager_webhook;
pub mod pod_logs;
pub mod prometheus;
pub mod slack;
pub mod terminal;
pub mod visible;
