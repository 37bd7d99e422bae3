//! `POST /slack/interactions`: verified on the raw bytes, journalled, and only then acknowledged, all
//! within Slack's three seconds. The message itself is brought up to date afterwards.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;

use crate::app::admin::answer_of;
use crate::app::{Daemon, Fed};

use super::Gate;
use super::slack::{Click, Expected, MAX_BODY, Refused, Seen, parse, verify};

/// Slack shows its user an error after three seconds; this leaves some of them to the network.
const WITHIN: Duration = Duration::from_millis(2500);

/// How clicks are verified.
#[derive(Debug)]
pub struct Clicks {
    secret: SecretString,
    expected: Expected,
    seen: Mutex<Seen>,
}

impl Clicks {
    /// Clicks that are signed with `secret` and come from where they are expected.
    pub fn new(secret: SecretString, expected: Expected) -> Self {
        Self { secret, expected, seen: Mutex::new(Seen::default()) }
    }

    fn check(&self, headers: &HeaderMap, body: &[u8], now: jiff::Timestamp) -> Result<Click, Refused> {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let (stamp, signature) = (header("x-slack-request-timestamp"), header("x-slack-signature"));
        let signature = verify(&self.secret, stamp, signature, body, now)?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).first_time(signature, now)?;
        parse(body, &self.expected)
    }
}

pub(super) async fn interact(State(gate): State<Gate>, headers: HeaderMap, body: Body) -> Response {
    let Some(clicks) = &gate.slack else { return StatusCode::NOT_FOUND.into_response() };
    let Ok(Ok(body)) = tokio::time::timeout(WITHIN, to_bytes(body, MAX_BODY)).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let now = gate.daemon.ports().clock.now();
    match clicks.check(&headers, &body, now) {
        Ok(click) => take(&gate.daemon, click).await,
        Err(refused) => {
            gate.daemon.metrics().refused.inc();
            tracing::warn!(error = %refused, "a request to the Slack endpoint was refused");
            StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::BAD_REQUEST).into_response()
        }
    }
}

async fn take(daemon: &Daemon, click: Click) -> Response {
    let person = click.person();
    let answer = answer_of(click.action, "rejected by button");
    let taken = daemon.answer_question(click.question, answer, person);
    match tokio::time::timeout(WITHIN, taken).await {
        Ok(Ok(Fed::Taken(_))) => StatusCode::OK.into_response(),
        Ok(Ok(Fed::Ignored(why))) => {
            tracing::info!(user = %click.user, %why, "a click changed nothing");
            StatusCode::OK.into_response()
        }
        // not kept: Slack tells its user that it did not work, and the button is still there
        Ok(Err(e)) => {
            tracing::error!(error = %e, "a click could not be kept");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
