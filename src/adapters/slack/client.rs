//! The calls: each under a timeout, none repeated here. Retrying belongs to the outbox, which survives a
//! restart.

use std::future::Future;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use slack_morphism::prelude::{
    ClientResult, SlackApiToken, SlackClient, SlackClientHyperConnector, SlackClientHyperHttpsConnector,
    SlackClientSession,
};

use super::super::address::is_private;
use super::blocks::Rendered;
use super::errors::{Failed, classify, timed_out};
use super::wire::{
    EVENT, History, Identity, Metadata, Nothing, Past, Payload, Post, Say, Sent, Tagged, Update,
};
use crate::domain::ids::IncidentId;

/// What the messenger needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// `https://slack.com/api`, or another base without a trailing slash.
    pub api_url: String,
    /// The bot token, `xoxb-…`.
    pub token: SecretString,
    /// The channel's id, `C…` or `G…`: `chat.update` takes no name.
    pub channel: String,
    /// The channel for what belongs to no incident, where it is another one.
    pub policy_channel: Option<String>,
    /// How long one call may take. Slack itself asks apps to be done in 3 s; 10 s is thrice that.
    pub timeout: Duration,
}

impl Config {
    /// Slack's own address, with a timeout of 10 s.
    pub fn new(token: SecretString, channel: impl Into<String>) -> Self {
        Self {
            api_url: "https://slack.com/api".to_owned(),
            token,
            channel: channel.into(),
            policy_channel: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// The configuration cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Misconfigured {
    /// The base is no address.
    #[error("`slack.api_url` is `{0}`, which is not an address: give it as `https://host/path`")]
    Address(String),
    /// The token would travel unprotected.
    #[error("`slack.api_url` is `{0}`: the token may only travel over https, or to this machine itself")]
    Unprotected(String),
    /// A name instead of an id.
    #[error(
        "`slack.channel` is `{0}`: give the channel's id (`C…`), found at the end of its details in Slack"
    )]
    Channel(String),
    /// The machine's certificates could not be read.
    #[error("the machine's trusted certificates could not be read: install `ca-certificates`")]
    Certificates(#[source] std::io::Error),
}

/// Messages on one page of history: Slack's recommended most.
const PAGE: &str = "200";
/// Pages looked through for a lost message. It is looked for within minutes: 600 messages are hours.
const PAGES: usize = 3;

/// The connection to one channel.
pub struct Api {
    client: SlackClient<SlackClientHyperHttpsConnector>,
    token: SecretString,
    channel: String,
    policy_channel: String,
    timeout: Duration,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("channel", &self.channel).finish_non_exhaustive()
    }
}

type Session<'a> = SlackClientSession<'a, SlackClientHyperHttpsConnector>;

