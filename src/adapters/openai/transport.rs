//! The way to the server and back: bounded bodies, tries that respect the caller's deadline, and errors
//! that keep the status and a short excerpt instead of a body.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use jiff::fmt::rfc2822;
use reqwest::header::{AUTHORIZATION, DATE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::wire;
use crate::ports::model::ModelError;

/// A chat completion of 4,096 tokens has 20 KiB; this is 200 of them.
const BODY: usize = 4 * 1024 * 1024;
/// Tries after the first.
const RETRIES: u32 = 2;
/// The first wait where the server names none; it doubles.
const BACKOFF: Duration = Duration::from_millis(500);
/// No caller waits longer than this, whatever it says: a day keeps the arithmetic safe.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest that a server's `Retry-After` is waited for within one turn. Beyond, it is told to whoever asks,
/// who may have another endpoint.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of a body that an error may show.
const EXCERPT: usize = 200;

/// What went wrong, fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It did not answer, or said no.
    #[error("{0}")]
    Unavailable(String),
    /// Its answer is no chat completion.
    #[error("{0}")]
    Unreadable(String),
    /// It asks to be left alone.
    #[error("{why}")]
    Busy { why: String, leave: Duration },
}

impl Fault {
    pub fn into_error(self) -> ModelError {
        match self {
            Self::Unavailable(why) => ModelError::Unavailable(why),
            Self::Unreadable(why) => ModelError::Unreadable(why),
            Self::Busy { why, leave } => ModelError::Busy { why, leave },
        }
    }
}

/// One try that failed.
struct Miss {
    fault: Fault,
    again: Again,
}

/// Whether another try makes sense.
#[derive(Clone, Copy)]
enum Again {
    Never,
    /// After this long, as the server says, or after our own backoff.
    After(Option<Duration>),
}

impl Miss {
    const fn last(fault: Fault) -> Self {
        Self { fault, again: Again::Never }
    }
}

/// The service that the client crate sends its requests through. Made for one call.
#[derive(Clone)]
pub struct Transport {
    pub http: reqwest::Client,
    pub deadline: Instant,
    pub key: Option<SecretString>,
    /// The answer comes as events.
    pub stream: bool,
}

impl tower::Service<HttpRequestFactory> for Transport {
    type Response = Response;
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.send(&request).await.map_err(|f| OpenAIError::Boxed(Box::new(f))) })
    }
}

impl Transport {
    async fn send(&self, request: &HttpRequestFactory) -> Result<Response, Fault> {
        let mut tries = 0;
        loop {
            let Miss { fault, again } = match self.once(request).await {
                Ok(body) => return Ok(http::Response::new(body).into()),
                Err(miss) => miss,
            };
            let wait = match again {
                Again::After(asked) if tries < RETRIES && asked.is_none_or(|asked| asked <= PATIENCE) => {
                    asked.unwrap_or(BACKOFF * 2u32.pow(tries))
                }
                Again::After(asked) => return Err(left_alone(fault, asked)),
                Again::Never => return Err(fault),
            };
            // a wait that outlasts the caller is no wait but an answer
            if wait >= self.deadline.saturating_duration_since(Instant::now()) {
                return Err(left_alone(fault, Some(wait)));
            }
            tokio::time::sleep(wait).await;
            tries += 1;
        }
    }

    async fn once(&self, request: &HttpRequestFactory) -> Result<Vec<u8>, Miss> {
        let mut request = request
            .build()
            .await
            .map_err(|_| Miss::last(Fault::Unavailable("the request could not be built".into())))?;
        if self.key.is_none() {
            request.headers_mut().remove(AUTHORIZATION);
        }
        let response = self.http.execute(request).await.map_err(|e| broken(&e))?;
        let status = response.status();
        let after = retry_after(&response);
        let streamed = self.stream && status.is_success();
        let body = read(response, streamed).await?;
        if streamed {
            return events(body)
                .ok_or_else(|| Miss::last(Fault::Unreadable(format!("{status}, and no stream of events"))));
        }
        if status.is_success() {
            return match serde_json::from_slice::<wire::Answer>(&body) {
                Ok(_) => Ok(body),
                Err(_) => Err(Miss::last(Fault::Unreadable(format!(
                    "{status}, and no chat completion: {}",
                    self.excerpt(&String::from_utf8_lossy(&body))
                )))),
            };
        }
        let said = wire::error_text(&body);
        let out_of_quota = said.as_ref().is_some_and(wire::ErrorText::is_quota);
        let text = said.map_or_else(|| String::from_utf8_lossy(&body).into_owned(), |e| e.message);
        let fault = Fault::Unavailable(format!("{status}: {}", self.excerpt(&text)));
        let again = if is_passing(status) && !out_of_quota { Again::After(after) } else { Again::Never };
        Err(Miss { fault, again })
    }

    /// The beginning of a text on one line, without control characters and without the key.
    fn excerpt(&self, text: &str) -> String {
        let head: String = text.chars().take(EXCERPT * 8).collect();
        let head = match &self.key {
            Some(key) => head.replace(key.expose_secret(), "[key]"),
            None => head,
        };
        let line = head.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty());
        line.collect::<Vec<_>>().join(" ").chars().take(EXCERPT).collect()
    }
}

/// Whether the same request may fare better a little later.
fn is_passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// What is said to whoever asks: how long the server asks to be left alone, if it does.
fn left_alone(fault: Fault, leave: Option<Duration>) -> Fault {
    match (fault, leave.filter(|leave| !leave.is_zero())) {
        (Fault::Unavailable(why), Some(leave)) => Fault::Busy { why, leave },
        (fault, _) => fault,
    }
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date, which is held against the server's own clock. A date
/// without that says nothing.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = |name| response.headers().get(name)?.to_str().ok().map(str::trim);
    let after = text(RETRY_AFTER)?;
    let wait = if let Ok(seconds) = after.parse::<f64>() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        let date = |text| rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
        let span = date(after)?.duration_since(date(text(DATE)?)?);
        Duration::try_from(span).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

/// Reads a body to its end. A stream that breaks off is handed on as far as it came: whoever puts it together
/// sees that its end is missing.
async fn read(mut response: Response, stream: bool) -> Result<Vec<u8>, Miss> {
    let mut body = Vec::new();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(body),
            Err(e) if stream && !body.is_empty() && !e.is_timeout() => return Ok(body),
            Err(e) => return Err(broken(&e)),
        };
        if body.len() + chunk.len() > BODY {
            return Err(Miss::last(Fault::Unreadable(format!("the answer is longer than {BODY} bytes"))));
        }
        body.extend_from_slice(&chunk);
    }
}

/// A body as events: it is a stream of them, or a whole answer of a server that does not stream.
fn events(body: Vec<u8>) -> Option<Vec<u8>> {
    if body.starts_with(b"data:") || body.windows(6).any(|w| w == b"\ndata:") {
        return Some(body);
    }
    let whole: serde_json::Value = serde_json::from_slice(&body).ok()?;
    whole.is_object().then(|| format!("data: {whole}\n\n").into_bytes())
}

/// A connection that failed. Too slow once is too slow twice; anything else may be tried again.
fn broken(error: &reqwest::Error) -> Miss {
    if error.is_timeout() && !error.is_connect() {
        return Miss::last(Fault::Unavailable("it did not answer in time".into()));
    }
    let what = if error.is_connect() { "it cannot be reached" } else { "the connection was cut" };
    Miss { fault: Fault::Unavailable(what.into()), again: Again::After(None) }
}
