//! belay: an on-call agent on a rope. See `ARCHITECTURE.md` for the map of rooms and their rules.

pub mod adapters;
pub mod domain;
pub mod incident;
pub mod intake;
pub mod execute;
pub mod policy;
pub mod ports;
pub mod servers;
pub mod investigate;
pub mod ports;
pub mod http;
pub mod notify;
pub mod ports;
pub mod sim;
pub mod store;
pub mod sim;
