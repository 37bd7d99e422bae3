//! belay: an on-call agent on a rope. See `ARCHITECTURE.md` for the map of rooms and their rules.

pub mod domain;
pub mod policy;
pub mod ports;
pub mod store;
