//! The traits at process boundaries: what belay needs from the world, and nothing about who provides it.

pub mod actions;
pub mod brief;
pub mod clock;
pub mod cluster_writes;
pub mod forge;
pub mod incidents;
pub mod messenger;
pub mod model;
pub mod reads;
pub mod recorder;
pub mod store;
pub mod survey;
pub mod traces;
