//! The simulated world: what belay's own clients talk to in the demo and in tests.

pub mod model;
