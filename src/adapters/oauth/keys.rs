//! Published keys (RFC 7517), and signatures held against them (RFC 7518, RFC 8037) by `ring`, which is linked for TLS.
//! A key says what kind it is, and only algorithms of that kind are tried with it: a public key is never taken for a
//! shared secret. There are no algorithms with one, and none without a signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

/// The largest number of an RSA key, in bytes: 8192 bits, which is all that `ring` takes.
const RSA: usize = 1024;

/// An algorithm that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// All, with their names.
    const ALL: [(Self, &'static str); 9] = [
        (Self::Rs256, "RS256"),
        (Self::Rs384, "RS384"),
        (Self::Rs512, "RS512"),
        (Self::Ps256, "PS256"),
        (Self::Ps384, "PS384"),
        (Self::Ps512, "PS512"),
        (Self::Es256, "ES256"),
        (Self::Es384, "ES384"),
        (Self::EdDsa, "EdDSA"),
    ];

    /// The algorithm of this name, if it is accepted. Names are compared exactly.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(algorithm, _)| algorithm)
    }
}

/// A key as it is published.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

/// A set of them. Each is read for itself: one that is not understood hides no other.
#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

/// A key that signatures are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    kid: Option<String>,
    /// The one algorithm that it is for, where it says so.
    only: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The keys of a set that signatures can be held against.
pub fn read(set: &[u8]) -> Result<Vec<Key>, serde_json::Error> {
    let set: JwkSet = serde_json::from_slice(set)?;
    let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    Ok(keys.filter_map(|key| Key::of(&key)).collect())
}

fn number(text: Option<&String>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    let from = bytes.iter().position(|byte| *byte != 0)?;
    bytes.get(from..).filter(|bytes| bytes.len() <= RSA).map(<[u8]>::to_vec)
}

/// A coordinate of a curve, which has exactly this length.
fn coordinate(text: Option<&String>, length: usize) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok().filter(|bytes| bytes.len() == length)
}

impl Key {
    fn of(jwk: &Jwk) -> Option<Self> {
        let Jwk { kty, kid, alg, purpose, crv, n, e, x, y } = jwk;
        if purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let point = |length| {
            // uncompressed (SEC 1, 2.3.3)
            let (x, y) = (coordinate(x.as_ref(), length)?, coordinate(y.as_ref(), length)?);
            Some([&[4], x.as_slice(), y.as_slice()].concat())
        };
        let material = match (kty.as_str(), crv.as_deref()) {
            ("RSA", _) => Material::Rsa { n: number(n.as_ref())?, e: number(e.as_ref())? },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(coordinate(x.as_ref(), 32)?),
            _ => return None,
        };
        let only = match alg {
            None => None,
            Some(name) => Some(Algorithm::named(name)?),
        };
        Some(Self { kid: kid.clone(), only, material })
    }

    /// Whether a token of this algorithm that names this key may be held against it.
    pub fn fits(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        let material = &self.material;
        let suits = match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => matches!(material, Material::Rsa { .. }),
            Algorithm::Es256 => matches!(material, Material::P256(_)),
            Algorithm::Es384 => matches!(material, Material::P384(_)),
            Algorithm::EdDsa => matches!(material, Material::Ed25519(_)),
        };
        suits
            && self.only.is_none_or(|only| only == algorithm)
            && kid.is_none_or(|kid| self.kid.as_deref() == Some(kid))
    }

    /// Whether this is its signature.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], given: &[u8]) -> bool {
        let of = |how: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key).verify(message, given).is_ok()
        };
        match &self.material {
            Material::P256(key) => {
                algorithm == Algorithm::Es256 && of(&signature::ECDSA_P256_SHA256_FIXED, key)
            }
            Material::P384(key) => {
                algorithm == Algorithm::Es384 && of(&signature::ECDSA_P384_SHA384_FIXED, key)
            }
            Material::Ed25519(key) => algorithm == Algorithm::EdDsa && of(&signature::ED25519, key),
            Material::Rsa { n, e } => {
                let how = match algorithm {
                    Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
                    Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return false,
                };
                RsaPublicKeyComponents { n, e }.verify(how, message, given).is_ok()
            }
        }
    }
}
