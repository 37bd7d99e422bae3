//! What reaches a server of whose calls: namespaces of tools, prompts and resources, limits, deadlines, the audit.

use belay::domain::authority::{Namespaces, Right};
use proptest::prelude::*;
use serde_json::Map;

use super::super::traces::{Fake, failed};
use super::*;

#[tokio::test]
async fn a_limited_caller_has_what_is_of_its_namespaces() {
    let house = House::with(|_| ()).await;
    let listed = async |token: &str, method: &str, key: &str, name: &str| {
        let listed = house.rpc(Some(token), method, json!({})).await.unwrap();
        let names = listed[key].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(listed(ALICE, "tools/list", "tools", "name").await.len(), 4);
    assert_eq!(listed(BOB, "tools/list", "tools", "name").await, ["look", "wait"]);
    assert_eq!(listed(ALICE, "prompts/list", "prompts", "name").await, ["triage", "handover"]);
    assert_eq!(listed(BOB, "prompts/list", "prompts", "name").await, ["triage"]);
    assert_eq!(listed(ALICE, "resources/list", "resources", "uri").await.len(), 3);
    assert_eq!(listed(BOB, "resources/list", "resources", "uri").await, ["spy://namespaces/shop/web"]);
    let templates = listed(BOB, "resources/templates/list", "resourceTemplates", "uriTemplate").await;
    assert_eq!(templates, ["spy://namespaces/{namespace}/{name}"]);
    assert!(house.spy.reached().is_empty());
    house.ledger.lines();

    // tools
    assert_eq!(house.call(BOB, "look", json!({ "namespace": "shop" })).await["isError"], false);
    for (tool, arguments, said) in [
        (
            "look",
            json!({ "namespace": "bank" }),
            "namespace `bank` is not among those that you may see: `shop`",
        ),
        ("look", json!({}), "`namespace` must be the name of one namespace"),
        ("look", json!({ "namespace": ["shop", "bank"] }), "`namespace` must be"),
        ("look", json!({ "namespace": "shop", "Namespace": "bank" }), "argument `Namespace`"),
        ("look", json!({ "namespace": "shop", "options": { "all_namespaces": true } }), "argument `options`"),
        ("query", json!({ "promql": "up" }), "for callers who may see every namespace"),
        ("maybe", json!({ "namespace": "shop" }), "for callers who may see every namespace"),
        ("odd", json!({ "namespace": "shop" }), "for callers who may see every namespace"),
    ] {
        let answer = house.call(BOB, tool, arguments.clone()).await;
        assert_eq!(answer["isError"], true, "{tool} {arguments}");
        let text = answer["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(said), "{text}");
    }
    let shop = json!({ "tool": "look", "arguments": { "namespace": "shop" } });
    assert_eq!(house.spy.reached(), [shop]);
    let lines = house.ledger.lines();
    assert_eq!(lines.len(), 9);
    assert_eq!(lines[0], "token:bob tools/call look shop answered");
    assert_eq!(lines[1], "token:bob tools/call look bank denied");
    assert_eq!(lines[3], r#"token:bob tools/call look ["shop","bank"] denied"#);
    house.call(ALICE, "query", json!({ "promql": "up" })).await;
    house.call(ALICE, "look", json!({ "namespace": "bank" })).await;
    assert_eq!(house.spy.reached().len(), 2);

    // prompts
    let prompt = async |token: &str, name: &str, arguments: Value| {
        house.rpc(Some(token), "prompts/get", json!({ "name": name, "arguments": arguments })).await
    };
    assert!(prompt(BOB, "triage", json!({ "namespace": "shop" })).await.is_ok());
    assert!(prompt(ALICE, "handover", json!({})).await.is_ok());
    assert_eq!(house.spy.reached().len(), 2);
    for (name, arguments) in [
        ("triage", json!({ "namespace": "bank" })),
        ("triage", json!({})),
        ("triage", json!({ "namespace": "shop", "other": "bank" })),
        ("handover", json!({ "namespace": "shop" })),
    ] {
        let error = prompt(BOB, name, arguments).await.unwrap_err();
        assert!(error["message"].as_str().unwrap().len() > 20, "{error}");
    }
    assert!(house.spy.reached().is_empty());
    house.stop().await;
}

#[tokio::test]
async fn resources_and_completions_are_held_to_namespaces_too() {
    let house = House::with(|_| ()).await;
    let read =
        async |token: &str, uri: &str| house.rpc(Some(token), "resources/read", json!({ "uri": uri })).await;
    assert!(read(BOB, "spy://namespaces/shop/web").await.is_ok());
    assert!(read(ALICE, "spy://everything").await.is_ok());
    assert_eq!(house.spy.reached().len(), 2);
    for uri in ["spy://namespaces/bank/web", "spy://everything", "spy://namespaces/shop/%2e%2e/bank/web"] {
        let error = read(BOB, uri).await.unwrap_err();
        assert_eq!(error["code"], -32003, "{error}");
    }
    assert!(house.spy.reached().is_empty());
    let complete = json!({
        "ref": { "type": "ref/prompt", "name": "triage" }, "argument": { "name": "namespace", "value": "b" },
    });
    let none = house.rpc(Some(BOB), "completion/complete", complete.clone()).await.unwrap();
    assert_eq!(none["completion"]["values"], json!([]));
    assert!(house.spy.reached().is_empty());
    let some = house.rpc(Some(ALICE), "completion/complete", complete).await.unwrap();
    assert_eq!(some["completion"]["values"], json!(["bank"]));
    house.stop().await;
}

#[tokio::test]
async fn who_calls_too_often_waits_and_floods_no_log() {
    let house = House::with(|access| access.calls_per_minute = 8).await;
    let look = json!({ "namespace": "shop" });
    // a quarter of a minute's calls may come at once
    for _ in 0..2 {
        assert_eq!(house.call(BOB, "look", look.clone()).await["isError"], false);
    }
    for _ in 0..5 {
        let told = house.call(BOB, "look", look.clone()).await;
        let text = told["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("too many calls: try again in"), "{text}");
    }
    let listed = house.rpc(Some(BOB), "tools/list", json!({})).await.unwrap_err();
    assert_eq!(listed["code"], -32003);
    // others have their own
    assert_eq!(house.call(ALICE, "look", look.clone()).await["isError"], false);
    house.clock.advance(jiff::SignedDuration::from_secs(8));
    assert_eq!(house.call(BOB, "look", look).await["isError"], false);
    let all: Vec<Called> = house.ledger.0.lock().unwrap().clone();
    let words: Vec<&str> = all.iter().map(|call| call.outcome.word()).collect();
    assert_eq!(words, ["answered", "answered", "too_often", "answered", "answered"]);
    // one was written down, five were counted
    assert_eq!(all[4].unwritten, 5);
    assert_eq!(house.spy.reached().len(), 4);
    house.stop().await;
}

#[tokio::test]
async fn a_call_ends_in_time_and_is_written_down_however_it_ends() {
    let (spy, ledger, clock) = (Spy::default(), Ledger::default(), ManualClock::new(start()));
    let post = Post { within: Duration::from_millis(50), ..post(&clock, &ledger) };
    let bench = inside(Caller::at_home("process:me"), post, &spy).await;
    let arguments = Map::from_iter([("namespace".to_owned(), json!("shop"))]);
    let answer = bench.client.call("wait", arguments, SOON).await.unwrap();
    assert_eq!(answer.is_error, Some(true));
    let lines = ledger.lines();
    assert!(lines.last().unwrap().ends_with("tools/call wait shop too_long"), "{lines:?}");
}

/// Over HTTP a request whose caller was not found is nobody's, whatever the process itself may.
#[tokio::test]
async fn a_request_without_a_caller_is_nobodys() {
    let (spy, ledger, clock) = (Spy::default(), Ledger::default(), ManualClock::new(start()));
    let guarded = Guarded::over_http(spy.clone(), Arc::new(Guard::new(post(&clock, &ledger))));
    let refused = belay::adapters::mcp::connect_in_process(guarded).await;
    assert!(refused.is_err(), "even the handshake");
    assert_eq!(ledger.lines(), ["nobody initialize  - denied"]);
    assert!(spy.reached().is_empty());
}

#[tokio::test]
async fn a_right_for_another_server_lets_no_call_through() {
    let (spy, ledger, clock) = (Spy::default(), Ledger::default(), ManualClock::new(start()));
    for right in ["metrics:production:read", "logs:staging:read"] {
        let right: Right = right.parse().unwrap();
        let caller = Caller::new("x", vec![right], Namespaces::All);
        let guarded = Guarded::of_process(spy.clone(), Arc::new(Guard::new(post(&clock, &ledger))), caller);
        assert!(belay::adapters::mcp::connect_in_process(guarded).await.is_err());
    }
    assert!(spy.reached().is_empty());
}

/// Arguments of any shape, with names of namespaces wherever they may be.
fn any_value() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "shop",
        "bank",
        "*",
        "",
        "Shop",
        "shop ",
        " shop",
        "sh\u{43e}p",
        "shop,bank",
        "shop\0bank",
        "../bank",
        "shop/../bank",
        "s\u{200b}hop",
        "ｓｈｏｐ",
    ]);
    let leaf = prop_oneof![
        5 => name.prop_map(|name| json!(name)),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(|b| json!(b)),
        1 => any::<i32>().prop_map(|n| json!(n)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((any_key(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let keys = vec![
        "namespace",
        "Namespace",
        "namespaces",
        "NAMESPACE",
        "namespace ",
        "nаmespace",
        "all_namespaces",
        "pod",
        "options",
        "filter",
        "",
    ];
    prop::sample::select(keys).prop_map(str::to_owned)
}

/// Whatever reached the server was about the namespace of its caller, and nothing in it spoke of another.
fn only_shop(reached: &Value) -> bool {
    fn speaks(value: &Value) -> bool {
        match value {
            Value::Object(fields) => {
                fields.iter().any(|(key, value)| key.to_lowercase().contains("namespace") || speaks(value))
            }
            Value::Array(items) => items.iter().any(speaks),
            _ => false,
        }
    }
    let Some(arguments) = reached["arguments"].as_object() else { return false };
    let others = arguments.iter().filter(|(key, _)| *key != "namespace");
    arguments.get("namespace") == Some(&json!("shop"))
        && others.clone().all(|(_, value)| !speaks(value))
        && others.clone().all(|(key, _)| ["pod", "options"].contains(&key.as_str()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// What is sent is text, so that a key may stand there twice.
    #[test]
    fn prop_a_limited_callers_calls_never_reach_another_namespace(
        calls in prop::collection::vec(
            (prop::sample::select(vec!["look", "query", "maybe", "wat"]),
             prop::collection::vec((any_key(), any_value()), 0..5)),
            1..12,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (spy, ledger, clock) = (Spy::default(), Ledger::default(), ManualClock::new(start()));
            let right: Right = "logs:production:read".parse().unwrap();
            let caller = Caller::new("x", vec![right], Namespaces::of(["shop"]));
            let guarded = Guarded::of_process(spy.clone(), Arc::new(Guard::new(post(&clock, &ledger))), caller);
            let mut raw = Raw::connect(guarded).await;
            for (tool, arguments) in &calls {
                let fields: Vec<String> = arguments.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
                let params = format!("{{\"name\":\"{tool}\",\"arguments\":{{{}}}}}", fields.join(","));
                let answer = raw.ask("tools/call", &params).await;
                let reached = spy.reached();
                assert!(reached.iter().all(only_shop), "{params} reached {reached:?}");
                // and what did not was said to be denied
                assert!(!reached.is_empty() || answer["result"]["isError"] == true || answer.get("error").is_some(), "{answer}");
            }
        });
    }
}

/// A client that writes its messages by hand.
struct Raw {
    reader: tokio::io::BufReader<tokio::io::ReadHalf<tokio::io::DuplexStream>>,
    writer: tokio::io::WriteHalf<tokio::io::DuplexStream>,
    asked: u32,
    _task: JoinHandle<()>,
}

impl Raw {
    async fn connect<S: ServerHandler>(server: S) -> Self {
        use rmcp::ServiceExt as _;
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let task = tokio::spawn(async move {
            if let Ok(running) = server.serve(theirs).await {
                running.waiting().await.ok();
            }
        });
        let (reader, writer) = tokio::io::split(ours);
        let mut raw = Self { reader: tokio::io::BufReader::new(reader), writer, asked: 0, _task: task };
        let hello =
            r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}"#;
        assert!(raw.ask("initialize", hello).await.get("result").is_some());
        raw.send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}").await;
        raw
    }

    async fn send(&mut self, line: &str) {
        use tokio::io::AsyncWriteExt as _;
        self.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn ask(&mut self, method: &str, params: &str) -> Value {
        use tokio::io::AsyncBufReadExt as _;
        self.asked += 1;
        let id = self.asked;
        let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}");
        self.send(&line).await;
        let mut line = String::new();
        tokio::time::timeout(SOON, self.reader.read_line(&mut line)).await.unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

/// A trace leads out of the namespace that it was asked for in: what is shown of it is what the caller may see.
#[tokio::test]
async fn a_limited_caller_sees_only_its_own_part_of_what_crosses_namespaces() {
    use belay::servers::traces::TracesServer;
    let (clock, ledger) = (ManualClock::new(start()), Ledger::default());
    let trace = failed();
    let arguments = json!({ "namespace": "shop", "trace_id": trace.id.to_string() });
    let told = async |namespaces: &[&str]| {
        let fake = Fake { traces: vec![failed()], ..Fake::default() };
        let server = TracesServer::new(Arc::new(fake), clock.clone(), Scope::new(vec![]), true);
        let caller = Caller::new(
            "bob",
            vec![Right::to_read("logs", "production")],
            Namespaces::of(namespaces.iter().copied()),
        );
        let guarded = Guarded::of_process(server, Arc::new(Guard::new(post(&clock, &ledger))), caller);
        let inside = belay::adapters::mcp::connect_in_process(guarded).await.unwrap();
        let Value::Object(arguments) = arguments.clone() else { panic!() };
        let result = inside.client.call("get_trace", arguments, SOON).await.unwrap();
        assert_ne!(result.is_error, Some(true), "{result:?}");
        format!("{result:?}")
    };
    let (all, own) = (told(&["*"]).await, told(&["shop"]).await);
    assert!(all.contains("payments") && all.contains("declined"), "{all}");
    assert!(own.contains("checkout"), "{own}");
    assert!(!own.contains("payments") && !own.contains("declined") && !own.contains("\"pay\""), "{own}");
}
