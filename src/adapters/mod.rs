//! The world's edges: one vendor each, thin, and making no choices.

mod address;
pub mod alertmanager;
pub mod argocd;
pub mod cloudwatch;
pub mod elasticsearch;
mod forge_deploys;
mod forge_http;
pub mod github;
pub mod github_deploys;
pub mod gitlab;
pub mod gitlab_deploys;
pub mod jaeger;
pub mod kube;
pub mod logs;
pub mod loki;
pub mod mcp;
mod monitoring;
pub mod oauth;
pub mod openai;
pub mod pager_webhook;
pub mod pagerduty;
pub mod pod_logs;
pub mod prometheus;
pub mod slack;
pub mod tempo;
pub mod terminal;
pub mod visible;
