//! Servers of belay's own in other processes, over streamable HTTP. Each is connected to when it is needed, and anew
//! once it did not answer, so that either side may start first and start again.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::super::address::is_private;
use super::actions::{self, McpActions};
use super::client::{self, Client};
use crate::domain::action::Action;
use crate::domain::cluster::{Event, Fleet, LogTail, Pod, Revision, Snapshot, Workload};
use crate::domain::ids::IntentId;
use crate::domain::inventory::{self, ContainerUse, Keeper, KeptTemplate, Row};
use crate::domain::plan::{Plan, Refusal};
use crate::domain::target::{Named, Object, RootOwner};
use crate::domain::warrant::{Applied, SignedWarrant};
use crate::ports::actions::{Actions, NoAnswer};
use crate::ports::inventory::{Found, Inventory};
use crate::ports::reads::{
    Listed, Listing, Located, LogQuery, Query, ReadError, Reads, Stretch, StretchQuery,
};

/// A TCP and TLS handshake within a region takes milliseconds; five seconds is a lost packet's three
/// retransmissions (1 + 2 s) and some.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a read may take: a snapshot's three waves of parts, each at most 10 s, and the way.
const READ_WITHIN: Duration = Duration::from_secs(35);

/// The server cannot be reached as configured.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "`key` is that of the configuration")]
pub enum RemoteError {
    /// The address is no URL.
    #[error("`{key}` is not an http or https URL")]
    Address { key: Cow<'static, str> },
    /// The token would travel in the clear.
    #[error("`{key}` must be https, or an address of this machine itself")]
    Unprotected { key: Cow<'static, str> },
    /// No HTTP client.
    #[error("the HTTP client for `{key}` could not be set up")]
    Client {
        key: Cow<'static, str>,
        #[source]
        source: reqwest::Error,
    },
}

/// A server at an address, which is shown a bearer token.
struct Remote {
    address: Address,
    connected: Mutex<Option<Client>>,
}

/// Where a server is, and what it is shown. Nothing is sent on to where it redirects to.
pub(super) struct Address {
    http: reqwest::Client,
    url: String,
    token: Option<SecretString>,
}

impl Address {
    /// The server at this URL; `key` is that of the configuration.
    pub(super) fn new(
        key: Cow<'static, str>,
        url: &str,
        token: Option<SecretString>,
    ) -> Result<Self, RemoteError> {
        let Some((scheme, host)) = parts(url) else { return Err(RemoteError::Address { key }) };
        if !is_private(&scheme, &host) {
            return Err(RemoteError::Unprotected { key });
        }
        // no timeout over all: each call has its own
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|source| RemoteError::Client { key, source })?;
        Ok(Self { http, url: url.to_owned(), token })
    }

    /// A transport to it.
    pub(super) fn transport(&self) -> StreamableHttpClientTransport<reqwest::Client> {
        let mut config = StreamableHttpClientTransportConfig::with_uri(self.url.clone());
        if let Some(token) = &self.token {
            config = config.auth_header(token.expose_secret().to_owned());
        }
        StreamableHttpClientTransport::with_client(self.http.clone(), config)
    }
}

/// Scheme and host of an http or https URL.
fn parts(url: &str) -> Option<(String, String)> {
    let parsed = reqwest::Url::parse(url).ok()?;
    let known = ["http", "https"].contains(&parsed.scheme());
    known.then(|| Some((parsed.scheme().to_owned(), parsed.host_str()?.to_owned())))?
}

impl Remote {
    fn new(key: &'static str, url: &str, token: SecretString) -> Result<Self, RemoteError> {
        Ok(Self { address: Address::new(key.into(), url, Some(token))?, connected: Mutex::new(None) })
    }

    async fn connected(&self) -> Result<Client, client::ConnectError> {
        let mut connected = self.connected.lock().await;
        if let Some(client) = &*connected {
            return Ok(client.clone());
        }
        let client = client::connect(self.address.transport()).await?;
        *connected = Some(client.clone());
        Ok(client)
    }

    /// Gives the connection up, so that the next call makes another.
    async fn forget(&self) {
        *self.connected.lock().await = None;
    }
}

/// Calls an action server at an address.
pub struct RemoteActions {
    remote: Remote,
    within: Duration,
}

impl RemoteActions {
    /// The server at this URL, which is shown this bearer token and waited for this long. `key` is that of the
    /// configuration.
    pub fn new(
        key: &'static str,
        url: &str,
        token: SecretString,
        within: Duration,
    ) -> Result<Self, RemoteError> {
        Ok(Self { remote: Remote::new(key, url, token)?, within })
    }

    async fn connected(&self) -> Result<McpActions, NoAnswer> {
        let client = self.remote.connected().await.map_err(|e| NoAnswer(e.to_string()))?;
        Ok(McpActions::new(client, self.within))
    }

