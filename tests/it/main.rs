//! The one integration binary: a module per area, linked once.
#![cfg(test)]
#![allow(
    clippy::large_futures,
    clippy::needless_pass_by_value,
    clippy::type_complexity,
    clippy::unnecessary_wraps,
    reason = "the helpers of tests read better at the place of use"
)]

mod actions_alone;
mod checkup;
mod cli;
mod commands;
mod config;
mod deploy;
mod diagnose;
mod e2e;
mod eyes;
mod foreign;
mod forge;
mod given;
mod hands;
mod hands_sim;
mod incident;
mod intake;
mod investigate;
mod jobs;
mod kill;
mod kube_reads;
mod kube_tls;
mod mcp_kubernetes;
mod policy;
mod policy_tools;
mod recorder;
mod rights;
mod servers;
mod sim;
mod slack;
mod store;
mod tidy;
mod track;
