//! The traits at process boundaries: what belay needs from the world, and nothing about who provides it.

pub mod clock;
