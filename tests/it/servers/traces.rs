//! The traces server over MCP: what it tells, and what it keeps to itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use belay::adapters::jaeger::{Credentials, Jaeger};
use belay::adapters::mcp::{InProcess, connect_in_process};
use belay::domain::trace::{Span, SpanKind, Trace, TraceId};
use belay::ports::clock::ManualClock;
use belay::ports::reads::ReadError;
use belay::ports::traces::{Calls, Found, TraceQuery, Traces};
use belay::servers::kit::Scope;
use belay::servers::traces::{TOOLS, TracesServer};
use jiff::Timestamp;
use rmcp::model::CallToolResult;
use serde_json::{Value, json};

use super::says::{Backend, Says};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The traces that are there, whatever is asked for.
#[derive(Clone, Default)]
pub struct Fake {
    pub traces: Vec<Trace>,
    pub calls: Vec<Calls>,
}

#[async_trait]
impl Traces for Fake {
    async fn trace(&self, id: &TraceId) -> Result<Trace, ReadError> {
        let found = self.traces.iter().find(|trace| trace.id == *id).cloned();
        found.ok_or_else(|| ReadError::NotFound { what: format!("trace {id}") })
    }

    async fn search(&self, _: &TraceQuery) -> Result<Found, ReadError> {
        Ok(Found { traces: self.traces.clone(), unread: 0 })
    }

    async fn calls(&self, _: Timestamp, _: Timestamp) -> Result<Option<Vec<Calls>>, ReadError> {
        Ok(Some(self.calls.clone()))
    }
}

pub fn span(id: &str, parent: Option<&str>, place: (&str, &str), error: Option<&str>) -> Span {
    let (namespace, service) = place;
    Span {
        start: "2026-11-21T00:00:00Z".parse().unwrap(),
        nanos: 900_000_000 / (1 + parent.map_or(0, |_| 1)),
        kind: SpanKind::Server,
        id: id.into(),
        parent: parent.map(str::to_owned),
        service: service.into(),
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        operation: format!("op of {service}"),
        error: error.map(str::to_owned),
        peer: None,
        backwards: false,
    }
}

pub fn trace(id: &str, spans: Vec<Span>) -> Trace {
    Trace { id: TraceId::read(id).unwrap(), spans, left_out: 0 }
}

/// A call of `checkout` in `shop` that failed in `payments` in `pay`.
pub fn failed() -> Trace {
    trace(
        TRACE,
        vec![
            span("a", None, ("shop", "checkout"), Some("")),
            span("b", Some("a"), ("pay", "payments"), Some("card\u{1b}[31m declined, password=hunter2")),
        ],
    )
}

struct Bench(InProcess);

impl Bench {
    async fn new(traces: impl Traces + 'static, allowed: &[&str], placed: bool) -> Self {
        let clock = ManualClock::new("2026-11-21T01:00:00Z".parse().unwrap());
        let scope = Scope::new(allowed.iter().map(|n| (*n).to_owned()).collect());
        let server = TracesServer::new(Arc::new(traces), clock, scope, placed);
        Self(connect_in_process(server).await.unwrap())
    }

    async fn call(&self, tool: &str, arguments: Value) -> CallToolResult {
        let Value::Object(arguments) = arguments else { panic!() };
        self.0.client.call(tool, arguments, Duration::from_secs(20)).await.unwrap()
    }

    async fn told(&self, tool: &str, arguments: Value) -> (String, Value) {
        let result = self.call(tool, arguments).await;
        assert_ne!(result.is_error, Some(true), "{result:?}");
        (text(&result), result.structured_content.unwrap())
    }

    async fn trouble(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result.is_error, Some(true), "{result:?}");
        text(&result)
    }
}

fn text(result: &CallToolResult) -> String {
    result.content[0].as_text().unwrap().text.clone()
}

fn fake(traces: Vec<Trace>) -> Fake {
    Fake { traces, calls: Vec::new() }
}

