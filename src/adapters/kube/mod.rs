//! Kubernetes through `kube`: the only room that names it. Reads are typed here and leave as `domain` views.

mod client;
mod listing;
mod locate;
mod logs;
mod reads;
mod views;

pub use client::{Access, ConnectError, connect};
pub use reads::KubeReads;
pub use views::{NotReadable, Recorded, from_json};
