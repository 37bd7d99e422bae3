//! Signing warrants: policy's permit and the journal's intent, put into one statement that the action
//! server believes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::domain::canonical::{self, Hash, NotCanonical};
use crate::domain::record::Intent;
use crate::domain::warrant::{SignedWarrant, WarrantBody};
use crate::policy::Permit;
use crate::store::Durable;

/// How long a warrant is good: it is used at once, and a queue of four writes (`maxInFlight`) that each
/// take the API server's patience of 10 s with two reads before fits in twice.
pub const WARRANT_LIFE: SignedDuration = SignedDuration::from_mins(2);

/// The key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system gave no randomness.
    #[error("no warrant key could be made: the system gave no randomness")]
    NoRandomness,
    /// The bytes are no Ed25519 key.
    #[error("the warrant key is no Ed25519 key in PKCS#8: {0}")]
    NotAKey(String),
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The permit and the intent speak of different things.
    #[error("the permit is for {what} `{permitted}`, and the intent for `{intended}`")]
    Differ {
        /// Of which.
        what: &'static str,
        /// What the permit says.
        permitted: String,
        /// What the intent says.
        intended: String,
    },
    /// The permit or the plan is void by now.
    #[error("the permit or its plan expired at {0}")]
    Expired(Timestamp),
    /// The plan cannot be hashed.
    #[error("the intent's plan has no hash")]
    NoHash(#[source] NotCanonical),
}

/// A private key as PKCS#8: for the file it is kept in, and nowhere else.
pub struct SecretKey(Vec<u8>);

impl SecretKey {
    /// The PKCS#8 bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

/// Signs warrants with one key.
pub struct Signer {
    pair: Ed25519KeyPair,
    key: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer with a new key, and the key to be kept.
    pub fn generate() -> Result<(Self, SecretKey), KeyError> {
        let document =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::NoRandomness)?;
        let secret = SecretKey(document.as_ref().to_vec());
        Self::from_pkcs8(secret.expose()).map(|signer| (signer, secret))
    }

    /// The signer with this key.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_pkcs8(bytes).map(Self::of).map_err(|e| KeyError::NotAKey(e.to_string()))
    }

    /// The signer with this key in PEM, with or without the public key beside it (PKCS #8, RFC 8410).
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|e| KeyError::NotAKey(e.to_string()))?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        pair.map(Self::of).map_err(|e| KeyError::NotAKey(e.to_string()))
    }

    fn of(pair: Ed25519KeyPair) -> Self {
        let mut key = Hash::of(pair.public_key().as_ref()).to_string();
        key.truncate(16);
        Self { pair, key }
    }

    /// The raw public key, for the action server.
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The key's name: the first 16 hex digits of the public key's SHA-256.
    pub fn key_id(&self) -> &str {
        &self.key
    }

    /// The warrant for this intent under this permit.
    pub fn sign(
        &self,
        permit: &Permit,
        intent: &Durable<Intent>,
        now: Timestamp,
    ) -> Result<SignedWarrant, SignError> {
        let terms = Permitted {
            incident: permit.incident().as_str(),
            plan: permit.plan(),
            set: permit.set(),
            uid: permit.uid(),
            generation: permit.generation(),
            expires_at: permit.expires_at(),
            approved_by: permit.approved_by(),
        };
        self.seal(&terms.body(intent, now)?)
    }

    fn seal(&self, body: &WarrantBody) -> Result<SignedWarrant, SignError> {
        let bytes = canonical::canonical(body).map_err(SignError::NoHash)?;
        let signature = STANDARD.encode(self.pair.sign(&bytes));
        Ok(SignedWarrant {
            body: String::from_utf8_lossy(&bytes).into_owned(),
            key: self.key.clone(),
            signature,
        })
    }
}

/// What a permit says.
struct Permitted<'a> {
    incident: &'a str,
    plan: Hash,
    set: Hash,
    uid: &'a str,
    generation: Option<i64>,
    expires_at: Timestamp,
    approved_by: &'a str,
}

