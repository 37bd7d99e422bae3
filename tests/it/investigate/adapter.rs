//! The adapter against servers that are odd, rude, slow or gone, over real HTTP.

use std::time::{Duration, Instant};

use belay::adapters::openai::{Misconfigured, OpenAi, Settings, TokenField};
use belay::ports::model::{Chat, Message, Model, ModelError, Reply, ToolSpec};
use belay::sim::model::{Odd, Script, ScriptedModel, Turn};
use secrecy::SecretString;

use super::fixtures::specs;

const KEY: &str = "sk-canary-0123456789";

pub fn settings(base_url: String) -> Settings {
    rustls::crypto::ring::default_provider().install_default().ok();
    Settings {
        base_url,
        key: Some(SecretString::from(format!("{KEY}\n"))),
        model: "scripted".into(),
        per_try: Duration::from_secs(20),
        proxy: None,
        token_field: TokenField::default(),
        stream: false,
    }
}

fn chat() -> Chat {
    let system = Message::System { content: "system".into() };
    let user = Message::User { content: "user".into() };
    Chat { messages: vec![system, user], tools: specs(), must_call: false, max_tokens: 64 }
}

struct Asked {
    answer: Result<Reply, ModelError>,
    requests: usize,
}

async fn ask_for(turns: Vec<Turn>, within: Duration) -> Asked {
    let server = ScriptedModel::start(Script::Turns(turns)).await.unwrap();
    let model = OpenAi::new(settings(server.base_url())).unwrap();
    let answer = model.chat(&chat(), within).await;
    assert!(server.violations().iter().all(|v| v.contains("script is over")), "{:?}", server.violations());
    Asked { answer, requests: server.seen().len() }
}

async fn ask(turn: Turn) -> Asked {
    ask_for(vec![turn.clone(), turn.clone(), turn], Duration::from_secs(20)).await
}

fn http(status: u16, body: &str) -> Turn {
    Turn::Http { status, body: body.into(), retry_after: Some(0) }
}

