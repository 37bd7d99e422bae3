//! The one integration binary: a module per area, linked once.

mod cli;
mod e2e;
mod given;
mod hands;
mod hands_sim;
mod incident;
mod intake;
mod investigate;
mod policy;
mod sim;
mod slack;
mod store;
