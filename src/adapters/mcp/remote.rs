//! The action server of another process, over streamable HTTP. It is connected to when it is needed, and anew
//! once it did not answer, so that either side may start first and start again.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::actions::McpActions;
use super::client;
use crate::domain::action::Action;
use crate::domain::ids::IntentId;
use crate::domain::plan::{Plan, Refusal};
use crate::domain::target::RootOwner;
use crate::domain::warrant::{Applied, SignedWarrant};
use crate::ports::actions::{Actions, NoAnswer};

/// A TCP and TLS handshake within a region takes milliseconds; five seconds is a lost packet's three
/// retransmissions (1 + 2 s) and some.
const CONNECT: Duration = Duration::from_secs(5);

/// The server cannot be reached as configured.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is no URL.
    #[error("`actions.url` is not an http or https URL")]
    Address,
    /// The token would travel in the clear.
    #[error("`actions.url` must be https, or an address of this machine itself")]
    Unprotected,
    /// No HTTP client.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

/// Calls an action server at an address.
pub struct RemoteActions {
    http: reqwest::Client,
    url: String,
    token: SecretString,
    within: Duration,
    connected: Mutex<Option<McpActions>>,
}

impl RemoteActions {
    /// The server at this URL, which is shown this bearer token and waited for this long.
    pub fn new(url: &str, token: SecretString, within: Duration) -> Result<Self, RemoteError> {
        let parsed = reqwest::Url::parse(url).map_err(|_| RemoteError::Address)?;
        let host = parsed.host_str().ok_or(RemoteError::Address)?;
        match parsed.scheme() {
            "https" => {}
            "http" if loopback(host) => {}
            "http" => return Err(RemoteError::Unprotected),
            _ => return Err(RemoteError::Address),
        }
        // no timeout over all: each call has its own
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(RemoteError::Client)?;
        Ok(Self { http, url: url.to_owned(), token, within, connected: Mutex::new(None) })
    }

    async fn connected(&self) -> Result<McpActions, NoAnswer> {
        let mut connected = self.connected.lock().await;
        if let Some(actions) = &*connected {
            return Ok(actions.clone());
        }
        let config = StreamableHttpClientTransportConfig::with_uri(self.url.clone())
            .auth_header(self.token.expose_secret().to_owned());
        let transport = StreamableHttpClientTransport::with_client(self.http.clone(), config);
        let client = client::connect(transport).await.map_err(|e| NoAnswer(e.to_string()))?;
        let actions = McpActions::new(client, self.within);
        *connected = Some(actions.clone());
        Ok(actions)
    }

    /// The answer; without one the connection is given up, so that the next call makes another.
    async fn heard<T: Send>(&self, answer: Result<T, NoAnswer>) -> Result<T, NoAnswer> {
        if answer.is_err() {
            *self.connected.lock().await = None;
        }
        answer
    }
}

fn loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[async_trait]
impl Actions for RemoteActions {
    async fn plan(&self, action: &Action, owner: &RootOwner) -> Result<Result<Plan, Refusal>, NoAnswer> {
        let answer = self.connected().await?.plan(action, owner).await;
        self.heard(answer).await
    }

    async fn plan_revert_after(
        &self,
        done: &Plan,
        intent: &IntentId,
        undos: &[IntentId],
    ) -> Result<Result<Plan, Refusal>, NoAnswer> {
        let answer = self.connected().await?.plan_revert_after(done, intent, undos).await;
        self.heard(answer).await
    }

    async fn apply(&self, plan: &Plan, warrant: &SignedWarrant) -> Result<Applied, NoAnswer> {
        let answer = self.connected().await?.apply(plan, warrant).await;
        self.heard(answer).await
    }

    async fn status(&self, plan: &Plan, intent: &IntentId) -> Result<Applied, NoAnswer> {
        let answer = self.connected().await?.status(plan, intent).await;
        self.heard(answer).await
    }
}
