//! A warrant that is not exactly right is refused, every time.

use belay::domain::canonical::Hash;
use belay::domain::plan::Refusal;
use belay::domain::warrant::{SignedWarrant, WarrantBody};
use belay::servers::actions::{LONGEST_LIFE, SKEW, VerifyingKeys, Warrant};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::world::{Key, body, start};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn plan() -> Hash {
    Hash::of(b"the plan")
}

fn verify(signed: &SignedWarrant, now: Timestamp) -> Result<Warrant, Refusal> {
    let keys = VerifyingKeys::new([Key::from_seed(7).public()]).unwrap();
    Warrant::verify(signed, &keys, plan(), now)
}

fn good() -> (Key, WarrantBody) {
    (Key::from_seed(7), body(plan(), "w1", "inc-0", start()))
}

fn refused(signed: &SignedWarrant, now: Timestamp) -> bool {
    matches!(verify(signed, now), Err(Refusal::Warrant(_)))
}

#[test]
fn a_good_one_is_taken() {
    let (key, body) = good();
    let warrant = verify(&key.sign(&body), start()).unwrap();
    assert_eq!((warrant.id(), warrant.plan(), warrant.intent().as_str()), ("w1", plan(), "inc-0"));
}

#[test]
fn times_are_good_up_to_the_skew_and_not_a_second_longer() {
    let (key, body) = good();
    let signed = key.sign(&body);
    let first = body.issued_at - SKEW;
    let end = body.expires_at + SKEW;
    assert!(verify(&signed, first).is_ok());
    assert!(refused(&signed, first - SECOND));
    assert!(verify(&signed, end - SECOND).is_ok());
    assert!(refused(&signed, end));
    assert!(refused(&signed, end + SECOND));
}

#[test]
fn a_life_that_is_too_long_or_backwards_is_refused() {
    let (key, mut body) = good();
    body.expires_at = body.issued_at + LONGEST_LIFE;
    assert!(verify(&key.sign(&body), start()).is_ok());
    body.expires_at = body.issued_at + LONGEST_LIFE + SECOND;
    assert!(refused(&key.sign(&body), start()));
    body.expires_at = body.issued_at;
    assert!(refused(&key.sign(&body), start()));
}

#[test]
fn another_plan_key_or_shape_is_refused() {
    let (key, body) = good();
    let other_plan = WarrantBody { plan: Hash::of(b"another"), ..body.clone() };
    assert!(refused(&key.sign(&other_plan), start()));
    // another key, also under the good one's name
    let mut foreign = Key::from_seed(8).sign(&body);
    assert!(refused(&foreign, start()));
    foreign.key = key.sign(&body).key;
    assert!(refused(&foreign, start()));
    // signed, and yet no warrant
    for text in ["", "{}", "null", &format!("{} ", "x".repeat(20_000))] {
        assert!(refused(&key.sign_text(text.to_owned()), start()));
    }
    let extra = String::from_utf8(belay::domain::canonical::canonical(&body).unwrap()).unwrap();
    assert!(refused(&key.sign_text(extra.replacen('{', "{\"admin\":true,", 1)), start()));
    for id in ["", "a b", "a\nb", "../x", &"a".repeat(64)] {
        let odd = WarrantBody { intent: belay::domain::ids::IntentId::new(id), ..body.clone() };
        assert!(refused(&key.sign(&odd), start()), "intent `{id}`");
        assert!(refused(&key.sign(&WarrantBody { id: id.to_owned(), ..body.clone() }), start()), "id `{id}`");
    }
}

#[test]
fn a_field_that_was_changed_after_signing_is_refused() {
    let (key, body) = good();
    let signed = key.sign(&body);
    let changed = [
        WarrantBody { id: "w2".into(), ..body.clone() },
        WarrantBody { plan: Hash::of(b"another"), ..body.clone() },
        WarrantBody { intent: belay::domain::ids::IntentId::new("inc-1"), ..body.clone() },
        WarrantBody { incident: belay::domain::ids::IncidentId::new("inc00002"), ..body.clone() },
        WarrantBody { approved_by: "mallory".into(), ..body.clone() },
        WarrantBody { issued_at: body.issued_at + SECOND, ..body.clone() },
        WarrantBody { expires_at: body.expires_at + SECOND, ..body.clone() },
    ];
    for other in changed {
        let forged = SignedWarrant { body: key.sign(&other).body, ..signed.clone() };
        assert!(refused(&forged, start()), "{other:?}");
    }
}

#[test]
fn every_changed_byte_is_refused() {
    let (key, body) = good();
    let signed = key.sign(&body);
    for bit in [1u8, 2, 0x10] {
        for at in 0..signed.body.len() {
            let mut bytes = signed.body.clone().into_bytes();
            bytes[at] ^= bit;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            assert!(refused(&SignedWarrant { body: text, ..signed.clone() }, start()), "body byte {at}");
        }
        for at in 0..signed.key.len() {
            let mut bytes = signed.key.clone().into_bytes();
            bytes[at] ^= bit;
            let key = String::from_utf8(bytes).unwrap();
            assert!(refused(&SignedWarrant { key, ..signed.clone() }, start()), "key byte {at}");
        }
        for at in 0..signed.signature.len() {
            let mut bytes = signed.signature.clone().into_bytes();
            bytes[at] ^= bit;
            let signature = String::from_utf8(bytes).unwrap();
            assert!(refused(&SignedWarrant { signature, ..signed.clone() }, start()), "signature byte {at}");
        }
    }
}

#[test]
fn public_keys_have_32_bytes() {
    assert!(VerifyingKeys::new([&[0u8; 31][..]]).is_err());
}

proptest! {
    #[test]
    fn whatever_was_not_signed_is_refused(text in ".{0,300}", signature in "[A-Za-z0-9+/=]{0,100}", later in -1000i64..1000) {
        let (key, body) = good();
        let signed = key.sign(&body);
        let now = start() + SignedDuration::from_secs(later);
        let body = SignedWarrant { body: text, ..signed.clone() };
        let forged = SignedWarrant { signature, ..signed.clone() };
        prop_assert!(body == signed || refused(&body, now));
        prop_assert!(forged == signed || refused(&forged, now));
    }
}
