//! belay: an on-call agent on a rope. See `ARCHITECTURE.md` for the map of rooms and their rules.

pub mod adapters;
pub mod domain;
pub mod http;
pub mod notify;
pub mod ports;
pub mod sim;
pub mod store;
