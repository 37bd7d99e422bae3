//! Clicks from Slack, read purely: the signature over the raw body first, then the content. Nothing here
//! decides whether the person may answer, nor whether the question is still open.

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::domain::decision::Person;
use crate::domain::ids::QuestionId;
use crate::domain::message::Button;

/// How far Slack's clock and ours may be apart, in seconds, either way: Slack's own recommendation.
const SKEW: i64 = 300;
/// The largest body that is read. Slack echoes the message: 12,000 characters of text with their JSON,
/// each at most 9 bytes once form-encoded, come to some 300 KiB.
pub const MAX_BODY: usize = 1024 * 1024;
/// The longest id or name of Slack's that is believed; its ids have 9 to 13 characters.
const ID: usize = 64;
/// A question's id is 32 characters; Slack's limit for the block that carries it is 255.
const QUESTION: usize = 255;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not from Slack, or not for this app's secret.
    #[error("the signature is missing or wrong: check `slack.signing_secret`")]
    Signature,
    /// Too old or from the future.
    #[error("the request's time differs by more than {SKEW} s: check this machine's clock")]
    Age,
    /// The same request came before.
    #[error("the request was seen before")]
    Replayed,
    /// Not what Slack sends.
    #[error("the request could not be read: {0}")]
    Unreadable(String),
    /// Slack sends more than clicks; this is no click on a button of ours.
    #[error("it is not a click on one of belay's buttons: {0}")]
    NotAClick(String),
    /// Another app, workspace or channel.
    #[error("it comes from another {0}")]
    Foreign(&'static str),
    /// A bot, a guest, or somebody of another workspace.
    #[error("`{0}` is not a full member of this workspace")]
    NotAPerson(String),
}

impl Refused {
    /// The HTTP status to answer with. What is Slack's and merely not for us is acknowledged, since Slack
    /// would only show its user an error.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Signature | Self::Age | Self::Replayed => 401,
            Self::Unreadable(_) => 400,
            Self::NotAClick(_) | Self::Foreign(_) | Self::NotAPerson(_) => 200,
        }
    }
}

/// A signature that was verified; only such a one is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature([u8; 32]);

/// Verifies Slack's v0 signature over the body as it came, and the request's age.
pub fn verify(
    secret: &SecretString,
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Signature, Refused> {
    let sent = signature.strip_prefix("v0=").and_then(hex).ok_or(Refused::Signature)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let signed = [b"v0:", timestamp.as_bytes(), b":", body].concat();
    // before the age, so that only holders of the secret learn anything about our clock
    hmac::verify(&key, &signed, &sent).map_err(|_| Refused::Signature)?;
    let at = seconds(timestamp).ok_or(Refused::Signature)?;
    if now.as_second().abs_diff(at) > SKEW.unsigned_abs() { Err(Refused::Age) } else { Ok(Signature(sent)) }
}

/// Plain digits only: no sign, no blanks, at most 12 (the year 33658).
fn seconds(text: &str) -> Option<i64> {
    let plain = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// 64 lower-case hex digits, as Slack writes them: one spelling per signature.
fn hex(text: &str) -> Option<[u8; 32]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? * 16 + digit(*low)?;
    }
    Some(bytes)
}

/// Signatures of the last ten minutes (twice the age that `verify` lets through), so that a request is
/// taken once. A restart forgets them; each question takes one answer anyway.
#[derive(Debug, Default)]
pub struct Seen {
    order: VecDeque<(Timestamp, Signature)>,
    known: BTreeSet<Signature>,
}

impl Seen {
    /// How long a signature is remembered.
    pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);
    /// How many: seven clicks a second for ten minutes. Beyond that the oldest is forgotten, since a lost
    /// click is worse than a replay that the question itself refuses.
    pub const MOST: usize = 4_096;

    /// Takes note of a request; refuses it if it was seen before.
    pub fn first_time(&mut self, signature: Signature, now: Timestamp) -> Result<(), Refused> {
        while let Some((at, old)) = self.order.front() {
            if self.order.len() < Self::MOST && now.duration_since(*at) < Self::WINDOW {
                break;
            }
            self.known.remove(old);
            self.order.pop_front();
        }
        if !self.known.insert(signature) {
            return Err(Refused::Replayed);
        }
        self.order.push_back((now, signature));
        Ok(())
    }
}

/// From where clicks are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The app's id, `A…`.
    pub app: String,
    /// The workspace's id, `T…`.
    pub team: String,
    /// The channel's id, `C…` or `G…`.
    pub channel: String,
}

/// A click on one of belay's buttons by a member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Click {
    /// `U…` or `W…`: the only thing that authority may be looked up by.
    pub user: String,
    /// The workspace.
    pub team: String,
    /// For people to read.
    pub name: String,
    /// The app.
    pub app: String,
    /// The channel.
    pub channel: String,
    /// The message that carries the button.
    pub message: String,
    /// Which button.
    pub action: Button,
    /// Which question it was asked by.
    pub question: QuestionId,
    /// Where Slack takes an answer that only this person sees; only ever Slack's own address.
    pub response_url: Option<String>,
}

impl Click {
    /// Who clicked.
    pub fn person(&self) -> Person {
        Person::Slack { user: self.user.clone(), team: self.team.clone(), name: self.name.clone() }
    }
}

