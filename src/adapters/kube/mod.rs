//! Kubernetes, by the `kube` client.

mod writes;
