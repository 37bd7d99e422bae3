//! What the HTTP APIs of the monitoring stack have in common: one bounded GET below a base, with credentials or
//! without, and no redirects.

mod exchange;

pub(super) use exchange::{Incoming, Outgoing, Unheard};

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;

use super::address::is_private;
use crate::domain::redact;
use crate::ports::reads::ReadError;

/// A lost packet's three retransmissions (1 + 2 s) and some.
const CONNECT: Duration = Duration::from_secs(5);
/// These servers answer from memory or near it: longer than this and they are what is wrong.
const ANSWER: Duration = Duration::from_secs(10);

/// How belay shows who it is.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// A bearer token.
    Bearer(SecretString),
    /// A key of Elasticsearch's or OpenSearch's, encoded as they give it out.
    ApiKey(SecretString),
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A key in PagerDuty's manner, with the version of its API that is meant.
    PagerDuty(SecretString),
}

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No address.
    #[error("`{key}` is not an address: give it as `http://prometheus.monitoring.svc:9090`")]
    Address {
        /// The key of the configuration.
        key: &'static str,
    },
    /// The credentials would travel unprotected.
    #[error(
        "`{key}` must be https, or an address of this machine itself, for its credentials to be sent there"
    )]
    Unprotected {
        /// The key of the configuration.
        key: &'static str,
    },
    /// No client could be made.
    #[error("an HTTP client for `{key}` could not be made")]
    Client {
        /// The key of the configuration.
        key: &'static str,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}

/// One API.
#[derive(Debug, Clone)]
pub(super) struct Monitoring {
    http: Client,
    base: Url,
    credentials: Credentials,
    /// The most that an answer may have.
    body: usize,
}

impl Monitoring {
    /// The API below `base`, which the configuration has under `key`. Nothing is sent yet.
    pub(super) fn new(
        key: &'static str,
        base: &str,
        credentials: Credentials,
        body: usize,
    ) -> Result<Self, SetupError> {
        let base = Url::parse(base).map_err(|_| SetupError::Address { key })?;
        let host = base.host_str().ok_or(SetupError::Address { key })?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(SetupError::Address { key });
        }
        let secret = !matches!(credentials, Credentials::None);
        if secret && !is_private(base.scheme(), host) {
            return Err(SetupError::Unprotected { key });
        }
        let http = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            // a redirect could carry the credentials elsewhere
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("belay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| SetupError::Client { key, source })?;
        Ok(Self { http, base, credentials, body })
    }

    /// The same API, for answers that may be larger or have to be smaller.
    pub(super) fn with_body(&self, body: usize) -> Self {
        Self { body, ..self.clone() }
    }

    /// The JSON at this path; `what` is asked for, in messages. Statuses in `also` are answers as well as 200.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &[&str],
        query: &[(&str, &str)],
        also: &[StatusCode],
    ) -> Result<T, ReadError> {
        let failed = |why: &str| ReadError::Failed { what: what.into(), why: redact::line(why, 300) };
        let mut url = self.base.clone();
        let cannot = || failed("its address takes no path");
        url.path_segments_mut().map_err(|()| cannot())?.pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.get(url);
        let request = self.signed(request);
        // without its URL: it may hold credentials
        let response = request.send().await.map_err(|e| failed(&chain(&e.without_url())))?;
        let status = response.status();
        let bytes = match status {
            StatusCode::OK => self.bounded(response).await,
            status if also.contains(&status) => self.bounded(response).await,
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                let why = format!("it answered {status}: check the credentials");
                return Err(ReadError::Refused { what: what.into(), why });
            }
            status => Err(format!("it answered {status}")),
        };
        let bytes = bytes.map_err(|why| failed(&why))?;
        serde_json::from_slice(&bytes).map_err(|e| match status {
            StatusCode::OK => failed(&format!("its answer cannot be read: {e}")),
            status => failed(&format!("it answered {status}")),
        })
    }

    /// With the credentials.
    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credentials {
            Credentials::None => request,
            Credentials::Bearer(token) => request.bearer_auth(token.expose_secret()),
            Credentials::ApiKey(key) => {
                request.header(header::AUTHORIZATION, format!("ApiKey {}", key.expose_secret()))
            }
            Credentials::Basic { user, password } => request.basic_auth(user, Some(password.expose_secret())),
            Credentials::PagerDuty(key) => request
                .header(header::AUTHORIZATION, format!("Token token={}", key.expose_secret()))
                .header(header::ACCEPT, "application/vnd.pagerduty+json;version=2"),
        }
    }

    async fn bounded(&self, mut response: Response) -> Result<Vec<u8>, String> {
        let mut body = vec![];
        while let Some(chunk) = response.chunk().await.map_err(|e| chain(&e.without_url()))? {
            if body.len() + chunk.len() > self.body {
                return Err(format!("its answer is larger than {} MiB", self.body >> 20));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
