//! The signature of a request.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;

use super::Account;

/// The version of the API that its JSON protocol names its actions by.
const VERSION: &str = "Logs_20140328";
/// Its JSON.
const JSON: &str = "application/x-amz-json-1.1";
/// Which action.
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// What requests are signed with.
pub(super) struct Keys(Account);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.0.region).finish()
    }
}

impl Keys {
    pub(super) const fn new(account: Account) -> Self {
        Self(account)
    }

    /// All headers of a request for this action, signed at this moment.
    pub(super) fn sign(
        &self,
        url: &Url,
        action: &str,
        body: &[u8],
        at: Timestamp,
    ) -> Result<HeaderMap, String> {
        let Account { region, key, secret, session } = &self.0;
        let session = session.as_ref().map(|token| token.expose_secret().to_owned());
        let identity =
            Credentials::new(key.expose_secret(), secret.expose_secret(), session, None, "belay").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("logs")
            .time(SystemTime::from(at))
            .settings(SigningSettings::default())
            .build()
            .map_err(|e| e.to_string())?
            .into();
        let target = format!("{VERSION}.{action}");
        let named = [("content-type", JSON), ("x-amz-target", target.as_str())];
        let request =
            SignableRequest::new("POST", url.as_str(), named.into_iter(), SignableBody::Bytes(body));
        let signed = sign(request.map_err(|e| e.to_string())?, &params).map_err(|e| e.to_string())?;
        let (instructions, _) = signed.into_parts();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(TARGET, HeaderValue::from_str(&target).map_err(|e| e.to_string())?);
        for (name, value) in instructions.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| e.to_string())?;
            let mut value = HeaderValue::from_str(value).map_err(|e| e.to_string())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_for_this_service_at_this_moment() {
        let keys = Keys::new(Account {
            region: "eu-central-1".into(),
            key: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session: Some("session-token".into()),
        });
        let url = Url::parse("https://logs.eu-central-1.amazonaws.com/").unwrap();
        let at = "2026-11-21T02:00:00Z".parse().unwrap();
        let headers = keys.sign(&url, "StartQuery", b"{}", at).unwrap();
        let header = |name: &str| headers[name].to_str().unwrap();
        assert_eq!(header("x-amz-date"), "20261121T020000Z");
        assert_eq!(header("x-amz-target"), "Logs_20140328.StartQuery");
        assert_eq!(header("x-amz-security-token"), "session-token");
        let authorization = header("authorization");
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-central-1/logs/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=";
        assert!(authorization.starts_with(expected), "{authorization}");
        let again = keys.sign(&url, "StartQuery", b"{}", at).unwrap();
        assert_eq!(again["authorization"], headers["authorization"]);
        let other = keys.sign(&url, "StartQuery", b"{ }", at).unwrap();
        assert_ne!(other["authorization"], headers["authorization"]);
        assert!(!format!("{keys:?} {headers:?}").contains("EXAMPLE"));
    }
}
