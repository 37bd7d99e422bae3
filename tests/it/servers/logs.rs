//! The tools of the logs server, over MCP in process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use belay::adapters::mcp::{InProcess, connect_in_process};
use belay::domain::log::read::{Raw, lines};
use belay::domain::log::windows::select;
use belay::domain::log::{Instance, Line};
use belay::ports::clock::ManualClock;
use belay::ports::logs::{Found, Logs, Query};
use belay::ports::reads::ReadError;
use belay::servers::kit::Scope;
use belay::servers::logs::{LogServer, TOOLS};
use jiff::{SignedDuration, Timestamp};
use rmcp::model::CallToolResult;
use serde_json::{Value, json};

use super::logs_stores::at;

const WITHIN: Duration = Duration::from_secs(20);

/// A store that holds these lines; one that narrows gives no lines but those that are grave themselves.
#[derive(Default)]
struct Fake {
    lines: Vec<(&'static str, Timestamp, String)>,
    narrows: bool,
    left_out: Vec<String>,
    error: Option<ReadError>,
    asked: Mutex<Vec<Query>>,
}

/// One that the test and the server both have.
struct Shared(Arc<Fake>);

#[async_trait]
impl Logs for Shared {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn sees_heads_only(&self) -> bool {
        self.0.sees_heads_only()
    }

    async fn search(&self, query: &Query) -> Result<Found, ReadError> {
        self.0.search(query).await
    }
}

#[async_trait]
impl Logs for Fake {
    fn name(&self) -> &'static str {
        "Fake"
    }

    fn sees_heads_only(&self) -> bool {
        self.narrows
    }

    async fn search(&self, query: &Query) -> Result<Found, ReadError> {
        self.asked.lock().unwrap().push(query.clone());
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let mut pods: Vec<&str> = self.lines.iter().map(|(pod, ..)| *pod).collect();
        pods.sort_unstable();
        pods.dedup();
        let instance = |pod: &str| Instance {
            pod: pod.to_owned(),
            container: "api".into(),
            host: "node-1".into(),
            previous: false,
        };
        let of = |pod: &&str| -> Vec<Line> {
            let mine = self.lines.iter().enumerate().filter(|(_, (name, ..))| name == pod);
            let raw = mine.map(|(n, (_, at, text))| Raw {
                at: Some(*at),
                id: n.to_string(),
                service: "checkout".into(),
                text: text.clone(),
                ..Raw::default()
            });
            let mut lines = lines(&instance(pod), raw.collect());
            for line in &mut lines {
                line.matched =
                    query.wants(line) && !(self.narrows && query.least.is_some() && line.continues);
            }
            lines
        };
        let wanted = pods.iter().filter(|pod| query.instance.as_ref().is_none_or(|i| *i == instance(pod)));
        let shown = select(wanted.map(of).collect(), query.context, query.limit, query.newest);
        let more = shown.matched > query.limit;
        Ok(Found { blocks: shown.blocks, more, left_out: self.left_out.clone() })
    }
}

