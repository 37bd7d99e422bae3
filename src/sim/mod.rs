//! The simulated world.

pub mod slack;
