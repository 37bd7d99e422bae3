//! What a click must be to be taken for one (X47 to X51): every header and body mutation, clocks at the
//! edge, replays, other apps, workspaces, channels and people.

use belay::domain::message::Button;
use belay::http::slack::{Click, Expected, Refused, Seen, parse, verify};
use belay::ports::messenger::Messenger;
use belay::sim::slack::{FakeSlack, Forge, Press, Request, Workspace};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::{asking, at, tls};

const NOW: &str = "2026-11-21T04:20:00Z";

fn now() -> Timestamp {
    at(NOW)
}

fn secret() -> SecretString {
    Workspace::default().signing_secret.into()
}

fn expected() -> Expected {
    let Workspace { app, team, channel, .. } = Workspace::default();
    Expected { app, team, channel }
}

/// A workspace that shows one question.
async fn asked() -> FakeSlack {
    tls();
    let Workspace { token, channel, .. } = Workspace::default();
    let fake = FakeSlack::start(Workspace::default()).await.unwrap();
    let config = belay::adapters::slack::Config {
        api_url: fake.api_url(),
        ..belay::adapters::slack::Config::new(token.into(), channel)
    };
    let messenger = belay::adapters::slack::SlackMessenger::new(config).unwrap();
    messenger.publish(&asking("7k2m9x0a", "Confirm or hand over?"), None).await.unwrap();
    fake
}

fn honest() -> Press {
    Press::new(Button::Confirm, "U0ANN", now())
}

fn take(request: &Request, when: Timestamp) -> Result<Click, Refused> {
    let signature = request.signature.as_deref().unwrap_or_default();
    verify(&secret(), &request.timestamp, signature, request.body.as_bytes(), when)?;
    parse(request.body.as_bytes(), &expected())
}

#[tokio::test]
async fn an_honest_click_says_who_what_and_where() {
    let fake = asked().await;
    let click = take(&fake.request(&honest()).unwrap(), now()).unwrap();
    assert_eq!(click.action, Button::Confirm);
    assert_eq!(click.question.as_str(), format!("{:032x}", 0xfeed));
    assert_eq!(
        (click.user.as_str(), click.team.as_str(), click.name.as_str()),
        ("U0ANN", "T0SHOP", "u0ann-name")
    );
    assert_eq!((click.app.as_str(), click.channel.as_str()), ("A0BELAY", "C0ONCALL"));
    assert_eq!(click.message, fake.messages()[0].ts);
    assert!(click.response_url.is_some());
}

#[tokio::test]
async fn each_forgery_is_refused_for_its_own_reason() {
    let fake = asked().await;
    for (forge, reason) in [
        (Forge::Secret, Refused::Signature),
        (Forge::Unsigned, Refused::Signature),
        (Forge::Body, Refused::Signature),
        (Forge::Skew(SignedDuration::from_mins(-6)), Refused::Age),
        (Forge::Skew(SignedDuration::from_mins(6)), Refused::Age),
        (Forge::Team("T0OTHER".into()), Refused::Foreign("workspace")),
        (Forge::Home("T0OTHER".into()), Refused::NotAPerson("U0ANN".into())),
        (Forge::App("A0OTHER".into()), Refused::Foreign("app")),
        (Forge::Channel("C0OTHER".into()), Refused::Foreign("channel")),
        (Forge::Bot, Refused::NotAPerson("U0ANN".into())),
        (
            Forge::Question("../../etc".into()),
            Refused::NotAClick("its value is not the name of a question".into()),
        ),
    ] {
        let request = fake.request(&honest().forged(forge.clone())).unwrap();
        assert_eq!(take(&request, now()), Err(reason), "{forge:?}");
    }
    for user in ["USLACKBOT", "B0BOT", "", "U0<!channel>", "u0ann"] {
        let request = fake.request(&Press::new(Button::Confirm, user, now())).unwrap();
        assert!(matches!(take(&request, now()), Err(Refused::NotAPerson(_))), "{user}");
    }
}

#[tokio::test]
async fn the_clock_may_be_off_by_exactly_five_minutes_either_way() {
    let request = asked().await.request(&honest()).unwrap();
    for (seconds, good) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        let when = now() + SignedDuration::from_secs(seconds);
        assert_eq!(take(&request, when).is_ok(), good, "{seconds}");
    }
    for when in [Timestamp::MIN, Timestamp::MAX] {
        assert_eq!(take(&request, when), Err(Refused::Age));
    }
}

