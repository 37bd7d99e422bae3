//! The daemon's counters, in OpenMetrics.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
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
    /// Tools of third-party MCP servers that were found to be other than people accepted.
    pub disabled_tools: Counter,
    /// What models were asked.
    pub models: ModelMetrics,
    reloads: Family<Reload, Counter>,
    set: Family<Set, Gauge>,
    loaded: Gauge<f64, AtomicU64>,
}

/// What models were asked, and what they cost.
#[derive(Debug, Clone, Default)]
pub struct ModelMetrics {
    calls: Family<Call, Counter>,
    tokens: Family<Token, Counter>,
}

/// What came of asking a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It answered.
    Answered,
    /// It did not.
    Failed,
}

impl Asked {
    const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Token {
    kind: &'static str,
}

impl ModelMetrics {
    /// A model was asked; these are the tokens both ways, and those of the sent ones that it had cached.
    pub fn asked(&self, result: Asked, sent: u64, came_back: u64, cached: u64) {
        self.calls.get_or_create(&Call { result: result.name() }).inc();
        for (kind, count) in [("input", sent), ("output", came_back), ("cached", cached)] {
            self.tokens.get_or_create(&Token { kind }).inc_by(count);
        }
    }
}

/// What came of policy files that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// They are in force.
    Loaded,
    /// They were refused; the set before them stays.
    Refused,
}

impl Reloaded {
    const fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Refused => "refused",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Set {
    set: String,
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
        let disabled_tools = counter(
            "mcp_tools_disabled",
            "Tools of third-party MCP servers that no person accepted as they are",
        );
        let reloads = Family::<Reload, Counter>::default();
        // both are there from the start: an alert on the first refusal needs a zero before it
        for result in [Reloaded::Loaded, Reloaded::Refused] {
            drop(reloads.get_or_create(&Reload { result: result.name() }));
        }
        registry.register(
            "policy_reloads",
            "Policy files that changed, by what came of them",
            reloads.clone(),
        );
        let models = ModelMetrics::default();
        for result in [Asked::Answered, Asked::Failed] {
            drop(models.calls.get_or_create(&Call { result: result.name() }));
        }
        registry.register("model_calls", "Askings of models, by what came of them", models.calls.clone());
        let help = "Tokens of models: sent, come back, and those of the sent ones that the server had cached";
        registry.register("model_tokens", help, models.tokens.clone());
        let set = Family::<Set, Gauge>::default();
        registry.register("policy_set_info", "The policy set in force", set.clone());
        let loaded = Gauge::<f64, AtomicU64>::default();
        let help = "When the policy set in force was taken up, in seconds since 1970";
        registry.register("policy_loaded_timestamp_seconds", help, loaded.clone());
        Self {
            registry,
            deliveries,
            refused,
            incidents,
            steps,
            failures,
            acts,
            disabled_tools,
            models,
            reloads,
            set,
            loaded,
        }
    }
}

impl Metrics {
    /// Policy files changed.
    pub fn reloaded(&self, result: Reloaded) {
        self.reloads.get_or_create(&Reload { result: result.name() }).inc();
    }

    /// This set (its hash, shortened) is in force since `at`, in seconds since 1970.
    pub fn in_force(&self, set: String, at: f64) {
        self.set.clear();
        self.set.get_or_create(&Set { set }).set(1);
        self.loaded.set(at);
    }

    /// All of them, in OpenMetrics' text format.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
