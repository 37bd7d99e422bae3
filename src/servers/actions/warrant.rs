//! Verifying warrants. A `Warrant` exists only where everything about the signed one was found good, and
//! nothing is applied without one.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::domain::canonical::Hash;
use crate::domain::ids::IntentId;
use crate::domain::plan::Refusal;
use crate::domain::warrant::{SignedWarrant, WarrantBody};

/// How far the clocks of signer and server may be apart: NTP keeps machines within a second, and half a
/// minute is what one that has just booted may show.
pub const SKEW: SignedDuration = SignedDuration::from_secs(30);

/// The longest life of a warrant: no plan lives longer either.
pub const LONGEST_LIFE: SignedDuration = crate::domain::action::PLAN_LIFE;

/// The longest body that is looked at: seven short fields are below 1 KiB, and the names of the people
/// who approved may take the rest.
const MAX_BODY: usize = 16 * 1024;

/// The public keys whose warrants are taken, by key id.
#[derive(Debug, Clone, Default)]
pub struct VerifyingKeys(BTreeMap<String, Vec<u8>>);

/// A public key was not 32 bytes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an Ed25519 public key has 32 bytes, and this one has {0}")]
pub struct NotAKey(usize);

impl VerifyingKeys {
    /// Takes these raw Ed25519 public keys; two of them while a key is being replaced.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NotAKey> {
        keys.into_iter()
            .map(|key| match key.len() {
                32 => Ok((key_id(key), key.to_vec())),
                other => Err(NotAKey(other)),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// The name of a public key: the first 16 hex digits of its SHA-256.
pub fn key_id(public: &[u8]) -> String {
    let mut id = Hash::of(public).to_string();
    id.truncate(16);
    id
}

/// A body that one of our keys signed. It says who it is; it does not yet allow anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentic(WarrantBody);

impl Authentic {
    /// Verifies the signature over the body's exact bytes, and only then reads them.
    pub fn of(signed: &SignedWarrant, keys: &VerifyingKeys) -> Result<Self, Refusal> {
        let refuse = |why: &str| Err(Refusal::Warrant(why.to_owned()));
        if signed.body.len() > MAX_BODY {
            return refuse("its body is too long");
        }
        let Some(key) = keys.0.get(&signed.key) else {
            return refuse("it is signed with a key that this server does not know");
        };
        let Ok(signature) = STANDARD.decode(&signed.signature) else {
            return refuse("its signature is not base64");
        };
        if UnparsedPublicKey::new(&ED25519, key).verify(signed.body.as_bytes(), &signature).is_err() {
            return refuse("its signature does not fit");
        }
        let Ok(body) = serde_json::from_str::<WarrantBody>(&signed.body) else {
            return refuse("its body cannot be read");
        };
        if !speakable(body.intent.as_str()) || !speakable(&body.id) {
            return refuse("its intent or id holds characters that no id of belay has");
        }
        Ok(Self(body))
    }

    /// Its own name.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The plan that it names.
    pub const fn plan(&self) -> Hash {
        self.0.plan
    }

    /// The intent that it names.
    pub const fn intent(&self) -> &IntentId {
        &self.0.intent
    }

    /// The warrant, if it is for this plan and in time.
    pub fn good_for(self, plan: Hash, now: Timestamp) -> Result<Warrant, Refusal> {
        in_time(&self.0, now)?;
        if self.0.plan != plan {
            return Err(Refusal::Warrant("it is for another plan".to_owned()));
        }
        Ok(Warrant { body: self.0 })
    }
}

/// A warrant that was found good for one plan at one moment. Whether it was used before is for the ledger
/// to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warrant {
    body: WarrantBody,
}

impl Warrant {
    /// Verifies signature, key, times and plan.
    pub fn verify(
        signed: &SignedWarrant,
        keys: &VerifyingKeys,
        plan: Hash,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        Authentic::of(signed, keys)?.good_for(plan, now)
    }

    /// Its own name.
    pub fn id(&self) -> &str {
        &self.body.id
    }

    /// The plan it is for.
    pub const fn plan(&self) -> Hash {
        self.body.plan
    }

    /// The intent that the write carries.
    pub const fn intent(&self) -> &IntentId {
        &self.body.intent
    }

    /// Who allowed it, for people.
    pub fn approved_by(&self) -> &str {
        &self.body.approved_by
    }

    /// From then on it is refused.
    pub const fn expires_at(&self) -> Timestamp {
        self.body.expires_at
    }
}

/// Good from `issued_at − SKEW` on and before `expires_at + SKEW`.
fn in_time(body: &WarrantBody, now: Timestamp) -> Result<(), Refusal> {
    let WarrantBody { issued_at, expires_at, .. } = body;
    let refuse = |why: String| Err(Refusal::Warrant(why));
    if expires_at <= issued_at || expires_at.duration_since(*issued_at) > LONGEST_LIFE {
        return refuse(format!("its life from {issued_at} to {expires_at} is longer than any warrant's"));
    }
    if now.duration_since(*expires_at) >= SKEW {
        return refuse(format!("it expired at {expires_at}"));
    }
    if issued_at.duration_since(now) > SKEW {
        return refuse(format!("it was issued at {issued_at}, which is in the future"));
    }
    Ok(())
}

/// Ids go into an annotation, a header and a file: short, and of letters, digits and dashes only.
fn speakable(id: &str) -> bool {
    (1..=63).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
