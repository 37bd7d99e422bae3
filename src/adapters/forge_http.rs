//! What GitHub's and GitLab's REST APIs have in common: JSON under one base, a bearer token, limits of how often
//! one may ask, and answers that leave open what was done.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{self, HeaderMap};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::address::is_private;
use crate::domain::redact;
use crate::ports::clock::SharedClock;
use crate::ports::forge::{File, ForgeError};

/// A lost packet's three retransmissions (1 + 2 s) and some.
const CONNECT: Duration = Duration::from_secs(5);
/// What both vendors take for a slow answer, and both end themselves at ten seconds.
const ANSWER: Duration = Duration::from_secs(10);
/// A file of 1 MiB in base64, or the hundred pull requests of a page with long texts.
const BODY: usize = 8 << 20;
/// How often one request is sent: what was turned away, or could not have changed anything.
const TRIES: u32 = 3;
/// The longest wait within one call; whoever waits longer holds up every other act.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);
/// Where an answer of "too often" does not say until when; GitHub's own advice.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// The longest pause that is believed: GitHub's window.
const LONGEST: i64 = 3_600;

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Misconfigured {
    /// No address.
    #[error(
        "`url` of a repository is not an address: give it as `https://api.github.com` or `https://gitlab.example/api/v4`"
    )]
    Address,
    /// The token would travel unprotected.
    #[error("`url` of a repository must be https, or an address of this machine itself")]
    Unprotected,
    /// No client could be made.
    #[error("an HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

/// One API.
pub(super) struct Http {
    client: Client,
    base: Url,
    token: SecretString,
    clock: SharedClock,
    shut: Mutex<Option<Timestamp>>,
}

/// One request.
pub(super) struct Call<'a> {
    /// In messages: "the commit".
    pub what: &'static str,
    /// How.
    pub method: Method,
    /// The parts of the path below the base; each is one segment, whatever it holds.
    pub path: &'a [&'a str],
    /// Of the query.
    pub query: &'a [(&'a str, &'a str)],
    /// What is sent.
    pub body: Option<Value>,
}

impl<'a> Call<'a> {
    /// Reads.
    pub(super) const fn get(what: &'static str, path: &'a [&'a str]) -> Self {
        Self { what, method: Method::GET, path, query: &[], body: None }
    }

    /// Writes.
    pub(super) const fn send(
        what: &'static str,
        method: Method,
        path: &'a [&'a str],
        body: Option<Value>,
    ) -> Self {
        Self { what, method, path, query: &[], body }
    }
}

/// How a try ended.
enum Tried {
    Over(Result<Vec<u8>, ForgeError>),
    /// Nothing was changed: it may be sent again, not before this moment.
    Again(Timestamp, String),
}