#[derive(Deserialize)]
struct Form {
    payload: String,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// What is read of an interaction; whatever else Slack sends, or will send, is not looked at.
#[derive(Deserialize)]
struct Payload {
    user: User,
    team: Option<Team>,
    api_app_id: String,
    container: Option<Container>,
    channel: Option<Id>,
    message: Option<Stamp>,
    response_url: Option<String>,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    team_id: Option<String>,
    username: Option<String>,
    name: Option<String>,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    is_stranger: bool,
    #[serde(default)]
    is_restricted: bool,
    #[serde(default)]
    is_ultra_restricted: bool,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
struct Team {
    id: String,
}

#[derive(Deserialize)]
struct Container {
    message_ts: Option<String>,
    channel_id: Option<String>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Stamp {
    ts: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "action_id")]
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    value: Option<String>,
}

/// Reads the body of a verified request.
pub fn parse(body: &[u8], expected: &Expected) -> Result<Click, Refused> {
    if body.len() > MAX_BODY {
        return Err(Refused::Unreadable(format!("it is longer than {MAX_BODY} bytes")));
    }
    let form: Form = serde_urlencoded::from_bytes(body)
        .map_err(|_| Refused::Unreadable("it is not a form with one `payload`".to_owned()))?;
    let Kind { kind } = read(&form.payload)?;
    if kind != "block_actions" {
        return Err(Refused::NotAClick(format!("`{}`", kind.escape_debug().take(ID).collect::<String>())));
    }
    let payload: Payload = read(&form.payload)?;
    let team = home(&payload, expected)?;
    person(&payload.user, &team)?;
    let (action, question) = pressed(&payload.actions)?;
    let (channel, message) = place(&payload, expected)?;
    let User { id, username, name, .. } = payload.user;
    Ok(Click {
        name: name.or(username).unwrap_or_else(|| id.clone()).chars().take(ID).collect(),
        user: id,
        team,
        app: payload.api_app_id,
        channel,
        message,
        action,
        question,
        response_url: payload.response_url.filter(|url| slacks_own(url)),
    })
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Refused> {
    // the message alone, without what was found there: it ends up in the log
    serde_json::from_str(json).map_err(|e| {
        Refused::Unreadable(format!(
            "its payload is not as expected at line {}, column {}",
            e.line(),
            e.column()
        ))
    })
}

fn home(payload: &Payload, expected: &Expected) -> Result<String, Refused> {
    if payload.api_app_id != expected.app {
        return Err(Refused::Foreign("app"));
    }
    match &payload.team {
        Some(team) if team.id == expected.team => Ok(team.id.clone()),
        Some(_) | None => Err(Refused::Foreign("workspace")),
    }
}

/// In a shared channel people of other companies can press the button too: the home team must be ours,
/// and said to be.
fn person(user: &User, team: &str) -> Result<(), Refused> {
    let User { id, team_id, is_bot, is_stranger, is_restricted, is_ultra_restricted, deleted, .. } = user;
    let well_formed =
        id.starts_with(['U', 'W']) && id.len() <= ID && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let barred = *is_bot || *is_stranger || *is_restricted || *is_ultra_restricted || *deleted;
    if well_formed && !barred && id != "USLACKBOT" && team_id.as_deref() == Some(team) {
        Ok(())
    } else {
        Err(Refused::NotAPerson(id.escape_debug().take(ID).collect()))
    }
}

/// The one button of ours among the actions.
fn pressed(actions: &[Action]) -> Result<(Button, QuestionId), Refused> {
    let ours = actions.iter().filter_map(|action| {
        let button = action.id.as_deref().and_then(Button::from_name)?;
        (action.kind.as_deref() == Some("button")).then_some((button, action.value.as_deref()?))
    });
    let ours: Vec<_> = ours.collect();
    let [(button, value)] = ours.as_slice() else {
        return Err(Refused::NotAClick(format!("{} buttons of belay in it", ours.len())));
    };
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if value.is_empty() || value.len() > QUESTION || !plain {
        return Err(Refused::NotAClick("its value is not the name of a question".to_owned()));
    }
    Ok((*button, QuestionId::new(*value)))
}

/// Channel and message; where the payload says them twice, it must say the same.
fn place(payload: &Payload, expected: &Expected) -> Result<(String, String), Refused> {
    let container = payload.container.as_ref();
    let channels = [payload.channel.as_ref().map(|c| &c.id), container.and_then(|c| c.channel_id.as_ref())];
    let mut channels = channels.into_iter().flatten();
    let channel = channels.next().ok_or(Refused::Foreign("channel"))?;
    if *channel != expected.channel || channels.any(|other| other != channel) {
        return Err(Refused::Foreign("channel"));
    }
    let in_container = container.and_then(|c| c.message_ts.as_ref());
    let message = in_container.or_else(|| payload.message.as_ref().and_then(|m| m.ts.as_ref()));
    let message = message.filter(|ts| ts.len() <= ID && ts.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    match message {
        Some(ts) => Ok((channel.clone(), ts.clone())),
        None => Err(Refused::NotAClick("it names no message".to_owned())),
    }
}

fn slacks_own(url: &str) -> bool {
    url.len() <= 2_048
        && url.starts_with("https://hooks.slack.com/")
        && url.bytes().all(|b| b.is_ascii_graphic())
}
