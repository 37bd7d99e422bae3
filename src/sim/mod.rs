//! The simulated world behind the demo, the tests and the kill harness: a Kubernetes API server and an
//! Alertmanager that the real clients reach over HTTP.

pub mod alertmanager;
pub mod kube;
