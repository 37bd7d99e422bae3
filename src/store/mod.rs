//! The store: an append-only log that is the truth, and a projection of it for looking things up.

mod durable;

pub use durable::Durable;
