//! The metrics server: names become queries about one workload, figures and changes come back, and what cannot be
//! held to a namespace is refused.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use belay::domain::measure::Measures;
use belay::domain::series::{Point, Series, Window};
use belay::ports::clock::ManualClock;
use belay::ports::reads::{MOST_STEPS, Metrics, ReadError, Sample};
use belay::servers::kit::Scope;
use belay::servers::metrics::{MetricsServer, TOOLS};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::{Asked, WITHIN};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// A value of series `n` at the step of this number, of so many.
type Says = fn(u32, i32, i32) -> f64;

/// Answers with so many series of this shape.
struct Fake {
    series: u32,
    says: Says,
    instant: Vec<f64>,
    asked: Arc<Mutex<Vec<(String, Option<Window>)>>>,
    error: Option<ReadError>,
}

impl Fake {
    fn of(series: u32, says: Says) -> Self {
        Self { series, says, instant: vec![], asked: Arc::default(), error: None }
    }
}

fn label(n: u32) -> BTreeMap<String, String> {
    [("pod".to_owned(), format!("web-{n:03}"))].into()
}

#[async_trait]
impl Metrics for Fake {
    async fn query(&self, promql: &str, _: Timestamp) -> Result<Vec<Sample>, ReadError> {
        self.asked.lock().unwrap().push((promql.to_owned(), None));
        let one = |(n, value): (u32, &f64)| Sample { labels: label(n), value: *value };
        Ok((0..).zip(&self.instant).map(one).collect())
    }

    async fn range(&self, promql: &str, window: Window) -> Result<Vec<Series>, ReadError> {
        self.asked.lock().unwrap().push((promql.to_owned(), Some(window)));
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let steps = i32::try_from(window.length().as_secs() / window.step.as_secs()).unwrap();
        let point = |n, step| Point {
            at: window.from + window.step.saturating_mul(step),
            value: (self.says)(n, step, steps),
        };
        let one = |n| Series { labels: label(n), points: (0..=steps).map(|step| point(n, step)).collect() };
        Ok((0..self.series).map(one).collect())
    }
}

async fn served(fake: Fake, own: &[(&str, &str)], allowed: &[&str]) -> Asked {
    let own = own.iter().map(|(name, promql)| ((*name).to_owned(), (*promql).to_owned())).collect();
    let measures = Arc::new(Measures::shipped_and(own).unwrap());
    let scope = Scope::new(allowed.iter().map(|n| (*n).to_owned()).collect());
    Asked::of(MetricsServer::new(Arc::new(fake), measures, ManualClock::new(now()), scope)).await
}

