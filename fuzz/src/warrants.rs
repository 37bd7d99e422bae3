//! What reaches the action server: warrants and plans. A warrant's body is signed here by the key that the
//! server knows, so that what is behind the signature is reached.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use belay::domain::action::Action;
use belay::domain::canonical::{Hash, canonical};
use belay::domain::plan::Plan;
use belay::domain::warrant::SignedWarrant;
use belay::servers::actions::{Authentic, LONGEST_LIFE, SKEW, VerifyingKeys, key_id};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::value::RawValue;

/// A key of this target's own; it opens nothing.
static PAIR: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    plan(text);
    // records of intents carry plans
    if let Ok(Carrier { plan: Some(carried) }) = serde_json::from_str(text) {
        plan(carried.get());
    }
    let _ = serde_json::from_str::<Action>(text);
    if let Ok(signed) = serde_json::from_str::<SignedWarrant>(text) {
        warrant(&signed);
    }
    let public = PAIR.public_key().as_ref();
    let body = text.to_owned();
    let signature = STANDARD.encode(PAIR.sign(body.as_bytes()));
    warrant(&SignedWarrant { body: body.clone(), key: key_id(public), signature: signature.clone() });
    // one bit off is no signature
    let forged = SignedWarrant { body: format!("{body} "), key: key_id(public), signature };
    assert!(Authentic::of(&forged, &keys()).is_err());
}

/// Whatever carries a plan.
#[derive(serde::Deserialize)]
struct Carrier<'a> {
    #[serde(borrow)]
    plan: Option<&'a RawValue>,
}

fn keys() -> VerifyingKeys {
    VerifyingKeys::new([PAIR.public_key().as_ref()]).unwrap()
}

fn warrant(signed: &SignedWarrant) {
    let Ok(authentic) = Authentic::of(signed, &keys()) else { return };
    assert!(!authentic.id().is_empty() && !authentic.intent().as_str().is_empty());
    assert!(!authentic.id().contains(char::is_control));
    let plan = authentic.plan();
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000);
    assert!(authentic.clone().good_for(Hash::of(b"another"), now).is_err() || plan == Hash::of(b"another"));
    // no warrant is good for longer than the longest life, whatever it says of itself
    let far = now + LONGEST_LIFE + SKEW + SKEW + SignedDuration::from_secs(1);
    let good = |at| authentic.clone().good_for(plan, at).is_ok();
    assert!(!(good(now) && good(far)), "{}", signed.body);
}

/// A plan that can be read has one name, which survives being written and read again.
fn plan(text: &str) {
    let Ok(plan) = serde_json::from_str::<Plan>(text) else { return };
    let Ok(bytes) = canonical(&plan) else { return };
    let again: Plan = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(again, plan);
    assert_eq!(again.hash().unwrap(), plan.hash().unwrap());
}
