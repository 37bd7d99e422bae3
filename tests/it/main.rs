//! The one integration binary: a module per area, linked once.

mod hands;
mod hands_sim;
mod policy;
mod sim;
