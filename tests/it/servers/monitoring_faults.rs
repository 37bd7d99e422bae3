//! Prometheus' ranges and rules, Alertmanager's silences and PagerDuty before backends that lie, dawdle, never end or
//! point elsewhere: a readable error within the deadline, and nobody else is asked.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use belay::adapters::alertmanager::Alertmanager;
use belay::adapters::pagerduty::PagerDuty;
use belay::adapters::prometheus::{Credentials, Prometheus};
use belay::domain::series::Window;
use belay::ports::alerting::{Calls, Paging as _, Router as _, Rules as _};
use belay::ports::reads::{Metrics as _, ReadError};
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Duration, Instant};
use tokio_util::task::AbortOnDropHandle;

/// What becomes of a request.
#[derive(Clone)]
enum Fault {
    /// These bytes, and the connection ends.
    Bytes(String),
    /// A body of ten gigabytes begins.
    Endless,
    /// Nothing.
    Silent,
}

/// A server of bytes, and how often it was asked.
async fn served(fault: Fault) -> (String, Arc<AtomicUsize>, AbortOnDropHandle<()>) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let serve = async move {
        let mut silent = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = socket.read(&mut head).await;
            counted.fetch_add(1, Ordering::SeqCst);
            match &fault {
                Fault::Bytes(bytes) => {
                    let _ = socket.write_all(bytes.as_bytes()).await;
                    let _ = socket.shutdown().await;
                }
                Fault::Endless => {
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10000000000\r\n\r\n";
                    let _ = socket.write_all(head.as_bytes()).await;
                    // until the other side has had enough
                    while socket.write_all(&[b' '; 8_192]).await.is_ok() {}
                }
                Fault::Silent => silent.push(socket),
            }
        }
    };
    (url, asked, AbortOnDropHandle::new(tokio::spawn(serve)))
}

