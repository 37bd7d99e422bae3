//! Intake: a webhook body into alerts, and an alert's labels into the object it is about. Pure.

mod body;
mod target;

pub use body::{BadBody, parse, readable, text};
pub use target::target;
