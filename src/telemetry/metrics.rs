//! The daemon's counters, in OpenMetrics.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// What is counted. Each event is counted where it is logged.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Deliveries made durable.
    pub deliveries: Counter,
    /// Requests with wrong credentials or signatures.
    pub refused: Counter,
    /// Incidents opened.
    pub incidents: Counter,
    /// Steps taken.
    pub steps: Counter,
    /// Pieces of work that failed and are tried again.
    pub failures: Counter,
    /// Writes that were sent to the action server.
    pub acts: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("belay");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let deliveries = counter("deliveries", "Webhook deliveries made durable");
        let refused = counter("refused_requests", "Requests with wrong credentials or signatures");
        let incidents = counter("incidents_opened", "Incidents opened");
        let steps = counter("steps", "Steps of incidents written to the journal");
        let failures = counter("work_failures", "Pieces of work that failed and are tried again");
        let acts = counter("acts_sent", "Warrants sent to the action server");
        Self { registry, deliveries, refused, incidents, steps, failures, acts }
    }
}

impl Metrics {
    /// All of them, in OpenMetrics' text format.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
