//! Jaeger and Tempo as they answer, and as they lie.

use std::time::Duration;

use belay::adapters::jaeger::{Credentials, Jaeger};
use belay::adapters::tempo::Tempo;
use belay::domain::trace::{SpanKind, TraceId};
use belay::ports::reads::ReadError;
use belay::ports::traces::{TraceQuery, Traces};
use jiff::{SignedDuration, Timestamp};

use super::says::{Backend, Says, faults};

const JAEGER: &str = include_str!("../../data/jaeger/trace.json");
const NOT_FOUND: &str = include_str!("../../data/jaeger/not_found.json");
const DEPENDENCIES: &str = include_str!("../../data/jaeger/dependencies.json");
const TEMPO: &str = include_str!("../../data/tempo/trace.json");
const SEARCH: &str = include_str!("../../data/tempo/search.json");

fn id() -> TraceId {
    TraceId::read("4bf92f3577b34da6a3ce929d0e0e4736").unwrap()
}

fn attributes() -> Vec<String> {
    vec!["k8s.namespace.name".into()]
}

fn jaeger(backend: &Backend) -> Jaeger {
    Jaeger::new(&backend.url, Credentials::None, attributes()).unwrap()
}

fn tempo(backend: &Backend) -> Tempo {
    Tempo::new(&backend.url, Credentials::None, attributes()).unwrap()
}

fn query() -> TraceQuery {
    TraceQuery {
        service: "checkout".into(),
        namespace: Some("shop".into()),
        operation: Some("POST /checkout".into()),
        at_least: Some(SignedDuration::from_millis(250)),
        failed: true,
        since: "2026-11-21T01:00:00Z".parse().unwrap(),
        until: "2026-11-21T02:00:00Z".parse().unwrap(),
        limit: 5,
    }
}

#[tokio::test]
async fn a_trace_of_jaeger_is_read() {
    let backend = Backend::start(|_| Says::json(JAEGER)).await;
    let trace = jaeger(&backend).trace(&id()).await.unwrap();
    assert_eq!((trace.spans.len(), trace.left_out), (3, 0));
    let [root, charge, sql] = &trace.spans[..] else { panic!() };
    assert_eq!((root.service.as_str(), root.namespace.as_deref()), ("checkout", Some("shop")));
    assert_eq!((root.kind, root.nanos, root.error.as_deref()), (SpanKind::Server, 900_000_000, Some("")));
    assert_eq!(root.start.to_string(), "2025-11-21T00:00:00Z");
    assert_eq!(charge.parent.as_deref(), Some(root.id.as_str()));
    assert!(charge.error.as_ref().unwrap().starts_with("card declined"));
    assert_eq!((sql.peer.as_deref(), sql.error.as_deref()), (Some("postgresql"), None));
    assert_eq!(backend.asked(), ["/base/api/traces/4bf92f3577b34da6a3ce929d0e0e4736"]);
}

#[tokio::test]
async fn a_search_of_jaeger_says_what_is_looked_for() {
    let backend = Backend::start(|_| Says::json(JAEGER)).await;
    let found = jaeger(&backend).search(&query()).await.unwrap();
    assert_eq!((found.traces.len(), found.unread), (1, 0));
    let asked = backend.asked().remove(0);
    for part in [
        "service=checkout",
        "operation=POST+%2Fcheckout",
        "start=1795222800000000",
        "end=1795226400000000",
        "minDuration=250000us",
        "limit=5",
        "tags=%7B%22error%22%3A%22true%22%2C%22k8s.namespace.name%22%3A%22shop%22%7D",
    ] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    // two attributes may hold the namespace: tags are joined by *and*, so that it is not asked for
    let two = Jaeger::new(&backend.url, Credentials::None, vec!["a".into(), "b".into()]).unwrap();
    two.search(&query()).await.unwrap();
    assert!(!backend.asked()[1].contains("shop"), "{:?}", backend.asked());
}

#[tokio::test]
async fn jaegers_count_of_calls_is_read() {
    let backend = Backend::start(|_| Says::json(DEPENDENCIES)).await;
    let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::from_millisecond(3_600_000).unwrap());
    let calls = jaeger(&backend).calls(since, until).await.unwrap().unwrap();
    let calls: Vec<_> = calls.iter().map(|c| (c.from.as_str(), c.to.as_str(), c.calls)).collect();
    assert_eq!(calls, [("checkout", "payments", 42), ("gateway", "checkout", 100)]);
    assert_eq!(backend.asked(), ["/base/api/dependencies?endTs=3600000&lookback=3600000"]);
}

