//! Each store slow, down, lying and unauthorised: a readable error within the deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use belay::ports::logs::Logs;
use belay::ports::reads::ReadError;

use super::logs_stores::{cloudwatch, elasticsearch, loki, query};
use super::stand_in::{Says, StandIn};

/// Each store that is asked over HTTP, at this address.
fn stores(url: &str) -> Vec<Arc<dyn Logs>> {
    vec![Arc::new(loki(url)), Arc::new(elasticsearch(url)), Arc::new(cloudwatch(url))]
}

/// The error of each store.
async fn errors(url: &str) -> Vec<(&'static str, ReadError)> {
    let ask = |store: Arc<dyn Logs>| async move { (store.name(), store.search(&query()).await.unwrap_err()) };
    futures::future::join_all(stores(url).into_iter().map(ask)).await
}

async fn check(says: impl Fn() -> Says + Send + Sync + 'static, refused: bool, expected: &[&str]) {
    let server = StandIn::start(move |_| says()).await;
    for (name, error) in errors(&server.url).await {
        let text = error.to_string();
        assert_eq!(matches!(error, ReadError::Refused { .. }), refused, "{name}: {text}");
        assert!(expected.iter().any(|expected| text.contains(expected)), "{name}: {text}");
        assert!(text.contains(name) || text.contains("logs"), "{text}");
        assert!(!text.contains(&server.url) && !text.contains("s3cr3t"), "{text}");
    }
}

#[tokio::test]
async fn a_store_that_refuses_is_said_to() {
    for status in [401, 403] {
        let expected = [format!("it answered {status}")];
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(move || Says::Text(status, "text/plain", "no".into()), true, &expected).await;
    }
}

#[tokio::test]
async fn a_store_that_is_asked_too_often_is_left_alone() {
    check(|| Says::Text(429, "text/plain", "no".into()), false, &["429", "ask again later"]).await;
}

#[tokio::test]
async fn a_store_that_lies_is_not_believed() {
    check(|| Says::Text(200, "text/html", "<html>".into()), false, &["which is no JSON"]).await;
    check(|| Says::Text(200, "application/json", "{\"status\":".into()), false, &["cannot be read"]).await;
    check(|| Says::Text(200, "application/json", "[]".into()), false, &["cannot be read"]).await;
    check(|| Says::Text(500, "text/html", "<html>".into()), false, &["500"]).await;
    check(|| Says::Redirect, false, &["redirects are not followed"]).await;
}

#[tokio::test]
async fn a_body_without_end_is_not_read() {
    check(|| Says::Endless, false, &["larger than 8 MiB"]).await;
}

#[tokio::test]
async fn a_store_that_is_down_is_said_to_be() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    for (name, error) in errors(&url).await {
        assert!(error.to_string().to_lowercase().contains("refused"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_store_that_is_silent_is_waited_for_ten_seconds() {
    let began = Instant::now();
    let server = StandIn::start(|_| Says::Nothing).await;
    for (name, error) in errors(&server.url).await {
        let text = error.to_string();
        assert!(text.contains("time") || text.contains("no answer within"), "{name}: {text}");
    }
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}
