//! The issuer's published keys: had once, kept for a while, and had anew when a token names one that is not there, so
//! that keys may be replaced at any time; but not at the pace of whoever makes up names of keys.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, StatusCode, Url, header};
use serde::Deserialize;

use crate::adapters::address::is_private;
use crate::ports::access::TokenError;
use crate::ports::clock::SharedClock;

use super::claims::{Parts, invalid};
use super::keys::{self, Key};

/// A lost packet's three retransmissions (1 + 2 s) and some.
const CONNECT: Duration = Duration::from_secs(5);
/// Static documents: longer than this and the issuer is down.
const ANSWER: Duration = Duration::from_secs(5);
/// The largest answer: a hundred keys with their certificates of 2 KiB.
const BODY: usize = 256 << 10;
/// How long keys are taken as they are: one that was withdrawn is believed for no longer.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// How long keys are believed while the issuer cannot be reached: an outage of it, and no night.
const STALE: SignedDuration = SignedDuration::from_mins(60);
/// The shortest time between two tries: a made-up `kid` costs the issuer two requests a minute, whoever sends them.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Where an issuer's metadata is (RFC 8414, OpenID Connect Discovery), tried in this order.
const METADATA: [&str; 2] = ["oauth-authorization-server", "openid-configuration"];

/// The issuer cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No address, or one that anybody could answer from.
    #[error("`{key}` must be an https address (or http on this machine): keys decide who may read")]
    Address {
        /// The key of the configuration.
        key: &'static str,
    },
    /// No client could be made.
    #[error("an HTTP client for the keys of `mcp.oauth.issuer` could not be made")]
    Client(#[source] reqwest::Error),
}

/// The keys of an issuer.
pub(super) struct Jwks {
    http: Client,
    issuer: Url,
    /// As it is written: tokens are held against the text.
    name: String,
    url: Option<Url>,
    clock: SharedClock,
    kept: Mutex<Kept>,
    /// One fetches; others wait for what comes.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default, Clone)]
struct Kept {
    keys: Arc<[Key]>,
    had: Option<Timestamp>,
    tried: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

fn address(key: &'static str, text: &str) -> Result<Url, SetupError> {
    let url = Url::parse(text).map_err(|_| SetupError::Address { key })?;
    let host = url.host_str().ok_or(SetupError::Address { key })?;
    if is_private(url.scheme(), host) { Ok(url) } else { Err(SetupError::Address { key }) }
}

/// Whether something of this age is younger than `most`; a clock that jumped back makes it old.
fn within(at: Option<Timestamp>, now: Timestamp, most: SignedDuration) -> bool {
    at.is_some_and(|at| {
        let age = now.duration_since(at);
        !age.is_negative() && age < most
    })
}

impl Jwks {
    pub(super) fn new(issuer: &str, jwks: Option<&str>, clock: SharedClock) -> Result<Self, SetupError> {
        let http = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            // a redirect would let another decide who may read
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("belay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(SetupError::Client)?;
        Ok(Self {
            http,
            name: issuer.to_owned(),
            issuer: address("mcp.oauth.issuer", issuer)?,
            url: jwks.map(|url| address("mcp.oauth.jwksUrl", url)).transpose()?,
            clock,
            kept: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    /// Whether the token's signature is by one of the keys.
    pub(super) async fn verify(&self, parts: &Parts<'_>) -> Result<(), TokenError> {
        let keys = self.keys_for(parts).await?;
        let mut fitting = keys.iter().filter(|key| key.fits(parts.kid.as_deref(), parts.algorithm));
        // without a name there must be no choice
        if parts.kid.is_none() && fitting.clone().count() > 1 {
            return Err(invalid("the token does not say by which key it is signed (`kid`)"));
        }
        if fitting.any(|key| key.verifies(parts.algorithm, parts.signed.as_bytes(), &parts.signature)) {
            return Ok(());
        }
        Err(invalid("the token is not signed by a key of its issuer"))
    }

    /// The keys, had anew where they are old or none of them fits.
    async fn keys_for(&self, parts: &Parts<'_>) -> Result<Arc<[Key]>, TokenError> {
        let good = |kept: &Kept| {
            within(kept.had, self.clock.now(), FRESH)
                && kept.keys.iter().any(|key| key.fits(parts.kid.as_deref(), parts.algorithm))
        };
        let kept = self.kept();
        if good(&kept) {
            return Ok(kept.keys);
        }
        let _alone = self.fetching.lock().await;
        let kept = self.kept();
        if good(&kept) {
            return Ok(kept.keys);
        }
        let now = self.clock.now();
        if !within(kept.tried, now, PAUSE) {
            self.keep(|kept| kept.tried = Some(now));
            match self.fetch().await {
                Ok(keys) => self.keep(|kept| (kept.keys, kept.had) = (keys.into(), Some(now))),
                Err(why) => {
                    tracing::warn!(issuer = %self.name, %why, "the keys of an issuer could not be had");
                }
            }
        }
        let kept = self.kept();
        if within(kept.had, now, STALE) {
            return Ok(kept.keys);
        }
        Err(TokenError::Unavailable("the keys of the issuer cannot be had; try again".into()))
    }

    fn kept(&self) -> Kept {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, change: impl FnOnce(&mut Kept)) {
        change(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn fetch(&self) -> Result<Vec<Key>, String> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => self.discovered().await?,
        };
        let keys = keys::read(&self.get(url).await?).map_err(|e| format!("the keys cannot be read: {e}"))?;
        if keys.is_empty() {
            return Err("none of the keys is of a kind that is accepted".into());
        }
        Ok(keys)
    }

    /// Where its metadata says that the keys are.
    async fn discovered(&self) -> Result<Url, String> {
        let mut failed = String::new();
        for (document, url) in METADATA.iter().flat_map(|name| well_known(&self.issuer, name)) {
            let body = match self.get(url).await {
                Ok(body) => body,
                Err(why) => {
                    failed = format!("{document}: {why}");
                    continue;
                }
            };
            let metadata: Metadata =
                serde_json::from_slice(&body).map_err(|e| format!("{document} cannot be read: {e}"))?;
            if metadata.issuer != self.name {
                return Err(format!("{document} is of another issuer"));
            }
            return address("jwks_uri", &metadata.jwks_uri)
                .map_err(|_| format!("{document} has keys at an address that anybody could answer from"));
        }
        Err(failed)
    }

    async fn get(&self, url: Url) -> Result<Vec<u8>, String> {
        // without its URL: it may hold credentials
        let told = |e: reqwest::Error| e.without_url().to_string();
        let mut response = self.http.get(url).send().await.map_err(told)?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answered {}", response.status()));
        }
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("json")) {
            return Err("its answer is not JSON".into());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            if body.len() + chunk.len() > BODY {
                return Err(format!("its answer is larger than {} KiB", BODY >> 10));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Where a document of the issuer is: RFC 8414 puts it before the issuer's path, OpenID Connect after it.
fn well_known<'a>(issuer: &Url, name: &'a str) -> Vec<(&'a str, Url)> {
    let path = issuer.path().trim_end_matches('/');
    let mut paths = vec![format!("/.well-known/{name}{path}")];
    if !path.is_empty() {
        paths.push(format!("{path}/.well-known/{name}"));
    }
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        (name, url)
    };
    paths.into_iter().map(at).collect()
}
