//! Somebody presses a button: the interaction request as Slack sends it, or as a forger would.

use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use serde_json::{Value, json};

use super::{FakeSlack, Message, Workspace, lock};
use crate::domain::message::Button;

/// A press of a button.
#[derive(Debug, Clone)]
pub struct Press {
    /// Which.
    pub button: Button,
    /// By whom: the user's id.
    pub user: String,
    /// When.
    pub at: Timestamp,
    /// What is wrong with the request.
    pub forged: Vec<Forge>,
}

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forge {
    /// Signed by another secret.
    Secret,
    /// Not signed at all.
    Unsigned,
    /// The signature of another body.
    Body,
    /// Stamped this much later (or earlier, if negative) than it is sent.
    Skew(SignedDuration),
    /// From another workspace.
    Team(String),
    /// By somebody whose home is another workspace (a shared channel).
    Home(String),
    /// From another app.
    App(String),
    /// From another channel.
    Channel(String),
    /// By a bot.
    Bot,
    /// For another question.
    Question(String),
    /// On a button that the message no longer shows.
    Stale,
    /// Sent twice.
    Twice,
}

/// A signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `X-Slack-Request-Timestamp`.
    pub timestamp: String,
    /// `X-Slack-Signature`; none where it is unsigned.
    pub signature: Option<String>,
    /// The form.
    pub body: String,
}

/// The press could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NotPressed {
    /// There is no such button.
    #[error("no message shows the button `{}`", .0.name())]
    NoSuchButton(Button),
    /// The request could not be sent.
    #[error("the click could not be sent")]
    Send(#[source] reqwest::Error),
}

impl Press {
    /// An honest press.
    pub fn new(button: Button, user: &str, at: Timestamp) -> Self {
        Self { button, user: user.to_owned(), at, forged: Vec::new() }
    }

    /// The same with this wrong.
    #[must_use]
    pub fn forged(mut self, forge: Forge) -> Self {
        self.forged.push(forge);
        self
    }

    fn is(&self, forge: &Forge) -> bool {
        self.forged.contains(forge)
    }

    fn pick<'a>(&'a self, of: impl Fn(&'a Forge) -> Option<&'a String>, honest: &'a str) -> &'a str {
        self.forged.iter().find_map(of).map_or(honest, String::as_str)
    }
}

impl FakeSlack {
    /// Presses the newest message's button by a request to `url`; the statuses that came back.
    pub async fn press(&self, url: &str, press: &Press) -> Result<Vec<u16>, NotPressed> {
        let request = self.request(press)?;
        let client = reqwest::Client::new();
        let mut statuses = Vec::new();
        for _ in 0..if press.is(&Forge::Twice) { 2 } else { 1 } {
            let mut sending = client
                .post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .header("x-slack-request-timestamp", &request.timestamp)
                .body(request.body.clone());
            if let Some(signature) = &request.signature {
                sending = sending.header("x-slack-signature", signature);
            }
            statuses.push(sending.send().await.map_err(NotPressed::Send)?.status().as_u16());
        }
        Ok(statuses)
    }

    /// The request that a press makes.
    pub fn request(&self, press: &Press) -> Result<Request, NotPressed> {
        let state = lock(&self.state);
        let past_too = press.is(&Forge::Stale);
        let visible = state.messages.iter().rev().filter(|m| !m.deleted || past_too);
        let found = visible.into_iter().find_map(|m| button_of(m, press.button, past_too).map(|b| (m, b)));
        let (message, action) = found.ok_or(NotPressed::NoSuchButton(press.button))?;
        let payload = payload(&state.workspace, press, message, &action);
        Ok(sign(&state.workspace, press, &payload))
    }
}

/// The button's element with its block's id, as `actions` holds it.
fn button_of(message: &Message, button: Button, past_too: bool) -> Option<Value> {
    let past = message.before.iter().rev().filter(|_| past_too);
    std::iter::once(&message.now).chain(past).flat_map(|shown| &shown.blocks).find_map(|block| {
        let element = block["elements"].as_array()?.iter().find(|e| e["action_id"] == button.name())?;
        let mut action = element.clone();
        action.as_object_mut()?.insert("block_id".to_owned(), block["block_id"].clone());
        Some(action)
    })
}

fn payload(workspace: &Workspace, press: &Press, message: &Message, action: &Value) -> Value {
    let seconds = press.at.as_second();
    let pick = |of: fn(&Forge) -> Option<&String>, honest: &str| press.pick(of, honest).to_owned();
    let team = pick(|f| if let Forge::Team(t) = f { Some(t) } else { None }, &workspace.team);
    let home = pick(|f| if let Forge::Home(t) = f { Some(t) } else { None }, &team);
    let app = pick(|f| if let Forge::App(a) = f { Some(a) } else { None }, &workspace.app);
    let channel = pick(|f| if let Forge::Channel(c) = f { Some(c) } else { None }, &workspace.channel);
    let value = action["value"].as_str().unwrap_or_default();
    let value = pick(|f| if let Forge::Question(q) = f { Some(q) } else { None }, value);
    let mut pressed = action.clone();
    let mut user =
        json!({"id": press.user, "username": format!("{}-name", press.user.to_lowercase()), "team_id": home});
    if let (Some(pressed), Some(user)) = (pressed.as_object_mut(), user.as_object_mut()) {
        pressed.insert("value".to_owned(), Value::String(value));
        pressed.insert("action_ts".to_owned(), Value::String(format!("{seconds}.000001")));
        if press.is(&Forge::Bot) {
            user.insert("is_bot".to_owned(), Value::Bool(true));
        }
    }
    json!({
        "type": "block_actions",
        "user": user,
        "api_app_id": app,
        "token": "deprecated",
        "container": {"type": "message", "message_ts": message.ts, "channel_id": channel, "is_ephemeral": false},
        "trigger_id": format!("{seconds}.1.simulated"),
        "team": {"id": team, "domain": "shop"},
        "enterprise": null,
        "is_enterprise_install": false,
        "channel": {"id": channel, "name": "oncall"},
        "message": {"type": "message", "bot_id": "B0BELAY", "ts": message.ts, "text": message.now.text, "blocks": message.now.blocks},
        "state": {"values": {}},
        "response_url": format!("https://hooks.slack.com/actions/{team}/1/simulated"),
        "actions": [pressed],
    })
}

fn sign(workspace: &Workspace, press: &Press, payload: &Value) -> Request {
    let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap_or_default();
    let skew = press.forged.iter().find_map(|f| if let Forge::Skew(by) = f { Some(*by) } else { None });
    let stamped = press.at.saturating_add(skew.unwrap_or_default()).unwrap_or(press.at);
    let timestamp = stamped.as_second().to_string();
    let secret = if press.is(&Forge::Secret) { "another secret" } else { &workspace.signing_secret };
    let signed = if press.is(&Forge::Body) { "payload=%7B%7D" } else { &body };
    let signature = (!press.is(&Forge::Unsigned)).then(|| v0(secret, &timestamp, signed.as_bytes()));
    Request { timestamp, signature, body }
}

/// Slack's signature: version 0, HMAC-SHA256 over version, time and body.
fn v0(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = [b"v0:", timestamp.as_bytes(), b":", body].concat();
    let tag = hmac::sign(&key, &signed);
    tag.as_ref().iter().fold("v0=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