#[tokio::test]
async fn odd_answers_are_read() {
    let odd = |odd| async move { ask(Turn::Odd(odd)).await.answer.unwrap() };
    let one = |reply: &Reply| {
        assert_eq!(reply.calls.len(), 1, "{reply:?}");
        assert_eq!(reply.calls[0].name, "escalate");
        assert_eq!(reply.calls[0].arguments, r#"{"reason":"odd"}"#);
        assert_eq!(reply.incomplete, None);
    };
    one(&odd(Odd::NoType).await);
    one(&odd(Odd::ObjectArguments).await);
    let reply = odd(Odd::NoIds).await;
    assert_eq!(reply.calls.len(), 2);
    assert!(!reply.calls[0].id.is_empty() && reply.calls[0].id != reply.calls[1].id);
    let reply = odd(Odd::OddFinish).await;
    assert_eq!((reply.content.as_str(), reply.incomplete, reply.usage.total()), ("x", None, 0));
    assert_eq!(odd(Odd::Bare).await.content, "x");
    assert_eq!(odd(Odd::Parts).await.content, "ab");
    assert_eq!(odd(Odd::Length).await.incomplete.as_deref(), Some("length"));
    assert_eq!(odd(Odd::Filtered).await.incomplete.as_deref(), Some("content_filter"));
    assert_eq!(odd(Odd::Empty).await.content, "");
}

#[tokio::test]
async fn what_is_no_completion_is_unreadable_and_not_asked_again() {
    for (odd, said) in [
        (Odd::Html, "Sign in to continue"),
        (Odd::HalfJson, "no chat completion"),
        (Odd::NoChoices, "no choice"),
        (Odd::Huge, "longer than"),
    ] {
        let Asked { answer, requests } = ask(Turn::Odd(odd)).await;
        let Err(ModelError::Unreadable(why)) = answer else { panic!("{odd:?}: {answer:?}") };
        assert!(why.contains(said), "{why}");
        assert!(why.len() < 400 && requests == 1, "{odd:?}: {requests}");
    }
}

#[tokio::test]
async fn refusals_of_every_shape_keep_their_status() {
    for (status, body, said, requests) in [
        (400, r#"{"error":{"message":"bad","type":"invalid","param":null,"code":null}}"#, "bad", 1),
        (400, r#"{"error":{"message":"int code","code":400}}"#, "int code", 1),
        (404, r#"{"detail":"no such model"}"#, "no such model", 1),
        (404, r#"{"error":"model not found"}"#, "model not found", 1),
        (403, "<html>go away</html>", "<html>go away</html>", 1),
        (401, r#"{"error":{"message":"Incorrect API key: sk-canary-0123456789"}}"#, "key: [key]", 1),
        (302, "", "302", 1),
        (500, "boom", "boom", 3),
        (529, "overloaded", "overloaded", 3),
        (429, r#"{"detail":"slow down"}"#, "slow down", 3),
        (429, r#"{"error":{"message":"pay","type":"insufficient_quota","code":null}}"#, "pay", 1),
    ] {
        let asked = ask(http(status, body)).await;
        let Err(ModelError::Unavailable(why)) = asked.answer else { panic!("{:?}", asked.answer) };
        assert!(why.starts_with(&status.to_string()) && why.contains(said), "{why}");
        assert!(!why.contains(KEY), "{why}");
        assert_eq!(asked.requests, requests, "{status} {body}");
    }
}

#[tokio::test]
async fn it_tries_again_and_succeeds() {
    let turns = vec![http(429, r#"{"detail":"x"}"#), http(503, ""), Turn::Say("here".into())];
    let Asked { answer, requests } = ask_for(turns, Duration::from_secs(20)).await;
    assert_eq!((answer.unwrap().content.as_str(), requests), ("here", 3));
    let turns = vec![Turn::Odd(Odd::Cut), Turn::Say("here".into())];
    let Asked { answer, requests } = ask_for(turns, Duration::from_secs(20)).await;
    assert_eq!((answer.unwrap().content.as_str(), requests), ("here", 2));
}

#[tokio::test]
async fn an_hour_of_retry_after_is_not_waited_for() {
    let turn = Turn::Http { status: 429, body: r#"{"detail":"x"}"#.into(), retry_after: Some(3600) };
    let began = Instant::now();
    let Asked { answer, requests } = ask(turn).await;
    let leave = Duration::from_secs(3600);
    assert!(
        matches!(answer, Err(ModelError::Busy { why, leave: l }) if why.starts_with("429") && l == leave)
    );
    assert_eq!(requests, 1);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_slow_server_is_left_in_time() {
    let slow = Turn::Slow(Duration::from_secs(600), Box::new(Turn::Say("late".into())));
    let Asked { answer, .. } = ask_for(vec![slow.clone()], Duration::from_millis(200)).await;
    assert!(matches!(answer, Err(ModelError::Unavailable(why)) if why.contains("0.2 s")));

    let server = ScriptedModel::start(Script::Turns(vec![slow])).await.unwrap();
    let per_try = Duration::from_millis(200);
    let model = OpenAi::new(Settings { per_try, ..settings(server.base_url()) }).unwrap();
    let answer = model.chat(&chat(), Duration::from_secs(20)).await;
    assert!(matches!(answer, Err(ModelError::Unavailable(why)) if why.contains("in time")));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn nobody_there() {
    let model = OpenAi::new(settings("http://127.0.0.1:9/v1".into())).unwrap();
    let answer = model.chat(&chat(), Duration::from_secs(20)).await;
    assert_eq!(answer, Err(ModelError::Unavailable("it cannot be reached".into())));
}

#[tokio::test]
async fn settings_are_taken_as_they_are_meant() {
    let url = || "http://localhost/v1/".to_owned();
    let wrong = |settings| OpenAi::new(settings).unwrap_err();
    for base in ["localhost:8080", "ftp://x/", "", "file:///etc/passwd"] {
        assert!(matches!(wrong(settings(base.into())), Misconfigured::Url(_)), "{base}");
    }
    let key = Some(SecretString::from("a\nb".to_owned()));
    assert!(matches!(wrong(Settings { key, ..settings(url()) }), Misconfigured::Key));
    let model = OpenAi::new(settings(url())).unwrap();
    assert!(!format!("{model:?}").contains(KEY));

    let server = ScriptedModel::start(Script::Turns(vec![Turn::Say("x".into())])).await.unwrap();
    let token_field = TokenField::MaxCompletionTokens;
    let base = format!("{}/", server.base_url());
    let model = OpenAi::new(Settings { key: None, token_field, ..settings(base) }).unwrap();
    let mut chat = chat();
    chat.must_call = true;
    let bad = |name: &str, schema: &str| ToolSpec {
        name: name.into(),
        description: String::new(),
        schema: schema.into(),
    };
    chat.tools.push(bad("a.b", "{}"));
    chat.tools.push(bad("no_schema", "[]"));
    model.chat(&chat, Duration::from_secs(20)).await.unwrap();
    assert_eq!(server.violations(), Vec::<String>::new());
    let seen = &server.seen()[0];
    assert_eq!(seen["max_completion_tokens"], 64);
    assert_eq!(seen["tool_choice"], "required");
    assert_eq!(seen["tools"].as_array().unwrap().len(), 2);
}

async fn streamed(turn: Turn) -> Asked {
    let server = ScriptedModel::start(Script::Turns(vec![turn.clone(), turn.clone(), turn])).await.unwrap();
    let model = OpenAi::new(Settings { stream: true, ..settings(server.base_url()) }).unwrap();
    let answer = model.chat(&chat(), Duration::from_secs(20)).await;
    assert_eq!(server.violations(), Vec::<String>::new());
    assert_eq!(server.seen()[0]["stream_options"]["include_usage"], true);
    Asked { answer, requests: server.seen().len() }
}

#[tokio::test]
async fn a_streamed_answer_is_put_together() {
    let calls = vec![
        ("k8s__list_pods".to_owned(), r#"{"namespace":"shöp"}"#.to_owned()),
        ("k8s__get_pod_logs".to_owned(), r#"{"namespace":"shop","pod":"api"}"#.to_owned()),
    ];
    let say = "Let me look at the pods.".to_owned();
    let reply = streamed(Turn::Call { say: say.clone(), calls: calls.clone() }).await.answer.unwrap();
    assert_eq!(reply.content, say);
    let got: Vec<_> = reply.calls.iter().map(|c| (c.name.clone(), c.arguments.clone())).collect();
    assert_eq!(got, calls);
    assert_eq!((reply.calls[0].id.as_str(), reply.calls[1].id.as_str()), ("r1c0", "r1c1"));
    assert_eq!((reply.incomplete, reply.usage.prompt, reply.usage.cached), (None, 900, 640));
    assert_eq!(streamed(Turn::Say("here".into())).await.answer.unwrap().content, "here");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_no_answer() {
    for answer in [
        // the connection ends before the body does
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9000\r\n\r\ndata: {\"choices\":[{\"delta\":\
         {\"content\":\"I choose \"}}]}\n\ndata: {\"choices\":[{\"del",
        // the body ends, and nobody said that this was all
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"I choose \"}}]}\n\n",
    ] {
        let model = OpenAi::new(Settings { stream: true, ..settings(raw(answer).await) }).unwrap();
        let reply = model.chat(&chat(), Duration::from_secs(20)).await.unwrap();
        assert_eq!(reply.incomplete.as_deref(), Some("the stream was cut off"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_read_all_the_same() {
    let reply = streamed(Turn::Odd(Odd::ObjectArguments)).await.answer.unwrap();
    assert_eq!((reply.calls.len(), reply.calls[0].arguments.as_str()), (1, r#"{"reason":"odd"}"#));
    assert_eq!(streamed(Turn::Odd(Odd::Parts)).await.answer.unwrap().content, "ab");
    for odd in [Odd::Html, Odd::HalfJson, Odd::Huge] {
        let Asked { answer, requests } = streamed(Turn::Odd(odd)).await;
        assert!(matches!(answer, Err(ModelError::Unreadable(_))), "{odd:?}: {answer:?}");
        assert_eq!(requests, 1);
    }
    let refused = streamed(http(429, r#"{"detail":"slow down"}"#)).await;
    assert!(matches!(refused.answer, Err(ModelError::Unavailable(why)) if why.contains("slow down")));
    assert_eq!(refused.requests, 3);
}

/// A server that answers every request with these bytes.
async fn raw(answer: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = vec![0; 65_536];
            assert!(socket.read(&mut buffer).await.unwrap() > 0);
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn a_date_to_come_back_at_is_held_against_the_servers_own_clock() {
    for (answer, expected) in [
        (
            "HTTP/1.1 503 Down\r\nDate: Sat, 21 Nov 2026 02:00:00 GMT\r\nRetry-After: Sat, 21 Nov 2026 02:05:00 \
             GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Some(300),
        ),
        (
            "HTTP/1.1 503 Down\r\nRetry-After: 120\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Some(120),
        ),
        ("HTTP/1.1 400 No\r\nRetry-After: 120\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", None),
        (
            "HTTP/1.1 503 Down\r\nRetry-After: 9999999999\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Some(24 * 3600),
        ),
    ] {
        let model = OpenAi::new(settings(raw(answer).await)).unwrap();
        let leave = match model.chat(&chat(), Duration::from_secs(20)).await {
            Err(ModelError::Busy { leave, .. }) => Some(leave.as_secs()),
            Err(ModelError::Unavailable(_)) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(leave, expected, "{answer}");
    }
}