fn answer(status: &str, head: &str, body: &str) -> Fault {
    Fault::Bytes(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{head}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn window() -> Window {
    let to: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    Window::of(to - SignedDuration::from_hours(1), to, 60, SignedDuration::from_secs(15))
}

/// Each of the calls against this address, by its name.
async fn each(url: &str) -> Vec<(&'static str, Result<(), ReadError>)> {
    let bearer = || Credentials::Bearer("s3cret".into());
    let prometheus = Prometheus::new(url, bearer()).unwrap();
    let alertmanager = Alertmanager::new(url, bearer()).unwrap();
    let pagerduty = PagerDuty::new(url, "s3cret".into()).unwrap();
    let Window { from, to, .. } = window();
    let calls = Calls { services: vec!["P1".into()], since: from, until: to };
    vec![
        ("range", prometheus.range("up", window()).await.map(drop)),
        ("rules", prometheus.rules().await.map(drop)),
        ("firing", alertmanager.firing().await.map(drop)),
        ("silences", alertmanager.silences().await.map(drop)),
        ("on call", pagerduty.on_call(&["P1".into()], from, to).await.map(drop)),
        ("calls", pagerduty.calls(&calls).await.map(drop)),
        ("told", pagerduty.told("P1").await.map(drop)),
    ]
}

#[tokio::test]
async fn a_backend_that_lies_is_an_error_that_can_be_read() {
    let half = Fault::Bytes(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"status\":\"succ"
            .into(),
    );
    for (fault, says) in [
        (answer("401 Unauthorized", "", "s3cret"), "check the credentials"),
        (answer("403 Forbidden", "", ""), "check the credentials"),
        (answer("429 Too Many Requests", "retry-after: 60\r\n", "slow down"), "429"),
        (answer("502 Bad Gateway", "", "<html>"), "502"),
        (answer("302 Found", "location: /api/v1/elsewhere\r\n", ""), "302"),
        (answer("200 OK", "", "<html>s3cret</html>"), "cannot be read"),
        (
            answer("200 OK", "", r#"{"status":"success","data":{"resultType":"matrix","result":[{"met"#),
            "cannot be read",
        ),
        (half, ""),
        (Fault::Endless, "larger than"),
    ] {
        let (url, asked, _task) = served(fault).await;
        let all = each(&url).await;
        assert_eq!(
            asked.load(Ordering::SeqCst),
            all.len(),
            "no redirect is followed, nothing is tried again"
        );
        for (name, result) in all {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("s3cret"), "{name}, {says}: {error}");
            assert!(error.starts_with("reading "), "{name}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_says_nothing_is_left_at_the_deadline() {
    let (url, _, _task) = served(Fault::Silent).await;
    let start = Instant::now();
    let all = each(&url).await;
    assert!(start.elapsed() <= Duration::from_secs(all.len() as u64 * 11), "{:?}", start.elapsed());
    for (name, result) in all {
        assert!(matches!(result, Err(ReadError::Failed { .. })), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_an_error() {
    rustls::crypto::ring::default_provider().install_default().ok();
    for (name, result) in each("http://127.0.0.1:9").await {
        assert!(matches!(result, Err(ReadError::Failed { .. })), "{name}: {result:?}");
    }
}

async fn ranged(body: &str) -> Result<Vec<belay::domain::series::Series>, ReadError> {
    let (url, _, _task) = served(answer("200 OK", "", body)).await;
    Prometheus::new(&url, Credentials::None).unwrap().range("up", window()).await
}

#[tokio::test]
async fn a_range_is_read_whole_or_not_at_all() {
    let of = |result: &str| {
        format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}},"infos":["x"]}}"#
        )
    };
    let read = ranged(&of(
        r#"{"metric":{"pod":"a"},"values":[[1772366400.5,"1"],[1772366460,"NaN"],[1772366520,"+Inf"],[1772366520,"3"]]},
           {"metric":{"pod":"b"},"values":[]}"#,
    ))
    .await
    .unwrap();
    assert_eq!(read.len(), 1, "a series without points is none");
    let plain: Vec<(i64, f64)> = read[0].points.iter().map(|p| (p.at.as_millisecond(), p.value)).collect();
    assert_eq!(plain, [(1_772_366_400_500, 1.0), (1_772_366_520_000, f64::INFINITY)]);
    let many = [r#"{"metric":{},"values":[[1,"1"]]}"#; 201].join(",");
    for (body, says) in [
        (of(&many), "201 series"),
        (of(r#"{"metric":{},"histograms":[[1,{}]]}"#), "no plain values"),
        (of(r#"{"metric":{},"values":[[1,"many"]]}"#), "no number"),
        (of(r#"{"metric":{},"values":[[1e300,"1"]]}"#), "a time of its answer"),
        (r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#.to_owned(), "no matrix"),
        (r#"{"status":"success","data":{"resultType":"matrix","result":[]},"warnings":["a store is gone"]}"#.to_owned(), "a store is gone"),
        (r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#.to_owned(), "query timed out"),
    ] {
        let error = ranged(&body).await.unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
    let to = window().to;
    let wide = Window { from: to - SignedDuration::from_hours(1), to, step: SignedDuration::from_secs(1) };
    let prometheus = Prometheus::new("http://127.0.0.1:9", Credentials::None).unwrap();
    assert!(prometheus.range("up", wide).await.unwrap_err().to_string().contains("more than 300 steps"));
}

#[tokio::test]
async fn rules_are_read_with_their_alerts() {
    let body = r#"{"status":"success","data":{"groups":[{"name":"g","file":"f","interval":60,"rules":[
        {"state":"firing","name":"Errors","query":"x > 0.05","duration":300,"keepFiringFor":0,"labels":{"severity":"page"},
         "annotations":{"runbook_url":"https://r"},"alerts":[
           {"labels":{"alertname":"Errors","pod":"a"},"annotations":{},"state":"firing","activeAt":"2026-11-21T23:49:59.632510205Z","value":"3e+00"},
           {"labels":{"alertname":"Errors","pod":"b"},"annotations":{},"state":"pending","activeAt":"2026-11-21T23:49:59Z","value":"4"}],
         "health":"ok","type":"alerting"},
        {"name":"a:b","query":"up","health":"ok","type":"recording"}]}]}}"#;
    let read = async |body: &str| {
        let (url, _, _task) = served(answer("200 OK", "", body)).await;
        Prometheus::new(&url, Credentials::None).unwrap().rules().await
    };
    let rules = read(body).await.unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!((rules[0].name.as_str(), rules[0].holds), ("Errors", SignedDuration::from_mins(5)));
    let values: Vec<_> = rules[0].firing.iter().map(|f| (f.labels["pod"].as_str(), f.value)).collect();
    assert_eq!(values, [("a", Some(3.0))], "what only will fire has told nobody");
    let partial =
        body.replace(r#""status":"success""#, r#""status":"success","warnings":["one ruler is gone"]"#);
    assert!(read(&partial).await.unwrap_err().to_string().contains("one ruler is gone"));
    assert!(read(r#"{"status":"success"}"#).await.unwrap_err().to_string().contains("no data"));
}

#[tokio::test]
async fn silences_that_are_over_are_left_out() {
    let one = |state: &str, equal: &str| {
        format!(
            r#"{{"id":"{state}","status":{{"state":"{state}"}},"updatedAt":"2026-11-21T23:53:48.347Z","comment":"c","createdBy":"me",
            "endsAt":"2026-11-22T00:53:48.341Z","matchers":[{{{equal}"isRegex":true,"name":"namespace","value":"sh.*"}}],
            "startsAt":"2026-11-21T23:53:48.347Z"}}"#
        )
    };
    let body = format!(
        "[{},{},{}]",
        one("active", r#""isEqual":false,"#),
        one("pending", ""),
        one("expired", r#""isEqual":true,"#)
    );
    let (url, _, _task) = served(answer("200 OK", "", &body)).await;
    let silences = Alertmanager::new(&url, Credentials::None).unwrap().silences().await.unwrap();
    let plain: Vec<_> = silences.iter().map(|s| (s.id.as_str(), s.active, s.matches[0].equal)).collect();
    assert_eq!(plain, [("active", true, false), ("pending", false, true)]);
}
