//! The client of the writing identity.

use std::time::Duration;

use kube::{Client, Config};

/// How long the API server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long it may take to answer: below a third of what a caller of `apply` waits, which is two reads and
/// a write at the worst.
const ANSWER: Duration = Duration::from_secs(10);

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the client of the API server could not be made: {0}")]
pub struct ConnectError(#[source] kube::Error);

/// A client that asks once. The library's own retries repeat writes as well, and take the 429 of a
/// disruption budget for a reason to try again for an hour.
pub fn writes_client(mut config: Config) -> Result<Client, ConnectError> {
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(ANSWER);
    config.write_timeout = Some(ANSWER);
    Client::try_from(config).map_err(ConnectError)
}
