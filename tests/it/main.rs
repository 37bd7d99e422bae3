//! The one integration binary: a module per area, linked once.

mod commands;
mod config;
mod deploy;
mod diagnose;
mod cli;
mod e2e;
mod given;
mod hands;
mod hands_sim;
mod incident;
mod intake;
mod investigate;
mod kube_reads;
mod mcp_kubernetes;
mod kill;
mod policy;
mod sim;
mod slack;
mod store;
mod tidy;
