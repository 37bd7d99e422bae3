//! MCP as a client: the action server behind `ports::actions`, and the hub of read-only tools behind
//! `ports::model`.

mod actions;
mod client;
mod hub;
mod remote;
mod text;

pub use actions::McpActions;
pub use client::{CallError, Client, ConnectError, InProcess, connect, connect_in_process};
pub use hub::{Allow, Hub, HubError};
pub use remote::{RemoteActions, RemoteError, RemoteReads};
