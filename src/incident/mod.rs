//! One incident's life: its state is the fold of its records, and `step` says what follows from an
//! input. Pure: the same code runs live, on replay and in simulation.

mod act;
pub mod effect;
pub mod input;
mod phase;
mod proposing;
mod questions;
mod state;
mod step;

pub use act::Act;
pub use effect::{Effect, TimerName};
pub use input::Input;
pub use phase::{OpenQuestion, Phase};
pub use state::{Illegal, State};
pub use step::{Ignored, Moment, Step, open, step};
