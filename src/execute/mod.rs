//! Execute: seeing whether an act helped.

pub mod verify;
