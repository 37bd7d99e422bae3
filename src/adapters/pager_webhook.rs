//! A pager behind any webhook: one POST of JSON per call, with a key by which the receiver knows a repeat.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::address::is_private;
use super::visible::{clip, one_line, visible};
use crate::domain::canonical::Hash;
use crate::domain::ids::IncidentId;
use crate::ports::messenger::{Pager, Undelivered};

/// The name in records.
pub const NAME: &str = "webhook";

/// Longest headline and reason that are sent: what pagers show is far less (PagerDuty cuts at 1,024).
const HEADLINE: usize = 1_024;
/// See `HEADLINE`.
const WHY: usize = 4_096;
/// Where the receiver names no `Retry-After`: a page waits as short as is polite.
const PAUSE: u32 = 5;
/// The longest `Retry-After` that is believed: a page must be tried again within five minutes.
const LONGEST: u32 = 300;

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Misconfigured {
    /// No address.
    #[error("`pager.url` is not an address: give it as `https://host/path`")]
    Address,
    /// The message would travel unprotected.
    #[error("`pager.url` must be https, or an address of this machine itself")]
    Unprotected,
    /// No client could be made.
    #[error("an HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

/// Calls a person by a webhook.
#[derive(Debug)]
pub struct WebhookPager {
    client: Client,
    url: Url,
    bearer: Option<SecretString>,
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    incident: &'a str,
    headline: String,
    why: String,
}

impl WebhookPager {
    /// A pager at `url`, which is itself a secret with many vendors and is never shown.
    pub fn new(url: &str, bearer: Option<SecretString>, timeout: Duration) -> Result<Self, Misconfigured> {
        let url = Url::parse(url).map_err(|_| Misconfigured::Address)?;
        let host = url.host_str().ok_or(Misconfigured::Address)?;
        if !is_private(url.scheme(), host) {
            return Err(Misconfigured::Unprotected);
        }
        let client = Client::builder()
            .timeout(timeout)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(Misconfigured::Client)?;
        Ok(Self { client, url, bearer })
    }

    fn request(&self, incident: &IncidentId, headline: &str, why: &str) -> RequestBuilder {
        let body = Page {
            incident: incident.as_str(),
            headline: clip(&one_line(headline), HEADLINE),
            why: clip(&visible(why), WHY),
        };
        let request =
            self.client.post(self.url.clone()).header("Idempotency-Key", key(incident, why)).json(&body);
        match &self.bearer {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }
}

#[async_trait]
impl Pager for WebhookPager {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn page(&self, incident: &IncidentId, headline: &str, why: &str) -> Result<(), Undelivered> {
        // reqwest's errors name the address, which may hold a key: only their kind is repeated
        let sent = self.request(incident, headline, why).send().await.map_err(|error| {
            let why = if error.is_timeout() { "did not answer in time" } else { "could not be reached" };
            later(why, PAUSE)
        })?;
        judge(&sent)
    }
}

/// Incident and reason: calling again for the same reason is the same page, another reason is another.
pub fn key(incident: &IncidentId, why: &str) -> String {
    let name: String = incident.as_str().chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    format!("{name}-{}", Hash::of_parts(&[incident.as_str().as_bytes(), why.as_bytes()]))
}

fn judge(answer: &Response) -> Result<(), Undelivered> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
    {
        let asked = answer.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
        return Err(later(
            &format!("answered {}", status.as_u16()),
            asked.unwrap_or(PAUSE).clamp(1, LONGEST),
        ));
    }
    let what = format!("the pager's webhook answered {}: check `pager.url` and its token", status.as_u16());
    Err(Undelivered::Never(what))
}

fn later(why: &str, after_seconds: u32) -> Undelivered {
    Undelivered::Later { why: format!("the pager's webhook {why}"), after_seconds }
}
