//! belay: an on-call agent on a rope. See `ARCHITECTURE.md` for the map of rooms and their rules.

pub mod adapters;
pub mod domain;
pub mod execute;
pub mod policy;
pub mod ports;
pub mod servers;
pub mod sim;
pub mod store;
