//! The client, built explicitly: kube's own retry is off (15 tries of up to 1000 s, writes included, on
//! answers that mean "no"), every step has a timeout, and only reads are repeated, a bounded number of times.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
use jiff::SignedDuration;
use kube::client::ClientBuilder;
use kube::{Client, Config, Error};
use tower::util::MapRequestLayer;

use super::kubeconfig::{self, NotUsable};
use super::token::TokenFile;
use crate::domain::redact;
use crate::domain::target::{is_dns_label, is_dns_name};
use crate::ports::clock::SharedClock;
use crate::ports::reads::ReadError;

/// A TCP and TLS handshake within a region takes milliseconds; five seconds is a lost packet's three
/// retransmissions (1 + 2 s) and some.
const CONNECT: Duration = Duration::from_secs(5);
/// Above the 10 s that any part of a snapshot may take, so that the part's deadline speaks first.
const ANSWER: Duration = Duration::from_secs(15);
/// The longest that a watch may be silent: it ends after 240 s by itself, and half a minute is for the way.
const SILENCE: Duration = Duration::from_secs(270);
/// Two repeats ride out a restarting API server behind a load balancer; a third would come after the
/// deadline of the part anyway.
const TRIES: u32 = 3;
/// 200 ms, then 400 ms: both well within the deadline of a part.
const FIRST_PAUSE_MS: i64 = 200;
/// What is kept of a server's own words.
const MESSAGE: usize = 300;

/// How the API server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// At this base URL, with the bearer token in this file (re-read as it is rotated) if there is one.
    Url {
        /// `https://host:6443`.
        url: String,
        /// The certificates that its own is checked against, in place of the machine's.
        ca_file: Option<PathBuf>,
        /// Path of the token file.
        token_file: Option<PathBuf>,
    },
    /// As this kubeconfig says, or the one that `kubectl` would take, in this context or its current one.
    Kubeconfig {
        /// Path of the kubeconfig.
        file: Option<PathBuf>,
        /// Name of the context.
        context: Option<String>,
    },
    /// As `kubectl` would; where there is no kubeconfig, as the pod's service account.
    Infer,
}

