//! The outside world, one vendor each: thin, and making no choices.

pub mod alertmanager;
pub mod kube;
