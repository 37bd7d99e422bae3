//! Loki, Elasticsearch and CloudWatch, each by its real client against answers of their documented shapes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use belay::adapters::cloudwatch::{Account, CloudWatch};
use belay::adapters::elasticsearch::Elasticsearch;
use belay::adapters::logs::Names;
use belay::adapters::loki::Loki;
use belay::adapters::prometheus::Credentials;
use belay::domain::log::pattern::Pattern;
use belay::domain::log::{Instance, Severity};
use belay::ports::clock::SystemClock;
use belay::ports::logs::{Found, Logs as _, Query};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::stand_in::{Says, StandIn};

const LOKI: &str = include_str!("../../data/loki/query_range.json");
const ELASTICSEARCH: &str = include_str!("../../data/elasticsearch/search.json");
const INSIGHTS: &str = include_str!("../../data/cloudwatch/get_query_results.json");

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn query() -> Query {
    Query {
        namespace: "shop".into(),
        service: Some("checkout".into()),
        instance: None,
        since: at("2026-11-21T02:00:00Z"),
        until: at("2026-11-21T03:00:00Z"),
        least: None,
        pattern: None,
        context: 0,
        limit: 50,
        newest: true,
    }
}

fn services() -> BTreeMap<String, String> {
    [("checkout".to_owned(), "checkout-api".to_owned())].into()
}

pub fn loki(url: &str) -> Loki {
    let names = Names { services: services(), ..Names::loki() };
    Loki::new(url, Credentials::Bearer("s3cr3t".into()), Some("team-a"), names).unwrap()
}

pub fn elasticsearch(url: &str) -> Elasticsearch {
    let names = Names { services: services(), ..Names::ecs() };
    Elasticsearch::new(url, Credentials::ApiKey("s3cr3t".into()), "logs-*", names).unwrap()
}

