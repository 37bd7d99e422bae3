//! The world's edges: one vendor each, thin, and making no choices.

pub mod kube;
pub mod mcp;
