//! Requests that a browser may have sent: names that are not ours, pages that are not on the list, and what pages that
//! are on it get; and bodies without end.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

#[tokio::test]
async fn only_for_names_of_this_server() {
    let house = House::with(|access| access.public_url = Some("https://belay.example.com".into())).await;
    let port = house.address.port();
    let asked = async |host: &str| {
        let request = house.ask("logs", Some(ALICE), "tools/list", json!({})).header("host", host);
        request.send().await.unwrap().status()
    };
    for ours in ["belay.example.com", "BELAY.example.com:443", "localhost", "127.0.0.1", "[::1]:80"] {
        assert_eq!(asked(ours).await, StatusCode::OK, "{ours}");
    }
    assert_eq!(asked(&format!("127.0.0.1:{port}")).await, StatusCode::OK);
    for other in
        ["evil.example", "belay.example.com.evil.example", "belay.example.com@evil.example", "127.0.0.2", "0"]
    {
        assert_eq!(asked(other).await, StatusCode::FORBIDDEN, "{other}");
    }
    house.stop().await;
}

#[tokio::test]
async fn only_pages_on_the_list_may_ask() {
    let page = "https://inspector.example.com";
    let house = House::with(|access| access.allowed_origins = vec![page.into()]).await;
    let asked = async |origin: &str| {
        let request = house.ask("logs", Some(ALICE), "tools/list", json!({})).header("origin", origin);
        request.send().await.unwrap()
    };
    let answer = asked(page).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header(&answer, "access-control-allow-origin"), page);
    assert_eq!(header(&answer, "vary"), "origin");
    for other in [
        "https://evil.example",
        "http://inspector.example.com",
        "https://inspector.example.com:8443",
        "https://inspector.example.com.evil.example",
        "null",
        "",
    ] {
        let answer = asked(other).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{other}");
        assert_eq!(header(&answer, "access-control-allow-origin"), "");
    }
    // what a browser asks before: no token is in it
    let before = |origin: &'static str| {
        let request = house.client.request(reqwest::Method::OPTIONS, house.resource("logs"));
        request.header("origin", origin).header("access-control-request-method", "POST").send()
    };
    let answer = before(page).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(header(&answer, "access-control-allow-headers").contains("authorization"));
    assert_eq!(before("https://evil.example").await.unwrap().status(), StatusCode::FORBIDDEN);
    // a page that is turned away for its token may read why
    let answer =
        house.ask("logs", None, "tools/list", json!({})).header("origin", page).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(header(&answer, "access-control-expose-headers").contains("www-authenticate"));
    assert!(house.spy.reached().is_empty());
    house.stop().await;
}

/// Where no tokens are asked for, these two are all that stands between a page and the servers.
#[tokio::test]
async fn no_page_reaches_a_server_that_asks_for_no_tokens() {
    let house = House::open(None, tempfile::tempdir().unwrap(), &["logs"]).await;
    let ask = || house.ask("logs", None, "tools/list", json!({}));
    let from_page = ask().header("origin", house.url("")).send().await.unwrap();
    assert_eq!(from_page.status(), StatusCode::FORBIDDEN);
    let rebound = ask().header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), StatusCode::FORBIDDEN);
    assert!(house.ledger.lines().is_empty());
    house.stop().await;
}

#[tokio::test]
async fn bodies_are_bounded() {
    let house = House::with(|_| ()).await;
    let large = house.post("logs", Some(ALICE)).body(vec![b' '; (256 << 10) + 1]).send().await.unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let odd = house.post("logs", Some(ALICE)).body(vec![b'"', 0xff, b'"']).send().await.unwrap();
    assert_eq!(odd.status(), StatusCode::BAD_REQUEST);
    // who has no token is not read at all
    let large = house.post("logs", None).body(vec![b' '; (256 << 10) + 1]).send().await;
    assert!(large.map_or(true, |answer| answer.status() == StatusCode::UNAUTHORIZED));
    house.stop().await;
}

/// A body that never ends costs its sender the connection, after 20 s.
#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let house = House::with(|_| ()).await;
    let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let head = format!(
        "POST /mcp/logs HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {ALICE}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // said when the body begins to be read
    let mut on = [0; 25];
    stream.read_exact(&mut on).await.unwrap();
    assert_eq!(&on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{").await.unwrap();
    tokio::time::pause();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}
