//! Warrants for tests, signed by a key of their own: what the governance layer would sign.

use base64::Engine as _;
use belay::domain::canonical::{Hash, canonical};
use belay::domain::ids::{IncidentId, IntentId};
use belay::domain::warrant::{SignedWarrant, WarrantBody};
use belay::servers::actions::key_id;
use jiff::{SignedDuration, Timestamp};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// A key that signs warrants in tests.
pub struct Key(Ed25519KeyPair);

impl Key {
    pub fn from_seed(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    pub fn sign(&self, body: &WarrantBody) -> SignedWarrant {
        self.sign_text(String::from_utf8(canonical(body).unwrap()).unwrap())
    }

    pub fn sign_text(&self, body: String) -> SignedWarrant {
        let signature = base64::engine::general_purpose::STANDARD.encode(self.0.sign(body.as_bytes()));
        SignedWarrant { body, key: key_id(self.public()), signature }
    }
}

/// A warrant's body for this plan, good for two minutes from `now`.
pub fn body(plan: Hash, id: &str, intent: &str, now: Timestamp) -> WarrantBody {
    WarrantBody {
        id: id.into(),
        plan,
        intent: IntentId::new(intent),
        incident: IncidentId::new("inc00001"),
        approved_by: "grant scale-up".into(),
        issued_at: now,
        expires_at: now + SignedDuration::from_mins(2),
    }
}
