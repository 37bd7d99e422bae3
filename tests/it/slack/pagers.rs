//! Pagers and the terminal as a channel.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use belay::adapters::pager_webhook::{WebhookPager, key};
use belay::adapters::terminal::{Look, TerminalMessenger, TerminalPager};
use belay::domain::ids::IncidentId;
use belay::ports::messenger::{Messenger, Pager, Undelivered};

use super::{asking, closed, tls};

type Calls = Arc<Mutex<Vec<(HeaderMap, serde_json::Value)>>>;

/// A receiver that answers each call with the next of `statuses`.
async fn receiver(statuses: Vec<u16>) -> (String, Calls) {
    let calls = Calls::default();
    let (kept, left) = (calls.clone(), Arc::new(Mutex::new(statuses)));
    let handler = move |headers: HeaderMap, body: Bytes| {
        kept.lock().unwrap().push((headers, serde_json::from_slice(&body).unwrap()));
        let status = StatusCode::from_u16(left.lock().unwrap().remove(0)).unwrap();
        async move { (status, [(header::RETRY_AFTER, "9")]) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/page", listener.local_addr().unwrap());
    tokio::spawn(
        async move { axum::serve(listener, axum::Router::new().route("/page", post(handler))).await },
    );
    (url, calls)
}

#[tokio::test]
async fn a_page_carries_a_key_by_which_a_repeat_is_known() {
    tls();
    let (url, calls) = receiver(vec![202, 202, 202]).await;
    let pager = WebhookPager::new(&url, Some("s3cret".into()), Duration::from_secs(5)).unwrap();
    let incident = IncidentId::new("7k2m9x0a");
    pager.page(&incident, "A person is needed", "no grant covers it").await.unwrap();
    pager.page(&incident, "A person is needed", "no grant covers it").await.unwrap();
    pager.page(&incident, "A person is needed", "another reason").await.unwrap();
    let calls = calls.lock().unwrap();
    let keys: Vec<_> = calls.iter().map(|(h, _)| h["idempotency-key"].to_str().unwrap()).collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
    assert!(keys[0].starts_with("7k2m9x0a-"));
    assert_eq!(calls[0].0["authorization"], "Bearer s3cret");
    let body = serde_json::json!({"incident": "7k2m9x0a", "headline": "A person is needed", "why": "no grant covers it"});
    assert_eq!(calls[0].1, body);
}

#[tokio::test]
async fn what_the_receiver_answers_is_sorted() {
    tls();
    let (url, _) = receiver(vec![503, 429, 500, 404, 301]).await;
    let pager = WebhookPager::new(&url, None, Duration::from_secs(5)).unwrap();
    let incident = IncidentId::new("7k2m9x0a");
    for _ in 0..3 {
        let refused = pager.page(&incident, "h", "w").await.unwrap_err();
        assert!(matches!(refused, Undelivered::Later { after_seconds: 9, .. }), "{refused}");
    }
    for _ in 0..2 {
        let refused = pager.page(&incident, "h", "w").await.unwrap_err();
        assert!(matches!(refused, Undelivered::Never(_)), "{refused}");
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_reached_is_not_repeated_in_the_error() {
    tls();
    let pager = WebhookPager::new("http://127.0.0.1:1/key-s3cret", None, Duration::from_secs(5)).unwrap();
    let refused = pager.page(&IncidentId::new("x"), "h", "w").await.unwrap_err();
    assert!(matches!(refused, Undelivered::Later { .. }));
    assert!(!refused.to_string().contains("s3cret"), "{refused}");
    assert!(WebhookPager::new("http://pager.example/x", None, Duration::from_secs(1)).is_err());
    assert!(WebhookPager::new("pager", None, Duration::from_secs(1)).is_err());
    assert!(key(&IncidentId::new("a\r\nb"), "w").bytes().all(|b| b.is_ascii_graphic()));
}

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PLAIN: Look = Look { width: 60, colour: false };

#[tokio::test]
async fn the_terminal_says_only_what_is_new() {
    let screen = Screen::default();
    let terminal = TerminalMessenger::new(Box::new(screen.clone()), PLAIN);
    let first = terminal.publish(&asking("7k2m9x0a", "one"), None).await.unwrap();
    assert_eq!((first.through.as_str(), first.id.as_str()), ("terminal", "7k2m9x0a"));
    terminal.publish(&closed("7k2m9x0a", "It helped."), Some(&first)).await.unwrap();
    let text = screen.text();
    assert_eq!(text.matches("What belay did").count(), 1, "{text}");
    assert!(text.contains("belay incidents hand-over 7k2m9x0a"), "{text}");
    assert!(text.ends_with("ok It helped.\n   incident 7k2m9x0a\n\n"), "{text}");
}

#[tokio::test]
async fn the_terminal_pager_calls_once_for_one_reason() {
    let screen = Screen::default();
    let pager = TerminalPager::new(Box::new(screen.clone()), PLAIN);
    for why in ["it did not help", "it did not help", "somebody asked"] {
        pager.page(&IncidentId::new("7k2m9x0a"), "Handed over\u{7}", why).await.unwrap();
    }
    assert_eq!(screen.text().matches("PAGE").count(), 2);
    assert!(!screen.text().contains('\u{7}'));
}

#[tokio::test]
async fn a_terminal_that_is_gone_says_so() {
    let terminal = TerminalMessenger::new(Box::new(Gone), PLAIN);
    let refused = terminal.publish(&asking("7k2m9x0a", "one"), None).await.unwrap_err();
    assert!(matches!(refused, Undelivered::Never(_)), "{refused}");
}