impl Permitted<'_> {
    /// The warrant's body, if the intent is for the very same thing.
    fn body(&self, intent: &Intent, now: Timestamp) -> Result<WarrantBody, SignError> {
        same("incident", &self.incident, &intent.incident.as_str())?;
        same("plan", &self.plan, &intent.plan_hash)?;
        // recomputed: the intent's own word for it would let a plan be swapped under its hash
        same("plan", &self.plan, &intent.plan.hash().map_err(SignError::NoHash)?)?;
        same("target uid", &self.uid, &intent.plan.preconditions.uid.as_str())?;
        same("target uid", &self.uid, &intent.plan.action.target().uid.as_str())?;
        same("policy set", &self.set, &intent.set)?;
        let generation = |of: Option<i64>| of.map_or("none".to_owned(), |g| g.to_string());
        let planned = intent.plan.preconditions.generation;
        same("generation", &generation(self.generation), &generation(planned))?;
        let void = self.expires_at.min(intent.plan.expires_at);
        if now >= void {
            return Err(SignError::Expired(void));
        }
        let life = now.saturating_add(WARRANT_LIFE).unwrap_or(Timestamp::MAX);
        Ok(WarrantBody {
            id: warrant_id(intent, now),
            plan: self.plan,
            intent: intent.id.clone(),
            incident: intent.incident.clone(),
            approved_by: self.approved_by.to_owned(),
            issued_at: now,
            expires_at: life.min(void),
        })
    }
}

/// Derived, so that nothing random is needed: the same intent signed at another moment is another warrant.
fn warrant_id(intent: &Intent, now: Timestamp) -> String {
    let at = now.as_nanosecond().to_be_bytes();
    let mut id = Hash::of_parts(&[intent.id.as_str().as_bytes(), intent.plan_hash.bytes(), &at]).to_string();
    id.truncate(32);
    id
}

fn same<T: PartialEq + fmt::Display>(
    what: &'static str,
    permitted: &T,
    intended: &T,
) -> Result<(), SignError> {
    if permitted == intended {
        return Ok(());
    }
    Err(SignError::Differ { what, permitted: permitted.to_string(), intended: intended.to_string() })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{at, intent};
    use super::*;

    fn permitted(intent: &Intent) -> Permitted<'_> {
        Permitted {
            incident: intent.incident.as_str(),
            plan: intent.plan_hash,
            set: intent.set,
            uid: &intent.plan.preconditions.uid,
            generation: intent.plan.preconditions.generation,
            expires_at: at(60),
            approved_by: "grant/scale-up",
        }
    }

    #[test]
    fn what_permit_and_intent_agree_on_is_signed_with_the_key_that_is_named() {
        let (signer, secret) = Signer::generate().unwrap();
        let intent = intent();
        let body = permitted(&intent).body(&intent, at(0)).unwrap();
        assert_eq!((body.plan, &body.intent), (intent.plan_hash, &intent.id));
        assert_eq!((body.issued_at, body.expires_at), (at(0), at(60)), "no longer than the permit");
        let warrant = Signer::from_pkcs8(secret.expose()).unwrap().seal(&body).unwrap();
        assert_eq!(warrant.key, signer.key_id());
        let signature = STANDARD.decode(&warrant.signature).unwrap();
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, signer.public_key());
        key.verify(warrant.body.as_bytes(), &signature).unwrap();
        let later = permitted(&intent).body(&intent, at(1)).unwrap();
        assert_ne!(later.id, body.id, "signed again is another warrant");
    }

    #[test]
    fn a_permit_for_anything_else_signs_nothing() {
        let intent = intent();
        let other = Hash::of(b"other");
        let wrong = [
            Permitted { incident: "inc00002", ..permitted(&intent) },
            Permitted { plan: other, ..permitted(&intent) },
            Permitted { set: other, ..permitted(&intent) },
            Permitted { uid: "u-other", ..permitted(&intent) },
            Permitted { generation: Some(5), ..permitted(&intent) },
            Permitted { generation: None, ..permitted(&intent) },
        ];
        for permit in wrong {
            assert!(matches!(permit.body(&intent, at(0)), Err(SignError::Differ { .. })));
        }
        // a plan that was swapped under its own hash
        let mut swapped = intent.clone();
        swapped.plan.blast.ready = 1;
        assert!(matches!(permitted(&intent).body(&swapped, at(0)), Err(SignError::Differ { .. })));
        // and one that came too late
        assert!(permitted(&intent).body(&intent, at(59)).is_ok());
        assert!(matches!(permitted(&intent).body(&intent, at(60)), Err(SignError::Expired(_))));
    }

    #[test]
    fn the_secret_is_never_shown() {
        let (signer, secret) = Signer::generate().unwrap();
        assert_eq!(format!("{secret:?}"), "SecretKey(redacted)");
        assert!(!format!("{signer:?}").contains("pair"));
        assert!(Signer::from_pkcs8(b"not a key").is_err());
    }
}
