//! Logs and metrics, set up in one place.

mod metrics;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use metrics::{Asked, Metrics, ModelMetrics, Reloaded};

/// Where logs go and how they look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `filter` is in `tracing`'s syntax. Called once.
pub fn init(filter: &str, format: LogFormat) -> Result<(), String> {
    // async-openai logs whole failing bodies, and bodies are incident data; the others log what belay
    // itself reports with its context
    let quiet = "async_openai=off,kube_client=off,rmcp=warn,tokio_cron_scheduler=warn";
    let filter = format!("{filter},{quiet}");
    let filter: EnvFilter = filter.parse().map_err(|e| format!("the log filter cannot be read: {e}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => registry.with(layer).try_init(),
        LogFormat::Json => registry.with(layer.json()).try_init(),
    }
    .map_err(|e| format!("logging was started twice: {e}"))
}