#[tokio::test]
async fn a_name_becomes_a_query_about_one_workload() {
    let fake = Fake::of(1, |_, step, steps| f64::from(step) / f64::from(steps));
    let asked = Arc::clone(&fake.asked);
    let server = served(
        fake,
        &[("queue", "sum(queue_length{namespace=\"$namespace\",app=\"$workload\"})")],
        &["shop"],
    );
    let server = server.await;
    let arguments =
        json!({"namespace":"shop","service":"web","metric":"error_ratio","period":"6h","aggregation":"max"});
    let (structure, text) = server.answer("get_service_metrics", arguments).await;
    let (promql, window) = asked.lock().unwrap()[0].clone();
    assert!(promql.contains(r#"namespace="shop",pod=~"web-("#) && promql.contains("[300s]"), "{promql}");
    assert!(!promql.contains('$'), "{promql}");
    let window = window.unwrap();
    assert_eq!(
        (window.to, window.length(), window.step.as_secs()),
        (now(), SignedDuration::from_hours(6), 90)
    );
    assert_eq!((&structure["value"], &structure["unit"]), (&json!(null), &json!("ratio")));
    let series = &structure["series"][0];
    assert_eq!((&series["value"], &series["min"], &series["last"]), (&json!(1.0), &json!(0.0), &json!(1.0)));
    assert_eq!(series["values"].as_array().unwrap().len(), 40);
    assert_eq!(series["last_at"], "2026-03-01T12:00:00Z");
    assert!(text.starts_with("`error_ratio` of `web` in namespace `shop`: max 1 ratio from"), "{text}");
    assert!(text.contains("▁▁▁▂") && text.contains("██"), "{text}");
    // what somebody declared goes the same way; rates are over no less than a step
    let arguments = json!({"namespace":"shop","service":"web","metric":"queue","period":"7d"});
    server.answer("get_service_metrics", arguments).await;
    assert_eq!(asked.lock().unwrap()[1].0, r#"sum(queue_length{namespace="shop",app="web"})"#);
    let arguments = json!({"namespace":"shop","service":"web","metric":"cpu_usage","period":"7d"});
    server.answer("get_service_metrics", arguments).await;
    let asked = asked.lock().unwrap();
    let (promql, window) = &asked[2];
    assert_eq!(window.unwrap().step.as_secs(), 2520);
    assert!(promql.contains("[2520s]"), "{promql}");
}

#[tokio::test]
async fn what_is_not_allowed_or_not_known_is_a_sentence() {
    let server = served(Fake::of(0, |_, _, _| 0.0), &[], &["shop"]).await;
    let tool = "get_service_metrics";
    let told = server.trouble(tool, json!({"namespace":"bank","service":"web","metric":"cpu_usage"})).await;
    assert_eq!(told, "namespace `bank` is not allowed; the allowed ones are `shop`");
    let told =
        server.trouble(tool, json!({"namespace":"shop","service":"a\"} or up","metric":"cpu_usage"})).await;
    assert!(told.contains("cannot be the name of a service"), "{told}");
    let told = server.trouble(tool, json!({"namespace":"shop","service":"web","metric":"latency"})).await;
    assert!(
        told.contains("there is no metric `latency`: there are")
            && told.contains("restarts")
            && told.contains("did you mean `latency_"),
        "{told}"
    );
    let told = server.trouble(tool, json!({"namespace":"shop","service":"a.b","metric":"cpu_usage"})).await;
    assert!(told.contains("dot"), "{told}");
    let (structure, text) =
        server.answer(tool, json!({"namespace":"shop","service":"web","metric":"cpu_usage"})).await;
    assert!(text.contains("gave nothing") && text.contains("asked: sum(rate("), "{text}");
    assert_eq!(structure["series"], json!([]));
    let arguments = json!({"namespace":"shop","service":"web","metric":"cpu_usage","since":"40d"});
    assert!(server.trouble("detect_change", arguments).await.contains("thirty days"));
    for (tool, arguments) in
        [("query", json!({"promql":"up"})), ("query_range", json!({"promql":"up","since":"1h"}))]
    {
        let told = server.trouble(tool, arguments).await;
        assert!(told.contains("cannot be held to a namespace") && told.contains("`shop`"), "{told}");
    }
    let error =
        ReadError::Failed { what: "a measurement of Prometheus".into(), why: "it answered 502".into() };
    let server = served(Fake { error: Some(error), ..Fake::of(1, |_, _, _| 0.0) }, &[], &[]).await;
    let told = server.trouble(tool, json!({"namespace":"shop","service":"web","metric":"cpu_usage"})).await;
    assert_eq!(told, "reading a measurement of Prometheus failed: it answered 502");
}

#[tokio::test]
async fn any_query_is_for_who_may_see_everything_and_is_capped() {
    let fake = Fake { instant: (0..60).map(f64::from).collect(), ..Fake::of(30, |n, _, _| f64::from(n)) };
    let asked = Arc::clone(&fake.asked);
    let server = served(fake, &[], &[]).await;
    let (structure, text) = server.answer("query", json!({"promql":"up == 1"})).await;
    assert_eq!(structure["samples"].as_array().unwrap().len(), 50);
    assert_eq!(structure["samples"][0]["value"], 59.0);
    assert!(text.starts_with("showing 50 of 60 samples at 2026-03-01T12:00:00Z"), "{text}");
    let arguments = json!({"promql":"up","since":"1d","step_seconds":1});
    let (structure, text) = server.answer("query_range", arguments).await;
    assert_eq!(structure["series"].as_array().unwrap().len(), 20);
    assert!(text.starts_with("showing 20 of 30 series") && text.contains("more than 300 points"), "{text}");
    let window = asked.lock().unwrap()[1].1.unwrap();
    assert!(window.length().as_secs() / window.step.as_secs() <= i64::from(MOST_STEPS));
    assert_eq!(window.step.as_secs(), 288);
    let told = server.trouble("query", json!({"promql":" "})).await;
    assert!(told.contains("1 to 4096 bytes"), "{told}");
    let told = server.trouble("query", json!({"promql":"x".repeat(5000)})).await;
    assert!(told.contains("4096"), "{told}");
}

#[tokio::test]
async fn a_shift_a_trend_and_a_limit_are_told() {
    let leak: Says = |_, step, steps| 100.0 + 100.0 * f64::from(step) / f64::from(steps);
    let server = served(Fake { instant: vec![250.0], ..Fake::of(1, leak) }, &[], &["shop"]).await;
    let arguments = json!({"namespace":"shop","service":"web","metric":"memory_usage","since":"6h"});
    let (structure, text) = server.answer("detect_change", arguments).await;
    let row = &structure["series"][0];
    assert_eq!((&row["shift"], &row["trend"]["direction"]), (&json!(null), &json!("rising")));
    assert_eq!(row["limit"]["source"], "`memory_limit`");
    // 100 in six hours, and 50 are left
    assert_eq!(row["limit"]["met_at"], "2026-03-01T15:00:00Z");
    assert!(text.contains("trend: rising, 16.67 bytes an hour"), "{text}");
    assert!(text.contains("limit: 250 bytes (`memory_limit`): met in about 3 hours"), "{text}");
    let step: Says = |_, step, steps| if step * 2 < steps { 10.0 } else { 30.0 } + f64::from(step % 3);
    let server = served(Fake::of(1, step), &[], &["shop"]).await;
    let arguments =
        json!({"namespace":"shop","service":"web","metric":"latency_p99","since":"4h","limit":100});
    let (structure, text) = server.answer("detect_change", arguments).await;
    let row = &structure["series"][0];
    assert_eq!(row["shift"]["at"], "2026-03-01T10:00:00Z");
    assert_eq!((&row["shift"]["before"], &row["shift"]["after"]), (&json!(11.0), &json!(31.0)));
    assert_eq!(
        (&row["trend"]["direction"], &row["trend"]["since"]),
        (&json!("flat"), &json!("2026-03-01T10:00:00Z"))
    );
    assert!(text.contains("level: from 11 to 31 s at 2026-03-01T10:00:00Z"), "{text}");
    assert!(text.contains("limit: 100 s (as asked): not met as it goes now"), "{text}");
}

#[tokio::test]
async fn the_tools_are_few_and_cheap_and_promise_to_read_only() {
    let server = served(Fake::of(0, |_, _, _| 0.0), &[], &[]).await;
    let tools = server.0.client.tools(WITHIN).await.unwrap();
    let mut names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    names.sort_unstable();
    let mut known = TOOLS;
    known.sort_unstable();
    assert_eq!(names, known);
    for tool in &tools {
        let hints = tool.annotations.as_ref().unwrap();
        assert_eq!((hints.read_only_hint, hints.destructive_hint), (Some(true), Some(false)));
        assert!(tool.output_schema.is_some(), "{}", tool.name);
        // what has a namespace needs it; what has none is only for who sees everything
        let raw = tool.name.starts_with("query");
        let required = serde_json::to_value(&tool.input_schema).unwrap()["required"].to_string();
        assert_eq!(required.contains("namespace"), !raw, "{}", tool.name);
    }
    let tokens = server.tokens().await;
    assert!(tokens < 600, "{tokens}");
}

proptest! {
    /// Whatever stands for a namespace or a service, a query is about names that Kubernetes allows, or there is none.
    #[test]
    fn no_name_gets_out_of_its_quotes(namespace in "\\PC{0,20}", service in "\\PC{0,20}", seconds in 1_i64..1_000_000) {
        let measures = Measures::shipped_and(BTreeMap::new()).unwrap();
        let fit = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let plain = measures.of_service("error_ratio", "n", "s", SignedDuration::from_secs(seconds)).unwrap();
        match measures.of_service("error_ratio", &namespace, &service, SignedDuration::from_secs(seconds)) {
            Ok(query) => {
                prop_assert!(fit(&namespace) && fit(&service));
                // the same query but for the names
                prop_assert_eq!(query.matches('"').count(), plain.matches('"').count());
                prop_assert_eq!(query.matches('{').count(), plain.matches('{').count());
            }
            Err(_) => prop_assert!(!fit(&namespace) || !fit(&service) || namespace.is_empty() || service.is_empty()
                || namespace.starts_with('-') || namespace.ends_with('-') || service.starts_with('-') || service.ends_with('-')),
        }
    }
}
