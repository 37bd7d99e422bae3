//! The simulated world behind the demo, the tests and the kill harness: a Kubernetes API server, an
//! Alertmanager, a scripted model and a Slack that the real clients reach over HTTP.

pub mod alertmanager;
pub mod kube;
pub mod model;
//! The simulated world.

pub mod slack;
