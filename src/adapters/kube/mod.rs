//! Kubernetes, by the `kube` client.

mod live;
mod writes;
mod writes_client;

pub use writes::KubeHand;
pub use writes_client::{ConnectError, writes_client};
