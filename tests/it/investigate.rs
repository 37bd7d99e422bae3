//! The model's place: every path of the machine, any model whatever, and real HTTP with odd servers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the tests' own helpers may fail loudly, too"
)]

mod adapter;
mod any_model;
mod canaries;
mod cassette;
mod endpoints;
mod fixtures;
mod over_http;
mod paths;
mod prompts;
mod red;
