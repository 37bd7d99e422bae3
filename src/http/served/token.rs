//! The bearer token of a request, and what is said to those who are not let in (RFC 6750).

use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::app::door::{Door, TurnedAway};

/// The token in `Authorization`: there, and nowhere else (RFC 6750, 2.1). Two are refused: which one counts would be
/// anybody's guess.
pub(super) fn shown(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    if second.is_some() {
        return Err("there are several `Authorization` headers; send one\n");
    }
    let Some(first) = first.and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let Some((scheme, token)) = first.split_once(' ') else { return Ok(None) };
    let token = token.trim();
    // RFC 9110: schemes are compared without regard to case
    Ok((scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token))
}

/// What somebody is told who is not let in.
pub(super) fn turned_away(door: &Door, server: &'static str, why: &TurnedAway) -> Response {
    let status = match why {
        TurnedAway::NoToken | TurnedAway::Invalid(_) => StatusCode::UNAUTHORIZED,
        TurnedAway::Scope(_) => StatusCode::FORBIDDEN,
        TurnedAway::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    match why {
        TurnedAway::Scope(_) => {
            tracing::info!(target: "belay::audit", server, %why, "a request was turned away");
        }
        // anybody can send these, at any pace: they must not fill the log
        TurnedAway::NoToken | TurnedAway::Invalid(_) | TurnedAway::Unavailable(_) => {
            tracing::debug!(target: "belay::audit", server, %why, "a request was turned away");
        }
    }
    let mut response = (status, format!("{why}\n")).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // as long as belay itself waits between two tries
        headers.insert(RETRY_AFTER, HeaderValue::from_static("30"));
    } else if let Ok(challenge) = HeaderValue::from_str(&door.challenge(server, why)) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