impl Api {
    pub fn new(config: Config) -> Result<Self, Misconfigured> {
        let Config { api_url, token, channel, policy_channel, timeout } = config;
        let policy_channel = policy_channel.unwrap_or_else(|| channel.clone());
        for channel in [&channel, &policy_channel] {
            if !channel.starts_with(['C', 'G', 'D']) || !channel.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(Misconfigured::Channel(channel.clone()));
            }
        }
        let connector = connector(&api_url)?.with_slack_api_url(api_url.trim_end_matches('/'));
        Ok(Self { client: SlackClient::new(connector), token, channel, policy_channel, timeout })
    }

    pub fn channel(&self) -> &str {
        &self.channel
    }

    pub async fn auth_test(&self) -> Result<Identity, Failed> {
        let token = self.token();
        let session = self.client.open_session(&token);
        self.timed(session.http_session_api.http_post("auth.test", &Nothing {}, None)).await
    }

    pub async fn post(&self, message: &Rendered, incident: &IncidentId) -> Result<Sent, Failed> {
        let request = Post {
            channel: &self.channel,
            text: &message.text,
            blocks: &message.blocks,
            metadata: self.tag(incident),
            mrkdwn: false,
            parse: "none",
            link_names: false,
            unfurl_links: false,
            unfurl_media: false,
        };
        let token = self.token();
        let session = self.client.open_session(&token);
        self.timed(session.http_session_api.http_post("chat.postMessage", &request, None)).await
    }

    /// Says something in the policy's channel.
    pub async fn say(&self, text: &str) -> Result<Sent, Failed> {
        let request = Say {
            channel: &self.policy_channel,
            text,
            mrkdwn: false,
            parse: "none",
            link_names: false,
            unfurl_links: false,
            unfurl_media: false,
        };
        let token = self.token();
        let session = self.client.open_session(&token);
        self.timed(session.http_session_api.http_post("chat.postMessage", &request, None)).await
    }

    pub async fn update(&self, message: &Rendered, channel: &str, ts: &str) -> Result<Sent, Failed> {
        let request = Update {
            channel,
            ts,
            text: &message.text,
            blocks: &message.blocks,
            parse: "none",
            link_names: false,
        };
        let token = self.token();
        let session = self.client.open_session(&token);
        self.timed(session.http_session_api.http_post("chat.update", &request, None)).await
    }

    /// The newest message in the channel that carries this incident's own id, other than `not`.
    pub async fn find(&self, incident: &IncidentId, not: Option<&str>) -> Result<Option<String>, Failed> {
        let (ours, token) = (self.tag(incident), self.token());
        let session = self.client.open_session(&token);
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let page = self.timed(self.history(&session, &cursor)).await?;
            if let Some(found) = page.messages.into_iter().find(|m| is(m, &ours, not)) {
                return Ok(Some(found.ts));
            }
            match page.response_metadata.map(|next| next.next_cursor) {
                Some(next) if !next.is_empty() => cursor = next,
                _ => break,
            }
        }
        Ok(None)
    }

    async fn history(&self, session: &Session<'_>, cursor: &str) -> ClientResult<History> {
        let params = vec![
            ("channel", Some(self.channel.as_str())),
            ("limit", Some(PAGE)),
            ("include_all_metadata", Some("true")),
            ("cursor", (!cursor.is_empty()).then_some(cursor)),
        ];
        session.http_session_api.http_get("conversations.history", &params, None).await
    }

    async fn timed<T>(&self, call: impl Future<Output = ClientResult<T>>) -> Result<T, Failed> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(answer) => answer.map_err(|error| classify(&error)),
            Err(_) => Err(timed_out(self.timeout)),
        }
    }

    fn tag(&self, incident: &IncidentId) -> Metadata {
        Metadata {
            event_type: EVENT.to_owned(),
            event_payload: Payload { incident: incident.to_string(), channel: self.channel.clone() },
        }
    }

    /// Made for one call, so that the secret stands in no long-lived structure that does not hide it.
    fn token(&self) -> SlackApiToken {
        SlackApiToken::new(self.token.expose_secret().into())
    }
}

fn is(message: &Past, ours: &Metadata, not: Option<&str>) -> bool {
    matches!(&message.metadata, Some(Tagged::Ours(tag)) if tag == ours) && Some(message.ts.as_str()) != not
}

/// One connector for Slack and for a peer on this machine. The latter needs no certificates, and a
/// machine without any can still run it.
fn connector(base: &str) -> Result<SlackClientHyperHttpsConnector, Misconfigured> {
    let address: http::Uri = base.parse().map_err(|_| Misconfigured::Address(base.to_owned()))?;
    let host = address.host().ok_or_else(|| Misconfigured::Address(base.to_owned()))?;
    let builder = hyper_rustls::HttpsConnectorBuilder::new();
    let https = match address.scheme_str() {
        Some("https") => builder
            .with_native_roots()
            .map_err(Misconfigured::Certificates)?
            .https_only()
            .enable_all_versions()
            .build(),
        Some(scheme) if is_private(scheme, host) => {
            let nobody = rustls::ClientConfig::builder()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            builder.with_tls_config(nobody).https_or_http().enable_all_versions().build()
        }
        _ => return Err(Misconfigured::Unprotected(base.to_owned())),
    };
    Ok(SlackClientHyperConnector::with_connector(https))
}