pub fn cloudwatch(url: &str) -> CloudWatch {
    let names = Names { services: services(), ..Names::container_insights() };
    let account =
        Account { region: "eu-central-1".into(), key: "AKID".into(), secret: "s3cr3t".into(), session: None };
    let groups = vec!["/aws/containerinsights/eu-1/application".to_owned()];
    CloudWatch::new(Some(url), account, groups, names, Arc::new(SystemClock)).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn texts(found: &Found) -> Vec<&str> {
    found.lines().map(|line| line.text.as_str()).collect()
}

#[tokio::test]
async fn loki_gives_lines_with_their_instance_severity_and_trace() {
    let server = StandIn::start(|_| Says::Json(json(LOKI))).await;
    let found = loki(&server.url).search(&query()).await.unwrap();
    let lines: Vec<_> = found.lines().collect();
    assert_eq!(lines.len(), 4);
    let error = lines.iter().find(|line| line.text.contains("payment")).unwrap();
    assert_eq!(error.severity, Some(Severity::Error));
    assert_eq!(error.trace.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    let pod = |name: &str| Instance {
        pod: name.into(),
        container: "api".into(),
        host: "node-1".into(),
        previous: false,
    };
    assert_eq!(error.instance, pod("checkout-api-7f4b9-abcde"));
    assert_eq!((error.service.as_str(), error.at), ("checkout-api", Some(at("2026-11-21T02:30:01.5Z"))));
    assert!(lines.iter().zip(lines.iter().skip(1)).all(|(a, b)| a.at <= b.at), "in order of time");
    let [asked] = server.asked().try_into().unwrap();
    assert_eq!(asked.path, "/loki/api/v1/query_range");
    assert_eq!(asked.parameter("query").unwrap(), r#"{namespace="shop",app="checkout-api"}"#);
    assert_eq!(asked.parameter("start").unwrap(), "1795226400000000000");
    // its end is not part of the range, and ours is
    assert_eq!(asked.parameter("end").unwrap(), "1795230000000000001");
    assert_eq!(asked.parameter("direction").unwrap(), "backward");
    assert_eq!((asked.header("x-scope-orgid"), asked.header("authorization")), ("team-a", "Bearer s3cr3t"));
}

#[tokio::test]
async fn loki_is_asked_for_no_more_than_it_gives() {
    let refusal = "max entries limit per query exceeded, limit > max_entries_limit_per_query (200 > 100)";
    let server =
        StandIn::start(move |asked| match asked.parameter("limit").unwrap().parse::<u32>().unwrap() {
            0..=100 => Says::Json(json(LOKI)),
            _ => Says::Text(400, "text/plain; charset=utf-8", refusal.to_owned()),
        })
        .await;
    let store = loki(&server.url);
    for _ in 0..2 {
        assert_eq!(store.search(&query()).await.unwrap().matched(), 4);
    }
    let limits: Vec<String> = server.asked().iter().map(|asked| asked.parameter("limit").unwrap()).collect();
    assert_eq!(limits, ["200", "100", "100"]);
}

/// One stream with a line each second, as Loki gives it.
fn seconds(asked: &super::stand_in::Asked) -> Says {
    let number = |name: &str| asked.parameter(name).unwrap().parse::<i64>().unwrap();
    let start = at("2026-11-21T02:00:00Z").as_second();
    let (from, to) = (number("start"), number("end"));
    let backward = asked.parameter("direction").unwrap() == "backward";
    let all = (start..start + 3600).map(|s| s * 1_000_000_000).filter(|ns| *ns >= from && *ns < to);
    let mut all: Vec<i64> = all.collect();
    if backward {
        all.reverse();
    }
    all.truncate(usize::try_from(number("limit")).unwrap());
    let line = |ns: &i64| {
        let n = ns / 1_000_000_000 - start;
        let level = if n % 100 == 50 { "error" } else { "info" };
        json!([ns.to_string(), format!("level={level} msg=\"line {n}\"")])
    };
    let stream = json!({ "stream": { "namespace": "shop", "app": "checkout-api", "pod": "a", "container": "api" },
        "values": all.iter().map(line).collect::<Vec<_>>() });
    Says::Json(json!({ "status": "success", "data": { "resultType": "streams", "result": [stream] } }))
}

#[tokio::test]
async fn pages_are_read_until_enough_is_found() {
    let server = StandIn::start(seconds).await;
    let errors = Query { least: Some(Severity::Error), limit: 20, ..query() };
    let found = loki(&server.url).search(&errors).await.unwrap();
    // the newest come first, and each once
    let expected: Vec<String> =
        (16..36).map(|n| format!("level=error msg=\"line {}\"", n * 100 + 50)).collect();
    assert_eq!(texts(&found), expected);
    assert!(server.asked().len() > 5, "page by page");
    let rare = Query { pattern: Some(Pattern::read("line 49\"").unwrap()), limit: 1, ..query() };
    let found = loki(&server.url).search(&rare).await.unwrap();
    assert_eq!(texts(&found), ["level=info msg=\"line 49\""]);
}

#[tokio::test]
async fn lines_around_those_found_are_of_their_instance_and_none_is_there_twice() {
    let server = StandIn::start(seconds).await;
    let pattern = Some(Pattern::read("/line (1050|1052|3000)\"/").unwrap());
    let found = loki(&server.url).search(&Query { pattern, context: 2, ..query() }).await.unwrap();
    let blocks: Vec<Vec<String>> = found
        .blocks
        .iter()
        .map(|block| {
            block.iter().map(|line| line.text.split('"').nth(1).unwrap().replace("line ", "")).collect()
        })
        .collect();
    let expected = [
        vec!["1048", "1049", "1050", "1051", "1052", "1053", "1054"],
        vec!["2998", "2999", "3000", "3001", "3002"],
    ];
    assert_eq!(blocks, expected);
    assert_eq!(found.matched(), 3);
    let around =
        server.asked().into_iter().filter(|asked| asked.parameter("query").unwrap().contains("pod=\"a\""));
    assert!(
        around.clone().count() == 6 && around.clone().all(|a| !a.parameter("query").unwrap().contains("|~"))
    );
}

#[tokio::test]
async fn elasticsearch_gives_documents_as_lines() {
    let server = StandIn::start(|_| Says::Json(json(ELASTICSEARCH))).await;
    let store = elasticsearch(&server.url);
    let errors = Query { least: Some(Severity::Error), ..query() };
    let found = store.search(&errors).await.unwrap();
    let [line] = found.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(line.text.starts_with("payment of order 17 failed\njava.net.ConnectException: refused\n\tat "));
    assert_eq!((line.severity, line.at), (Some(Severity::Error), Some(at("2026-11-21T02:30:01.5Z"))));
    assert_eq!(line.instance.pod, "checkout-api-7f4b9-abcde");
    assert_eq!(line.trace.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    let [asked] = server.asked().try_into().unwrap();
    assert_eq!((asked.path.as_str(), asked.header("authorization")), ("/logs-*/_search", "ApiKey s3cr3t"));
    let service = &asked.json()["query"]["bool"]["filter"][2]["term"]["service.name"]["value"];
    assert_eq!(service, "checkout-api");
    // all that is known of a part that failed is that it did
    assert_eq!(found.left_out, ["1 of 3 shards of Elasticsearch failed"]);
}

#[tokio::test]
async fn elasticsearch_says_itself_why_it_refuses() {
    let refusal = json!({ "error": { "root_cause": [{ "type": "index_not_found_exception", "reason": "no such index [logs-*]" }],
        "type": "index_not_found_exception", "reason": "no such index [logs-*]" }, "status": 404 });
    let server = StandIn::start(move |_| Says::Text(404, "application/json", refusal.to_string())).await;
    let error = elasticsearch(&server.url).search(&query()).await.unwrap_err().to_string();
    assert!(error.contains("index_not_found_exception: no such index [logs-*]"), "{error}");
}

#[tokio::test]
async fn cloudwatch_is_asked_until_it_is_done() {
    let looks = AtomicUsize::new(0);
    let server = StandIn::start(move |asked| match asked.header("x-amz-target") {
        "Logs_20140328.StartQuery" => {
            Says::Json(json!({ "queryId": "12ab3456-12ab-123a-789e-1234567890ab" }))
        }
        "Logs_20140328.GetQueryResults" if looks.fetch_add(1, Ordering::Relaxed) == 0 => {
            Says::Json(json!({ "results": [], "statistics": { "bytesScanned": 0.0 }, "status": "Running" }))
        }
        "Logs_20140328.GetQueryResults" => Says::Text(200, "application/x-amz-json-1.1", INSIGHTS.to_owned()),
        other => panic!("{other}"),
    })
    .await;
    let found = cloudwatch(&server.url).search(&query()).await.unwrap();
    assert_eq!(texts(&found), ["level=info msg=ready", "level=error msg=\"payment of order 17 failed\""]);
    let line = found.lines().last().unwrap();
    assert_eq!((line.severity, line.at), (Some(Severity::Error), Some(at("2026-11-21T02:30:01.5Z"))));
    assert_eq!(
        (line.instance.pod.as_str(), line.service.as_str()),
        ("checkout-api-7f4b9-abcde", "checkout-api")
    );
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    let start = asked[0].json();
    assert_eq!(start["logGroupNames"], json!(["/aws/containerinsights/eu-1/application"]));
    assert_eq!(
        (start["startTime"].as_i64(), start["endTime"].as_i64()),
        (Some(1_795_226_400), Some(1_795_230_000))
    );
    let text = start["queryString"].as_str().unwrap();
    assert!(text.contains(
        "| filter kubernetes.namespace_name = \"shop\" and kubernetes.labels.app = \"checkout-api\"\n"
    ));
    for one in &asked {
        assert!(one.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKID/"));
        assert!(!one.header("authorization").contains("s3cr3t") && one.header("x-amz-date").ends_with('Z'));
    }
}

#[tokio::test]
async fn cloudwatch_refuses_and_fails_in_words() {
    let denied = json!({ "__type": "AccessDeniedException", "Message": "User: x is not authorized to perform: logs:StartQuery" });
    let throttled = json!({ "__type": "com.amazonaws.logs#ThrottlingException", "message": "Rate exceeded" });
    for (answer, refused, expected) in
        [(denied, true, "not authorized"), (throttled, false, "asked too often")]
    {
        let body = answer.to_string();
        let server =
            StandIn::start(move |_| Says::Text(400, "application/x-amz-json-1.1", body.clone())).await;
        let error = cloudwatch(&server.url).search(&query()).await.unwrap_err();
        let is_refused = matches!(error, belay::ports::reads::ReadError::Refused { .. });
        assert!(is_refused == refused && error.to_string().contains(expected), "{error}");
    }
    let failed = |asked: &super::stand_in::Asked| match asked.header("x-amz-target") {
        "Logs_20140328.StartQuery" => Says::Json(json!({ "queryId": "q" })),
        _ => Says::Json(json!({ "results": [], "status": "Failed" })),
    };
    let server = StandIn::start(failed).await;
    let error = cloudwatch(&server.url).search(&query()).await.unwrap_err().to_string();
    assert!(error.contains("the query ended as `Failed`"), "{error}");
}

#[test]
fn credentials_are_sent_nowhere_unprotected() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let (names, key) = (Names::ecs(), || Credentials::ApiKey("s3cr3t".into()));
    assert!(Elasticsearch::new("http://es.example", key(), "logs-*", names.clone()).is_err());
    assert!(Elasticsearch::new("https://es.example", key(), "logs-*", names.clone()).is_ok());
    let account =
        || Account { region: "eu-central-1".into(), key: "a".into(), secret: "b".into(), session: None };
    let store = |url| CloudWatch::new(url, account(), vec![], names.clone(), Arc::new(SystemClock));
    assert!(store(Some("http://logs.example")).is_err() && store(None).is_ok());
    assert!(Loki::new("https://loki.example", Credentials::None, Some("a\nb"), names.clone()).is_err());
}