/// No client could be built.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The base URL does not parse.
    #[error("`{url}` is not the URL of a Kubernetes API server")]
    Url {
        /// As configured.
        url: String,
        /// What is wrong with it.
        #[source]
        source: http::uri::InvalidUri,
    },
    /// Neither a kubeconfig nor a service account was found.
    #[error("no Kubernetes cluster is configured: set its URL, a kubeconfig, or run inside a cluster")]
    Infer(#[source] NotUsable),
    /// The kubeconfig cannot be used.
    #[error(transparent)]
    Kubeconfig(#[from] NotUsable),
    /// The file with the token holds none.
    #[error("`{}` holds no bearer token", path.display())]
    Token {
        /// As configured.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: std::io::Error,
    },
    /// The certificates that the API server's is checked against are none.
    #[error("the API server's certificate cannot be checked with `{}`: it must hold certificates in PEM", path.display())]
    Authority {
        /// As configured.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<Error>,
    },
    /// The client could not be set up.
    #[error("the Kubernetes client could not be set up")]
    Client(#[source] Box<Error>),
}

/// A client for this access. Nothing is sent yet.
pub async fn connect(access: &Access) -> Result<Client, ConnectError> {
    connect_within(access, ANSWER).await
}

/// A client for watches, whose answers go on for minutes.
pub async fn connect_watching(access: &Access) -> Result<Client, ConnectError> {
    connect_within(access, SILENCE).await
}

async fn connect_within(access: &Access, answer: Duration) -> Result<Client, ConnectError> {
    let (mut config, token) = match access {
        Access::Url { url, ca_file, token_file } => {
            let parsed = url.parse().map_err(|source| ConnectError::Url { url: url.clone(), source })?;
            let mut config = Config::new(parsed);
            config.root_cert_file.clone_from(ca_file);
            // with an authority of its own, a machine that knows no authorities will do
            config.root_cert = ca_file.as_ref().map(|_| Vec::new());
            (config, token_file.as_deref().map(token).transpose()?)
        }
        Access::Kubeconfig { file, context } => {
            (kubeconfig::config(file.as_deref(), context.as_deref()).await?, None)
        }
        Access::Infer => (inferred().await?, None),
    };
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(answer);
    config.write_timeout = Some(ANSWER);
    // the answer's time counts from the request, not from when its pooled connection went idle
    config.reset_reader_on_write = true;
    let builder = ClientBuilder::try_from(config).map_err(|e| match access {
        Access::Url { ca_file: Some(path), .. } => {
            ConnectError::Authority { path: path.clone(), source: Box::new(e) }
        }
        Access::Url { .. } | Access::Kubeconfig { .. } | Access::Infer => ConnectError::Client(Box::new(e)),
    })?;
    let signed = MapRequestLayer::new(move |request| signed(request, token.as_deref()));
    Ok(builder.with_layer(&signed).build())
}

/// A kubeconfig that is there and cannot be used is an error, and no reason to be somebody else.
async fn inferred() -> Result<Config, ConnectError> {
    match kubeconfig::config(None, None).await {
        Ok(config) => Ok(config),
        Err(none) if none.is_absent() => Config::incluster().map_err(|_| ConnectError::Infer(none)),
        Err(unusable) => Err(unusable.into()),
    }
}

fn token(path: &Path) -> Result<Arc<TokenFile>, ConnectError> {
    let found = TokenFile::open(path);
    found.map(Arc::new).map_err(|source| ConnectError::Token { path: path.to_owned(), source })
}

/// Who asks: by its token, and for the API server's audit log, where the request itself does not say it (a
/// write names its intent).
fn signed<B>(mut request: Request<B>, token: Option<&TokenFile>) -> Request<B> {
    let headers = request.headers_mut();
    let agent = HeaderValue::from_static(concat!("belay/", env!("CARGO_PKG_VERSION")));
    headers.entry(USER_AGENT).or_insert(agent);
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, token.bearer());
    }
    request
}

/// Refuses names that are none: `kube` puts them into the path of a request as they are. An empty namespace
/// is that of what has none.
pub(super) fn names(what: &str, namespace: &str, name: &str) -> Result<(), ReadError> {
    if (namespace.is_empty() || is_dns_label(namespace)) && is_dns_name(name) {
        return Ok(());
    }
    let why = "it is not named as objects of Kubernetes are".to_owned();
    Err(ReadError::Failed { what: redact::line(what, MESSAGE), why })
}

/// Repeats a read that found the server busy or out of reach. `what` is for people.
pub(super) async fn read<T, F: Future<Output = Result<T, Error>> + Send>(
    clock: &SharedClock,
    what: &str,
    call: impl Fn() -> F + Send + Sync,
) -> Result<T, ReadError> {
    let mut tried = 1;
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) if tried < TRIES && passing(&error) => {
                clock.sleep(SignedDuration::from_millis(FIRST_PAUSE_MS << (tried - 1))).await;
                tried += 1;
            }
            Err(error) => return Err(why(what, error)),
        }
    }
}

/// Whether the same read may well succeed a moment later.
pub(super) fn passing(error: &Error) -> bool {
    match error {
        Error::Api(status) => matches!(status.code, 429 | 500 | 502..=504),
        Error::HyperError(_) | Error::Service(_) => true,
        _ => false,
    }
}

pub(super) fn why(what: &str, error: Error) -> ReadError {
    let what = what.to_owned();
    match error {
        Error::Api(status) if status.code == 404 => ReadError::NotFound { what },
        Error::Api(status) if matches!(status.code, 401 | 403) => {
            ReadError::Refused { what, why: redact::line(&status.message, MESSAGE) }
        }
        Error::Api(status) => ReadError::Failed {
            what,
            why: redact::line(&format!("{} {}", status.code, status.message), MESSAGE),
        },
        other => ReadError::Failed { what, why: redact::line(&chain(&other), MESSAGE) },
    }
}

/// The innermost cause says what happened; the outer ones only who passed it on.
fn chain(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
