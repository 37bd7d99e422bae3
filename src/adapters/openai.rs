//! Any server that speaks OpenAI's chat API: hosted, vLLM, Ollama, llama.cpp. The only place that names
//! the client crate, of which it uses the request building and nothing that logs or guesses.

mod stream;
mod transport;
mod wire;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_openai::Client;
use async_openai::config::{Config as _, OpenAIConfig};
use async_openai::error::OpenAIError;
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use self::transport::{Fault, Transport};
use crate::adapters::address::is_local_host;
use crate::domain::redact;
use crate::ports::model::{Chat, Model, ModelError, Reply};
use crate::ports::probe::{Probe, Probed};
use crate::ports::reads::ReadError;

/// Connecting takes a round trip or three; five seconds is a server that is not there.
const CONNECT: Duration = Duration::from_secs(5);

/// The name of the request field that bounds the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenField {
    /// `max_tokens`: what all the self-hosted servers know.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`: what OpenAI's own reasoning models insist on.
    MaxCompletionTokens,
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Up to and without `/chat/completions`: `http://localhost:11434/v1`.
    pub base_url: String,
    /// The key, where the server wants one.
    pub key: Option<SecretString>,
    /// The model's name, as the server knows it.
    pub model: String,
    /// How long one try may take.
    pub per_try: Duration,
    /// An HTTP proxy; the environment's is not used.
    pub proxy: Option<String>,
    /// How the answer's length is bounded.
    pub token_field: TokenField,
    /// Whether the answer is sent in pieces, as servers behind impatient gateways need it.
    pub stream: bool,
}

/// The settings cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Misconfigured {
    /// Not a URL that can be called.
    #[error("the model's base URL `{0}` is not an http or https URL")]
    Url(String),
    /// It would be no header value.
    #[error("the model's key holds characters that no key has: is there more than the key in its file?")]
    Key,
    /// The HTTP client could not be made.
    #[error("the model's HTTP client cannot be made: is there a CA bundle, is the proxy a URL?")]
    Client(#[source] reqwest::Error),
}

/// A model behind OpenAI's chat API.
pub struct OpenAi {
    http: reqwest::Client,
    config: OpenAIConfig,
    key: Option<SecretString>,
    model: String,
    token_field: TokenField,
    stream: bool,
    host: String,
    port: Option<u16>,
    /// Ids made up for calls that came without one.
    made: AtomicU64,
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("model", &self.model).finish_non_exhaustive()
    }
}

impl OpenAi {
    /// A client with these settings. Nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self, Misconfigured> {
        let Settings { base_url, key, model, per_try, proxy, token_field, stream } = settings;
        let base = base_url.trim_end_matches('/');
        let url = reqwest::Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let port = url.as_ref().and_then(reqwest::Url::port);
        let Some(host) = url.as_ref().and_then(|url| url.host_str()).map(str::to_owned) else {
            return Err(Misconfigured::Url(base_url));
        };
        let key = key
            .map(|k| SecretString::from(k.expose_secret().trim().to_owned()))
            .filter(|k| !k.expose_secret().is_empty());
        // the client crate would panic on these
        if key.as_ref().is_some_and(|k| !k.expose_secret().bytes().all(|b| b.is_ascii_graphic())) {
            return Err(Misconfigured::Key);
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(per_try)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(proxy) = proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(Misconfigured::Client)?);
        }
        let http = builder.build().map_err(Misconfigured::Client)?;
        // every field is set: the crate's defaults come from the environment
        let config = OpenAIConfig::new()
            .with_api_base(base)
            .with_api_key(key.as_ref().map_or("", |k| k.expose_secret()))
            .with_org_id("")
            .with_project_id("");
        Ok(Self { http, config, key, model, token_field, stream, host, port, made: AtomicU64::new(1) })
    }

    /// The host that it is reached at, and the port where that is not the usual one.
    pub fn place(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Whether what is sent there stays on this machine or within the cluster.
    pub fn is_local(&self) -> bool {
        is_local_host(&self.host)
    }

    async fn ask(&self, chat: &Chat, deadline: Instant) -> Result<Reply, ModelError> {
        let request = wire::Request::new(&self.model, self.token_field, self.stream, chat);
        let (http, key) = (self.http.clone(), self.key.clone());
        let transport = Transport { http, deadline, key, stream: self.stream };
        let client = Client::build(self.http.clone(), self.config.clone()).with_http_service(transport);
        let mut make_id = || format!("made{:05}", self.made.fetch_add(1, Ordering::Relaxed));
        if self.stream {
            let events = client.chat().create_stream_byot::<_, stream::Chunk>(request).await;
            return stream::collect(events.map_err(fault)?, &mut make_id).await;
        }
        let answer: Result<wire::Answer, OpenAIError> = client.chat().create_byot(request).await;
        answer.map_err(fault)?.into_reply(&mut make_id)
    }
}

#[async_trait]
impl Probe for OpenAi {
    /// Asks for the list of its models, which costs nothing. Some servers have none, and answer.
    async fn probe(&self) -> Result<Probed, ReadError> {
        let what = || format!("the models at {}", self.place());
        let failed = |why: &str| ReadError::Failed { what: what(), why: redact::line(why, 300) };
        let request = self.http.get(format!("{}/models", self.config.api_base()));
        let request = match &self.key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        };
        let answer = request.send().await.map_err(|e| failed(&e.without_url().to_string()))?;
        match answer.status().as_u16() {
            200..=299 | 404 | 405 => Ok(Probed::default()),
            status @ (401 | 403) => {
                let why = format!("it answered {status}: check `apiKeyFile`");
                Err(ReadError::Refused { what: what(), why })
            }
            status => Err(failed(&format!("it answered {status}"))),
        }
    }
}

#[async_trait]
impl Model for OpenAi {
    fn name(&self) -> &str {
        &self.model
    }

    async fn chat(&self, chat: &Chat, within: Duration) -> Result<Reply, ModelError> {
        let deadline = Instant::now() + within.min(transport::LONGEST);
        match tokio::time::timeout_at(deadline, self.ask(chat, deadline)).await {
            Ok(answer) => answer,
            Err(_) => Err(ModelError::Unavailable(format!("no answer within {} s", within.as_secs_f32()))),
        }
    }
}

/// The transport's own fault, or, where the crate found one, no more than its kind: its texts hold bodies.
fn fault(error: OpenAIError) -> ModelError {
    match error {
        OpenAIError::Boxed(boxed) => match boxed.downcast::<Fault>() {
            Ok(fault) => fault.into_error(),
            Err(_) => ModelError::Unavailable("the request failed".into()),
        },
        OpenAIError::InvalidArgument(_) => ModelError::Unavailable("the request could not be built".into()),
        _ => ModelError::Unreadable("the answer is not a chat completion".into()),
    }
}