#[tokio::test]
async fn a_trace_of_tempo_is_read_with_ids_in_base64_and_in_hexadecimal() {
    let wrapped = format!(r#"{{"trace":{}}}"#, TEMPO.trim().replacen("batches", "resourceSpans", 1));
    let hexadecimal =
        TEMPO.replace("APBnqgupArc=", "00f067aa0ba902b7").replace("t61rcWkgMzE=", "B7AD6B7169203331");
    for body in [TEMPO.to_owned(), wrapped, hexadecimal] {
        let backend = Backend::start(move |_| Says::json(body.clone())).await;
        let trace = tempo(&backend).trace(&id()).await.unwrap();
        let [root, charge] = &trace.spans[..] else { panic!("{trace:?}") };
        assert_eq!((root.id.as_str(), root.parent.as_deref()), ("00f067aa0ba902b7", None));
        assert_eq!(
            (charge.id.as_str(), charge.parent.as_deref()),
            ("b7ad6b7169203331", Some("00f067aa0ba902b7"))
        );
        assert_eq!((charge.service.as_str(), charge.namespace.as_deref()), ("payments", Some("pay")));
        assert_eq!((charge.nanos, charge.error.as_deref()), (700_000_000, Some("card declined")));
        assert_eq!(root.kind, SpanKind::Server);
    }
}

#[tokio::test]
async fn a_search_of_tempo_reads_each_trace_that_it_found() {
    let backend =
        Backend::start(|uri| Says::json(if uri.path().ends_with("search") { SEARCH } else { TEMPO })).await;
    let found = tempo(&backend).search(&query()).await.unwrap();
    assert_eq!((found.traces.len(), found.unread), (1, 0));
    let asked = backend.asked();
    assert!(
        asked[0].starts_with("/base/api/search?q=%7B+resource.service.name+%3D+%22checkout%22"),
        "{asked:?}"
    );
    assert!(asked[0].contains("resource.k8s.namespace.name+%3D+%22shop%22"), "{asked:?}");
    assert!(asked[0].contains("&start=1795222800&end=1795226401&limit=5"), "{asked:?}");
    assert_eq!(asked[1], "/base/api/traces/4bf92f3577b34da6a3ce929d0e0e4736");
    // what was found and cannot be read is counted, and where nothing can be read it is an error
    let two = SEARCH.replace(r#"{"traceID""#, r#"{"traceID":"ab"},{"traceID""#);
    let backend = Backend::start(move |uri| match uri.path().rsplit('/').next() {
        Some("search") => Says::json(two.clone()),
        Some("4bf92f3577b34da6a3ce929d0e0e4736") => Says::json(TEMPO),
        _ => Says(500, "text/plain", Vec::new()),
    })
    .await;
    let found = tempo(&backend).search(&query()).await.unwrap();
    assert_eq!((found.traces.len(), found.unread), (1, 1));
}

#[tokio::test]
async fn a_trace_that_is_not_there_is_not_found() {
    let missing = |error: ReadError| matches!(error, ReadError::NotFound { .. });
    let backend = Backend::start(|_| Says(404, "application/json", NOT_FOUND.into())).await;
    assert!(missing(jaeger(&backend).trace(&id()).await.unwrap_err()));
    // another one than was asked for is none
    let backend = Backend::start(|_| Says::json(JAEGER)).await;
    assert!(missing(jaeger(&backend).trace(&TraceId::read("ab").unwrap()).await.unwrap_err()));
    for body in ["trace not found", "{}"] {
        let backend = Backend::start(move |_| Says(404, "text/plain", body.into())).await;
        assert!(missing(tempo(&backend).trace(&id()).await.unwrap_err()), "{body}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_of_a_span_leaves_that_span_out() {
    let odd = JAEGER
        .replacen("\"startTime\": 1763683200000000", "\"startTime\": \"now\"", 1)
        .replacen("\"duration\": 700000", "\"duration\": -5", 1)
        .replacen("\"startTime\": 1763683200010000", "\"startTime\": 9223372036854775807", 1);
    let backend = Backend::start(move |_| Says::json(odd.clone())).await;
    let trace = jaeger(&backend).trace(&id()).await.unwrap();
    assert_eq!((trace.spans.len(), trace.left_out), (1, 2));
    assert!(trace.spans[0].backwards && trace.spans[0].nanos == 0);
    let odd = TEMPO.replacen("\"1763683200000000000\"", "\"soon\"", 1).replacen(
        "\"1763683200800000000\"",
        "\"1\"",
        1,
    );
    let backend = Backend::start(move |_| Says::json(odd.clone())).await;
    let trace = tempo(&backend).trace(&id()).await.unwrap();
    assert_eq!((trace.spans.len(), trace.left_out), (1, 1));
    assert!(trace.spans[0].backwards);
}

#[tokio::test]
async fn a_backend_that_lies_gives_an_error_that_can_be_read() {
    for at in 0..faults().len() {
        let says = faults()[at].1;
        let backend = Backend::start(move |_| faults().remove(at).0).await;
        let errors = [
            jaeger(&backend).trace(&id()).await.unwrap_err().to_string(),
            jaeger(&backend).search(&query()).await.unwrap_err().to_string(),
            tempo(&backend).trace(&id()).await.unwrap_err().to_string(),
            tempo(&backend).search(&query()).await.unwrap_err().to_string(),
        ];
        for error in errors {
            assert!(error.contains(says) && error.len() < 400, "{says}: {error}");
        }
        // a redirect is not followed
        assert!(backend.asked().iter().all(|asked| !asked.contains("elsewhere")));
    }
}

#[tokio::test]
async fn a_backend_that_is_down_or_slow_is_told_within_the_deadline() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let down = Jaeger::new("http://127.0.0.1:1/", Credentials::None, attributes()).unwrap();
    let error = down.trace(&id()).await.unwrap_err().to_string();
    assert!(error.contains("reading trace"), "{error}");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let slow = Tempo::new(&url, Credentials::None, attributes()).unwrap();
    let started = std::time::Instant::now();
    let error = slow.search(&query()).await.unwrap_err().to_string();
    assert!(started.elapsed() < Duration::from_secs(15), "{error}");
    drop(listener);
}

#[test]
fn a_secret_does_not_travel_unprotected() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let with = |url: &str| Tempo::new(url, Credentials::Bearer("s3cret".into()), attributes()).map(drop);
    assert!(with("http://tempo.example:3200").is_err());
    assert!(with("https://tempo.example").is_ok());
}
