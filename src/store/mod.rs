//! The store: an append-only log that is the truth, and a projection of it for looking things up.

mod blobs;
mod durable;
mod engine;
mod entries;
mod keys;
mod kv;
mod leases;
mod limits;
mod line;
mod log;
mod log_store;
mod lookup;
mod memory;
mod merkle;
mod open;
mod projection;
mod read;
mod scan;
mod shelf;
mod sled_projection;
mod verify;

pub use blobs::{MAX_BLOB, blob};
pub use durable::Durable;
pub use entries::MAX_STEP;
pub use log_store::LogStore;
pub use memory::{Fault, MemoryStore};
pub use merkle::checkpoint;
pub use open::{Brought, LOG_FILE, OpenError, OpenReport, Options, Torn, open};
pub use read::{Wanted, read};
pub use shelf::{MemoryShelf, SledShelf};
pub use verify::{Broken, Expected, Verified, VerifyError, export, verify, verify_from};
