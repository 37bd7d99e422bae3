//! Endpoints of models, their prices, and what may be spent on them.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::{Config, ConfigError};

/// A model behind any OpenAI-compatible endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ModelConfig {
    /// The base URL, up to and including `/v1`.
    pub url: String,
    /// The model's name there.
    pub name: String,
    /// A file with the API key, where one is needed.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// Whether its answers are sent in pieces.
    #[serde(default)]
    pub stream: bool,
    /// The namespaces whose text may leave for it; without it, all for an endpoint on this machine or within
    /// the cluster, and none for any other.
    #[serde(default)]
    pub egress: Option<Vec<String>>,
    /// What it costs.
    #[serde(default)]
    pub price: Option<PriceConfig>,
}

/// What a million tokens cost, in whatever currency the budgets are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PriceConfig {
    /// Sent.
    pub prompt: Amount,
    /// Come back.
    pub completion: Amount,
    /// Sent, and found in the server's prompt cache; without it, as `prompt`.
    #[serde(default)]
    pub cached: Option<Amount>,
}

/// What may be spent on models.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ModelBudgetConfig {
    /// On one incident, in 24 hours.
    #[serde(deserialize_with = "per_incident")]
    pub per_incident: BudgetConfig,
    /// On all together, in 24 hours.
    #[serde(deserialize_with = "per_day")]
    pub per_day: BudgetConfig,
}

/// One budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetConfig {
    /// Turns.
    pub turns: u64,
    /// Tokens, both ways.
    pub tokens: u64,
    /// Seconds spent waiting for models.
    pub seconds: u64,
    /// Money.
    pub money: Option<Amount>,
}

impl BudgetConfig {
    /// Three whole investigations (12 turns, 100,000 tokens, 2 minutes each): an incident is looked at up to
    /// three times.
    pub const INCIDENT: Self = Self { turns: 36, tokens: 300_000, seconds: 360, money: None };
    /// A hundred whole investigations.
    pub const DAY: Self = Self { turns: 1_200, tokens: 10_000_000, seconds: 12_000, money: None };
}

impl Default for ModelBudgetConfig {
    fn default() -> Self {
        Self { per_incident: BudgetConfig::INCIDENT, per_day: BudgetConfig::DAY }
    }
}

/// Of a budget, what is written; the rest stays as it is by default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    #[serde(default)]
    turns: Option<u64>,
    #[serde(default)]
    tokens: Option<u64>,
    #[serde(default)]
    seconds: Option<u64>,
    #[serde(default)]
    money: Option<Amount>,
}

impl Written {
    fn over(self, default: BudgetConfig) -> BudgetConfig {
        BudgetConfig {
            turns: self.turns.unwrap_or(default.turns),
            tokens: self.tokens.unwrap_or(default.tokens),
            seconds: self.seconds.unwrap_or(default.seconds),
            money: self.money.or(default.money),
        }
    }
}

fn per_incident<'de, D: Deserializer<'de>>(d: D) -> Result<BudgetConfig, D::Error> {
    Written::deserialize(d).map(|written| written.over(BudgetConfig::INCIDENT))
}

fn per_day<'de, D: Deserializer<'de>>(d: D) -> Result<BudgetConfig, D::Error> {
    Written::deserialize(d).map(|written| written.over(BudgetConfig::DAY))
}

/// An amount of money, in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub u64);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

impl Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of money from 0 to a million, as in `0.15`")
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Amount, E> {
        let most = n <= 1_000_000;
        most.then(|| Amount(n * 1_000_000_000))
            .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(n), &self))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<Amount, E> {
        let unsigned = u64::try_from(n).map_err(|_| E::invalid_value(de::Unexpected::Signed(n), &self))?;
        self.visit_u64(unsigned)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within 0 to 10^15")]
    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Amount, E> {
        if !(0.0..=1_000_000.0).contains(&x) {
            return Err(E::invalid_value(de::Unexpected::Float(x), &self));
        }
        Ok(Amount((x * 1_000_000_000.0).round() as u64))
    }
}

/// What of the endpoints cannot be meant.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let conflict = |text: String| Err(ConfigError::Conflict(text));
    if config.model.is_some() && !config.models.is_empty() {
        return conflict(
            "`model` is one endpoint and `models` a list of them: put them all into `models`".to_owned(),
        );
    }
    let ModelBudgetConfig { per_incident, per_day } = &config.model_budget;
    let unpriced = config.endpoints().find(|endpoint| endpoint.price.is_none());
    for (key, budget) in [("perIncident", per_incident), ("perDay", per_day)] {
        if let (Some(_), Some(endpoint)) = (budget.money, unpriced) {
            return conflict(format!(
                "`modelBudget.{key}.money` cannot be kept: `{}` has no `price`; give it one, or leave `money` out",
                endpoint.name
            ));
        }
        if budget.turns == 0 || budget.tokens == 0 || budget.seconds == 0 {
            return conflict(format!(
                "`modelBudget.{key}` leaves nothing for models: leave `model` and `models` out instead"
            ));
        }
    }
    Ok(())
}
