//! The one integration binary: a module per area, linked once.

mod given;
mod hands;
mod hands_sim;
mod incident;
mod investigate;
mod policy;
mod sim;
mod slack;
mod store;
