//! Sessions of clients of protocol 2025-11-25 and before: whose they are, and coming back to an answer that broke off.

use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt as _};

use super::*;

/// A message in a session.
fn message(house: &House, token: &str, session: Option<&str>, body: Value) -> RequestBuilder {
    let request = house.post("logs", Some(token)).header("mcp-protocol-version", "2025-11-25");
    let request = match session {
        Some(session) => request.header("mcp-session-id", session),
        None => request,
    };
    request.body(body.to_string())
}

async fn begin(house: &House, token: &str) -> String {
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" },
        },
    });
    let answer = message(house, token, None, hello).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let session = header(&answer, "mcp-session-id").to_owned();
    assert!(answer.text().await.unwrap().contains("protocolVersion"));
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let ready = message(house, token, Some(&session), ready).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::ACCEPTED);
    session
}

fn list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" })
}

fn listen(house: &House, token: &str, session: &str, last: Option<&str>) -> RequestBuilder {
    let request = house.client.get(house.resource("logs")).bearer_auth(token).timeout(SOON);
    let request = request.header("accept", "text/event-stream").header("mcp-session-id", session);
    let request = request.header("mcp-protocol-version", "2025-11-25");
    match last {
        Some(last) => request.header("last-event-id", last),
        None => request,
    }
}

#[tokio::test]
async fn a_session_is_its_callers_and_each_call_in_it_is_judged_by_its_own_token() {
    let house = House::with(|_| ()).await;
    let session = begin(&house, ALICE).await;
    let listed = message(&house, ALICE, Some(&session), list()).send().await.unwrap();
    assert!(listed.text().await.unwrap().contains("promql"));
    // nobody goes on with it, listens to it or ends it but who began it
    let status = async |request: RequestBuilder| request.send().await.unwrap().status();
    assert_eq!(status(message(&house, BOB, Some(&session), list())).await, StatusCode::NOT_FOUND);
    assert_eq!(status(listen(&house, BOB, &session, None)).await, StatusCode::NOT_FOUND);
    let end = |token: &str| {
        let request = house.client.delete(house.resource("logs")).bearer_auth(token);
        request.header("mcp-session-id", &session).header("mcp-protocol-version", "2025-11-25")
    };
    assert_eq!(status(end(BOB)).await, StatusCode::NOT_FOUND);
    let unsealed = session.rsplit_once('.').unwrap().0;
    assert_eq!(status(message(&house, ALICE, Some(unsealed), list())).await, StatusCode::NOT_FOUND);
    assert_eq!(status(message(&house, ALICE, Some(&session), list())).await, StatusCode::OK);
    // a token that is no longer shown is no longer there
    let mut without = message(&house, ALICE, Some(&session), list()).build().unwrap();
    without.headers_mut().remove("authorization");
    assert_eq!(house.client.execute(without).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(status(end(ALICE)).await.is_success());
    assert_eq!(status(message(&house, ALICE, Some(&session), list())).await, StatusCode::NOT_FOUND);
    house.stop().await;
}

/// The fields of the events of a stream, up to the one that holds `until`.
async fn events(answer: &mut Response, until: &str) -> String {
    let mut text = String::new();
    while !text.contains(until) {
        let chunk =
            answer.chunk().await.unwrap().unwrap_or_else(|| panic!("it ended without `{until}`: {text}"));
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

#[tokio::test]
async fn an_answer_that_broke_off_is_had_again() {
    let house = House::with(|_| ()).await;
    let session = begin(&house, BOB).await;
    let wait = json!({
        "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": { "name": "wait", "arguments": { "namespace": "shop" } },
    });
    let mut answer = message(&house, BOB, Some(&session), wait).send().await.unwrap();
    let first = events(&mut answer, "id:").await;
    let last = first.lines().find_map(|line| line.strip_prefix("id:")).unwrap().trim().to_owned();
    // the connection breaks while the call is under way
    drop(answer);
    let mut again = listen(&house, BOB, &session, Some(&last)).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::OK);
    house.spy.go.notify_one();
    let rest = tokio::time::timeout(SOON, events(&mut again, "seen")).await.unwrap();
    assert!(rest.contains("\"id\":7"), "{rest}");
    drop(again);
    // nobody else has it, though they know all its names
    let other = listen(&house, ALICE, &session, Some(&last)).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    // once: the call was not made again
    assert_eq!(house.spy.reached().len(), 1);
    house.stop().await;
}

#[tokio::test]
async fn sessions_are_bounded() {
    let house = House::with(|access| access.calls_per_minute = 600).await;
    for _ in 0..128 {
        begin(&house, ALICE).await;
    }
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" },
        },
    });
    let refused = message(&house, BOB, None, hello).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
    // who needs none goes on
    assert_eq!(house.status("logs", Some(BOB)).await.status(), StatusCode::OK);
    house.stop().await;
}

#[tokio::test]
async fn an_ordinary_client_works() {
    let house = House::with(|_| ()).await;
    let config = StreamableHttpClientTransportConfig::with_uri(house.resource("logs")).auth_header(BOB);
    let transport = StreamableHttpClientTransport::with_client(house.client.clone(), config);
    let client: rmcp::service::RunningService<RoleClient, ()> = ().serve(transport).await.unwrap();
    let tools = client.list_all_tools().await.unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names, ["look", "wait"]);
    client.cancel().await.unwrap();
    house.stop().await;
}
