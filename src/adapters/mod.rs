//! The world's edges: one vendor each, thin, and making no choices.

pub mod kube;
pub mod mcp;
//! One vendor each: the ports' traits over somebody's wire.

pub mod openai;
//! One vendor each: how belay reaches clusters, telemetry, models and people. Nothing here decides.

pub mod pager_webhook;
pub mod slack;
pub mod terminal;
pub mod visible;
