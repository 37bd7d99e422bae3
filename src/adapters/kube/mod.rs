//! Kubernetes through `kube`: the only room that names it. Reads are typed here and leave as `domain`
//! views; writes are a handful of guarded requests.

mod client;
mod fleet;
mod inventory;
mod jobs;
mod kubeconfig;
mod listing;
mod live;
mod locate;
mod logs;
mod objects;
mod probe;
mod readers;
mod reads;
mod rights;
mod stretch;
mod surroundings;
mod survey;
mod token;
mod views;
mod watch;
mod writes;

pub use client::{Access, ConnectError, connect, connect_watching};
pub use kubeconfig::NotUsable;
pub use probe::{KubeProbe, Standing};
pub use reads::KubeReads;
pub use rights::{CheckedHand, Wanted};
pub use views::{NotReadable, Recorded, from_json};
pub use watch::KubeWatches;
pub use writes::KubeHand;
