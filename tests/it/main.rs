//! The one integration binary: a module per area, linked once.

mod hands;
mod sim;
mod policy;