#[tokio::test]
async fn a_trace_tells_what_failed_and_where_the_time_went() {
    let bench = Bench::new(fake(vec![failed()]), &[], true).await;
    let (text, view) = bench.told("get_trace", json!({ "namespace": "shop", "trace_id": TRACE })).await;
    assert_eq!(view["errors"], 2);
    assert_eq!(view["hops"][0]["from"], "shop/checkout");
    assert_eq!(view["hops"][0]["to"], "pay/payments");
    // the deepest failure first: where it began; cleaned and redacted
    assert_eq!(view["failed"][0]["service"], "pay/payments");
    assert_eq!(view["failed"][0]["error"], "card declined, password=[redacted]");
    let path: f64 =
        view["critical_path"].as_array().unwrap().iter().map(|s| s["own_ms"].as_f64().unwrap()).sum();
    assert!((path - 900.0).abs() < 0.01, "{view}");
    assert!(text.starts_with(&format!("trace {TRACE}: 900 ms, 2 spans, 2 of them failed")), "{text}");
    assert!(!text.contains("hunter2") && !text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn of_other_namespaces_no_more_is_shown_than_that_they_were_passed() {
    let unknown = span("c", Some("a"), ("", "nowhere"), None);
    let mut whole = failed();
    whole.spans.push(unknown);
    let bench = Bench::new(fake(vec![whole]), &["shop"], true).await;
    for (tool, arguments) in [
        ("get_trace", json!({ "namespace": "shop", "trace_id": TRACE })),
        ("search_traces", json!({ "namespace": "shop", "service": "checkout" })),
        ("slowest_spans", json!({ "namespace": "shop", "service": "checkout" })),
    ] {
        let (text, view) = bench.told(tool, arguments).await;
        let all = format!("{text}{view}");
        for hidden in ["payments", "pay/", "declined", "nowhere"] {
            assert!(!all.contains(hidden), "{tool} shows {hidden}: {all}");
        }
        assert!(tool == "slowest_spans" || all.contains("another namespace"), "{tool}: {all}");
    }
    // and none of a trace that did not pass through: the same words as of one that is not there
    let elsewhere = trace("ab", vec![span("a", None, ("pay", "payments"), None)]);
    let bench = Bench::new(fake(vec![elsewhere]), &["shop"], true).await;
    let of = |id: &str| json!({ "namespace": "shop", "trace_id": id });
    let there = bench.trouble("get_trace", of("ab")).await;
    assert_eq!(there, "trace 00000000000000ab does not exist");
    assert_eq!(bench.trouble("get_trace", of("ac")).await, there.replace("ab", "ac"));
    let not = bench.trouble("get_trace", json!({ "namespace": "pay", "trace_id": "ab" })).await;
    assert!(not.contains("namespace `pay` is not allowed"), "{not}");
}

#[tokio::test]
async fn a_search_shows_the_failed_first_and_only_what_is_in_the_namespace() {
    let slow = trace("a1", vec![span("a", None, ("shop", "checkout"), None)]);
    let elsewhere = trace("a2", vec![span("a", None, ("test", "checkout"), Some("not ours"))]);
    let bench = Bench::new(fake(vec![slow, elsewhere, failed()]), &[], true).await;
    let (text, view) =
        bench.told("search_traces", json!({ "namespace": "shop", "service": "checkout" })).await;
    let ids: Vec<&str> =
        view["traces"].as_array().unwrap().iter().map(|t| t["trace_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [TRACE, "00000000000000a1"]);
    assert!(text.contains("1 more have a service of that name, but not in this namespace"), "{text}");
    let (_, view) = bench.told("slowest_spans", json!({ "namespace": "shop", "service": "checkout" })).await;
    assert_eq!((view["traces"].as_u64(), view["spans"].as_array().unwrap().len()), (Some(2), 2));
    for (arguments, says) in [
        (json!({ "namespace": "shop", "service": "" }), "`service`"),
        (json!({ "namespace": "shop", "service": "a\nb" }), "`service`"),
        (json!({ "namespace": "shop", "service": "a", "min_duration": "quick" }), "`min_duration`"),
        (json!({ "namespace": "shop", "service": "a", "since": "31d" }), "thirty days"),
        (json!({ "namespace": "..", "service": "a" }), "cannot be the name of a namespace"),
    ] {
        let told = bench.trouble("search_traces", arguments).await;
        assert!(told.contains(says), "{says}: {told}");
    }
    let told = bench.trouble("get_trace", json!({ "namespace": "shop", "trace_id": "../api" })).await;
    assert!(told.contains("hexadecimal"), "{told}");
}

#[tokio::test]
async fn where_spans_do_not_say_where_they_are_only_who_sees_all_sees_them() {
    let bare = trace("ab", vec![span("a", None, ("", "checkout"), None)]);
    let search = json!({ "namespace": "shop", "service": "checkout" });
    let bench = Bench::new(fake(vec![bare.clone()]), &["shop"], false).await;
    let told = bench.trouble("search_traces", search.clone()).await;
    assert!(told.contains("`traces.namespaceAttributes` is empty"), "{told}");
    let bench = Bench::new(fake(vec![bare]), &[], false).await;
    assert_eq!(bench.told("search_traces", search).await.1["traces"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn through_the_adapter_a_fault_is_text_and_nothing_else_is_disturbed() {
    let backend = Backend::start(|_| Says(503, "text/html", b"<html>".to_vec())).await;
    let jaeger = Jaeger::new(&backend.url, Credentials::None, vec!["k8s.namespace.name".into()]).unwrap();
    let bench = Bench::new(jaeger, &[], true).await;
    let told = bench.trouble("get_trace", json!({ "namespace": "shop", "trace_id": TRACE })).await;
    assert_eq!(told, format!("reading trace {TRACE} failed: it answered 503 Service Unavailable"));
}

#[tokio::test]
async fn the_tools_are_as_they_are_listed() {
    let bench = Bench::new(fake(Vec::new()), &[], true).await;
    let tools = bench.0.client.tools(Duration::from_secs(20)).await.unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    let mut listed = TOOLS.to_vec();
    listed.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(names, listed);
}
