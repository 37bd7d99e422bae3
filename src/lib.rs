//! belay: an on-call agent on a rope. See `ARCHITECTURE.md` for the map of rooms and their rules.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod diagnose;
pub mod domain;
pub mod execute;
pub mod http;
pub mod incident;
pub mod intake;
pub mod investigate;
pub mod notify;
pub mod policy;
pub mod ports;
pub mod servers;
pub mod sim;
pub mod store;
pub mod telemetry;
