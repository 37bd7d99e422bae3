//! The simulated world behind the demo, the tests and the kill harness: a Kubernetes API server, an
//! Alertmanager, a scripted model and a Slack that the real clients reach over HTTP.

pub mod alertmanager;
pub mod forge;
pub mod kube;
pub mod model;
pub mod slack;

/// The HTTP client of the simulated side, with its own short patience.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder().timeout(std::time::Duration::from_secs(10)).build()
}
