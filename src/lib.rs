//! belay: an on-call agent on a rope. See `ARCHITECTURE.md` for the map of rooms and their rules.

pub mod adapters;
pub mod diagnose;
pub mod domain;
pub mod execute;
pub mod incident;
pub mod intake;
pub mod ports;
pub mod store;
