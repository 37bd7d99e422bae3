//! A JSON Web Token (RFC 7519) taken apart, and what it says held against what it has to say.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::domain::authority::{Namespaces, Right};
use crate::domain::canonical::Hash;
use crate::ports::access::TokenError;

use super::keys::Algorithm;

/// The longest token, in bytes. Real ones have 1 to 2 KiB, those with many groups twice that; servers take 8 KiB of
/// headers in all.
pub const LONGEST: usize = 8 << 10;
/// How far two clocks may be apart, in seconds: machines with NTP stay within one, and RFC 7519 allows a few minutes.
const SKEW: i64 = 60;
/// Scopes and namespaces that are looked at, at most: a token of 8 KiB holds no more.
const MOST: usize = 512;
/// The longest name of a caller: that of `sub` in OpenID Connect.
const NAME: usize = 255;

/// Which tokens are access tokens: RFC 9068 has `at+jwt`, most issuers still `JWT` or nothing.
const TYPES: [&str; 4] = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"];

pub(super) fn invalid(why: impl Into<String>) -> TokenError {
    TokenError::Invalid(why.into())
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    /// What must be understood; nothing is.
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// A token, taken apart and not yet believed.
pub(super) struct Parts<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// What was signed.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    payload: Vec<u8>,
}

/// What has to be in it.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) now: Timestamp,
}

/// One text or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Texts {
    fn words(&self) -> Vec<&str> {
        let words: Vec<&str> = match self {
            Self::One(text) => text.split_ascii_whitespace().collect(),
            Self::Several(all) => all.iter().map(String::as_str).collect(),
        };
        words.into_iter().take(MOST).collect()
    }
}

#[derive(Deserialize)]
struct Known {
    iss: String,
    aud: Texts,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    scope: Option<Texts>,
    #[serde(default)]
    scp: Option<Texts>,
    /// A token that only the holder of a key may show.
    #[serde(default)]
    cnf: Option<IgnoredAny>,
}

/// What a token says, believed.
pub(super) struct Claims {
    known: Known,
    all: Map<String, Value>,
}

impl<'a> Parts<'a> {
    /// Takes a token apart; refuses what is none, what is not an access token, and algorithms that are not on the list.
    pub(super) fn read(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > LONGEST {
            return Err(invalid("the token is too long"));
        }
        let no_jwt = || invalid("the token is no JSON Web Token");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(no_jwt)?;
        let (header, payload) = signed.split_once('.').ok_or_else(no_jwt)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| no_jwt());
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_| no_jwt())?;
        let Header { alg, kid, typ, crit } = header;
        if crit.is_some() {
            return Err(invalid("the token asks for extensions (`crit`) that are not understood"));
        }
        if typ.is_some_and(|typ| !TYPES.contains(&typ.to_ascii_lowercase().as_str())) {
            return Err(invalid("the token is no access token (`typ`)"));
        }
        let algorithm = Algorithm::named(&alg)
            .ok_or_else(|| invalid("the token is signed by an algorithm (`alg`) that is not accepted"))?;
        Ok(Self { algorithm, kid, signed, signature, payload })
    }

    /// What it says, once its signature was verified.
    pub(super) fn claims(&self, expected: &Expected<'_>) -> Result<Claims, TokenError> {
        let odd = |_| invalid("a claim of the token is missing or not of its kind (`iss`, `aud`, `exp`, …)");
        let known: Known = serde_json::from_slice(&self.payload).map_err(odd)?;
        let all: Map<String, Value> = serde_json::from_slice(&self.payload).map_err(odd)?;
        if known.cnf.is_some() {
            return Err(invalid("the token is bound to a key (`cnf`): bearer tokens are accepted here"));
        }
        if known.iss != expected.issuer {
            return Err(invalid("the token is of another issuer (`iss`)"));
        }
        let is_for_us = match &known.aud {
            Texts::One(aud) => aud == expected.audience,
            Texts::Several(all) => all.iter().any(|aud| aud == expected.audience),
        };
        if !is_for_us {
            return Err(invalid(format!(
                "the token is not for this server (`aud` must have `{}`)",
                expected.audience
            )));
        }
        timely(&known, expected.now)?;
        Ok(Claims { known, all })
    }
}

/// The moments of a token are seconds since 1970, and may have fractions.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
fn timely(claims: &Known, now: Timestamp) -> Result<(), TokenError> {
    let (now, skew) = (now.as_second() as f64, SKEW as f64);
    let Known { exp, nbf, iat, .. } = claims;
    let lives = now < exp + skew;
    if !lives {
        return Err(invalid("the token has expired"));
    }
    let begun = |at: &Option<f64>| at.is_none_or(|at| at <= now + skew);
    if begun(nbf) && begun(iat) {
        return Ok(());
    }
    Err(invalid("the token is not valid yet"))
}

impl Claims {
    /// Whose it is. Names that are no plain word are told by their hash, so that no two become the same.
    pub(super) fn caller(&self) -> Result<String, TokenError> {
        let name = self.known.sub.as_deref().or(self.known.client_id.as_deref());
        let name = name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| invalid("the token says of nobody that it is theirs (`sub`)"))?;
        let plain = name.len() <= NAME && name.bytes().all(|b| b.is_ascii_graphic());
        let hashed = || format!("oauth:sha256:{}", Hash::of(name.as_bytes()));
        Ok(if plain { format!("oauth:{name}") } else { hashed() })
    }

    /// The rights among its scopes; other scopes are for others.
    pub(super) fn rights(&self) -> Vec<Right> {
        let Known { scope, scp, .. } = &self.known;
        let words = scope.iter().chain(scp).flat_map(Texts::words);
        words.filter_map(|word| word.parse().ok()).collect()
    }

    /// The namespaces that this claim lists, as a list or as words; none where it is missing or of another kind.
    pub(super) fn namespaces(&self, claim: &str) -> Namespaces {
        match self.all.get(claim) {
            Some(Value::String(text)) => Namespaces::of(text.split_ascii_whitespace().take(MOST)),
            Some(Value::Array(all)) => Namespaces::of(all.iter().filter_map(Value::as_str).take(MOST)),
            _ => Namespaces::of([]),
        }
    }
}
