//! What is sent to Slack and what of its answers is read. Own types, since the client's model of a message
//! refuses answers that hold something new, and a message that is not recognised is posted twice.

use serde::{Deserialize, Serialize};

use super::blocks::Block;

/// `metadata.event_type` of belay's messages.
pub const EVENT: &str = "belay_incident";

/// A call without arguments: `{}`.
#[derive(Debug, Serialize)]
pub struct Nothing {}

/// `chat.postMessage`.
#[derive(Debug, Serialize)]
pub struct Post<'a> {
    /// The channel's id.
    pub channel: &'a str,
    /// The fallback.
    pub text: &'a str,
    /// The message.
    pub blocks: &'a [Block],
    /// By which it is found again.
    pub metadata: Metadata,
    /// Slack looks for markup in `text`: no.
    pub mrkdwn: bool,
    /// Names and addresses in `text` become links: none.
    pub parse: &'static str,
    /// See `parse`.
    pub link_names: bool,
    /// Addresses get a preview: no.
    pub unfurl_links: bool,
    /// See `unfurl_links`.
    pub unfurl_media: bool,
}

/// `chat.postMessage` for what belongs to no incident: text alone.
#[derive(Debug, Serialize)]
pub struct Say<'a> {
    /// The channel's id.
    pub channel: &'a str,
    /// What is said, escaped.
    pub text: &'a str,
    /// As in `Post`.
    pub mrkdwn: bool,
    /// As in `Post`.
    pub parse: &'static str,
    /// As in `Post`.
    pub link_names: bool,
    /// As in `Post`.
    pub unfurl_links: bool,
    /// As in `Post`.
    pub unfurl_media: bool,
}

/// `chat.update`; metadata stays as it was posted.
#[derive(Debug, Serialize)]
pub struct Update<'a> {
    /// The channel's id.
    pub channel: &'a str,
    /// Which message.
    pub ts: &'a str,
    /// The fallback.
    pub text: &'a str,
    /// The message, whole: left out, the old buttons would stay.
    pub blocks: &'a [Block],
    /// As in `Post`; reset by Slack where left out.
    pub parse: &'static str,
    /// As in `Post`.
    pub link_names: bool,
}

/// By what a message is known to be ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// `EVENT`.
    pub event_type: String,
    /// Ours.
    pub event_payload: Payload,
}

/// The own id: incident and channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The incident.
    pub incident: String,
    /// The channel it was meant for: a forwarded copy is not it.
    pub channel: String,
}

/// A message that Slack accepted.
#[derive(Debug, Deserialize)]
pub struct Sent {
    /// The channel's id.
    pub channel: String,
    /// The message's id within it.
    pub ts: String,
}

/// `conversations.history`, newest first.
#[derive(Debug, Deserialize)]
pub struct History {
    /// The messages.
    #[serde(default)]
    pub messages: Vec<Past>,
    /// Where the next page begins.
    pub response_metadata: Option<Next>,
}

/// A message that is already there.
#[derive(Debug, Deserialize)]
pub struct Past {
    /// Its id.
    pub ts: String,
    /// Whatever its author put there: read as ours only if it has our shape.
    pub metadata: Option<Tagged>,
}

/// Metadata of anybody's making.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Tagged {
    /// Of our shape.
    Ours(Metadata),
    /// Of another.
    Other(serde::de::IgnoredAny),
}

/// The cursor of a list.
#[derive(Debug, Deserialize)]
pub struct Next {
    /// Empty at the end.
    #[serde(default)]
    pub next_cursor: String,
}

/// Who the token belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// `T…`.
    pub team_id: String,
    /// The workspace's name.
    #[serde(default)]
    pub team: String,
    /// The app's own user, `U…`.
    pub user_id: String,
}