#[tokio::test]
async fn any_changed_byte_of_body_time_or_signature_is_refused() {
    let Request { timestamp, signature, body } = asked().await.request(&honest()).unwrap();
    let signature = signature.unwrap();
    let check = |ts: &str, sig: &str, body: &[u8]| verify(&secret(), ts, sig, body, now());
    assert!(check(&timestamp, &signature, body.as_bytes()).is_ok());
    for i in 0..body.len() {
        let mut changed = body.clone().into_bytes();
        changed[i] ^= 1;
        assert_eq!(check(&timestamp, &signature, &changed), Err(Refused::Signature), "body byte {i}");
    }
    for i in 0..signature.len() {
        let mut changed = signature.clone().into_bytes();
        changed[i] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(check(&timestamp, &changed, body.as_bytes()), Err(Refused::Signature), "{changed}");
    }
    for ts in [
        "",
        "0",
        "x",
        &format!("+{timestamp}"),
        &format!(" {timestamp}"),
        &format!("{timestamp} "),
        &format!("0{timestamp}"),
        &format!("{timestamp}0"),
        "99999999999999999999",
    ] {
        assert_eq!(check(ts, &signature, body.as_bytes()), Err(Refused::Signature), "{ts}");
    }
    let short = &signature[..signature.len() - 2];
    for sig in [
        "",
        "v0=",
        "v0",
        "v1=00",
        &signature[3..],
        &signature.to_uppercase(),
        &format!("v1{}", &signature[2..]),
        short,
        &format!("{signature}00"),
        &format!("{signature}\n"),
        &format!("v0=é{}", &signature[5..]),
    ] {
        assert_eq!(check(&timestamp, sig, body.as_bytes()), Err(Refused::Signature), "{sig}");
    }
    for cut in [0, 1, body.len() - 1] {
        assert_eq!(check(&timestamp, &signature, &body.as_bytes()[..cut]), Err(Refused::Signature));
    }
}

#[tokio::test]
async fn a_request_is_taken_once_within_ten_minutes() {
    let fake = asked().await;
    let signature = |at: Timestamp| {
        let Request { timestamp, signature, body } = fake.request(&Press { at, ..honest() }).unwrap();
        verify(&secret(), &timestamp, &signature.unwrap(), body.as_bytes(), at).unwrap()
    };
    let mut seen = Seen::default();
    let later = now() + SignedDuration::from_secs(1);
    assert_eq!(seen.first_time(signature(now()), now()), Ok(()));
    assert_eq!(seen.first_time(signature(now()), now()), Err(Refused::Replayed));
    assert_eq!(seen.first_time(signature(later), later), Ok(()), "another click");
    let edge = now() + Seen::WINDOW - SignedDuration::from_secs(1);
    assert_eq!(seen.first_time(signature(now()), edge), Err(Refused::Replayed));
    // bounded: after as many others the first is forgotten, by when it is also too old to be verified
    for i in 1..=Seen::MOST {
        let at = now() + SignedDuration::from_secs(i64::try_from(i).unwrap() + 1);
        seen.first_time(signature(at), now()).unwrap();
    }
    assert_eq!(seen.first_time(signature(now()), now()), Ok(()));
}

/// A body for this payload.
fn form(payload: &serde_json::Value) -> String {
    serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap()
}

async fn payload() -> serde_json::Value {
    let request = asked().await.request(&honest()).unwrap();
    let form: std::collections::BTreeMap<String, String> = serde_urlencoded::from_str(&request.body).unwrap();
    serde_json::from_str(&form["payload"]).unwrap()
}

#[tokio::test]
async fn what_slack_may_add_loses_no_click() {
    let mut payload = payload().await;
    payload["brand_new"] = serde_json::json!({"field": [1, 2]});
    payload["message"]["blocks"] = serde_json::json!([{"type": "a_block_of_2031", "x": 1}, null, 7]);
    payload["user"]["profile"] = serde_json::json!({"age": null});
    payload["actions"][0]["confirm"] = serde_json::json!({"type": "new"});
    payload["enterprise"] = serde_json::json!({"id": "E1"});
    payload["container"]["thread_ts"] = serde_json::json!("1.2");
    let others =
        serde_json::json!([{"type": "overflow", "action_id": "confirm"}, payload["actions"][0], {"x": 1}]);
    payload["actions"] = others;
    assert!(parse(form(&payload).as_bytes(), &expected()).is_ok());
}

