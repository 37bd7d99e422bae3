//! The one integration binary: a module per area, linked once.

mod given;
mod incident;
mod investigate;
mod sim;
mod store;
mod policy;
mod hands;
mod slack;