fn said(lines: &[(&'static str, &str, &str)]) -> Fake {
    let line = |(pod, time, text): &(&'static str, &str, &str)| (*pod, at(time), (*text).to_owned());
    Fake { lines: lines.iter().map(line).collect(), ..Fake::default() }
}

struct Bench {
    running: InProcess,
    fake: Arc<Fake>,
}

impl Bench {
    async fn new(fake: Fake, allowed: &[&str]) -> Self {
        let fake = Arc::new(fake);
        let allowed = allowed.iter().map(|n| (*n).to_owned()).collect();
        let clock = ManualClock::new(at("2026-11-21T03:00:00Z"));
        let server = LogServer::new(Arc::new(Shared(Arc::clone(&fake))), Scope::new(allowed), clock);
        Self { running: connect_in_process(server).await.unwrap(), fake }
    }

    async fn call(&self, tool: &str, arguments: Value) -> CallToolResult {
        let Value::Object(arguments) = arguments else { panic!() };
        self.running.client.call(tool, arguments, WITHIN).await.unwrap()
    }

    async fn answer(&self, tool: &str, arguments: Value) -> (String, Value) {
        let result = self.call(tool, arguments).await;
        assert_ne!(result.is_error, Some(true), "{result:?}");
        (result.content[0].as_text().unwrap().text.clone(), result.structured_content.unwrap())
    }

    async fn trouble(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result.is_error, Some(true), "{result:?}");
        result.content[0].as_text().unwrap().text.clone()
    }
}

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn shop() -> Fake {
    said(&[
        ("a", "2026-11-21T02:30:00Z", "level=info msg=ready"),
        ("a", "2026-11-21T02:31:00Z", "2026-11-21 02:31:00 ERROR payment of order 17 failed"),
        ("a", "2026-11-21T02:31:00.001Z", "java.net.ConnectException: refused"),
        ("a", "2026-11-21T02:31:00.002Z", "\tat com.example.Pay.call(Pay.java:17)"),
        ("a", "2026-11-21T02:32:00Z", "level=info msg=ok"),
        (
            "b",
            "2026-11-21T02:40:00Z",
            "2026-11-21 02:40:00 ERROR payment of order 18 failed trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
        ),
        ("b", "2026-11-21T02:41:00Z", "level=warn msg=slow"),
        ("b", "2026-11-21T02:42:00Z", "panic: no cart"),
    ])
}

#[tokio::test]
async fn the_tools_are_described_in_few_words() {
    let bench = Bench::new(Fake::default(), &[]).await;
    let tools = bench.running.client.tools(WITHIN).await.unwrap();
    let mut names: Vec<&str> = tools.iter().map(|t| t.name.as_ref()).collect();
    names.sort_unstable();
    let mut expected = TOOLS.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for tool in &tools {
        assert_eq!(tool.annotations.clone().unwrap().read_only_hint, Some(true));
        assert!(tool.output_schema.is_some() && tool.input_schema["additionalProperties"] == json!(false));
        assert!(tool.input_schema["required"].as_array().unwrap().contains(&json!("namespace")));
        let schema = serde_json::to_string(&tool.input_schema).unwrap();
        let bytes = tool.name.len() + tool.description.as_deref().unwrap().len() + schema.len();
        assert!(bytes < 1_700, "{}: {bytes} bytes", tool.name);
    }
}

#[tokio::test]
async fn lines_are_found_with_what_surrounds_them() {
    let bench = Bench::new(shop(), &[]).await;
    let (text, found) = bench
        .answer(
            "search_logs",
            json!({ "namespace": "shop", "service": "checkout", "pattern": "/order 1[78]/", "context": 1 }),
        )
        .await;
    assert_eq!((&found["matched"], &found["more"]), (&json!(2), &json!(false)));
    let first = &found["lines"][1];
    let expected = json!({ "at": "2026-11-21T02:31:00.000Z", "service": "checkout", "instance": "a/api", "severity": "error",
        "trace_id": null, "matched": true, "block": 1, "text": "2026-11-21 02:31:00 ERROR payment of order 17 failed" });
    assert_eq!(*first, expected);
    assert_eq!(found["lines"][3]["trace_id"], json!(ID));
    let lines: Vec<&str> = text.lines().collect();
    let head = "all 2 lines that match in the logs of service `checkout` in namespace `shop`, 2026-11-21T02:00:00.000Z to 2026-11-21T03:00:00.000Z (Fake)";
    assert_eq!(lines[0], head);
    assert_eq!(lines[1], "  2026-11-21T02:30:00.000Z info checkout a/api | level=info msg=ready");
    assert_eq!(lines[4], "--");
    assert!(
        lines[5].starts_with("> 2026-11-21T02:40:00.000Z error checkout b/api trace=4bf92f"),
        "{}",
        lines[5]
    );
}

#[tokio::test]
async fn severity_time_and_limit_narrow_a_search() {
    let bench = Bench::new(shop(), &[]).await;
    let ask = |more: Value| {
        let mut arguments = json!({ "namespace": "shop" });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let count =
        async |more: Value| bench.answer("search_logs", ask(more)).await.1["matched"].as_u64().unwrap();
    assert_eq!(count(json!({})).await, 8);
    assert_eq!(count(json!({ "severity": "error" })).await, 5, "with the stack trace");
    assert_eq!(count(json!({ "since": "19m" })).await, 2);
    assert_eq!(count(json!({ "since": "1h", "until": "29m" })).await, 2);
    let (text, found) = bench.answer("search_logs", ask(json!({ "limit": 1 }))).await;
    assert_eq!((&found["more"], &found["lines"][0]["text"]), (&json!(true), &json!("panic: no cart")));
    assert!(text.starts_with("the newest 1 lines that match") && text.contains("there may be more"));
    let (text, _) = bench.answer("search_logs", ask(json!({ "pattern": "nothing" }))).await;
    assert!(text.starts_with("nothing like that is in the logs of namespace `shop`"), "{text}");
    let asked = bench.fake.asked.lock().unwrap();
    let last = asked.last().unwrap();
    assert_eq!((last.context, last.limit, last.since), (0, 50, at("2026-11-21T02:00:00Z")));
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_in_words() {
    let bench = Bench::new(shop(), &["shop"]).await;
    for (arguments, says) in [
        (
            json!({ "namespace": "kube-system" }),
            "namespace `kube-system` is not allowed; the allowed ones are `shop`",
        ),
        (json!({ "namespace": "shop", "service": "a b" }), "cannot be the name of a service"),
        (json!({ "namespace": "shop", "service": "a\"} or {" }), "cannot be the name of a service"),
        (json!({ "namespace": "shop", "since": "yesterday" }), "`since` is `yesterday`"),
        (json!({ "namespace": "shop", "pattern": "/(/" }), "is no regular expression"),
        (json!({ "namespace": "shop", "pattern": "" }), "`pattern` is empty"),
        (json!({ "namespace": "shop", "pattern": "a".repeat(300) }), "more than 256 bytes"),
    ] {
        let told = bench.trouble("search_logs", arguments.clone()).await;
        assert!(told.contains(says), "{arguments}: {told}");
    }
    assert!(bench.trouble("get_error_summary", json!({ "namespace": "till" })).await.contains("not allowed"));
    let why = "it answered 503".to_owned();
    let down =
        Fake { error: Some(ReadError::Failed { what: "logs of Loki".into(), why }), ..Fake::default() };
    let bench = Bench::new(down, &[]).await;
    let told = bench.trouble("get_error_summary", json!({ "namespace": "shop" })).await;
    assert_eq!(told, "reading logs of Loki failed: it answered 503");
}

#[tokio::test]
async fn errors_are_summed_up_with_a_sample_and_its_stack() {
    for narrows in [false, true] {
        let bench = Bench::new(Fake { narrows, ..shop() }, &[]).await;
        let (text, found) =
            bench.answer("get_error_summary", json!({ "namespace": "shop", "service": "checkout" })).await;
        assert_eq!(
            (&found["errors"], &found["kinds"]),
            (&json!(3), &json!(found["types"].as_array().unwrap().len()))
        );
        let types = found["types"].as_array().unwrap();
        let with_stack = types.iter().find(|t| t["exception"] == json!("java.net.ConnectException")).unwrap();
        let sample = with_stack["sample"]["text"].as_str().unwrap();
        assert!(sample.ends_with("refused\n\tat com.example.Pay.call(Pay.java:17)"), "{sample}");
        let counts: u64 = types.iter().map(|t| t["count"].as_u64().unwrap()).sum();
        assert_eq!(counts, 3);
        assert!(types.iter().any(|t| t["trace_ids"] == json!([ID])), "{types:?}");
        assert!(
            types.iter().any(|t| t["template"].as_str().unwrap().contains("payment of order <num> failed"))
        );
        assert!(text.contains("   | \tat com.example.Pay.call(Pay.java:17)"), "{text}");
        let follow = bench.fake.asked.lock().unwrap().iter().filter(|q| q.instance.is_some()).count();
        assert_eq!(follow > 0, narrows, "only what did not see them looks for stacks");
    }
}

#[tokio::test]
async fn only_the_ten_most_frequent_kinds_are_shown() {
    let names: Vec<String> = (0..20u8).map(|n| char::from(b'a' + n).to_string().repeat(4)).collect();
    let start = at("2026-11-21T02:30:00Z");
    let mut lines = Vec::new();
    for (n, name) in names.iter().enumerate() {
        for _ in 0..=n {
            let time =
                start.checked_add(SignedDuration::from_millis(i64::try_from(lines.len()).unwrap())).unwrap();
            lines.push(("a", time, format!("level=error msg=\"{name} {name} {name}\"")));
        }
    }
    let bench = Bench::new(Fake { lines, ..Fake::default() }, &[]).await;
    let (text, found) = bench.answer("get_error_summary", json!({ "namespace": "shop" })).await;
    assert!(text.starts_with("210 errors of 20 kinds in the logs of namespace `shop`"), "{text}");
    let counts: Vec<u64> =
        found["types"].as_array().unwrap().iter().map(|t| t["count"].as_u64().unwrap()).collect();
    assert_eq!(counts, (11..=20).rev().collect::<Vec<u64>>());
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let time = at("2026-11-21T02:30:00Z");
    let line = |text: String| ("a", time, text);
    let giant = format!("level=error msg=\"{}\"", "x".repeat(10 << 20));
    let fake = Fake {
        lines: vec![
            line(
                "level=error msg=\"\u{1b}[31mred\u{1b}]8;;http://x\u{7}\" password=hunter2 \u{202e}gnp"
                    .to_owned(),
            ),
            line(
                "ERROR token AKIA0CANARY0CANARY00 and postgres://app:CANARY@db:5432/shop\r\nforged"
                    .to_owned(),
            ),
            line("-----BEGIN RSA PRIVATE KEY-----".to_owned()),
            line("MIICANARY".to_owned()),
            line("-----END RSA PRIVATE KEY-----".to_owned()),
            line(giant),
        ],
        left_out: vec!["a\u{1b}[2Jb password=hunter2".to_owned()],
        ..Fake::default()
    };
    let bench = Bench::new(fake, &[]).await;
    for tool in TOOLS {
        let result = bench.call(tool, json!({ "namespace": "shop" })).await;
        let whole = serde_json::to_string(&result).unwrap();
        for bad in ["hunter2", "CANARY", "\\u001b", "\u{1b}", "\u{202e}"] {
            assert!(!whole.contains(bad), "{tool}: {bad}: {whole}");
        }
        assert!(whole.len() < 64 << 10, "{tool}: {} bytes", whole.len());
    }
    // an answer is bounded, however long its lines are, and says what it lacks
    let long = (0..200).map(|_| line(format!("level=error msg=\"{}\"", "y ".repeat(300)))).collect();
    let bench = Bench::new(Fake { lines: long, ..Fake::default() }, &[]).await;
    let (text, found) = bench.answer("search_logs", json!({ "namespace": "shop", "limit": 200 })).await;
    assert!(text.len() < 24 << 10, "{}", text.len());
    assert!(text.contains("earlier lines: an answer has at most 20 KiB of them"));
    assert_eq!(found["more"], json!(true));
}
