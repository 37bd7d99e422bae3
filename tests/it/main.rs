//! The one integration binary: a module per area, linked once.

mod commands;
mod config;
mod deploy;
mod given;
mod hands;
mod hands_sim;
mod incident;
mod investigate;
mod policy;
mod sim;
mod slack;
mod store;
mod tidy;