#[tokio::test]
async fn what_is_missing_or_odd_is_refused() {
    let good = payload().await;
    for (pointer, value) in [
        ("/type", serde_json::json!("view_submission")),
        ("/type", serde_json::json!(null)),
        ("/team", serde_json::json!(null)),
        ("/team/id", serde_json::json!(7)),
        ("/api_app_id", serde_json::json!("")),
        ("/user/team_id", serde_json::json!(null)),
        ("/channel/id", serde_json::json!("C0OTHER")),
        ("/container/channel_id", serde_json::json!("C0OTHER")),
        ("/container/message_ts", serde_json::json!("1; rm")),
        ("/actions", serde_json::json!([])),
        ("/actions/0/action_id", serde_json::json!("delete-everything")),
        ("/actions/0/value", serde_json::json!("")),
        ("/actions/0/value", serde_json::json!("x".repeat(256))),
        ("/actions/0/value", serde_json::json!(["a"])),
        ("/actions/0/type", serde_json::json!("static_select")),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value.clone();
        let result = parse(form(&changed).as_bytes(), &expected());
        assert!(result.is_err(), "{pointer} {value}: {result:?}");
    }
    let mut twice = good.clone();
    twice["actions"] = serde_json::json!([good["actions"][0], good["actions"][0]]);
    assert!(matches!(parse(form(&twice).as_bytes(), &expected()), Err(Refused::NotAClick(_))));
    for body in ["", "payload", "payload=", "payload=%7B", "payload=[]", "other=1", "payload=%FF"] {
        let refused = parse(body.as_bytes(), &expected()).unwrap_err();
        assert_eq!(refused.status(), 400, "{body}: {refused}");
    }
    let mut elsewhere = good.clone();
    for url in [
        "http://hooks.slack.com/x",
        "https://hooks.slack.com.evil/x",
        "https://evil/",
        "https://hooks.slack.com/a b",
    ] {
        elsewhere["response_url"] = serde_json::json!(url);
        assert_eq!(parse(form(&elsewhere).as_bytes(), &expected()).unwrap().response_url, None, "{url}");
    }
}

/// The smallest endpoint that uses the parts as the daemon will: the fake's people press against it.
async fn endpoint() -> (String, std::sync::Arc<std::sync::Mutex<Vec<Click>>>) {
    use axum::{
        body::Bytes,
        http::{HeaderMap, StatusCode},
        routing::post,
    };
    let clicks = std::sync::Arc::<std::sync::Mutex<Vec<Click>>>::default();
    let (kept, seen) = (clicks.clone(), std::sync::Arc::new(std::sync::Mutex::new(Seen::default())));
    let handler = move |headers: HeaderMap, body: Bytes| {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let (stamp, signed) = (header("x-slack-request-timestamp"), header("x-slack-signature"));
        let click = verify(&secret(), stamp, signed, &body, now())
            .and_then(|signature| seen.lock().unwrap().first_time(signature, now()))
            .and_then(|()| parse(&body, &expected()));
        let status = click.as_ref().err().map_or(200, Refused::status);
        kept.lock().unwrap().extend(click.ok());
        async move { StatusCode::from_u16(status).unwrap() }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/slack/interactions", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(post(handler))).await });
    (url, clicks)
}

#[tokio::test]
async fn a_press_reaches_the_endpoint_once() {
    let fake = asked().await;
    let (url, clicks) = endpoint().await;
    assert_eq!(fake.press(&url, &honest().forged(Forge::Twice)).await.unwrap(), [200, 401]);
    assert_eq!(fake.press(&url, &honest().forged(Forge::Secret)).await.unwrap(), [401]);
    assert_eq!(fake.press(&url, &honest().forged(Forge::Bot)).await.unwrap(), [200]);
    assert_eq!(clicks.lock().unwrap().len(), 1);
    assert!(
        fake.press(&url, &Press::new(Button::Revert, "U0ANN", now())).await.is_err(),
        "there is no such button"
    );
}
