//! The daemon from end to end, in this process and over HTTP.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod acts;
mod again;
mod apart;
mod ask;
mod brief;
mod clicks;
mod clusters;
mod config;
mod deliveries;
mod fleet;
pub mod house;
mod jobs;
mod kept;
mod measures;
mod merge;
mod mind;
mod proposals;
mod reloads;
mod replay;
mod restarts;
mod rollback;
mod stops;
mod undo;