    /// The answer; without one the connection is given up.
    async fn heard<T: Send>(&self, answer: Result<T, NoAnswer>) -> Result<T, NoAnswer> {
        if answer.is_err() {
            self.remote.forget().await;
        }
        answer
    }
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

/// Reads a cluster through a read server inside it.
pub struct RemoteReads {
    remote: Remote,
}

/// The result of `read`.
#[derive(Deserialize)]
struct ReadReply {
    #[serde(default)]
    answer: Option<Value>,
    #[serde(default)]
    error: Option<ReadError>,
}

impl RemoteReads {
    /// The server at this URL, which is shown this bearer token. `key` is that of the configuration.
    pub fn new(key: &'static str, url: &str, token: SecretString) -> Result<Self, RemoteError> {
        Ok(Self { remote: Remote::new(key, url, token)? })
    }

    async fn ask<T: DeserializeOwned>(&self, what: &str, query: &Query) -> Result<T, ReadError> {
        let failed = |why: String| ReadError::Failed { what: what.to_owned(), why };
        let client = self.remote.connected().await.map_err(|e| failed(e.to_string()))?;
        let arguments = json!({ "query": query });
        let answer: Result<ReadReply, NoAnswer> = actions::ask(&client, "read", arguments, READ_WITHIN).await;
        match answer {
            Ok(ReadReply { answer: Some(value), error: None }) => serde_json::from_value(value)
                .map_err(|e| failed(format!("the read server is of another version of belay: {e}"))),
            Ok(ReadReply { answer: None, error: Some(error) }) => Err(error),
            Ok(ReadReply { .. }) => {
                Err(failed("the read server gave neither an answer nor an error".to_owned()))
            }
            Err(NoAnswer(why)) => {
                self.remote.forget().await;
                Err(failed(why))
            }
        }
    }
}

#[async_trait]
impl Reads for RemoteReads {
    async fn locate(&self, named: &Named) -> Result<Located, ReadError> {
        self.ask(&named.to_string(), &Query::Locate { named: named.clone() }).await
    }

    async fn snapshot(&self, located: &Located) -> Result<Snapshot, ReadError> {
        let Located { target, owner } = located.clone();
        self.ask(&located.owner.to_string(), &Query::Snapshot { target, owner }).await
    }

    async fn last_words(&self, pod: &Object) -> Result<Vec<LogTail>, ReadError> {
        self.ask(&format!("the logs of {pod}"), &Query::LastWords { pod: pod.clone() }).await
    }

    async fn fleet(&self, namespaces: &[String]) -> Result<Fleet, ReadError> {
        self.ask("the pods of all namespaces", &Query::Fleet { namespaces: namespaces.to_vec() }).await
    }
}

#[async_trait]
impl Listing for RemoteReads {
    async fn pods(&self, namespace: &str) -> Result<Listed<Pod>, ReadError> {
        self.ask("pods", &Query::Pods { namespace: namespace.to_owned() }).await
    }

    async fn deployments(&self, namespace: &str) -> Result<Listed<Workload>, ReadError> {
        self.ask("deployments", &Query::Deployments { namespace: namespace.to_owned() }).await
    }

    async fn events(&self, namespace: &str) -> Result<Listed<Event>, ReadError> {
        self.ask("events", &Query::Events { namespace: namespace.to_owned() }).await
    }

    async fn revisions(&self, namespace: &str, deployment: &str) -> Result<Listed<Revision>, ReadError> {
        let (namespace, deployment) = (namespace.to_owned(), deployment.to_owned());
        self.ask("revisions", &Query::Revisions { namespace, deployment }).await
    }

    async fn log(&self, query: &LogQuery) -> Result<LogTail, ReadError> {
        let LogQuery { namespace, pod, container, previous, tail } = query.clone();
        self.ask("a log", &Query::Log { namespace, pod, container, previous, tail }).await
    }

    async fn stretch(&self, query: &StretchQuery) -> Result<Stretch, ReadError> {
        self.ask("a log", &Query::Stretch { of: query.clone() }).await
    }
}

#[async_trait]
impl Inventory for RemoteReads {
    async fn objects(
        &self,
        kind: inventory::Kind,
        namespace: &str,
        after: Option<&str>,
    ) -> Result<Found<Row>, ReadError> {
        let (namespace, after) = (namespace.to_owned(), after.map(str::to_owned));
        self.ask(kind.name(), &Query::Objects { kind, namespace, after }).await
    }

    async fn nodes(&self, after: Option<&str>) -> Result<Found<Row>, ReadError> {
        self.ask("nodes", &Query::Nodes { after: after.map(str::to_owned) }).await
    }

    async fn usage(&self, namespace: &str) -> Result<Found<ContainerUse>, ReadError> {
        self.ask("measured use", &Query::Usage { namespace: namespace.to_owned() }).await
    }

    async fn templates(
        &self,
        keeper: Keeper,
        namespace: &str,
        name: &str,
    ) -> Result<Listed<KeptTemplate>, ReadError> {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        self.ask("revisions", &Query::Templates { keeper, namespace, name }).await
    }
}
