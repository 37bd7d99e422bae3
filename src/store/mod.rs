//! The store: an append-only log that is the truth, and a projection of it for looking things up.

mod blobs;
mod durable;
mod entries;
mod keys;
mod kv;
mod leases;
mod limits;
mod lookup;
mod memory;
mod projection;

pub use blobs::MAX_BLOB;
pub use durable::Durable;
pub use entries::MAX_STEP;
pub use memory::{Fault, MemoryStore};