impl Http {
    /// The API below `base`. Nothing is sent yet.
    pub(super) fn new(base: &str, token: SecretString, clock: SharedClock) -> Result<Self, Misconfigured> {
        let base = Url::parse(base).map_err(|_| Misconfigured::Address)?;
        let host = base.host_str().ok_or(Misconfigured::Address)?;
        let plain = base.username().is_empty() && base.password().is_none();
        if base.cannot_be_a_base() || base.query().is_some() || base.fragment().is_some() || !plain {
            return Err(Misconfigured::Address);
        }
        if !is_private(base.scheme(), host) {
            return Err(Misconfigured::Unprotected);
        }
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            // a redirect could carry the token elsewhere
            .redirect(redirect::Policy::none())
            .user_agent(concat!("belay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Misconfigured::Client)?;
        Ok(Self { client, base, token, clock, shut: Mutex::new(None) })
    }

    /// Where people look: the host of the API, without what marks it as one.
    pub(super) fn web(&self, suffix: &str) -> String {
        let base = self.base.as_str().trim_end_matches('/');
        let base = base.strip_suffix(suffix).unwrap_or(base).trim_end_matches('/');
        base.replacen("://api.github.com", "://github.com", 1)
    }

    /// The answer's body, read as `T`.
    pub(super) async fn read<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, ForgeError> {
        let what = call.what;
        let body = self.call(call).await?;
        serde_json::from_slice(&body).map_err(|e| unclear(what, format!("its answer cannot be read: {e}")))
    }

    /// The same, where there may be nothing.
    pub(super) async fn find<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<Option<T>, ForgeError> {
        match self.read(call).await {
            Ok(found) => Ok(Some(found)),
            Err(ForgeError::Refused { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends it, again where that cannot change anything twice.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Vec<u8>, ForgeError> {
        let url = self.url(&call)?;
        let mut tried = 1;
        loop {
            let (at, why) = match self.shut() {
                Some(until) => (until, "it wants to be asked less often".to_owned()),
                None => match self.once(&call, url.clone()).await {
                    Tried::Over(result) => return result,
                    Tried::Again(at, why) => (at, why),
                },
            };
            if tried >= TRIES || at.duration_since(self.clock.now()) > PATIENCE {
                return Err(unclear(call.what, format!("{why}; not before {at}")));
            }
            tried += 1;
            self.clock.sleep_until(at).await;
        }
    }

    fn url(&self, call: &Call<'_>) -> Result<Url, ForgeError> {
        let mut url = self.base.clone();
        let unfit = || unclear(call.what, "its address cannot be made".to_owned());
        {
            let mut segments = url.path_segments_mut().map_err(|()| unfit())?;
            segments.pop_if_empty();
            for part in call.path {
                // a part that is no name would lead elsewhere
                if part.is_empty() || *part == "." || *part == ".." {
                    return Err(unfit());
                }
                segments.push(part);
            }
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        Ok(url)
    }

    async fn once(&self, call: &Call<'_>, url: Url) -> Tried {
        let reads = call.method == Method::GET;
        let mut request = self
            .client
            .request(call.method.clone(), url)
            .bearer_auth(self.token.expose_secret())
            .header(header::ACCEPT, "application/json");
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let now = self.clock.now();
        let response = match request.send().await {
            Ok(response) => response,
            // a read is repeated; of a write nobody knows whether it arrived
            Err(error) if reads => return Tried::Again(now, lost(error)),
            Err(error) => return Tried::Over(Err(unclear(call.what, lost(error)))),
        };
        let status = response.status();
        if let Some(until) = too_often(&response, now) {
            *self.shut.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
            return Tried::Again(until, format!("it answered {}: asked too often", status.as_u16()));
        }
        let body = bounded(response).await;
        match (status, body) {
            (status, Ok(body)) if status.is_success() => Tried::Over(Ok(body)),
            (status, _) if status.is_server_error() && reads => Tried::Again(now, answered(status)),
            (status, Err(why)) if status.is_success() => Tried::Over(Err(unclear(call.what, why))),
            (status, _) if status.is_server_error() => Tried::Over(Err(unclear(call.what, answered(status)))),
            (status, body) => {
                let said = body.map(|body| said(&body)).unwrap_or_default();
                Tried::Over(Err(ForgeError::Refused { what: call.what, code: status.as_u16(), said }))
            }
        }
    }

    /// Until when nothing is sent.
    fn shut(&self) -> Option<Timestamp> {
        let until = *self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| *until > self.clock.now())
    }
}

pub(super) fn unclear(what: &'static str, why: String) -> ForgeError {
    ForgeError::Unclear { what, why }
}

fn answered(status: StatusCode) -> String {
    format!("it answered {}", status.as_u16())
}

/// Why no answer came, without the address.
fn lost(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let error = error.without_url();
    let mut inner: &dyn std::error::Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    redact::line(&inner.to_string(), 200)
}

/// Until when this answer turns away everything: by `Retry-After`, by the reset of the limit that is used up, or
/// for as long as is polite.
fn too_often(response: &Response, now: Timestamp) -> Option<Timestamp> {
    let headers = response.headers();
    let used_up =
        ["x-ratelimit-remaining", "ratelimit-remaining"].iter().any(|name| number(headers, name) == Some(0));
    let limited = match response.status() {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => used_up || headers.contains_key(header::RETRY_AFTER),
        _ => false,
    };
    if !limited {
        return None;
    }
    let reset = ["x-ratelimit-reset", "ratelimit-reset"].iter().find_map(|name| number(headers, name));
    let left = number(headers, "retry-after").or_else(|| reset.map(|at| at.saturating_sub(now.as_second())));
    let pause = left.map_or(PAUSE, |seconds| SignedDuration::from_secs(seconds.clamp(1, LONGEST)));
    Some(now.saturating_add(pause).unwrap_or(Timestamp::MAX))
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = vec![];
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY => {
                return Err(format!("its answer is larger than {} MiB", BODY >> 20));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(lost(error)),
        }
    }
}

/// What an error says: `message` is a text, or a list of them.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Said {
        #[serde(default)]
        message: Value,
    }
    let said = serde_json::from_slice::<Said>(body).map(|said| said.message).unwrap_or_default();
    let text = match &said {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    redact::line(&text, 200)
}

/// A file's text from its base64.
pub(super) fn file(
    what: &'static str,
    encoding: &str,
    content: &str,
    version: String,
) -> Result<File, ForgeError> {
    let unfit = || unclear(what, "it is no plain text file of at most 1 MiB".to_owned());
    if encoding != "base64" {
        return Err(unfit());
    }
    let content: String = content.split_whitespace().collect();
    let bytes = STANDARD.decode(content).map_err(|_| unfit())?;
    let text = String::from_utf8(bytes).map_err(|_| unfit())?;
    Ok(File { text, version })
}

/// A file's content as it is sent.
pub(super) fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}
