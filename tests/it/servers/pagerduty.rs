//! PagerDuty's adapter before the response examples of its API, and before an API that does otherwise.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use belay::adapters::pagerduty::{PagerDuty, SetupError};
use belay::ports::alerting::{CallState, Calls, Paging as _};
use jiff::Timestamp;
use tokio_util::task::AbortOnDropHandle;

const ON_CALLS: &str = include_str!("../../data/pagerduty/oncalls.json");
const INCIDENTS: &str = include_str!("../../data/pagerduty/incidents.json");
const LOG: &str = include_str!("../../data/pagerduty/log_entries.json");

/// What it answers to everything, and what it was asked.
#[derive(Clone)]
struct Fake {
    says: Arc<dyn Fn(&str) -> (u16, String) + Send + Sync>,
    asked: Arc<Mutex<Vec<(String, Option<String>, Option<String>)>>>,
}

async fn answered(
    State(fake): State<Fake>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> (StatusCode, String) {
    let header = |name: &str| headers.get(name).map(|v| v.to_str().unwrap().to_owned());
    let (code, body) = (fake.says)(&uri.to_string());
    fake.asked.lock().unwrap().push((uri.to_string(), header("authorization"), header("accept")));
    (StatusCode::from_u16(code).unwrap(), body)
}

async fn served(
    says: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> (Fake, PagerDuty, AbortOnDropHandle<std::io::Result<()>>) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let fake = Fake { says: Arc::new(says), asked: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answered).with_state(fake.clone());
    let task = AbortOnDropHandle::new(tokio::spawn(axum::serve(listener, router).into_future()));
    (fake, PagerDuty::new(&url, "k3y".into()).unwrap(), task)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn calls() -> Calls {
    let (since, until) = (at("2015-10-06T00:00:00Z"), at("2015-10-07T00:00:00Z"));
    Calls { services: vec!["PIJ90N7".into(), "PX".into()], since, until }
}

#[tokio::test]
async fn the_documented_answers_are_read() {
    let says = |uri: &str| {
        let body = if uri.contains("log_entries") {
            LOG
        } else if uri.contains("oncalls") {
            ON_CALLS
        } else {
            INCIDENTS
        };
        (200, body.to_owned())
    };
    let (fake, pagerduty, _task) = served(says).await;
    let (from, until) = (at("2015-03-06T00:00:00Z"), at("2015-03-13T00:00:00Z"));
    let read = pagerduty.on_call(&["PI7DH85".into()], from, until).await.unwrap();
    assert_eq!(read.left_out, Some(0));
    let shift = &read.items[0];
    assert_eq!((shift.member.as_str(), shift.level), ("Tim Wright", 2));
    assert_eq!(shift.schedule.as_deref(), Some("Daily Engineering Rotation"));
    assert_eq!(shift.from, Some(at("2015-03-06T20:28:51Z")));
    let read = pagerduty.calls(&calls()).await.unwrap();
    let call = &read.items[0];
    assert_eq!((call.id.as_str(), call.number, call.state), ("PT4KHLK", 1234, CallState::Resolved));
    assert_eq!((call.title.as_str(), call.service.as_str()), ("The server is on fire.", "My Mail Service"));
    assert_eq!(call.resolved, Some(at("2015-10-06T21:38:23Z")));
    let read = pagerduty.told("PT4KHLK").await.unwrap();
    assert_eq!(read.items.len(), 1, "of two entries one says that somebody was told");
    assert_eq!(read.items[0].member, "Tim Wright");
    let asked = fake.asked.lock().unwrap().clone();
    let (uri, authorization, accept) = &asked[0];
    assert_eq!(
        uri,
        "/oncalls?since=2015-03-06T00%3A00%3A00Z&until=2015-03-13T00%3A00%3A00Z&schedule_ids%5B%5D=PI7DH85&limit=100&offset=0"
    );
    assert_eq!(authorization.as_deref(), Some("Token token=k3y"));
    assert_eq!(accept.as_deref(), Some("application/vnd.pagerduty+json;version=2"));
    assert!(asked[1].0.contains("sort_by=created_at%3Adesc&service_ids%5B%5D=PIJ90N7&service_ids%5B%5D=PX"));
    assert!(asked[2].0.starts_with("/incidents/PT4KHLK/log_entries?"));
    for id in ["../users", "P/1", "P?x"] {
        assert!(pagerduty.told(id).await.is_err(), "{id}");
    }
    assert_eq!(fake.asked.lock().unwrap().len(), 3, "what is no id is not sent");
}

#[tokio::test]
async fn a_list_without_end_is_read_in_part() {
    let more = INCIDENTS.replace("\"more\": false", "\"more\": true");
    assert_ne!(more, INCIDENTS);
    let (fake, pagerduty, _task) = served(move |_| (200, more.clone())).await;
    let read = pagerduty.calls(&calls()).await.unwrap();
    assert_eq!((read.items.len(), read.left_out), (3, None));
    let offsets: Vec<bool> = fake
        .asked
        .lock()
        .unwrap()
        .iter()
        .zip(["0", "100", "200"])
        .map(|(a, o)| a.0.ends_with(&format!("offset={o}")))
        .collect();
    assert_eq!(offsets, [true; 3]);
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_without_the_key() {
    let half = INCIDENTS.get(..INCIDENTS.len() / 2).unwrap().to_owned();
    for (code, body, says) in [
        (401, r#"{"error":{"message":"k3y","code":2006}}"#.to_owned(), "check the credentials"),
        (403, String::new(), "check the credentials"),
        (429, String::new(), "429"),
        (302, String::new(), "302"),
        (500, "{}".to_owned(), "500"),
        (200, "<html>".to_owned(), "cannot be read"),
        (200, half, "cannot be read"),
        (200, r#"{"incidents":[]}"#.to_owned(), "cannot be read"),
        (200, INCIDENTS.replace("resolved\",\n", "odd\",\n"), "cannot be read"),
        (200, " ".repeat((1 << 20) + 1), "larger than 1 MiB"),
    ] {
        let (_fake, pagerduty, _task) = served(move |_| (code, body.clone())).await;
        let error = pagerduty.calls(&calls()).await.unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("the incidents of PagerDuty"), "{says}: {error}");
        assert!(!error.contains("k3y"), "{error}");
    }
    assert!(matches!(PagerDuty::new("http://api.example", "k".into()), Err(SetupError::Unprotected { .. })));
    assert!(matches!(PagerDuty::new("api.example", "k".into()), Err(SetupError::Address { .. })));
    PagerDuty::new("https://api.eu.pagerduty.com", "k".into()).unwrap();
}
