//! Tokens of an authorization server: a stand-in issuer whose keys rotate, and every way in which a token can be wrong.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode as Status;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use belay::adapters::oauth::{OAuth, Settings};
use belay::ports::access::{TokenError, Tokens as _};
use jiff::SignedDuration;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;

/// A key of the issuer's.
struct Key(Ed25519KeyPair, &'static str);

impl Key {
    fn new(seed: u8, kid: &'static str) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), kid)
    }

    fn jwk(&self) -> Value {
        let x = B64.encode(self.0.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.1, "use": "sig" })
    }

    fn sign(&self, header: &Value, claims: &str) -> String {
        let signed = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims));
        let signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", B64.encode(signature.as_ref()))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": "EdDSA", "kid": self.1, "typ": "at+jwt" }), &claims.to_string())
    }
}

/// How the issuer answers.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Down,
    Elsewhere,
    Html,
    Giant,
    Torn,
    AnotherName,
}

#[derive(Clone)]
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
    mood: Arc<Mutex<Mood>>,
}

impl Issuer {
    async fn new(keys: &[&Key]) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer =
            Self { url, keys: Arc::default(), asked: Arc::default(), mood: Arc::new(Mutex::new(Mood::Well)) };
        issuer.publish(keys);
        let (one, two) = (issuer.clone(), issuer.clone());
        let routes = Router::new()
            .route("/keys", get(move || async move { one.answer_keys() }))
            // OpenID Connect's place; RFC 8414's is not there
            .route("/.well-known/openid-configuration", get(move || async move { two.metadata() }));
        tokio::spawn(async move { axum_serve(listener, routes).await });
        issuer
    }

    fn publish(&self, keys: &[&Key]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| key.jwk()).collect();
    }

    fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    fn metadata(&self) -> axum::response::Response {
        let name = match *self.mood.lock().unwrap() {
            Mood::AnotherName => "https://evil.example",
            _ => &self.url,
        };
        axum::Json(json!({ "issuer": name, "jwks_uri": format!("{}/keys", self.url) })).into_response()
    }

    fn answer_keys(&self) -> axum::response::Response {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let keys = json!({ "keys": *self.keys.lock().unwrap() });
        let json = [("content-type", "application/json")];
        match *self.mood.lock().unwrap() {
            Mood::Well | Mood::AnotherName => axum::Json(keys).into_response(),
            Mood::Down => Status::BAD_GATEWAY.into_response(),
            Mood::Elsewhere => Redirect::temporary("http://127.0.0.1:9/keys").into_response(),
            Mood::Html => axum::response::Html(keys.to_string()).into_response(),
            Mood::Giant => (json, format!("{}{keys}", " ".repeat(300 << 10))).into_response(),
            Mood::Torn => (json, keys.to_string().split_off(9)).into_response(),
        }
    }
}

async fn axum_serve(listener: TcpListener, routes: Router) {
    http::serve(listener, routes, CancellationToken::new()).await.unwrap();
}

const RESOURCE: &str = "http://belay.example/mcp/logs";

fn claims(issuer: &Issuer) -> Value {
    let now = start().as_second();
    json!({
        "iss": issuer.url, "aud": RESOURCE, "sub": "alice", "iat": now - 10, "nbf": now - 10, "exp": now + 600,
        "scope": "openid logs:production:read",
    })
}

fn changed(claims: &Value, key: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
        value => claims[key] = value,
    }
    claims
}

struct Bench {
    issuer: Issuer,
    oauth: OAuth,
    clock: Arc<ManualClock>,
}

impl Bench {
    async fn new(keys: &[&Key], change: impl FnOnce(&mut Settings)) -> Self {
        let issuer = Issuer::new(keys).await;
        let mut settings =
            Settings { issuer: issuer.url.clone(), audience: None, jwks_url: None, namespaces_claim: None };
        change(&mut settings);
        let clock = ManualClock::new(start());
        let oauth = OAuth::new(settings, clock.clone()).unwrap();
        Self { issuer, oauth, clock }
    }

