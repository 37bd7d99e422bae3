//! Who may deliver alerts. Alertmanager can send a bearer token or basic credentials; it signs nothing.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// What a delivery must show.
#[derive(Debug)]
pub enum WebhookAuth {
    /// `Authorization: Bearer …`.
    Bearer(SecretString),
    /// `Authorization: Basic …`.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// Nothing, and then only from this machine.
    LoopbackOnly,
}

impl WebhookAuth {
    /// Whether a request with these headers from this peer may deliver.
    pub fn admits(&self, headers: &HeaderMap, peer: IpAddr) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
        match self {
            Self::LoopbackOnly => peer.is_loopback(),
            Self::Bearer(token) => {
                given.and_then(|g| scheme(g, "bearer")).is_some_and(|g| same(g.as_bytes(), token))
            }
            Self::Basic { user, password } => given
                .and_then(|g| scheme(g, "basic"))
                .and_then(|g| STANDARD.decode(g).ok())
                .is_some_and(|g| same_pair(&g, user, password)),
        }
    }
}

/// The credentials of this scheme (RFC 9110: schemes are compared without regard to case).
fn scheme<'a>(given: &'a str, scheme: &str) -> Option<&'a str> {
    let (name, rest) = given.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn same(given: &[u8], secret: &SecretString) -> bool {
    given.ct_eq(secret.expose_secret().as_bytes()).into()
}

fn same_pair(given: &[u8], user: &str, password: &SecretString) -> bool {
    let expected = format!("{user}:{}", password.expose_secret());
    given.ct_eq(expected.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn only_the_right_credentials_are_admitted() {
        let bearer = WebhookAuth::Bearer("s3cret".into());
        let basic = WebhookAuth::Basic { user: "am".into(), password: "pw".into() };
        // `Basic YW06cHc=` is what a real Alertmanager 0.33.1 sent for am:pw
        let cases = [
            (&bearer, "Bearer s3cret", true),
            (&bearer, "bearer s3cret", true),
            (&bearer, "Bearer s3cret2", false),
            (&bearer, "Bearer ", false),
            (&bearer, "s3cret", false),
            (&bearer, "Basic YW06cHc=", false),
            (&basic, "Basic YW06cHc=", true),
            (&basic, "Basic YW06cHg=", false),
            (&basic, "Basic !!", false),
            (&basic, "Bearer pw", false),
        ];
        for (auth, given, admitted) in cases {
            assert_eq!(auth.admits(&headers(given), AWAY), admitted, "{given}");
            assert!(!auth.admits(&HeaderMap::new(), HOME));
        }
    }

    #[test]
    fn without_credentials_only_this_machine_may_deliver() {
        assert!(WebhookAuth::LoopbackOnly.admits(&HeaderMap::new(), HOME));
        assert!(!WebhookAuth::LoopbackOnly.admits(&HeaderMap::new(), AWAY));
    }
}
