//! What Slack's errors mean for one message: try later, post a fresh one, or give up and say what to do.

use std::time::Duration;

use slack_morphism::errors::SlackClientError;

use crate::adapters::visible::{clip, one_line};

/// What a failed call means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// The call may be made again after so long. `sent`: Slack may have carried it out all the same.
    Later {
        /// What was seen.
        why: String,
        /// Whole seconds.
        after_seconds: u32,
        /// Whether the request may have taken effect.
        sent: bool,
    },
    /// That message cannot be changed any more: a fresh one is needed.
    Repost,
    /// Somebody has to change something first.
    Never(String),
}

/// Where Slack gives no `Retry-After`: its tiers are counted per minute, so that a few seconds suffice.
const PAUSE: u32 = 5;
/// The longest `Retry-After` that is believed; a minute is Slack's own window, an hour is an outage.
const LONGEST: u64 = 3_600;
/// How much of an unknown error code is repeated.
const CODE: usize = 80;

/// Sorts an error of the client.
pub fn classify(error: &SlackClientError) -> Failed {
    match error {
        SlackClientError::ApiError(e) => by_code(&e.code),
        SlackClientError::RateLimitError(e) => limited(e.retry_after),
        SlackClientError::HttpError(e) => by_status(e.status_code.as_u16()),
        SlackClientError::HttpProtocolError(_)
        | SlackClientError::EndOfStream(_)
        | SlackClientError::SystemError(_) => later("the connection to Slack failed", true),
        SlackClientError::ProtocolError(_) | SlackClientError::SocketModeProtocolError(_) => {
            later("Slack's answer could not be read", true)
        }
    }
}

/// No answer came in time.
pub fn timed_out(after: Duration) -> Failed {
    later(&format!("Slack did not answer within {after:?}"), true)
}

fn limited(retry_after: Option<Duration>) -> Failed {
    let seconds = retry_after.map_or(u64::from(PAUSE), |d| d.as_secs().clamp(1, LONGEST));
    Failed::Later {
        why: "Slack limits the rate".to_owned(),
        after_seconds: u32::try_from(seconds).unwrap_or(PAUSE),
        sent: false,
    }
}

fn later(why: &str, sent: bool) -> Failed {
    Failed::Later { why: why.to_owned(), after_seconds: PAUSE, sent }
}

fn by_status(status: u16) -> Failed {
    match status {
        408 | 500..=599 => later(&format!("Slack answered {status}"), true),
        429 => limited(None),
        _ => never(&format!("Slack answered HTTP {status}"), "check `slack.api_url`"),
    }
}

fn by_code(code: &str) -> Failed {
    match code {
        "ratelimited" | "rate_limited" => limited(None),
        // these may have taken effect before Slack lost its way
        "internal_error"
        | "fatal_error"
        | "request_timeout"
        | "service_unavailable"
        | "team_added_to_org" => later(&format!("Slack answered `{code}`"), true),
        "message_not_found" | "cant_update_message" | "edit_window_closed" | "is_inactive" => Failed::Repost,
        "channel_not_found" => {
            never(code, "check that `slack.channel` is the channel's id and that the app was invited to it")
        }
        "not_in_channel" => never(code, "invite the app to the channel"),
        "is_archived" => never(code, "unarchive the channel or configure another one"),
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
            never(code, "install the app again and configure its new bot token (`xoxb-…`)")
        }
        "missing_scope" | "no_permission" | "not_allowed_token_type" | "restricted_action" => never(
            code,
            "give the app the scopes `chat:write` and `channels:history` (`groups:history` for a private channel) and install it again",
        ),
        "invalid_blocks"
        | "invalid_blocks_format"
        | "msg_too_long"
        | "msg_blocks_too_long"
        | "block_mismatch"
        | "no_text"
        | "invalid_arguments" => {
            never(code, "this is a fault of belay: report it; `belay incidents show` has the message")
        }
        // unknown is strict: whoever waits for this message is told by another way, at once
        other => never(&clip(&one_line(other), CODE), "see Slack's list of errors for this method"),
    }
}

fn never(what: &str, to_do: &str) -> Failed {
    Failed::Never(format!("`{what}`: {to_do}"))
}
