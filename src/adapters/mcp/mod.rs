//! MCP as a client: the action server behind `ports::actions`, and the hub of read-only tools behind
//! `ports::model`.

mod actions;
mod child;
mod client;
mod foreign;
mod hub;
mod pins;
mod reads;
mod remote;
mod text;

pub use actions::McpActions;
pub use child::Program;
pub use client::{CallError, Client, ConnectError, InProcess, connect, connect_in_process};
pub use foreign::{Foreign, News, Reach, Settings};
pub use hub::{Allow, Hub, HubError, RESERVED};
pub use pins::{Pins, PinsError, Standing};
pub use reads::{Mapped, MappedReads, Template};
pub use remote::{RemoteActions, RemoteError, RemoteReads};