    async fn ask(&self, token: &str) -> Result<Caller, TokenError> {
        self.oauth.caller(token, RESOURCE).await.map(Option::unwrap)
    }

    async fn refused(&self, token: &str) -> String {
        match self.ask(token).await {
            Err(TokenError::Invalid(why)) => why,
            other => panic!("{other:?} of {token}"),
        }
    }
}

#[tokio::test]
async fn a_good_token_says_who_and_what() {
    let key = Key::new(1, "k1");
    let bench = Bench::new(&[&key], |_| ()).await;
    let good = claims(&bench.issuer);
    let caller = bench.ask(&key.token(&good)).await.unwrap();
    assert_eq!(caller.name(), "oauth:alice");
    assert!(caller.may_read("logs", "production") && !caller.may_read("logs", "staging"));
    assert!(!caller.may_read("metrics", "production") && caller.sees_everything());
    // `scp`, as text and as a list; several audiences; no `typ`; a client instead of a person
    let other = changed(&changed(&good, "scope", Value::Null), "scp", json!(["metrics:staging:read"]));
    assert!(bench.ask(&key.token(&other)).await.unwrap().may_read("metrics", "staging"));
    let several = changed(&good, "aud", json!(["https://other.example", RESOURCE]));
    assert!(bench.ask(&key.token(&several)).await.is_ok());
    let plain = key.sign(&json!({ "alg": "EdDSA", "kid": "k1" }), &good.to_string());
    assert!(bench.ask(&plain).await.is_ok());
    let client = changed(&changed(&good, "sub", Value::Null), "client_id", json!("ci"));
    assert_eq!(bench.ask(&key.token(&client)).await.unwrap().name(), "oauth:ci");
    let odd = changed(&good, "sub", json!("a\nb \u{202e}"));
    assert!(bench.ask(&key.token(&odd)).await.unwrap().name().starts_with("oauth:sha256:"));
    assert_eq!(bench.issuer.asked(), 1, "the keys are had once");
}

#[tokio::test]
async fn every_way_a_claim_can_be_wrong() {
    let key = Key::new(1, "k1");
    let bench = Bench::new(&[&key], |_| ()).await;
    let good = claims(&bench.issuer);
    let now = start().as_second();
    for (claim, value, said) in [
        ("iss", json!("https://other.example"), "another issuer"),
        ("iss", json!(format!("{}/", bench.issuer.url)), "another issuer"),
        ("iss", Value::Null, "a claim of the token is missing"),
        ("aud", json!("http://belay.example/mcp/metrics"), "`aud` must have"),
        ("aud", json!("http://belay.example/mcp/logs/"), "`aud` must have"),
        ("aud", json!([]), "`aud` must have"),
        ("aud", Value::Null, "a claim of the token is missing"),
        ("exp", json!(now - 61), "expired"),
        ("exp", Value::Null, "a claim of the token is missing"),
        ("exp", json!((now + 600).to_string()), "not of its kind"),
        ("nbf", json!(now + 61), "not valid yet"),
        ("nbf", json!("soon"), "not of its kind"),
        ("iat", json!(now + 61), "not valid yet"),
        ("cnf", json!({ "jkt": "x" }), "bound to a key"),
        ("sub", Value::Null, "nobody"),
        ("sub", json!(""), "nobody"),
        ("sub", json!(7), "not of its kind"),
        ("scope", json!({ "logs": true }), "not of its kind"),
    ] {
        let said_now = bench.refused(&key.token(&changed(&good, claim, value.clone()))).await;
        assert!(said_now.contains(said), "{claim} {value}: {said_now}");
    }
    // within the skew
    for (claim, value) in [("exp", now - 59), ("nbf", now + 59), ("iat", now + 59)] {
        assert!(bench.ask(&key.token(&changed(&good, claim, json!(value)))).await.is_ok(), "{claim}");
    }
}

