//! Whose a session is. A session's name is sealed with the name of its caller when it is handed out, so that nobody goes
//! on with, reads or ends the session of another, even if its name became known. Nothing is kept for it.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;

/// The header with a session's name.
const SESSION: &str = "mcp-session-id";

/// What names are sealed with; another at each start, when there are no sessions yet.
pub(super) struct Seal(hmac::Key);

impl Seal {
    pub(super) fn new() -> Option<Self> {
        hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok().map(Self)
    }

    /// A session has no line feed in its name, so that no two pairs are the same text.
    fn text(session: &str, caller: &str) -> String {
        format!("{session}\n{caller}")
    }

    /// Takes the seal off; false where it is missing or another's.
    pub(super) fn open(&self, headers: &mut HeaderMap, caller: &str) -> bool {
        let mut all = headers.get_all(SESSION).iter();
        let (first, second) = (all.next().cloned(), all.next());
        let Some(first) = first else { return true };
        if second.is_some() {
            return false;
        }
        let opened = || {
            let (session, seal) = first.to_str().ok()?.rsplit_once('.')?;
            let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
            hmac::verify(&self.0, Self::text(session, caller).as_bytes(), &seal).ok()?;
            HeaderValue::from_str(session).ok()
        };
        let Some(session) = opened() else { return false };
        headers.insert(SESSION, session);
        true
    }

    /// Puts the seal on the name of a session that is handed out.
    pub(super) fn close(&self, headers: &mut HeaderMap, caller: &str) {
        let Some(session) = headers.get(SESSION).and_then(|name| name.to_str().ok()) else { return };
        let seal = hmac::sign(&self.0, Self::text(session, caller).as_bytes());
        let sealed = format!("{session}.{}", URL_SAFE_NO_PAD.encode(seal));
        match HeaderValue::from_str(&sealed) {
            Ok(sealed) => headers.insert(SESSION, sealed),
            Err(_) => headers.remove(SESSION),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(session: &str) -> HeaderMap {
        HeaderMap::from_iter([(SESSION.parse().unwrap(), session.parse().unwrap())])
    }

    #[test]
    fn a_session_is_its_callers() {
        let seal = Seal::new().unwrap();
        let mut headers = with("abc");
        seal.close(&mut headers, "alice");
        let sealed = headers[SESSION].to_str().unwrap().to_owned();
        let mut hers = with(&sealed);
        assert!(seal.open(&mut hers, "alice"));
        assert_eq!(hers[SESSION], "abc");
        assert!(!seal.open(&mut with(&sealed), "mallory"));
        assert!(!seal.open(&mut with("abc"), "alice"));
        assert!(!seal.open(&mut with(&format!("{sealed}A")), "alice"));
        assert!(!Seal::new().unwrap().open(&mut with(&sealed), "alice"), "another process");
        assert!(seal.open(&mut HeaderMap::new(), "anybody"), "no session yet");
        let mut two = with(&sealed);
        two.append(SESSION, sealed.parse().unwrap());
        assert!(!seal.open(&mut two, "alice"));
    }
}
