//! Alertmanager's own list of alerts: what fires, silenced and inhibited alerts included.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::domain::alert::Labels;
use crate::domain::cluster::ActiveAlert;
use crate::domain::ids::Fingerprint;
use crate::domain::redact;
use crate::ports::reads::{Alerts, ReadError};

/// A lost packet's three retransmissions (1 + 2 s) and some.
const CONNECT: Duration = Duration::from_secs(5);
/// It answers from memory: longer than this and it is itself what is wrong.
const ANSWER: Duration = Duration::from_secs(10);
/// 16 MiB, as for webhooks: about 16,000 alerts of 1 KiB.
const BODY: usize = 16 * 1024 * 1024;
/// What is asked for, in messages.
const WHAT: &str = "the alerts of Alertmanager";

/// How belay shows who it is.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// A bearer token.
    Bearer(SecretString),
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: SecretString,
    },
}

/// One Alertmanager.
#[derive(Debug, Clone)]
pub struct Alertmanager {
    http: Client,
    url: String,
    credentials: Credentials,
}

/// No client could be built.
#[derive(Debug, thiserror::Error)]
#[error("the client for Alertmanager at `{url}` could not be set up")]
pub struct SetupError {
    url: String,
    #[source]
    source: reqwest::Error,
}

impl Alertmanager {
    /// The Alertmanager below `base` (`https://alertmanager.example/`). Nothing is sent yet.
    pub fn new(base: &str, credentials: Credentials) -> Result<Self, SetupError> {
        let url = format!(
            "{}/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true",
            base.trim_end_matches('/')
        );
        let http = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            // a redirect could carry the credentials elsewhere
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|source| SetupError { url: redact::line(base, 200), source })?;
        Ok(Self { http, url, credentials })
    }

    async fn get(&self) -> Result<Vec<u8>, ReadError> {
        let request = self.http.get(&self.url);
        let request = match &self.credentials {
            Credentials::None => request,
            Credentials::Bearer(token) => request.bearer_auth(token.expose_secret()),
            Credentials::Basic { user, password } => request.basic_auth(user, Some(password.expose_secret())),
        };
        // without its URL: it may hold credentials
        let response = request.send().await.map_err(|e| failed(&chain(&e.without_url())))?;
        match response.status() {
            StatusCode::OK => bounded(response).await,
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(ReadError::Refused {
                what: WHAT.into(),
                why: format!("it answered {status}: check the credentials"),
            }),
            status => Err(failed(&format!("it answered {status}"))),
        }
    }
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, ReadError> {
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await.map_err(|e| failed(&chain(&e.without_url())))? {
        if body.len() + chunk.len() > BODY {
            return Err(failed(&format!("its answer is larger than {} MiB", BODY >> 20)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(why: &str) -> ReadError {
    ReadError::Failed { what: WHAT.into(), why: redact::line(why, 300) }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// `gettableAlert` of Alertmanager's OpenAPI description, version 2.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gettable {
    fingerprint: String,
    labels: Labels,
    starts_at: Timestamp,
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    state: String,
    #[serde(default)]
    silenced_by: Vec<String>,
    #[serde(default)]
    inhibited_by: Vec<String>,
    #[serde(default)]
    muted_by: Vec<String>,
}

impl From<Gettable> for ActiveAlert {
    fn from(alert: Gettable) -> Self {
        let Status { state, silenced_by, inhibited_by, muted_by } = alert.status;
        let silenced = !silenced_by.is_empty();
        let quiet = [silenced_by, inhibited_by, muted_by].iter().any(|by| !by.is_empty());
        Self {
            fingerprint: Fingerprint::new(alert.fingerprint),
            labels: alert.labels,
            starts_at: alert.starts_at,
            suppressed: state == "suppressed" || quiet,
            silenced,
        }
    }
}

#[async_trait]
impl Alerts for Alertmanager {
    async fn active(&self) -> Result<Vec<ActiveAlert>, ReadError> {
        let body = self.get().await?;
        let alerts: Vec<Gettable> =
            serde_json::from_slice(&body).map_err(|e| failed(&format!("its answer cannot be read: {e}")))?;
        Ok(alerts.into_iter().map(ActiveAlert::from).collect())
    }
}
