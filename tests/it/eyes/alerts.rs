//! Alertmanager's list of alerts, by the real client against a small fake.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use belay::adapters::alertmanager::{Alertmanager, Credentials};
use belay::ports::reads::{Alerts as _, ReadError};
use tokio_util::task::AbortOnDropHandle;

const BODY: &str = r#"[
  {"annotations":{},"endsAt":"2026-11-21T02:40:00.000Z","fingerprint":"585350fd607ab0b5","receivers":[{"name":"belay"}],
   "startsAt":"2026-11-21T02:07:41.123Z","status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"},
   "updatedAt":"2026-11-21T02:30:00.000Z","generatorURL":"http://p","labels":{"alertname":"KubePodCrashLooping","pod":"web-1"}},
  {"annotations":{},"endsAt":"2026-11-21T02:40:00.000Z","fingerprint":"00","receivers":[],"startsAt":"2026-11-21T02:07:41Z",
   "status":{"inhibitedBy":[],"silencedBy":["s-1"],"state":"suppressed"},"updatedAt":"2026-11-21T02:30:00.000Z","labels":{}}
]"#;

/// What it answers, and what it was asked.
#[derive(Clone)]
struct Fake {
    code: u16,
    body: String,
    asked: Arc<Mutex<Vec<(String, Option<String>)>>>,
}

async fn alerts(
    State(fake): State<Fake>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> (StatusCode, String) {
    let authorization = headers.get("authorization").map(|v| v.to_str().unwrap().to_owned());
    fake.asked.lock().unwrap().push((uri.to_string(), authorization));
    (StatusCode::from_u16(fake.code).unwrap(), fake.body)
}

async fn served(code: u16, body: String) -> (Fake, String, AbortOnDropHandle<std::io::Result<()>>) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let fake = Fake { code, body, asked: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/am/", listener.local_addr().unwrap());
    let router = Router::new().route("/am/api/v2/alerts", get(alerts)).with_state(fake.clone());
    (fake, url, AbortOnDropHandle::new(tokio::spawn(axum::serve(listener, router).into_future())))
}

#[tokio::test]
async fn suppressed_alerts_are_asked_for_and_told_apart() {
    let (fake, url, _task) = served(200, BODY.into()).await;
    let found =
        Alertmanager::new(&url, Credentials::Bearer("s3cret".into())).unwrap().active().await.unwrap();
    assert_eq!(found.iter().map(|a| a.suppressed).collect::<Vec<_>>(), [false, true]);
    assert_eq!(found[0].fingerprint.as_str(), "585350fd607ab0b5");
    assert_eq!(found[0].labels["pod"], "web-1");
    assert_eq!(found[0].starts_at, "2026-11-21T02:07:41.123Z".parse().unwrap());
    let asked = fake.asked.lock().unwrap().clone();
    let uri = "/am/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true";
    assert_eq!(asked, [(uri.to_owned(), Some("Bearer s3cret".to_owned()))]);
}

#[tokio::test]
async fn what_is_no_list_is_an_error_and_no_error_shows_the_credentials() {
    let basic = || Credentials::Basic { user: "belay".into(), password: "s3cret".into() };
    for (code, body) in [(200, "<html>"), (200, r#"{"alerts":[]}"#), (401, ""), (500, "[]"), (302, "")] {
        let (_fake, url, _task) = served(code, body.to_owned()).await;
        let error = Alertmanager::new(&url, basic()).unwrap().active().await.unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert_eq!(matches!(error, ReadError::Refused { .. }), code == 401, "{error}");
    }
    let (_fake, url, _task) = served(200, " ".repeat((16 << 20) + 1)).await;
    let error = Alertmanager::new(&url, Credentials::None).unwrap().active().await.unwrap_err();
    assert!(error.to_string().contains("larger than 16 MiB"), "{error}");
    let nobody = Alertmanager::new("http://user:s3cret@127.0.0.1:9", Credentials::None).unwrap();
    let error = nobody.active().await.unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
