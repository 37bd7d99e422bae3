//! The world's edges: one vendor each, thin, and making no choices.

pub mod kube;
pub mod mcp;
//! One vendor each: the ports' traits over somebody's wire.

pub mod openai;
