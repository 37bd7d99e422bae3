//! Prometheus' instant queries, by the real client against a small fake.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use belay::adapters::prometheus::{Credentials, Prometheus, SetupError};
use belay::ports::reads::{Metrics as _, ReadError, Sample};
use jiff::Timestamp;
use tokio_util::task::AbortOnDropHandle;

/// What it answers to a query at a moment.
type Says = dyn Fn(&str, Timestamp) -> (u16, String) + Send + Sync;

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub query: String,
    pub time: Timestamp,
    pub authorization: Option<String>,
}

/// A server that answers `/api/v1/query` below a path of its own.
#[derive(Clone)]
pub struct Fake {
    says: Arc<Says>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    pub async fn start(
        says: impl Fn(&str, Timestamp) -> (u16, String) + Send + Sync + 'static,
    ) -> (Self, String, AbortOnDropHandle<std::io::Result<()>>) {
        rustls::crypto::ring::default_provider().install_default().ok();
        let fake = Self { says: Arc::new(says), asked: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/prom/", listener.local_addr().unwrap());
        let router = Router::new().route("/prom/api/v1/query", get(query)).with_state(fake.clone());
        (fake, url, AbortOnDropHandle::new(tokio::spawn(axum::serve(listener, router).into_future())))
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// One series without labels.
pub fn one(value: f64) -> (u16, String) {
    (
        200,
        format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"{value}"]}}]}}}}"#
        ),
    )
}

async fn query(
    State(fake): State<Fake>,
    Query(parameters): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> (StatusCode, String) {
    let authorization = headers.get("authorization").map(|v| v.to_str().unwrap().to_owned());
    let (query, time) = (parameters["query"].clone(), parameters["time"].parse().unwrap());
    let (code, body) = (fake.says)(&query, time);
    fake.asked.lock().unwrap().push(Asked { query, time, authorization });
    (StatusCode::from_u16(code).unwrap(), body)
}

fn at() -> Timestamp {
    "2026-11-21T02:07:41.123Z".parse().unwrap()
}

async fn answered(code: u16, body: &str) -> Result<Vec<Sample>, ReadError> {
    let body = body.to_owned();
    let (_fake, url, _task) = Fake::start(move |_, _| (code, body.clone())).await;
    Prometheus::new(&url, Credentials::None).unwrap().query("up", at()).await
}

#[tokio::test]
async fn a_query_travels_as_it_is_and_each_series_comes_back() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"__name__":"up","pod":"web-1"},"value":[1763690861.123,"0.25"]},
        {"metric":{"pod":"web-2"},"value":[1763690861.123,"+Inf"]},
        {"metric":{"pod":"web-3"},"value":[1763690861.123,"NaN"]}]},"infos":["PromQL info: …"]}"#;
    let (fake, url, _task) = Fake::start(|_, _| (200, body.to_owned())).await;
    let prometheus = Prometheus::new(&url, Credentials::Bearer("s3cret".into())).unwrap();
    let text = r#"sum by (pod) (rate(x{a=~"b|c&d#e+f"}[5m])) > 1"#;
    let samples = prometheus.query(text, at()).await.unwrap();
    let plain: Vec<_> = samples.iter().map(|s| (s.labels["pod"].as_str(), s.value)).collect();
    // what is not a number measures nothing
    assert_eq!(plain, [("web-1", 0.25), ("web-2", f64::INFINITY)]);
    let asked = Asked { query: text.to_owned(), time: at(), authorization: Some("Bearer s3cret".to_owned()) };
    assert_eq!(fake.asked(), [asked]);
    let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"42"]}}"#;
    assert_eq!(answered(200, scalar).await.unwrap()[0].value.to_string(), "42");
}

#[tokio::test]
async fn what_is_no_measurement_is_an_error_that_says_why() {
    let bad =
        r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected \u001b[31m <EOF>"}"#;
    let partial = r#"{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["store eu-2 is gone"]}"#;
    let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    let histogram =
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}"#;
    let word =
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"many"]}]}}"#;
    let series = r#"{"metric":{},"value":[1,"1"]}"#;
    let many = [series; 1001].join(",");
    let many = format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{many}]}}}}"#);
    for (code, body, says) in [
        (400, bad, "refused the query: parse error"),
        (422, bad, "refused the query"),
        (503, "<html>", "503"),
        (500, "{}", "500"),
        (302, "", "302"),
        (200, "<html>", "cannot be read"),
        (200, r#"{"status":"success"}"#, "has no data"),
        (200, partial, "not to be relied on: store eu-2 is gone"),
        (200, matrix, "no vector"),
        (200, histogram, "no plain value"),
        (200, word, "no number"),
        (200, many.as_str(), "1001 series"),
        (401, "", "check the credentials"),
    ] {
        let error = answered(code, body).await.unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains('\u{1b}'), "{says}: {error}");
    }
    let error = answered(200, &" ".repeat((2 << 20) + 1)).await.unwrap_err().to_string();
    assert!(error.contains("larger than 2 MiB"), "{error}");
}

#[test]
fn a_secret_does_not_travel_unprotected() {
    let with = |url: &str, credentials| Prometheus::new(url, credentials).map(drop);
    let token = || Credentials::Bearer("s3cret".into());
    assert!(matches!(with("http://prom.example:9090", token()), Err(SetupError::Unprotected { .. })));
    assert!(matches!(with("prom:9090", Credentials::None), Err(SetupError::Address { .. })));
    with("http://prom.example:9090", Credentials::None).unwrap();
    with("https://prom.example", token()).unwrap();
}