#[tokio::test]
async fn headers_keys_and_signatures_that_are_not_the_issuers() {
    let (key, stranger) = (Key::new(1, "k1"), Key::new(2, "k1"));
    let bench = Bench::new(&[&key], |_| ()).await;
    let good = claims(&bench.issuer);
    let twice = good.to_string().replacen('{', r#"{"aud":"https://other.example","#, 1);
    assert!(
        bench.refused(&key.sign(&json!({ "alg": "EdDSA", "kid": "k1" }), &twice)).await.contains("claim")
    );

    let text = good.to_string();
    for (header, said) in [
        (json!({ "alg": "none", "kid": "k1" }), "is not accepted"),
        (json!({ "alg": "None" }), "is not accepted"),
        (json!({ "alg": "eddsa", "kid": "k1" }), "is not accepted"),
        (json!({ "alg": "HS256", "kid": "k1" }), "is not accepted"),
        (json!({ "alg": "ES512", "kid": "k1" }), "is not accepted"),
        // an algorithm that is accepted, of another kind than the key
        (json!({ "alg": "RS256", "kid": "k1" }), "not signed by a key"),
        (json!({ "alg": "ES256", "kid": "k1" }), "not signed by a key"),
        (json!({ "alg": "EdDSA", "kid": "k1", "crit": ["b64"], "b64": false }), "`crit`"),
        (json!({ "alg": "EdDSA", "kid": "k1", "typ": "dpop+jwt" }), "`typ`"),
        (json!({ "alg": "EdDSA", "kid": "k1", "typ": "logout+jwt" }), "`typ`"),
        (json!({ "kid": "k1" }), "no JSON Web Token"),
        (json!({ "alg": "EdDSA", "kid": 7 }), "no JSON Web Token"),
    ] {
        let told = bench.refused(&key.sign(&header, &text)).await;
        assert!(told.contains(said), "{header}: {told}");
    }
    // a key that the token brings along is no key
    let mut brought = json!({ "alg": "EdDSA", "kid": "k1", "jku": "http://127.0.0.1:9/keys" });
    brought["jwk"] = stranger.jwk();
    assert!(bench.refused(&stranger.sign(&brought, &text)).await.contains("not signed by a key"));
    assert!(bench.refused(&stranger.token(&good)).await.contains("not signed by a key"));
}

#[tokio::test]
async fn tokens_that_are_none() {
    let key = Key::new(1, "k1");
    let bench = Bench::new(&[&key], |_| ()).await;
    let token = key.token(&claims(&bench.issuer));
    assert!(bench.ask(&token).await.is_ok());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    for torn in [
        String::new(),
        "x".into(),
        "a.b".into(),
        "..".into(),
        signed.to_owned(),
        format!("{signed}."),
        format!("{signed}.{signature}="),
        format!("{signed}.{signature}.{signature}"),
        format!("{signed}.{}", signature.split_at(20).0),
        format!("{signed}.{}", "A".repeat(9 << 10)),
        token.replacen("ey", "eY", 1),
    ] {
        bench.refused(&torn).await;
    }
    let mut flipped = token.into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    bench.refused(std::str::from_utf8(&flipped).unwrap()).await;
    // none of them came from the issuer's network twice in half a minute
    assert!(bench.issuer.asked() <= 1);
}

#[tokio::test]
async fn keys_rotate_and_made_up_names_cost_little() {
    let (old, new) = (Key::new(1, "old"), Key::new(2, "new"));
    let bench = Bench::new(&[&old], |_| ()).await;
    let good = claims(&bench.issuer);
    assert!(bench.ask(&old.token(&good)).await.is_ok());
    bench.issuer.publish(&[&old, &new]);
    // at once after a try there is none
    assert!(bench.refused(&new.token(&good)).await.contains("not signed by a key"));
    bench.clock.advance(SignedDuration::from_secs(30));
    assert!(bench.ask(&new.token(&good)).await.is_ok());
    assert_eq!(bench.issuer.asked(), 2);
    for n in 0..50 {
        let header = json!({ "alg": "EdDSA", "kid": format!("made-up-{n}") });
        bench.refused(&new.sign(&header, &good.to_string())).await;
    }
    assert_eq!(bench.issuer.asked(), 0);
    assert!(bench.ask(&old.token(&good)).await.is_ok());
    // what was withdrawn is believed for ten minutes at most
    bench.issuer.publish(&[&new]);
    bench.clock.advance(SignedDuration::from_mins(10));
    let later = changed(&good, "exp", json!(start().as_second() + 9000));
    assert!(bench.ask(&new.token(&later)).await.is_ok());
    bench.refused(&old.token(&later)).await;
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_is_outlived_for_an_hour() {
    let key = Key::new(1, "k1");
    let bench = Bench::new(&[&key], |_| ()).await;
    let token = key.token(&changed(&claims(&bench.issuer), "exp", json!(start().as_second() + 9000)));
    assert!(bench.ask(&token).await.is_ok());
    for mood in [Mood::Down, Mood::Elsewhere, Mood::Html, Mood::Giant, Mood::Torn, Mood::AnotherName] {
        bench.issuer.be(mood);
        bench.clock.advance(SignedDuration::from_mins(9));
        assert!(bench.ask(&token).await.is_ok());
    }
    bench.clock.advance(SignedDuration::from_mins(7));
    let told = bench.ask(&token).await.unwrap_err();
    assert!(matches!(told, TokenError::Unavailable(_)), "{told:?}");
    bench.issuer.be(Mood::Well);
    bench.clock.advance(SignedDuration::from_secs(30));
    assert!(bench.ask(&token).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_never_answered_well_lets_nobody_in() {
    let key = Key::new(1, "k1");
    for mood in [Mood::Down, Mood::Elsewhere, Mood::Html, Mood::Giant, Mood::Torn, Mood::AnotherName] {
        let bench = Bench::new(&[&key], |_| ()).await;
        bench.issuer.be(mood);
        let told = bench.ask(&key.token(&claims(&bench.issuer))).await.unwrap_err();
        assert!(matches!(told, TokenError::Unavailable(_)), "{told:?}");
    }
}

#[tokio::test]
async fn namespaces_are_in_the_claim_that_is_named() {
    let key = Key::new(1, "k1");
    let claim = "https://belay.dev/namespaces";
    let bench = Bench::new(&[&key], |s| s.namespaces_claim = Some(claim.into())).await;
    let good = claims(&bench.issuer);
    for (value, shop, bank) in [
        (json!(["shop", "pay"]), true, false),
        (json!("shop pay"), true, false),
        (json!(["*"]), true, true),
        (json!([]), false, false),
        (json!({ "shop": true }), false, false),
        (json!(true), false, false),
        (json!([["shop"], 7]), false, false),
        (Value::Null, false, false),
    ] {
        let caller = bench.ask(&key.token(&changed(&good, claim, value.clone()))).await.unwrap();
        assert_eq!((caller.sees("shop"), caller.sees("bank")), (shop, bank), "{value}");
        assert_eq!(caller.sees_everything(), bank, "{value}");
    }
}

#[tokio::test]
async fn an_audience_may_be_set_and_then_counts_alone() {
    let key = Key::new(1, "k1");
    let bench = Bench::new(&[&key], |s| s.audience = Some("belay".into())).await;
    let good = claims(&bench.issuer);
    assert!(bench.refused(&key.token(&good)).await.contains("`aud` must have `belay`"));
    assert!(bench.ask(&key.token(&changed(&good, "aud", json!("belay")))).await.is_ok());
}

#[test]
fn keys_come_from_addresses_that_nobody_else_can_answer_from() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let clock: SharedClock = ManualClock::new(start());
    for (issuer, jwks) in [
        ("http://issuer.example", None),
        ("https://issuer.example", Some("http://issuer.example/keys")),
        ("ftp://issuer.example", None),
        ("issuer", None),
    ] {
        let jwks_url = jwks.map(str::to_owned);
        let settings = Settings { issuer: issuer.into(), audience: None, jwks_url, namespaces_claim: None };
        let why = OAuth::new(settings, clock.clone()).err().unwrap().to_string();
        assert!(why.contains("https"), "{why}");
    }
}

/// Tokens that another implementation (jose for JavaScript, 6.2.17) signed, one of each algorithm.
#[tokio::test]
async fn tokens_of_another_implementation_are_understood() {
    let vectors: Value = serde_json::from_str(include_str!("../../../data/oauth/jose.json")).unwrap();
    let bench = Bench::new(&[], |_| ()).await;
    *bench.issuer.keys.lock().unwrap() = vectors["jwks"]["keys"].as_array().unwrap().clone();
    let settings = Settings {
        issuer: "https://issuer.example".into(),
        audience: None,
        jwks_url: Some(format!("{}/keys", bench.issuer.url)),
        namespaces_claim: None,
    };
    let oauth = OAuth::new(settings, bench.clock.clone()).unwrap();
    let resource = "http://belay.example/mcp/kubernetes";
    let tokens = vectors["tokens"].as_object().unwrap();
    assert_eq!(tokens.len(), 9);
    for (algorithm, token) in tokens {
        let caller = oauth.caller(token.as_str().unwrap(), resource).await;
        let caller = caller.unwrap_or_else(|e| panic!("{algorithm}: {e}")).unwrap();
        assert!(caller.may_read("kubernetes", "production"), "{algorithm}");
    }
}

#[tokio::test]
async fn through_the_door() {
    let key = Key::new(1, "k1");
    let issuer = Issuer::new(&[&key]).await;
    let house = House::with(|access| {
        access.oauth = Some(OAuthConfig { namespaces_claim: Some("ns".into()), ..oauth(&issuer.url) });
    })
    .await;
    let now = start().as_second();
    let good = json!({
        "iss": issuer.url, "aud": house.resource("logs"), "sub": "dora", "exp": now + 600,
        "scope": "logs:production:read", "ns": ["shop"],
    });
    let token = key.token(&good);
    assert_eq!(house.call(&token, "look", json!({ "namespace": "shop" })).await["isError"], false);
    assert_eq!(house.call(&token, "look", json!({ "namespace": "bank" })).await["isError"], true);
    assert_eq!(
        house.ledger.lines(),
        ["oauth:dora tools/call look shop answered", "oauth:dora tools/call look bank denied"]
    );
    // a token for one server is none for another, whatever its scope
    let both = changed(&good, "scope", json!("logs:production:read metrics:production:read"));
    let answer = house.status("metrics", Some(&key.token(&both))).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let challenge = header(&answer, "www-authenticate");
    assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
    // step-up: the token is good, and its scope not enough
    let little = changed(&good, "scope", json!("openid logs:staging:read"));
    let answer = house.status("logs", Some(&key.token(&little))).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(header(&answer, "www-authenticate").contains("scope=\"logs:production:read\""));
    // it ends in the middle of a session's life
    house.clock.advance(SignedDuration::from_mins(20));
    issuer.be(Mood::Well);
    assert_eq!(house.status("logs", Some(&token)).await.status(), StatusCode::UNAUTHORIZED);
    // tokens of the file go on beside it
    assert_eq!(house.status("logs", Some(BOB)).await.status(), StatusCode::OK);
    issuer.be(Mood::Down);
    house.clock.advance(SignedDuration::from_mins(90));
    let answer = house.status("logs", Some(&token)).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&answer, "retry-after"), "30");
    house.stop().await;
}
