//! The model's place: every path of the machine, any model whatever, and real HTTP with odd servers.

mod adapter;
mod any_model;
mod fixtures;
mod over_http;
mod paths;
mod prompts;
