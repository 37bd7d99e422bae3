//! Policy: may this be done to this, now, by itself?

mod permit;

pub use permit::Permit;
