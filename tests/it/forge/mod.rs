//! Proposals: the change of a manifest, and its way to a branch and a pull request on either forge, and back.
// said so that the lints know these helpers for tests
#![cfg(test)]

pub mod desk;
mod faults;
mod http;
mod manifest;
mod steps;
