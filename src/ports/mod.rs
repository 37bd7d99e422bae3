//! The traits at process boundaries: what belay needs from the world, and nothing about who provides it.

pub mod access;
pub mod actions;
pub mod alerting;
pub mod brief;
pub mod clock;
pub mod cluster_writes;
pub mod deploys;
pub mod forge;
pub mod incidents;
pub mod inventory;
pub mod logs;
pub mod messenger;
pub mod model;
pub mod probe;
pub mod reads;
pub mod recorder;
pub mod runbooks;
pub mod store;
pub mod survey;
pub mod traces;
